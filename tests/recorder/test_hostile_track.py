"""Tracks that mean harm: torn pictures, nothing but key frames, time that jumps a day, another size with every picture. They cost
themselves; beside them others are recorded whole."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commhub.wire.rtp import HEADER
from recorder.timeline import SenderClock
from recorder.track import Begin, End, Feed, Gap, Limits
from tests.support import sink_feed
from tests.support.hub_of_recorder import recorder
from tests.support.media_files import read
from tests.support.proofs import Figure
from tests.support.sink_feed import OPUS, SECOND, VP8, Clip, Sender, SinkFeed

DAY = 86_400
Packets = Iterator[bytes]


def key_frame(width: int, height: int, body: bytes = bytes(200)) -> bytes:
    """A VP8 key frame behind its payload descriptor (RFC 7741 §4.2, RFC 6386 §9.1)."""
    size = len(body) << 5 | 1 << 4
    return (
        b"\x10" + size.to_bytes(3, "little") + b"\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + body
    )


def rtp(sequence: int, when: int, payload: bytes, marker: bool = True) -> bytes:
    return HEADER.pack(0x80, 96 | marker << 7, sequence & 0xFFFF, when & 0xFFFFFFFF, 0x666) + payload


def torn(count: int, dice: random.Random) -> Packets:
    """Real pictures, cut anywhere and with bytes turned over; and noise."""
    clip = sink_feed.video(VP8)
    sender = Sender(clip, 0)
    for index in range(count):
        for packet in sender.packets(index):
            spoilt = bytearray(packet)
            for _ in range(dice.randrange(4)):
                spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
            yield (
                bytes(spoilt[: dice.randrange(1, len(spoilt) + 1)])
                if dice.random() < 0.5
                else dice.randbytes(dice.randrange(1, 900))
            )


def sizes(count: int, dice: random.Random) -> Packets:
    """Another size with every picture."""
    for index in range(count):
        yield rtp(index, index * 3000, key_frame(16 + index % 2000, 16 + index // 2))


def keys(count: int, dice: random.Random) -> Packets:
    for index in range(count):
        yield rtp(index, index * 90, key_frame(320, 180))


def days(count: int, dice: random.Random) -> Packets:
    """Time goes forwards and back by a day with every picture."""
    for index in range(count):
        yield rtp(index, index * 3000 + (index % 2) * DAY * 90_000, key_frame(320, 180))


HARM: dict[str, Callable[[int, random.Random], Packets]] = {"torn": torn, "sizes": sizes, "keys": keys, "days": days}


@pytest.mark.parametrize("kind", HARM)
def test_what_harm_costs_is_bounded(kind: str) -> None:
    feed = Feed(VP8, SenderClock(), Limits())
    outs = []
    for index, packet in enumerate(HARM[kind](4000, random.Random(7))):
        now = index / 200
        outs += feed.receive(packet, round(now * SECOND), now)
        if index % 20 == 0:
            outs += feed.tick(now)
    outs += feed.close(20.0)
    files = sum(isinstance(out, Begin) for out in outs)
    assert files <= 20 + 20.0 * 0.5 + 1
    assert files == sum(isinstance(out, End) for out in outs)
    assert sum(isinstance(out, Gap) for out in outs) <= 4 * (files + 1) + 200
    if kind in ("sizes", "days"):
        assert any(isinstance(out, Gap) and out.reason == "churn" for out in outs)
    if kind == "keys":  # a piece for each would be 4,000
        assert len(outs) < 2_000


def test_who_changes_size_now_and_then_is_recorded_whole() -> None:
    feed, outs = Feed(VP8, SenderClock(), Limits()), []
    for index in range(100):
        now = index * 2.0
        outs += feed.receive(rtp(index, index * 180_000, key_frame(320 + index, 180)), round(now * SECOND), now)
    assert sum(isinstance(out, Begin) for out in outs) == 100
    assert not [out for out in outs if isinstance(out, Gap)]


async def harmed(data_dir: Path, pictures: int, seconds: float) -> tuple[float, int]:
    """An honest picture and an honest sound, ``seconds`` long, beside all the harm of ``pictures`` each. Seconds of the honest
    ones that are missing, and files of the others."""
    feed = await SinkFeed(data_dir).start()
    try:
        async with recorder(data_dir, data_dir / "recordings") as hub:
            await hub.record()
            await feed.opened("S1")
            began = (await hub.state("S1", "recording")).started_at
            for who in ("honest", *HARM):
                feed.peer("S1", who, name=who, kind="person")
            honest = [feed.track("S1", "honest", sink_feed.video(VP8)), feed.track("S1", "honest", sink_feed.opus())]
            enemies = {kind: feed.track("S1", kind, Clip(VP8, [(0, [b""])], 1)).handle for kind in HARM}
            enemies["sound"] = feed.track("S1", "sound", Clip(OPUS, [(0, [b""])], 1)).handle
            start = time.time_ns()

            async def attack() -> None:
                dice = random.Random(11)
                streams = {kind: HARM[kind](pictures, dice) for kind in HARM}
                sound = (rtp(n, n * DAY * 48_000, b"\xf8\xff\xfe") for n in range(pictures))
                streams["sound"] = sound
                pace = seconds / pictures
                for count in range(pictures):
                    run = [
                        (enemies[kind], time.time_ns(), packet)
                        for kind, packets in streams.items()
                        if (packet := next(packets, b""))
                    ]
                    await feed.send("S1", run)
                    await asyncio.sleep(max(0.0, count * pace - (time.time_ns() - start) / SECOND))

            await asyncio.gather(attack(), feed.play("S1", honest, seconds, start, paced=True))
            await asyncio.sleep(0.6)
            await hub.stop()
            manifest = hub.manifest()
            missing, files = 0.0, 0
            for track in manifest["tracks"]:
                if track["identity"] != "honest":
                    files += len(track["segments"])
                    continue
                (segment,) = track["segments"]  # nobody else's harm ends its file
                media = read(hub.folder / "S1" / "tracks" / track["id"] / segment["file"])
                step = 1 / 15 if track["kind"] == "video" else 0.02
                missing = max(missing, seconds - media.times[-1] - step)
                assert len(media.times) == round(seconds / step)
                assert segment["start_ms"] == pytest.approx((start - began) / 1e6, abs=250)
            mine = {track["id"] for track in manifest["tracks"] if track["identity"] == "honest"}
            assert not [gap for gap in manifest["gaps"] if gap["track"] in mine]
            assert manifest["state"] == "complete"
            return missing, files
    finally:
        await feed.stop()


async def test_beside_harm_others_are_recorded_whole(data_dir: Path) -> None:
    missing, files = await harmed(data_dir, 400, 4.0)
    assert missing <= 0.05
    assert files <= 5 * (20 + 4 + 2)


@pytest.mark.prove
async def test_four_thousand_changes(data_dir: Path, figure: Figure) -> None:
    missing, files = await harmed(data_dir, 4000, 40.0)
    assert figure(
        "5 hostile tracks, 4,000 pictures each: missing of the tracks beside them", max(0.0, missing), "s", goal="≤ 0.05"
    )
    assert figure("5 hostile tracks, 4,000 pictures each: files they were given", files, "files", goal="≤ 220")
