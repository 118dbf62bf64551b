"""Forty people with picture and sound at once: what the recorder spends, that nothing is left out, that nothing is encoded."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from pathlib import Path

import av
import pytest

from tests.recorder.test_kill import spent, start
from tests.support import sink_feed
from tests.support.hub_of_recorder import Hub
from tests.support.proofs import Figure
from tests.support.sink_feed import VP8, Clip, SinkFeed


def clip(bits: int) -> Clip:
    """A picture with so many bits a second: what the encoder leaves over is noise behind its last partition, where no decoder
    looks."""
    found = sink_feed.video(VP8, 640, 360)
    seconds = found.length / found.codec.clock_rate
    own = sum(len(packet) for _, packets in found.frames for packet in packets)
    extra = round(max(0, bits * seconds / 8 - own) / len(found.frames))
    noise = random.Random(3).randbytes(extra)
    more = [noise[at : at + 1100] for at in range(0, extra, 1100)]
    return replace(found, frames=[(stamp, packets + _continued(packets[0], more)) for stamp, packets in found.frames])


def _continued(first: bytes, parts: list[bytes]) -> list[bytes]:
    """Packets of the same picture (RFC 7741 §4.2): behind the descriptor of the first one, without its S bit."""
    size = 1
    if first[0] & 0x80:
        size += 1 + bool(first[1] & 0x40) + bool(first[1] & 0x30)
        if first[1] & 0x80:
            size += 2 if first[2] & 0x80 else 1
    return [bytes([first[0] & ~0x10]) + first[1:size] + part for part in parts]


async def crowded(data_dir: Path, people: int, bits: int, seconds: float) -> tuple[float, float, int]:
    """CPU of the recorder (of a core), Mbit/s that it got, what is missing. AssertionError where anything was left out."""
    folder = data_dir / "recordings"
    feed = await SinkFeed(data_dir).start()
    picture, sound = clip(bits), sink_feed.opus()
    process = start(data_dir, folder)
    hub = Hub(data_dir, folder)
    try:
        await hub.dial()
        await hub.record()
        await feed.opened("S1")
        senders = []
        for number in range(people):
            feed.peer("S1", f"p{number}", name=f"{number}", kind="person")
            senders += [feed.track("S1", f"p{number}", one) for one in (picture, sound)]
        await feed.play("S1", senders, 2.0, time.time_ns(), paced=True)
        octets = sum(len(packet) for one in (picture, sound) for _, packets in one.frames for packet in packets)
        assert picture.length * sound.codec.clock_rate == sound.length * picture.codec.clock_rate
        before, began = spent(process.pid), time.monotonic()
        await feed.play("S1", senders, seconds, time.time_ns(), paced=True)
        used = (spent(process.pid) - before) / (time.monotonic() - began)
        children = _children(process.pid)
        await asyncio.sleep(1)
        await hub.stop()
        assert children == []
        manifest = hub.manifest()
        assert len(manifest["tracks"]) == 2 * people
        assert [gap for gap in manifest["gaps"] if gap["reason"] in ("link", "disk_slow", "loss")] == []
        missing = sum(sender.index for sender in senders) - sum(map(_frames, (folder / "S1" / "tracks").glob("*/*")))
        return used, people * octets * 8 / (picture.length / picture.codec.clock_rate) / 1e6, missing
    finally:
        process.kill()
        process.wait()
        await hub.close()
        await feed.stop()


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _frames(file: Path) -> int:
    with av.open(str(file)) as opened:
        return sum(packet.size > 0 for packet in opened.demux(opened.streams[0]))


async def test_a_few_at_once(data_dir: Path) -> None:
    _, rate, missing = await crowded(data_dir, 4, 740_000, 3.0)
    assert missing == 0
    assert rate == pytest.approx(4 * 0.764, rel=0.1)


@pytest.mark.prove
async def test_forty_at_once(data_dir: Path, figure: Figure) -> None:
    used, rate, missing = await crowded(data_dir, 40, 740_000, 60.0)
    assert figure("recorder, 40 people, 80 tracks: Mbit/s", rate, "Mbit/s", goal="≥ 30")
    assert figure("recorder, 40 people, 80 tracks, 30 Mbit/s: frames not recorded", missing, "frames", goal="= 0")
    assert figure("recorder, 40 people, 80 tracks, 30 Mbit/s: CPU", 100 * used, "% of a core", goal="≤ 25")
