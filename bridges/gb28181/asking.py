"""Questions to devices and what comes back, in one message or in many (GB/T 28181-2022, 9.5, A.2.4, A.2.6). No I/O, no clock.

An answer is a message of its own. It is found by device, command and SN; where a device makes up its own SN, by device and
command, as long as only one such question is open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bridges.gb28181.devices import Device
from bridges.gb28181.manscdp import Document, Fields
from bridges.gb28181.outs import Clocks
from bridges.gb28181.post import Office
from bridges.gb28181.xml import Element
from bridges.sip.message import Response

ANSWER_SECONDS = 8.0  # until the answer; an operator waits no longer
SILENCE_SECONDS, MOST_SECONDS = 5.0, 60.0  # after a page, and of all of them
LENIENT_SECONDS = 3.0  # for a confirmation that should come, and from many does not
LIMIT = 20_000  # entries of one answer
OPEN_LIMIT = 64  # questions to one device at once


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    text: str
    text_zh: str


@dataclass(frozen=True, slots=True)
class Found:
    """``complete`` is False when fewer entries came than were announced."""

    documents: list[Document]
    entries: list[Element]
    complete: bool = True


Result = Found | Refusal
Done = Callable[[Result, float], None]

UNREACHABLE = Refusal("device_offline", "The device is not online.", "设备不在线。")
SILENT = Refusal("no_answer", "The device did not answer in time.", "设备未及时应答。")
GONE = Refusal("device_offline", "The device went offline before it answered.", "设备在应答前离线。")
BUSY = Refusal("busy", "Too many questions to this device are open.", "该设备未完成的查询过多，请稍后再试。")
REFUSED = Refusal("refused_by_device", "The device answered that it failed.", "设备应答执行失败。")


def refused(response: Response) -> Refusal:
    """What a device says with a SIP status."""
    status = response.status
    known = {
        403: ("The device refuses this to us.", "设备拒绝了该操作。"),
        404: ("The device does not know this channel.", "设备上没有该通道。"),
        405: ("The device does not have this function.", "设备不支持该功能。"),
        480: ("The channel is not available now.", "该通道当前不可用。"),
        486: ("The device is busy.", "设备忙。"),
        501: ("The device does not have this function.", "设备不支持该功能。"),
    }
    english, chinese = known.get(status, (f"The device refused with status {status}.", f"设备拒绝，状态码 {status}。"))
    return Refusal("refused_by_device", english, chinese)


@dataclass(slots=True, eq=False)
class _Open:
    device: Device
    command: str
    sn: int
    entries_of: str  # the element that repeats; "" for an answer in one message
    lenient: bool  # a 200 will do, when nothing more comes
    done: Done
    began: float
    ends_at: float
    documents: list[Document] = field(default_factory=list)
    entries: list[Element] = field(default_factory=list)
    accepted: bool = False  # by SIP, and that will do
    closed: bool = False


class Asking:
    def __init__(self, office: Office, clocks: Clocks) -> None:
        self._office, self._clocks = office, clocks
        self._open: dict[str, list[_Open]] = {}

    def __len__(self) -> int:
        return sum(len(one) for one in self._open.values())

    def ask(
        self,
        device: Device,
        root: str,
        command: str,
        target: str,
        fields: Fields,
        done: Done,
        now: float,
        *,
        entries_of: str = "",
        lenient: bool = False,
    ) -> None:
        """``done`` is called once: at once, when the device cannot be asked at all."""
        mine = self._open.setdefault(device.device, [])
        if not device.registered or device.flow is None:
            done(UNREACHABLE, now)
            return
        if len(mine) >= OPEN_LIMIT:
            done(BUSY, now)
            return
        one = _Open(device, command.lower(), 0, entries_of, lenient, done, now, now + ANSWER_SECONDS)
        one.sn = self._office.message(device, root, command, target, fields, lambda what, at: self._posted(one, what, at))
        mine.append(one)
        self._clocks.at(one.ends_at, lambda at: self._expire(one, at))

    def tell(self, device: Device, root: str, command: str, target: str, fields: Fields, done: Done, now: float) -> None:
        """A control without an answer of its own: done with the SIP 200."""

        def posted(what: Response | str, at: float) -> None:
            if isinstance(what, str):
                done(SILENT if what == "timeout" else GONE, at)
            else:
                done(refused(what) if what.status >= 300 else Found([], []), at)

        if not device.registered or device.flow is None:
            done(UNREACHABLE, now)
        else:
            self._office.message(device, root, command, target, fields, posted)

    def take(self, device: Device, document: Document, now: float) -> bool:
        """Whether this Response answers one of our questions."""
        command = document.command.lower()
        mine = [one for one in self._open.get(device.device, ()) if one.command == command]
        one = next((one for one in mine if one.sn == document.sn), None) or (mine[0] if len(mine) == 1 else None)
        if one is None:
            return False
        one.documents = [document]  # what repeats is kept apart
        if not one.entries_of:
            self._close(one, Found(one.documents, []) if document.ok else REFUSED, now)
            return True
        if not document.ok and not one.entries and not document.items(one.entries_of):
            self._close(one, REFUSED, now)
            return True
        one.entries += document.items(one.entries_of)[: LIMIT - len(one.entries)]
        total = document.total
        if total is None or len(one.entries) >= min(total, LIMIT):
            self._close(one, Found(one.documents, one.entries, total is None or total <= LIMIT), now)
        else:
            one.ends_at = min(now + SILENCE_SECONDS, one.began + MOST_SECONDS)
            self._clocks.at(one.ends_at, lambda at: self._expire(one, at))
        return True

    def drop(self, device: Device, now: float) -> None:
        """It is gone."""
        for one in list(self._open.get(device.device, ())):
            self._close(one, GONE, now)

    def _posted(self, one: _Open, what: Response | str, now: float) -> None:
        if one.closed:
            return
        if isinstance(what, str):
            self._close(one, SILENT if what == "timeout" else GONE, now)
        elif what.status >= 300:
            self._close(one, refused(what), now)
        elif one.lenient:
            one.accepted = True
            one.ends_at = now + LENIENT_SECONDS
            self._clocks.at(one.ends_at, lambda at: self._expire(one, at))

    def _expire(self, one: _Open, now: float) -> None:
        if one.closed or now < one.ends_at:
            return
        if one.documents:
            self._close(one, Found(one.documents, one.entries, False), now)
        else:
            self._close(one, Found([], []) if one.accepted else SILENT, now)

    def _close(self, one: _Open, result: Result, now: float) -> None:
        one.closed = True
        mine = self._open.get(one.device.device, [])
        if one in mine:
            mine.remove(one)
        if not mine:
            self._open.pop(one.device.device, None)
        one.done(result, now)
