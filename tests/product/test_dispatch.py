"""Forced verbs in the whole product: who hears whom, what is recorded, what is noticed of a monitor, how fast an emergency is."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy
import pytest
from livekit import api, rtc
from livekit.protocol import rtc as signal

from commhub.model import new_id
from tests.product.test_calls import Phone, phones
from tests.support import until
from tests.support.caller import Caller
from tests.support.installation import SECRET, Installation
from tests.support.proofs import Figure
from tests.support.receiver import WebhookHost
from tests.support.talkers import percentile

pytestmark = [pytest.mark.peer, pytest.mark.timeout(420)]

RATE = 48_000
HUM, WORD = 400.0, 1_730.0  # Hz: what parties send, what is whispered


class Voice(Caller):
    """Sends a tone of ``pitch`` Hz, and keeps the last seconds of what it hears, for each one it hears."""

    def __init__(self, url: str, token: str, pitch: float, *, audio: bool = True) -> None:
        super().__init__(url, token, video=False, audio=audio)
        self.pitch = pitch
        self.heard: dict[str, list[numpy.ndarray[Any, Any]]] = {}

    async def _speak(self, source: rtc.AudioSource) -> None:
        at = 0
        while True:
            phase = (numpy.arange(480) + at) * 2 * numpy.pi * self.pitch / RATE
            tone = (numpy.sin(phase) * 9000).astype(numpy.int16).tobytes()
            await source.capture_frame(rtc.AudioFrame(tone, RATE, 1, 480))
            at += 480

    def _subscribed(self, track: Any, publication: Any, participant: Any) -> None:
        super()._subscribed(track, publication, participant)
        if track.kind == rtc.TrackKind.KIND_AUDIO:
            stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
            self._spawn(self._keep(stream, self.heard.setdefault(participant.identity, [])))

    async def _keep(self, stream: Any, kept: list[Any]) -> None:
        async for event in stream:
            kept.append(numpy.frombuffer(event.frame.data, dtype=numpy.int16).astype(float))
            del kept[:-500]

    def level(self, pitch: float) -> float:
        """dB of full scale of this tone in the last second of all that is heard together."""
        mixed = numpy.zeros(RATE)
        for kept in self.heard.values():
            samples = numpy.concatenate(kept[-110:]) if kept else numpy.zeros(0)
            if samples.size >= RATE:
                mixed += samples[-RATE:]
        return decibels(mixed, pitch)

    async def hears(self, pitch: float, within: float = 30) -> None:
        await until(lambda: self.level(pitch) > -30, within, f"{pitch} Hz")


def decibels(samples: numpy.ndarray[Any, Any], pitch: float) -> float:
    """Of full scale: one frequency, windowed (Hann), as Goertzel has it. What is not there is −200."""
    if not samples.size:
        return -200.0
    window = numpy.hanning(samples.size)
    wave = numpy.exp(-2j * numpy.pi * pitch * numpy.arange(samples.size) / RATE)
    amplitude = 2 * abs((samples * window * wave).sum()) / window.sum() / 32768
    return float(20 * numpy.log10(max(amplitude, 1e-10)))


def sound(file: Path) -> numpy.ndarray[Any, Any]:
    """All of a recorded track, 48 kHz mono."""
    with av.open(str(file)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frames = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    return numpy.concatenate(frames).astype(float) if frames else numpy.zeros(0)


class Watcher:
    """A bare signalling socket of somebody in the room: every word it gets, as it came."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket, self.words = socket, list[bytes]()
        self.task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                self.words.append(message.data)

    def updates(self, since: int) -> list[str]:
        """Words about participants, tracks or the room since then."""
        words = [signal.SignalResponse.FromString(word) for word in self.words[since:]]
        told = ("update", "track_subscribed", "subscription_permission_update", "room_update")
        return [str(word) for word in words if word.WhichOneof("message") in told]

    async def quiet(self, seconds: float) -> int:
        """Until nothing has been told of the room for so long; how many words there were."""
        seen, at = len(self.words), time.monotonic()
        while time.monotonic() < at + seconds:
            await asyncio.sleep(0.1)
            if self.updates(seen):
                seen, at = len(self.words), time.monotonic()
        return len(self.words)

    def mentions(self, *needles: str) -> int:
        return sum(needle.encode() in word for word in self.words for needle in needles)


def settings(receiver: WebhookHost) -> dict[str, str]:
    return {
        "COMMHUB_KEYS": json.dumps({"APItest": {"secret": SECRET, "scope": "all"}}),
        "COMMHUB_WEBHOOKS__RECEIVERS": json.dumps([{"url": receiver.url, "key": "APItest"}]),
        "COMMHUB_WEBHOOKS__ALLOW": receiver.allow,
    }


async def admin(hub: Installation) -> Any:
    return await hub.sign_in(hub.who("admin"))


async def order(boss: Phone, verb: str, target: Phone, **more: Any) -> dict[str, Any]:
    body = {"person": target.me, "terminal": boss.told, "reason": "核实现场情况", **more}
    done: dict[str, Any] = await boss.person.call("POST", f"/dispatch/{verb}", body)
    return done


async def test_a_monitor_in_nobodys_list_and_a_whisper_for_one(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(WebhookHost("APItest", SECRET))
        hub = await stack.enter_async_context(Installation(tmp_path, **settings(receiver)))
        boss, host, street = await stack.enter_async_context(phones(hub, "dispatcher", "binjiang", "street"))
        about = {"title": "排水会商", "label": "internal", "organisations": [], "people": [street.me], "record": False}
        room = (await host.person.call("POST", "/consultations", about))["id"]
        ears = {}
        for phone in (host, street):
            there = await phone.person.call("POST", f"/consultations/{room}/join", {"terminal": phone.told})
            ears[phone] = await stack.enter_async_context(Voice(there["url"], there["token"], HUM))
        third, target = ears[host], ears[street]
        await asyncio.gather(third.hears(HUM), target.hears(HUM))
        bare = await host.person.call("POST", f"/consultations/{room}/join", {"terminal": new_id()})
        session = await stack.enter_async_context(aiohttp.ClientSession())
        address = f"{bare['url']}/rtc?access_token={bare['token']}&auto_subscribe=0&protocol=16&sdk=js&version=2.0.0"
        watcher = Watcher(await stack.enter_async_context(session.ws_connect(address)))
        await until(lambda: len(watcher.words) >= 1)

        # ---- a monitor hears, and nobody notices but by being told
        seen = await watcher.quiet(6)
        done = await order(boss, "monitor", street, consultation=room)
        act, joining = done["act"], done["joining"]
        ear = await stack.enter_async_context(Voice(joining["url"], joining["token"], WORD, audio=False))
        await ear.hears(HUM)
        async with api.LiveKitAPI(hub.base, "APItest", SECRET) as key:
            listed = await key.room.list_participants(api.ListParticipantsRequest(room=room))
            assert joining["identity"] not in {one.identity for one in listed.participants}
            (about_room,) = (await key.room.list_rooms(api.ListRoomsRequest(names=[room]))).rooms
            assert about_room.num_participants == 3
        for one in (third, target):
            assert joining["identity"] not in one.room.remote_participants
        found = await host.person.call("GET", f"/consultations/{room}")
        assert joining["identity"] not in {one["identity"] for one in found["present"]}
        assert (watcher.mentions(act["id"], boss.me), watcher.updates(seen)) == (0, [])
        told = await street.person.call("GET", "/dispatch")
        assert [(one["verb"], one["actor"]["name"]) for one in told["items"]] == [("monitor", act["actor"]["name"])]
        await boss.person.call("DELETE", f"/dispatch/{act['id']}")
        await until(lambda: not ear.room.isconnected(), what="the monitor's end")
        assert act["id"] not in json.dumps([str(event) for event in receiver.events])

        # ---- a whisper reaches one, and neither the third party nor the recording
        await host.person.call("POST", f"/consultations/{room}/recording", {"action": "start"})
        done = await order(boss, "whisper", street, consultation=room)
        joining = done["joining"]
        coach = await stack.enter_async_context(Voice(joining["url"], joining["token"], WORD))
        await asyncio.gather(target.hears(WORD), coach.hears(HUM))
        await asyncio.sleep(3)
        print(f"whispered tone: target {target.level(WORD):.0f} dB, third party {third.level(WORD):.0f} dB")
        assert third.level(HUM) > -30
        assert third.level(WORD) < target.level(WORD) - 60
        assert third.level(WORD) < -60
        assert (
            not third.heard.get(joining["identity"]) or decibels(numpy.concatenate(third.heard[joining["identity"]]), WORD) < -90
        )
        hub.kill("hub")  # what is whispered goes on, and for nobody else
        await asyncio.sleep(2)
        assert third.level(WORD) < -60
        await hub.ready()
        await asyncio.sleep(4)
        running = (await boss.person.call("GET", "/dispatch"))["items"]
        assert [one["id"] for one in running] == [done["act"]["id"]]
        await target.hears(WORD)
        assert third.level(WORD) < -60
        await host.person.call("POST", f"/consultations/{room}/recording", {"action": "stop"})
        await boss.person.call("DELETE", f"/dispatch/{done['act']['id']}")
        await unrecorded(hub, room, joining["identity"])
        rows = await (await admin(hub)).call("GET", "/audit?q=" + room)
        actions = [row["action"] for row in rows["items"] if row["action"].startswith(("call.monitor", "call.whisper"))]
        assert sorted(actions) == ["call.monitor", "call.monitor_end", "call.whisper", "call.whisper_end"]


async def unrecorded(hub: Installation, room: str, identity: str) -> None:
    """Of all recorded files none has the whispered tone, and some has what else was said."""
    reviewer = await admin(hub)
    listed: list[Any] = []
    for _ in range(100):
        listed = (await reviewer.call("GET", f"/recordings?consultation={room}"))["items"]
        if listed and listed[0]["state"] in ("complete", "repaired"):
            break
        await asyncio.sleep(0.2)
    folder = hub.folder / "data" / "recordings" / listed[0]["id"]
    taken = [str(file.relative_to(folder)) for file in folder.rglob("*") if file.suffix in (".mp4", ".webm")]
    files = [await asyncio.to_thread(hub.plain, folder.name, path) for path in taken]
    assert files
    levels = {
        file.name: (decibels(samples, HUM), decibels(samples, WORD)) for file in files if (samples := sound(file)).size > RATE
    }
    print("recorded", {name: [round(level) for level in both] for name, both in levels.items()})
    assert any(hum > -30 for hum, _ in levels.values())
    assert all(word < -60 for _, word in levels.values())


async def preempted(boss: Phone, one: Phone, other: Phone) -> float:
    """Seconds from the request until the other party is out of their call and told why, and the target rings."""
    call = (await one.call(other))["id"]
    ears = [await one.enter(call), await other.answer(call)]
    await ears[0].hears(other.identity)
    asked = time.monotonic()
    done = await order(boss, "preempt", other, emergency=True, priority=9)
    (told, rung) = await asyncio.gather(one.told_to("leave", call), other.told_to("ring", done["call"]["id"]))
    took = time.monotonic() - asked
    assert told["reason"] == "preempted"
    assert (told["data"]["by"], rung["data"]["call"]["emergency"]) == (boss.me, True)
    await until(lambda: not ears[0].room.isconnected() and not ears[1].room.isconnected(), what="the end of the media")
    for phone in (one, other):
        phone.ear = None
    await boss.act("hangup", done["call"]["id"])
    return took


async def test_an_emergency_frees_a_busy_target(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, phones(hub, "dispatcher", "binjiang", "street") as (boss, one, other):
        print(f"request → the other told why and the target rings: {await preempted(boss, one, other) * 1000:.0f} ms")


@pytest.mark.prove
async def test_how_fast_an_emergency_frees_a_busy_target(tmp_path: Path, figure: Figure) -> None:
    async with Installation(tmp_path) as hub, phones(hub, "dispatcher", "binjiang", "street") as (boss, one, other):
        times = [await preempted(boss, one, other) for _ in range(10)]
        name = "dispatch: emergency → the busy target rings, the other told why, p95 of 10"
        assert figure(name, percentile(times, 0.95) * 1000, "ms", goal="≤ 1000 ms")
