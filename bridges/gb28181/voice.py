"""Speaking to loudspeakers (GB/T 28181-2022 §9.12): Broadcast asks a device to call us, and what it then gets is sound of one
participant. A device that refuses is called itself (``s=Talk``, as of 2016)."""

from __future__ import annotations

import asyncio
import enum
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridges.gb28181.call import Call
from bridges.gb28181.ear import Ear
from bridges.gb28181.mouth import Mouth
from bridges.gb28181.offer import ACTIVE, PASSIVE, UDP, Description, Offer, parse, voice_answer, written
from bridges.sip.dialog import Dialog
from bridges.sip.transaction import Asked, Flow
from commhub import log as logs
from commhub.errors import HubError
from commhub.media.messages.devices import Voice, VoiceState

if TYPE_CHECKING:
    from bridges.gb28181.calls import Calls

log = logs.get(__name__)

ANSWER_SECONDS = 8.0  # for a device to call us, and to take our call
TARGETS = 64

_SENTENCES: Mapping[str, tuple[str, str]] = {
    "not_registered": ("The device is not registered here.", "设备没有注册到本平台。"),
    "no_answer": ("The device does not take the voice.", "设备没有接听喊话。"),
    "refused": ("The device has no loudspeaker, or refuses the voice.", "设备没有扬声器，或拒绝喊话。"),
    "no_port": ("All media ports of this platform are in use.", "平台的媒体端口已用完。"),
    "hung_up": ("The device has ended the voice.", "设备结束了喊话。"),
}


class State(enum.Enum):
    CALLING = "calling"
    SPEAKING = "speaking"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(slots=True)
class Taken:
    """A device's call to us, as the calls know one."""

    target: Target
    device: str
    channel: str
    dialog: Dialog | None
    flow: Flow | None
    history: bool = False

    def hung_up(self, why: str) -> None:
        self.target.hung_up()


class Target:
    """One loudspeaker."""

    def __init__(self, calls: Calls, voice: str, name: str, changed: Callable[[], None]) -> None:
        self.name = name
        self.device, _, self.channel = name.partition("/")
        self.channel = self.channel or self.device
        self.state = State.CALLING
        self.sn = ""
        self._calls, self._voice, self._changed = calls, voice, changed
        self._mouth: Mouth | None = None
        self._taken: Taken | None = None
        self._call: Call | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._talked = False

    @property
    def over(self) -> bool:
        return self.state in (State.ENDED, State.FAILED)

    def begin(self) -> None:
        devices = self._calls.devices
        self._tell()
        if devices.route(self.device) is None:
            self._fail("not_registered")
            return
        try:
            body = {"CmdType": "Broadcast", "SourceID": devices.us.code, "TargetID": self.channel}
            self.sn = devices.notify(self.device, body)
        except KeyError:
            self._fail("not_registered")
            return
        self._wait()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._late)

    def _late(self) -> None:
        if self.state is State.CALLING:
            self._fail("no_answer")

    def answered(self, accepted: bool) -> None:
        """The device's Response to the Broadcast."""
        if not accepted and self.state is State.CALLING and self._mouth is None:
            self._talk()

    # ---- the device calls us

    def invited(self, event: Asked) -> bool:
        """The device's INVITE. False when it cannot be this one's."""
        if self.state is not State.CALLING or self._mouth is not None:
            return False
        calls, request = self._calls, event.request
        endpoint = calls.devices.endpoint
        route = calls.devices.route(self.device)
        try:
            offer = parse(request.body)
        except ValueError:
            endpoint.respond(event.key, request.reply(488, tag=secrets.token_hex(4)))
            self._fail("refused")
            return True
        place = calls.reach(offer.host, offer.port, event.flow.host)
        if offer.kind != "audio" or place is None or route is None:
            endpoint.respond(event.key, request.reply(488, tag=secrets.token_hex(4)))
            self._fail("refused")
            return True
        way = UDP if not offer.tcp else ACTIVE if offer.setup == "passive" else PASSIVE
        number = offer.ssrc or calls.ssrc(history=False)
        mouth = self._open(way, number)
        if mouth is None:
            endpoint.respond(event.key, request.reply(486, tag=secrets.token_hex(4)))
            return True
        us = calls.devices.us
        body = voice_answer(us.code, calls.place.host or _host(route[1]), mouth.port, number, way)
        response = request.reply(200, tag=secrets.token_hex(6), body=body, content_type="application/sdp")
        response.headers.add("Contact", f"<sip:{us.code}@{route[1]}>")
        dialog = Dialog.calling(request, response)
        self._taken = Taken(self, self.device, self.channel, dialog, event.flow)
        calls.wiring.opened(self._taken)
        endpoint.respond(event.key, response)
        mouth.point(*place)
        self._speaking()
        return True

    # ---- we call the device

    def _talk(self) -> None:
        calls = self._calls
        route = calls.devices.route(self.device)
        if self._talked or route is None:
            self._fail("refused")
            return
        self._talked = True
        number = calls.ssrc(history=False)
        mouth = self._open(UDP, number)
        if mouth is None:
            return
        us = calls.devices.us
        offer = Offer(us.code, calls.place.host or _host(route[1]), mouth.port, number, name="Talk", channel=self.channel)
        self._call = Call(calls.wiring, self.device, self.channel, self.Talk(self))
        self._wait()
        self._call.invite(offer.text(), f"{self.channel}:{written(number)},{us.code}:0")

    class Talk:
        """Hears of the call."""

        def __init__(self, target: Target) -> None:
            self._target = target

        def answered(self, call: Call, answer: Description) -> None:
            self._target.talks(answer)

        def refused(self, call: Call, status: int, reason: str) -> None:
            self._target._fail("refused" if status else "no_answer")

        def ended(self, call: Call, why: str) -> None:
            self._target.hung_up()

    def talks(self, answer: Description) -> None:
        route = self._calls.devices.route(self.device)
        place = self._calls.reach(answer.host, answer.port, route[0].host) if route is not None else None
        if place is None or self._mouth is None:
            self._fail("refused")
            return
        self._mouth.point(*place)
        self._speaking()

    # ---- while it goes on, and its end

    def say(self, alaw: bytes) -> None:
        if self.state is State.SPEAKING and self._mouth is not None:
            self._mouth.say(alaw)

    def hung_up(self) -> None:
        self._taken = None
        if not self.over:
            self._end(State.ENDED, "hung_up")

    def end(self) -> None:
        if not self.over:
            self._end(State.ENDED, "")

    def _open(self, way: str, number: int) -> Mouth | None:
        mouth = Mouth(way, self._calls.ports, self._calls.tasks, number)
        try:
            mouth.open(self._calls.place.bind)
        except (OSError, ValueError):
            self._fail("no_port")
            return None
        self._mouth = mouth
        return mouth

    def _speaking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.state = State.SPEAKING
        self._tell()

    def _fail(self, code: str) -> None:
        if not self.over:
            self._end(State.FAILED, code)

    def _end(self, state: State, code: str) -> None:
        self.state = state
        if self._timer is not None:
            self._timer.cancel()
        if self._mouth is not None:
            self._mouth.close()
            self._mouth = None
        if self._call is not None:
            self._call.end()
            self._call = None
        taken, self._taken = self._taken, None
        if taken is not None:
            self._calls.hang_up(taken)
        self._tell(code)

    def _tell(self, code: str = "") -> None:
        text, text_zh = _SENTENCES.get(code, ("", ""))
        self._calls.tell(VoiceState(voice=self._voice, target=self.name, state=self.state.value, code=code, text=text,
                                    text_zh=text_zh))  # fmt: skip
        self._changed()


class Speech:
    """One participant's voice, and the loudspeakers that it goes to."""

    def __init__(self, calls: Calls, voice: str) -> None:
        self.voice = voice
        self.targets: dict[str, Target] = {}
        self._calls = calls
        self._ear: Ear | None = None
        self._news = asyncio.Event()

    def update(self, voice: Voice) -> None:
        ear = self._ear
        if voice.targets and (ear is None or (ear.worker, ear.room, ear.identity) != (voice.worker, voice.room, voice.identity)):
            self._close_ear()
            self._ear = Ear(self._calls.run_dir, self._calls.transcoder, voice.worker, voice.room, voice.identity, self.voice,
                            self._heard)  # fmt: skip
        wanted = list(dict.fromkeys(voice.targets))[:TARGETS]
        for name in set(self.targets) - set(wanted):
            self.targets.pop(name).end()
        for name in wanted:
            if name not in self.targets or self.targets[name].over:
                self.targets[name] = target = Target(self._calls, self.voice, name, self._news.set)
                target.begin()
        if not wanted:
            self._close_ear()

    async def taken(self) -> None:
        """Until one of them speaks. HubError when none does."""
        while not any(one.state is State.SPEAKING for one in self.targets.values()):
            if all(one.over for one in self.targets.values()):
                raise HubError("No device takes the voice.", "没有设备接听喊话。", code="no_answer", status=504)
            self._news.clear()
            await self._news.wait()

    def _heard(self, alaw: bytes) -> None:
        for target in self.targets.values():
            target.say(alaw)

    def _close_ear(self) -> None:
        ear, self._ear = self._ear, None
        if ear is not None:
            self._calls.tasks.spawn(ear.close(), "close a voice")

    def close(self) -> None:
        for target in self.targets.values():
            target.end()
        self.targets.clear()
        self._close_ear()


class Voices:
    """All of them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._speeches: dict[str, Speech] = {}

    async def act(self, voice: Voice) -> None:
        speech = self._speeches.get(voice.voice)
        if not voice.targets:
            if speech is not None:
                del self._speeches[voice.voice]
                speech.close()
            return
        if speech is None:
            speech = self._speeches[voice.voice] = Speech(self._calls, voice.voice)
        speech.update(voice)
        await speech.taken()

    def _targets(self) -> list[Target]:
        return [target for speech in self._speeches.values() for target in speech.targets.values()]

    def answered(self, device: str, sn: str, accepted: bool) -> None:
        """By the SN of the Notify; by the device alone where it answers with another."""
        waiting = [one for one in self._targets() if one.device == device and one.state is State.CALLING]
        exact = [one for one in waiting if one.sn == sn]
        for target in (exact or waiting)[:1]:
            target.answered(accepted)

    def invited(self, event: Asked) -> bool:
        """A device's INVITE: is it one that was asked to call?"""
        request, devices = event.request, self._calls.devices
        try:
            caller = request.sender.user
        except ValueError:
            return False
        waiting = [one for one in self._targets() if one.state is State.CALLING]
        subject = request.headers.get("Subject")
        waiting.sort(key=lambda one: (one.channel not in subject, caller not in (one.channel, one.device)))
        for target in waiting:
            route = devices.route(target.device)
            named = caller in (target.device, target.channel) or target.channel in subject
            if route is not None and route[0].host == event.flow.host and named and target.invited(event):
                return True
        return False

    def offline(self, device: str) -> None:
        for target in self._targets():
            if target.device == device:
                target.hung_up()

    def close(self) -> None:
        for speech in self._speeches.values():
            speech.close()
        self._speeches.clear()


def _host(contact: str) -> str:
    return contact.rpartition(":")[0].strip("[]")
