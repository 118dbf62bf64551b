"""What we want to hear from a device as it happens: its catalogue's changes, alarms, positions (GB/T 28181-2022, 9.11, N).
No I/O, no clock.

A device that has lost the dialog says 481 and gets a new one; one that cannot do it is asked again much later. What they send
is taken whether or not it belongs to a dialog, so nothing here looks at NOTIFY but to see that a subscription has ended.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridges.gb28181 import manscdp
from bridges.gb28181.devices import Device
from bridges.gb28181.manscdp import Fields
from bridges.gb28181.outs import Clocks
from bridges.gb28181.post import Office
from bridges.sip.dialog import Dialog
from bridges.sip.message import Request, Response

EXPIRES = 600
REFRESH_AT = 0.8  # of what was granted
AGAIN_SECONDS, NOT_SOON_SECONDS = 30.0, 600.0  # after silence, after a refusal
POSITION_SECONDS = 5

CATALOGUE, ALARM, POSITION = "Catalog", "Alarm", "MobilePosition"
_ALARMS: Fields = [("StartAlarmPriority", "0"), ("EndAlarmPriority", "0"), ("AlarmMethod", "0")]
# kind: Event header, what the query says beside SN and DeviceID
KINDS: dict[str, tuple[str, Fields]] = {
    CATALOGUE: ("Catalog;id={number}", []),
    ALARM: ("presence", _ALARMS),
    POSITION: ("presence", [("Interval", str(POSITION_SECONDS))]),
}


@dataclass(slots=True, eq=False)
class _Subscription:
    device: Device
    kind: str
    number: int
    dialog: Dialog | None = None
    posted: bool = False  # a SUBSCRIBE has no answer yet
    due: float = 0.0
    over: bool = False
    lost: int = 0  # dialogs the device has forgotten in a row


class Subscriptions:
    def __init__(self, office: Office, clocks: Clocks) -> None:
        self._office, self._clocks = office, clocks
        self._all: dict[tuple[str, str], _Subscription] = {}
        self._number = 0

    def __len__(self) -> int:
        return sum(one.dialog is not None for one in self._all.values())

    def want(self, device: Device, kinds: set[str], now: float) -> None:
        """These from now on, and no others."""
        for kind in KINDS:
            one = self._all.get((device.device, kind))
            if kind in kinds and one is None:
                self._number += 1
                one = self._all[device.device, kind] = _Subscription(device, kind, self._number)
                self._post(one, now)
            elif kind not in kinds and one is not None:
                self._cancel(one)

    def drop(self, device: Device) -> None:
        """It restarted or is gone: it knows of none of them any more."""
        for kind in KINDS:
            if one := self._all.pop((device.device, kind), None):
                one.over = True

    def heard(self, device: Device, request: Request, kind: str, now: float) -> None:
        """A NOTIFY: when it ends its subscription, there has to be another."""
        if not request.headers.get("Subscription-State").strip().lower().startswith("terminated"):
            return
        one = self._all.get((device.device, kind))
        if one is not None and one.dialog is not None and one.dialog.call_id == request.call_id:
            one.dialog = None
            self._later(one, now + AGAIN_SECONDS)

    def _post(self, one: _Subscription, now: float) -> None:
        if one.over or one.posted or one.device.flow is None:
            return
        request = self._request(one, EXPIRES)
        one.posted = True
        self._office.send(request, one.device.flow, lambda what, at: self._answered(one, request, what, at))

    def _request(self, one: _Subscription, expires: int) -> Request:
        event, more = KINDS[one.kind]
        flow = self._office.way(one.device)
        fields: Fields = more
        body = manscdp.write("Query", one.kind, self._office.sn(), one.device.device, fields, version=one.device.version)
        contact = f"<sip:{self._office.code}@{flow.local}>"
        if one.dialog is None:
            request = self._office.request("SUBSCRIBE", one.device, body)
            request.headers.add("Contact", contact)
        else:
            request = one.dialog.request("SUBSCRIBE", body=body, content_type=manscdp.CONTENT_TYPE, contact=contact)
        request.headers.add("Event", event.format(number=one.number))
        request.headers.add("Expires", expires)
        return request

    def _answered(self, one: _Subscription, request: Request, what: Response | str, now: float) -> None:
        one.posted = False
        if one.over:
            return
        if isinstance(what, str):
            one.dialog = None
            self._later(one, now + AGAIN_SECONDS)
        elif what.status < 300:
            one.lost = 0
            if one.dialog is None:
                one.dialog = _dialog(request, what)
            else:
                one.dialog.answered(what)
            granted = what.expires
            self._later(one, now + REFRESH_AT * (granted if granted and 30 <= granted <= 86400 else EXPIRES))
        elif one.dialog is not None or what.status == 481:
            one.dialog = None
            one.lost += 1
            self._later(one, now if one.lost < 3 else now + NOT_SOON_SECONDS)
        else:
            self._later(one, now + NOT_SOON_SECONDS)

    def _later(self, one: _Subscription, at: float) -> None:
        one.due = at
        self._clocks.at(at, lambda now: self._due(one, now))

    def _due(self, one: _Subscription, now: float) -> None:
        if one.over or now < one.due:
            return
        if one.device.online:
            self._post(one, now)
        else:
            self._later(one, now + AGAIN_SECONDS)

    def _cancel(self, one: _Subscription) -> None:
        one.over = True
        del self._all[one.device.device, one.kind]
        if one.dialog is not None and one.device.flow is not None:
            self._office.send(self._request(one, 0), one.device.flow, lambda *_: None)


def _dialog(request: Request, response: Response) -> Dialog | None:
    """None for an answer out of which no dialog can be made: then the next SUBSCRIBE is a new one."""
    try:
        return Dialog.called(request, response) if response.receiver.tag else None
    except ValueError:
        return None
