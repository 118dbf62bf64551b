from __future__ import annotations

import asyncio
import itertools
import resource
import subprocess
import sys
from collections.abc import AsyncIterator

import av
import pytest

from bridges.faults import Fault
from bridges.timeline import Timeline, unwrap
from bridges.transcode_child import Converter, fit
from bridges.transcode_video import Picture, Transcode, Transcodes
from commhub.wire import h264
from tests.support import until
from tests.support.h264 import FAST, decode, stream


@pytest.fixture
async def transcodes() -> AsyncIterator[Transcodes]:
    made = Transcodes(2)
    yield made
    await made.close()


class Heard:
    def __init__(self) -> None:
        self.pictures: list[Picture] = []
        self.faults: list[str] = []

    def taken(self, picture: Picture) -> None:
        self.pictures.append(picture)

    def failed(self, fault: Fault) -> None:
        self.faults.append(fault.code)


async def ready(transcode: Transcode) -> None:
    """The child is there: only then what is pushed counts."""
    await until(lambda: transcode._process is not None)


def push(transcode: Transcode, units: list[tuple[bytes, int, bool]], first: int = 0) -> None:
    for data, pts, key in units:
        transcode.push(data, first + pts * 3600, key)


def frame_types(units: list[bytes]) -> set[int]:
    return {h264.slice_start(unit)[1] % 5 for unit in units if unit[0] & 31 in (h264.SLICE, h264.IDR)}


@pytest.mark.parametrize(("codec", "name", "options"), [
    ("H265", "libx265", {"preset": "ultrafast", "x265-params": "log-level=none:keyint=10:bframes=2"}),
    ("H264", "libx264", {"preset": "veryfast", "bf": "2", "g": "10"}),
])  # fmt: skip
async def test_pictures_come_out_in_order_as_baseline(
    transcodes: Transcodes, codec: str, name: str, options: dict[str, str]
) -> None:
    heard = Heard()
    transcode = transcodes.open("C1", codec, heard.taken, heard.failed)
    await ready(transcode)
    first = 1 << 40  # times are the caller's, however large
    units = stream(name, 320, 180, 30, options)
    assert codec == "H265" or any(earlier[1] > later[1] for earlier, later in itertools.pairwise(units))
    push(transcode, units, first)
    await until(lambda: len(heard.pictures) >= 20, 10)
    times = [picture.pts for picture in heard.pictures]
    assert times == sorted(times)
    assert {(pts - first) % 3600 for pts in times} == {0}
    begins = heard.pictures[0]
    assert begins.key
    assert [unit[0] & 31 for unit in begins.units if unit[0] & 31 != 6][:3] == [h264.SPS, h264.PPS, h264.IDR]
    assert h264.parse_sps(begins.units[0]).profile_level_id.startswith("42")
    assert all(frame_types(picture.units) <= {0, 2} for picture in heard.pictures)
    assert (begins.width, begins.height) == (320, 180)
    line = Timeline(90_000, 77, 5)
    packets = [packet for picture in heard.pictures for packet in picture.packets(line, 10**18)]
    assert max(map(len, packets)) <= 1212
    assert len(decode(packets)) >= 20
    assert sum(unwrap(packet).marker for packet in packets) == len(heard.pictures)
    assert not heard.faults


async def test_a_key_frame_comes_when_it_is_wanted(transcodes: Transcodes) -> None:
    heard = Heard()
    transcode = transcodes.open("C1", "H264", heard.taken, heard.failed)
    await ready(transcode)
    units = stream("libx264", 320, 180, 20, FAST | {"g": "100", "bf": "0"})
    push(transcode, units[:10])
    await until(lambda: len(heard.pictures) >= 9, 10)
    transcode.want_key_frame()
    push(transcode, units[10:])
    await until(lambda: len(heard.pictures) >= 19, 10)
    assert [number for number, picture in enumerate(heard.pictures) if picture.key] == [0, 10]


async def test_no_more_at_a_time_than_the_machine_bears(transcodes: Transcodes) -> None:
    heard = Heard()
    first = transcodes.open("C1", "H264", heard.taken, heard.failed)
    transcodes.open("C2", "H264", heard.taken, heard.failed)
    with pytest.raises(Fault) as full:
        transcodes.open("C3", "H264", heard.taken, heard.failed)
    assert full.value.code == "transcodes_full"
    first.close()
    transcodes.open("C3", "H264", heard.taken, heard.failed)
    assert len(transcodes) == 2


async def test_a_child_that_dies_is_replaced(transcodes: Transcodes) -> None:
    heard = Heard()
    transcode = transcodes.open("C1", "H264", heard.taken, heard.failed)
    await ready(transcode)
    child = transcode._process
    assert child is not None
    child.kill()
    await until(lambda: heard.faults == ["transcode_failed"])
    units = stream("libx264", 320, 180, 10, FAST | {"g": "100", "bf": "0"})
    push(transcode, units[5:])  # not a key frame
    assert transcode.dropped == 5
    push(transcode, units[:5])  # it waits for the next child
    assert transcode.dropped == 5
    await until(lambda: transcode._process not in (None, child), 5)
    push(transcode, units[5:])
    await until(lambda: heard.pictures and heard.pictures[-1].pts >= 8 * 3600, 10)
    # What waited for it is decoded, and shown from its newest picture on: nobody wants to see the past.
    assert (heard.pictures[0].pts, heard.pictures[0].key) == (4 * 3600, True)
    assert transcode.dropped == 5
    assert transcodes.deaths == 1


async def test_the_child_ends_with_its_owner(transcodes: Transcodes) -> None:
    heard = Heard()
    transcode = transcodes.open("C1", "H265", heard.taken, heard.failed)
    await ready(transcode)
    child = transcode._process
    assert child is not None
    transcode.close()
    transcode.close()
    await asyncio.wait_for(child.wait(), 5)
    await transcodes.close()
    assert not heard.faults


async def test_a_child_that_stands_still_is_ended(transcodes: Transcodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridges.transcode_video.STUCK", 0.2)
    monkeypatch.setattr("bridges.transcode_video.LATE", 0.1)
    heard = Heard()
    transcode = transcodes.open("C1", "H264", heard.taken, heard.failed)
    await ready(transcode)
    data, pts, key = stream("libx264", 320, 180, 1, FAST)[0]
    transcode.push(b"\0\0\0\1\x65nonsense", pts, key)  # nothing will ever come of it
    await asyncio.sleep(0.3)
    transcode.push(data, pts, key)
    await until(lambda: heard.faults == ["transcode_failed"])


def test_a_child_lives_in_small_rooms() -> None:
    script = (
        "import bridges.transcode_child as child, resource as r; child.confine(); "
        "print(r.getrlimit(r.RLIMIT_AS)[0], r.getrlimit(r.RLIMIT_FSIZE)[0])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == [str(2 << 30), "0"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 0


@pytest.mark.parametrize(("size", "fits"), [
    ((3840, 2160), (1920, 1080)), ((2560, 1440), (1920, 1080)), ((1080, 1920), (1080, 1920)), ((704, 576), (704, 576)),
    ((4096, 1000), (1920, 468)), ((353, 289), (352, 288)),
])  # fmt: skip
def test_large_pictures_are_made_smaller(size: tuple[int, int], fits: tuple[int, int]) -> None:
    assert fit(*size) == fits


def test_what_cannot_be_decoded_gives_nothing() -> None:
    converter = Converter("H265")
    for data in (b"", b"\0\0\0\1", b"\0\0\0\1\x26\x01" + bytes(range(256)), bytes(1000)):
        assert converter.feed(data, 0) == []


def test_a_picture_that_changes_its_size_goes_on() -> None:
    converter = Converter("H264")
    out: list[tuple[bytes, bool, int, int, int]] = []
    for width, height in ((320, 180), (640, 360)):
        for data, _, _ in stream("libx264", width, height, 3, FAST | {"bf": "0"}):
            out += converter.feed(data, len(out) * 3600)
    assert [(width, height) for *_, width, height in out] == [(320, 180)] * 3 + [(640, 360)] * 3
    assert [key for _, key, *_ in out] == [True, False, False] * 2
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    shown = [frame for data, *_ in out for frame in decoder.decode(av.Packet(data))]
    assert len(shown) >= 5
