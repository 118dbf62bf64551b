"""One INVITE of ours to a device, with the dialog that comes of it (RFC 3261 §13, §14, §15; GB/T 28181-2022 §9.2).

Requests go where the device's packets come from, never to its Contact, which is often an address of somebody else.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from bridges.gb28181.offer import Description, parse
from bridges.gb28181.seam import Devices
from bridges.sip.dialog import Dialog, State
from bridges.sip.fields import CSeq, host_port
from bridges.sip.message import Headers, Request, Response
from bridges.sip.transaction import Answered, Failed, Flow, Key

MANSRTSP = "Application/MANSRTSP"
ANSWER_SECONDS = 8.0  # an INFO that nobody has answered by then has failed for whoever waits


class Listener(Protocol):
    """Who wanted the call. Each is called once at most, ``refused`` and ``answered`` never both."""

    def answered(self, call: Call, answer: Description) -> None: ...
    def refused(self, call: Call, status: int, reason: str) -> None:
        """``status`` 0: no answer came, ``reason`` is timeout or lost; 1: the answer's description cannot be used."""

    def ended(self, call: Call, why: str) -> None:
        """By the device: bye, or file (a recording is over)."""


class Held(Protocol):
    """A call with a dialog, whoever has begun it."""

    device: str
    channel: str
    history: bool
    dialog: Dialog | None
    flow: Flow | None

    def hung_up(self, why: str) -> None: ...


@dataclass(slots=True)
class Wiring:
    """What calls share: where answers are waited for, and which dialogs there are."""

    devices: Devices
    waiting: dict[Key, Callable[[Answered | Failed], None]] = field(default_factory=dict)
    opened: Callable[[Held], None] = lambda call: None
    closed: Callable[[Held], None] = lambda call: None


class Call:
    """``invite`` begins it, ``end`` ends it in whatever state it is: what still comes is then acknowledged and hung up."""

    def __init__(self, wiring: Wiring, device: str, channel: str, listener: Listener, *, history: bool = False) -> None:
        self.device, self.channel, self.history = device, channel, history
        self.dialog: Dialog | None = None
        self.flow: Flow | None = None
        self.status = 0  # of the final answer
        self.provisional = False
        self._wiring, self._listener = wiring, listener
        self._key: Key | None = None
        self._request = Request("INVITE", "")
        self._over = False  # for the listener
        self._number = 1  # of MANSRTSP, which counts by itself

    @property
    def live(self) -> bool:
        return self.dialog is not None and not self._over

    def invite(self, body: bytes, subject: str) -> bool:
        """False when the device is not registered."""
        devices = self._wiring.devices
        route = devices.route(self.device)
        if route is None:
            return False
        self.flow, contact = route
        us = devices.us
        headers = Headers()
        headers.add("From", f"<sip:{us.code}@{us.domain}>;tag={secrets.token_hex(6)}")
        uri = f"sip:{self.channel}@{host_port(self.flow.host, self.flow.port)}"
        headers.add("To", f"<{uri}>")
        headers.add("Call-ID", secrets.token_hex(12))
        headers.add("CSeq", CSeq(1, "INVITE"))
        headers.add("Contact", f"<sip:{us.code}@{contact}>")
        headers.add("Subject", subject)
        headers.add("Content-Type", "application/sdp")
        request = Request("INVITE", uri, headers=headers, body=body)
        self._key = devices.endpoint.request(request, self.flow)
        self._request = request
        self._wiring.waiting[self._key] = self._final
        return True

    # ---- answers

    def _final(self, event: Answered | Failed) -> None:
        if isinstance(event, Failed):
            self._forget()
            self._tell_refused(0, event.reason)
            return
        response = event.response
        if response.status < 200:
            self.provisional = True
            return
        if response.status >= 300:
            self._forget()
            self._tell_refused(response.status, response.reason)
            return
        self._accepted(response, event)

    def _accepted(self, response: Response, event: Answered) -> None:
        if self.dialog is not None and response.receiver.tag != self.dialog.remote.tag:
            self._dismiss(response, event)  # somebody else has taken it as well (a fork)
            return
        flow = self._way() or event.flow
        self.dialog = dialog = Dialog.called(self._request, response)
        self._wiring.devices.endpoint.acknowledge(event.key, dialog.ack(response), flow)
        self.status = response.status
        self._wiring.opened(self)
        if self._over:
            self._bye()
            return
        try:
            answer = parse(response.body)
        except ValueError as error:
            self._bye()
            self._tell_refused(1, str(error))
            return
        self._listener.answered(self, answer)

    def _dismiss(self, response: Response, event: Answered) -> None:
        endpoint, flow = self._wiring.devices.endpoint, self._way() or event.flow
        other = Dialog.called(self._request, response)
        endpoint.acknowledge(event.key, other.ack(response), flow)
        self._wiring.waiting[endpoint.request(other.bye(), flow)] = _ignore

    def _tell_refused(self, status: int, reason: str) -> None:
        if not self._over:
            self._over = True
            self._listener.refused(self, status, reason)

    def hung_up(self, why: str) -> None:
        """The device has ended it."""
        if self.dialog is not None and why == "bye":
            self._forget()
            self._wiring.closed(self)
        if not self._over:
            self._over = True
            self._listener.ended(self, why)

    # ---- what we want

    def end(self) -> None:
        """BYE, or CANCEL while it rings. Nobody is told of anything any more."""
        self._over = True
        if self.dialog is not None:
            self._bye()
        elif self._key is not None and self._key in self._wiring.waiting:
            self._wiring.devices.endpoint.cancel(self._key)

    def _bye(self) -> None:
        dialog = self.dialog
        flow = self._way()
        if dialog is None or dialog.state is State.ENDED:
            return
        self._forget()
        self._wiring.closed(self)
        if flow is None:
            return
        key = self._wiring.devices.endpoint.request(dialog.bye(), flow)
        self._wiring.waiting[key] = _ignore

    async def control(self, text: str) -> tuple[int, str]:
        """Sends MANSRTSP and gives SIP's status and the body. ConnectionError when no answer comes."""
        dialog, flow = self.dialog, self._way()
        if dialog is None or flow is None or self._over:
            raise ConnectionError("The playback is over.")
        self._number += 1
        body = text.replace("{cseq}", str(self._number)).encode()
        future: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

        def heard(event: Answered | Failed) -> None:
            if future.done():
                return
            if isinstance(event, Failed):
                future.set_exception(ConnectionError("The device did not answer."))
            elif event.response.final:
                future.set_result((event.response.status, event.response.body.decode("utf-8", "replace")))

        key = self._wiring.devices.endpoint.request(dialog.request("INFO", body=body, content_type=MANSRTSP), flow)
        self._wiring.waiting[key] = heard
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await future
        except TimeoutError:
            raise ConnectionError("The device did not answer.") from None

    def _way(self) -> Flow | None:
        route = self._wiring.devices.route(self.device)
        return route[0] if route is not None else self.flow if self.flow is not None and not self.flow.reliable else None

    def _forget(self) -> None:
        if self._key is not None:
            self._wiring.waiting.pop(self._key, None)


def _ignore(event: Answered | Failed) -> None:
    """Of a request whose answer changes nothing."""


def dismissed(wiring: Wiring, response: Response, flow: Flow) -> bool:
    """A 2xx to an INVITE that is over for us: acknowledged and hung up. False when it is not of one of our calls."""
    if response.sender.user != wiring.devices.us.code:
        return False
    contact = next(iter(response.contacts), None)
    target = contact.uri if contact is not None and contact.uri != "*" else response.receiver.uri
    dialog = Dialog(response.call_id, response.sender, response.receiver, target, [], State.CONFIRMED,
                    local_number=response.cseq.number, remote_number=None, owner=True)  # fmt: skip
    endpoint = wiring.devices.endpoint
    endpoint.acknowledge((), dialog.ack(response), flow)
    wiring.waiting[endpoint.request(dialog.bye(), flow)] = _ignore
    return True
