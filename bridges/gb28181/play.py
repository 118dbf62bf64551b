"""One stream of a device, kept open as long as it is wanted: asked for, received, watched, asked for again (GB/T 28181-2022
§9.2).

``ladder`` says what comes after what; here are the clocks, and the hands.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from bridges.gb28181.call import Call
from bridges.gb28181.gate import Gate
from bridges.gb28181.ladder import TABLE, Do, Event, Ladder, State
from bridges.gb28181.offer import ACTIVE, PASSIVE, UDP, Description, Offer, written
from bridges.gb28181.receive import Receiver
from bridges.gb28181.report import Story, Try, Verdict, private, refused
from bridges.gb28181.stream import Picture
from commhub import log as logs
from commhub.addresses import plain
from commhub.media.messages import WayLearned

if TYPE_CHECKING:
    from bridges.gb28181.calls import Calls

log = logs.get(__name__)

ANSWER_SECONDS = 10.0  # until an INVITE nobody answers is taken back
PICTURE_SECONDS = 15.0  # with packets, but without a key frame
LOSS_SECONDS = 10.0  # without a packet, while it plays
CONNECTED_SECONDS = 3.0  # more patience where the TCP connection stands
DELAYS = (0.5, 1.0, 2.0, 4.0, 5.0)
SLOW = {"busy": 10.0, "channel_unknown": 15.0, "forbidden": 30.0, "codec_unsupported": 15.0, "denied_address": 15.0}
STABLE = 10.0  # s: what played so long is asked for again at once
ABSENT_SECONDS = 30.0  # the platform tells when a device is there; this is only for a word that was lost
_CLIMBS = {"no_packets", "private_address", "not_connected", "not_acceptable", "refused", "device_error", "elsewhere",
           "denied_address"}  # fmt: skip
_EMPTY = {"no_packets", "private_address", "not_connected"}


class Taking(Protocol):
    """Who takes what a device sends. ``running``: a picture can be made of it."""

    layer: str
    running: bool

    @property
    def container(self) -> str: ...
    def open(self, sound: str | None = None) -> None:
        """A new session. ``sound`` is the codec that was told by signalling."""

    def close(self) -> None: ...
    def packets(self, packets: list[bytes], now: int) -> None:
        """RTP, in order."""

    def octets(self, data: bytes, now: int) -> None:
        """A stream without RTP."""


T = TypeVar("T", bound=Taking)


class Owner(Protocol[T]):
    """Whose stream it is."""

    def shown(self, play: Session[T]) -> None:
        """There is a picture (again)."""

    def failed(self, play: Session[T], verdict: Verdict, *, live: bool) -> None:
        """An attempt has ended, and was the last of its round; or the device is away. ``live``: it was playing."""

    def finished(self, play: Session[T]) -> None:
        """The recording is over."""


class Session(Generic[T]):
    """``want`` and ``leave``; ``online`` and ``offline`` when the device comes and goes. ``hurry``: a recording is downloaded, so
    many times as fast as it plays."""

    def __init__(self, calls: Calls, owner: Owner[T], device: str, channel: str, picture: T, flush: Callable[[], None], *,
                 recording: tuple[int, int] | None = None, source: str = "", hurry: int = 0) -> None:  # fmt: skip
        self.device, self.channel, self.picture = device, channel, picture
        self.recording, self.hurry = recording, hurry
        self.layer = picture.layer
        self.state = State.IDLE
        self.call: Call | None = None
        self.story = Story(source, time.time_ns())
        self._calls, self._owner, self._flush = calls, owner, flush
        self._receiver: Receiver | None = None
        self._ladder = Ladder()
        self._timer: asyncio.TimerHandle | None = None
        self._began = time.monotonic()
        self._live_at: float | None = None
        self._attempts = 0  # rounds that failed in a row
        self._delay = 0.0
        self._verdict: Verdict | None = None
        self.file_over = False  # of a download: the device has said so

    # ---- from outside

    def want(self) -> None:
        if self.state is State.IDLE:
            terms = self._calls.devices.terms(self.device)
            worked = self._calls.worked.get(self.device) or (terms.worked if terms is not None else "")
            if self.hurry and worked in ("", UDP):
                worked = PASSIVE  # what is kept should have no holes
            self._ladder = Ladder(terms.way if terms is not None else "", worked)
            self._restart_story()
            self._attempts, self._live_at = 0, None
            self._step(Event.WANTED)

    def leave(self) -> None:
        self._step(Event.UNWANTED)

    def online(self) -> None:
        self._attempts = 0
        self._step(Event.PRESENT)

    def offline(self) -> None:
        self._step(Event.GONE)

    def fail(self, verdict: Verdict) -> None:
        """What came cannot be used."""
        self._fail(verdict)

    # ---- the machine

    def _step(self, event: Event) -> None:
        row = TABLE[self.state].get(event)
        if row is None:
            return
        before = self.state
        self.state, actions = row
        if self.state is not before or event is Event.EXPIRED:
            self._arm()
        for action in actions:
            if self.state is row[0]:
                self._do(action)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        seconds = {
            State.ABSENT: ABSENT_SECONDS,
            State.CALLING: ANSWER_SECONDS,
            State.OPENING: self._ladder.patience,
            State.LIVE: LOSS_SECONDS,
        }.get(self.state)
        if seconds is not None:
            self._wake(seconds)

    def _wake(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._step, Event.EXPIRED)

    def _do(self, action: Do) -> None:
        match action:
            case Do.INVITE:
                self._invite()
            case Do.HANG:
                self._hang()
            case Do.JUDGE:
                self._judge()
            case Do.WAIT:
                self._wait()
            case Do.SHOW:
                self._show()
            case Do.LOOK:
                self._look()
            case Do.FINISH:
                self._owner.finished(self)

    # ---- asking

    def _invite(self) -> None:
        calls = self._calls
        route = calls.devices.route(self.device)
        if route is None:
            self._step(Event.GONE)
            return
        flow, contact = route
        host = calls.place.host or contact.rpartition(":")[0].strip("[]")
        number = calls.ssrc(self.recording is not None)
        way = self._ladder.way
        one = Try(way, time.monotonic() - self._began, len(self.story.tries) + 1, ssrc=number)
        self.story.tries = [*self.story.tries[-11:], one]
        version = calls.devices.version(self.device)
        self.story.signalling = flow.host
        self.story.registered = f"From {flow.host}:{flow.port} ({flow.transport}), {_year(version)}"
        self.story.registered_zh = f"来自 {flow.host}:{flow.port}（{flow.transport}），{_year(version)} 版"
        gate = Gate([_plain(flow.host)], [number])
        receiver = Receiver(way, calls.ports, calls.poll, calls.tasks, gate, self._heard, self._flush, self._connection_lost)
        try:
            receiver.open(calls.place.bind)
        except (OSError, ValueError):
            self._fail(Verdict("no_port"))
            return
        self._receiver = receiver
        one.port = receiver.port
        begin, end = self.recording or (0, 0)
        name = "Download" if self.hurry else "Playback" if self.recording else "Play"
        offer = Offer(calls.devices.us.code, host, receiver.port, number, way, name, self.channel, begin, end,
                      layer="" if self.recording else self.layer, speed=self.hurry)  # fmt: skip
        self.call = Call(calls.wiring, self.device, self.channel, self, history=self.recording is not None)
        subject = f"{self.channel}:{written(number)},{calls.devices.us.code}:0"
        self.picture.open()
        self.file_over = False
        if not self.call.invite(offer.text(version), subject):
            self.call = None
            self._step(Event.GONE)

    def answered(self, call: Call, answer: Description) -> None:
        receiver, one = self._receiver, self._try
        if call is not self.call or receiver is None or one is None:
            call.end()
            return
        one.answer, one.answered_at, one.status = answer, time.monotonic() - self._began, call.status
        if answer.ssrc is not None:
            receiver.gate.agreed.add(answer.ssrc)
        if answer.host:
            receiver.gate.expected.add(_plain(answer.host))
        if answer.sound is not None and not receiver.gate.heard:
            self.picture.open(answer.sound)
        if self.recording is None:
            self._calls.devices.key_frame(self.device, self.channel)
        if receiver.reports is not None:
            receiver.reports.towards(answer.port, answer.rtcp)
        self._step(Event.ANSWERED)
        if receiver.way == ACTIVE:
            place = self._calls.reach(answer.host, answer.port, self.story.signalling)
            if place is None:
                self._fail(Verdict("denied_address", f"{answer.host}:{answer.port}"))
                return
            receiver.answered(*place)
        if self.picture.running:
            self._step(Event.PICTURE)  # it was faster than its answer

    def refused(self, call: Call, status: int, reason: str) -> None:
        if call is self.call:
            if (one := self._try) is not None:
                one.status = status
            self._fail(refused(status, reason))

    def ended(self, call: Call, why: str) -> None:
        if call is not self.call:
            return
        if why == "file" and self.hurry:
            self.file_over = True  # what was sent before may still be under way
        elif why == "file" or (self.recording is not None and not self.hurry and self.state is State.LIVE):
            self._step(Event.ENDED)
        else:
            self._fail(Verdict("hung_up"))

    # ---- media

    def _heard(self, packets: list[bytes], now: int) -> None:
        picture, receiver = self.picture, self._receiver
        if receiver is None:
            return
        if receiver.raw:
            for data in packets:
                picture.octets(data, now)
        else:
            picture.packets(packets, now)
        self.look()

    def look(self) -> None:
        """Is there a picture?"""
        if self.picture.running and self.state is State.OPENING:
            self._step(Event.PICTURE)

    def _connection_lost(self) -> None:
        """The TCP connection for media has ended, or could not be made."""
        if self.state is State.LIVE:
            self._fail(Verdict("hung_up"))
        elif self.state is State.OPENING:
            self._fail(Verdict("not_connected", "", self._calls.ports_shown))

    def _look(self) -> None:
        """The time of a state is over: is it really?"""
        receiver, now = self._receiver, time.monotonic()
        if self.state is State.CALLING:
            self._fail(Verdict("no_answer"))
        elif receiver is None:
            self._fail(Verdict("lost", "0"))
        elif self.state is State.LIVE:
            left = receiver.gate.heard_at + LOSS_SECONDS - now
            if left > 0 or (self.paused and self.call is not None):
                self._wake(max(left, 1.0))
            else:
                self._fail(Verdict("lost", f"{LOSS_SECONDS:.0f}"))
        else:
            self._look_for_media(receiver, now)

    paused = False  # a recording: the silence is wanted

    def hold(self, held: bool) -> bool:
        """What comes is not read for a while, where the device then waits with the rest: by TCP. Whether that is so."""
        if self._receiver is None or not self._receiver.hold(held):
            return False
        self.paused = held
        return True

    @property
    def heard_at(self) -> float:
        """When something came last, monotonic seconds; 0: never."""
        return self._receiver.gate.heard_at if self._receiver is not None else 0.0

    @property
    def told_size(self) -> int:
        """Octets of the recording, as the device told them; 0: it did not."""
        one = self._try
        return one.answer.size if one is not None and one.answer is not None else 0

    def _look_for_media(self, receiver: Receiver, now: float) -> None:
        one, gate = self._try, receiver.gate
        waited = now - self._began - (one.answered_at or 0.0) if one is not None else 0.0
        if gate.heard:
            if waited < PICTURE_SECONDS:
                self._wake(1.0)
            else:
                self._fail(Verdict("undecodable"))
        elif receiver.connected and waited < self._ladder.patience + CONNECTED_SECONDS:
            self._wake(1.0)
        elif gate.strangers:
            self._fail(Verdict("elsewhere", ", ".join(f"{host}:{port}" for host, port in list(gate.elsewhere)[:2])))
        elif receiver.way == ACTIVE and not receiver.connected:
            self._fail(Verdict("not_connected", "", self._calls.ports_shown))
        else:
            answer = one.answer if one is not None else None
            inner = answer is not None and private(answer.host, self.story.signalling)
            host = answer.host if answer is not None else ""
            self._fail(Verdict("private_address" if inner else "no_packets", f"{waited:.0f}", self._calls.ports_shown, host))

    def _show(self) -> None:
        receiver, one = self._receiver, self._try
        now = time.monotonic()
        self._live_at, self._attempts = now, 0
        if receiver is None or one is None:
            return
        one.picture_at = now - self._began
        self._note(one, receiver)
        self.story.verdict = None
        self._ladder.restart()
        self._ladder.round = 0
        way = receiver.arrived or receiver.way
        if self._calls.worked.get(self.device) != way and not self.hurry:
            self._calls.worked[self.device] = way
            self._calls.tell(WayLearned(device=self.device, way=way))
        log.info("camera live", source=self.story.source, layer=self.layer, way=way, container=self.picture.container)
        self._owner.shown(self)

    # ---- the end of an attempt

    def _fail(self, verdict: Verdict) -> None:
        self._verdict = verdict
        self._step(Event.FAILED)

    def _hang(self) -> None:
        one, receiver = self._try, self._receiver
        if one is not None and one.ended_at is None:
            one.ended_at = time.monotonic() - self._began
            if receiver is not None:
                self._note(one, receiver)
        call, self.call = self.call, None
        if call is not None:
            call.end()
        self._receiver = None
        if receiver is not None:
            receiver.close()
        self.picture.close()

    def _note(self, one: Try, receiver: Receiver) -> None:
        gate = receiver.gate
        one.packets, one.strangers, one.connected = gate.packets, gate.strangers, receiver.connected
        one.heard = gate.ssrc or 0
        one.sender = f"{gate.source[0]}:{gate.source[1]}" if gate.source is not None else ""
        one.senders = [f"{host}:{port}" for host, port in gate.elsewhere]
        one.packets_at = gate.first_at - self._began if gate.first_at else None

    def _judge(self) -> None:
        """What comes next, and when."""
        verdict = self._verdict or Verdict("no_packets", "0", self._calls.ports_shown)
        if (one := self._try) is not None:
            one.verdict = verdict
        now = time.monotonic()
        live_at, self._live_at = self._live_at, None
        if live_at is not None:
            self._restart_story()
            self.story.verdict = verdict
            self._delay = 0.0 if now - live_at > STABLE else DELAYS[1]
            self._owner.failed(self, verdict, live=True)
        elif verdict.code in _CLIMBS and self._ladder.climb():
            self._delay = 0.0
        else:
            self._ladder.restart()
            self.story.verdict = verdict = self._of_round(verdict)
            self._delay = SLOW.get(verdict.code) or DELAYS[min(self._attempts, len(DELAYS) - 1)] * random.uniform(0.9, 1.0)
            self._attempts += 1
            if logs.limited(("play", self.story.source, verdict.code), 60) is not None:
                log.warning("camera not reached", source=self.story.source, code=verdict.code)
            self._owner.failed(self, verdict, live=False)
        if self.state is State.RESTING:
            self._wake(self._delay)

    def _of_round(self, verdict: Verdict) -> Verdict:
        """Where several ways were agreed to and none brought anything, that is what matters, not how the last one ended."""
        empty = [one for one in self.story.tries if one.verdict is not None and one.verdict.code in _EMPTY]
        if verdict.code not in _EMPTY or len(empty) < 2:
            return verdict
        seconds = sum((one.ended_at or one.at) - one.at for one in empty)
        inner = [one.answer.host for one in empty if one.answer is not None and private(one.answer.host, self.story.signalling)]
        code = "private_address" if inner else "no_packets"
        return Verdict(code, f"{seconds:.0f}", self._calls.ports_shown, *inner[:1])

    def _wait(self) -> None:
        self.story.registered = self.story.registered_zh = ""
        self.story.verdict = verdict = Verdict("not_registered")
        live, self._live_at = self._live_at is not None, None
        self._owner.failed(self, verdict, live=live)

    def _restart_story(self) -> None:
        """The next attempts are a story of their own; the newest try of the last one begins it."""
        self.story = Story(self.story.source, time.time_ns(), ports=self._calls.ports_shown,
                           registered=self.story.registered, registered_zh=self.story.registered_zh,
                           signalling=self.story.signalling, tries=self.story.tries[-1:])  # fmt: skip
        if self.state is State.IDLE:
            self.story.tries = []
            self._began = time.monotonic()

    @property
    def _try(self) -> Try | None:
        return self.story.tries[-1] if self.story.tries else None


#: A stream on its way to viewers.
Play = Session[Picture]


def _plain(host: str) -> str:
    with contextlib.suppress(ValueError):
        return str(plain(host))
    return host


def _year(version: str) -> str:
    return {"1": "2011", "3": "2022"}.get(version[:1], "2016")
