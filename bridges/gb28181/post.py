"""Our requests outside of dialogs: built here, and what becomes of them is brought to who sent them. No I/O, no clock."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from bridges.gb28181 import manscdp
from bridges.gb28181.devices import Device
from bridges.gb28181.outs import Out
from bridges.gb28181.outs import Post as Posted
from bridges.sip.fields import Address, CSeq, host_port
from bridges.sip.message import Headers, Request, Response
from bridges.sip.transaction import Flow

AGENT = "CommHub"

# What came: the response, or the reason for which none will (timeout, lost, unreachable). And when.
Then = Callable[[Response | str, float], None]


class Office:
    """``token`` gives a fresh random word each time. ``outs`` is the list that everything to be done is put into."""

    def __init__(self, code: str, domain: str, token: Callable[[], str], outs: list[Out]) -> None:
        self.code, self.domain, self.token, self.outs = code, domain, token, outs
        self._numbers = itertools.count(1)
        self._sns, self._cseqs = itertools.count(1), itertools.count(1)
        self._then: dict[int, Then] = {}

    def __len__(self) -> int:
        return len(self._then)

    def sn(self) -> int:
        return next(self._sns) & 0x7FFFFFFF

    def message(self, device: Device, root: str, command: str, target: str, fields: manscdp.Fields, then: Then) -> int:
        """A MESSAGE with that document. Its SN; KeyError when the device cannot be reached."""
        sn = self.sn()
        body = manscdp.write(root, command, sn, target, fields, version=device.version)
        self.send(self.request("MESSAGE", device, body), self.way(device), then)
        return sn

    def way(self, device: Device) -> Flow:
        if device.flow is None:
            raise KeyError(device.device)
        return device.flow

    def request(self, method: str, device: Device, body: bytes) -> Request:
        flow = self.way(device)
        uri = f"sip:{device.device}@{host_port(flow.host, flow.port)}"
        headers = Headers([("From", str(Address(f"sip:{self.code}@{self.domain}").tagged(self.token()))), ("To", f"<{uri}>")])
        headers.add("Call-ID", self.token())
        headers.add("CSeq", CSeq(next(self._cseqs) & 0x7FFFFFFF, method))
        headers.add("User-Agent", AGENT)
        if body:
            headers.add("Content-Type", manscdp.CONTENT_TYPE)
        return Request(method, uri, headers=headers, body=body)

    def send(self, request: Request, flow: Flow, then: Then) -> None:
        number = next(self._numbers)
        self._then[number] = then
        self.outs.append(Posted(number, request, flow))

    def came(self, number: int, what: Response | str, now: float) -> None:
        """A response below 200 is no news."""
        if isinstance(what, Response) and not what.final:
            return
        then = self._then.pop(number, None)
        if then is not None:
            then(what, now)
