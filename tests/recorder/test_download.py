"""What a device sends becomes an MP4 that any player reads: all of it, once, at its time."""

from __future__ import annotations

import io
import json
import struct
import subprocess
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy
import pytest

from commhub.wire import h264
from recorder.download import AAC, BEGIN, END, H264, H265, HEAD, KEY, PCMA, WHOLE, Writer
from recorder.film import Film
from recorder.mp4 import CLOCK, look

LIMIT = 1 << 30
STEP = CLOCK // 25


def pictures(
    codec: str, count: int, *, group: int = 10, bs: int = 0, size: tuple[int, int] = (320, 180)
) -> list[tuple[bytes, int, int, bool]]:
    """``(access unit, pts, dts, key)``."""
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = *size, "yuv420p", Fraction(1, 25)
    encoder.gop_size = group
    encoder.options = {"preset": "ultrafast", "bf": str(bs), "x264-params": f"bframes={bs}:b-adapt=0:scenecut=0:repeat-headers=1",
                       "x265-params": f"bframes={bs}:keyint={group}:log-level=none:repeat-headers=1"}  # fmt: skip
    made = []
    for number in range(count):
        raw = numpy.full((size[1], size[0], 3), number * 5 % 250, numpy.uint8)
        frame = av.VideoFrame.from_ndarray(raw, format="rgb24")
        frame.pts = number
        made += encoder.encode(frame)
    made += encoder.encode(None)
    return [(bytes(one), (one.pts or 0) * STEP, (one.dts or 0) * STEP, one.is_keyframe) for one in made]


def record(kind: int, data: bytes = b"", time: int = 0, order: int = 0, flags: int = 0) -> bytes:
    return HEAD.pack(kind, flags, time, order, len(data)) + data


def shown(kind: int, units: list[tuple[bytes, int, int, bool]], *, shift: int = 0) -> bytes:
    return b"".join(record(kind, data, pts + shift, dts + shift, KEY if key else 0) for data, pts, dts, key in units)


def write(path: Path, data: bytes, *, limit: int = LIMIT, free: int = 0) -> list[dict[str, Any]]:
    """The words that it said."""
    said = io.StringIO()
    Writer(path, limit, free, io.BytesIO(data), said).run()
    return [json.loads(line) for line in said.getvalue().splitlines()]


def probe(path: Path) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", str(path)]
    result = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert not result.stderr, result.stderr
    return cast(dict[str, Any], json.loads(result.stdout))


def streams(path: Path) -> dict[str, dict[str, Any]]:
    return {one["codec_type"]: one for one in probe(path)["streams"]}


def beep(seconds: float, at: int = 0) -> bytes:
    """A-law in packets of 40 ms."""
    return b"".join(record(PCMA, bytes([0x2A, 0xAA] * 160), at + number * STEP) for number in range(round(seconds * 25)))


@pytest.mark.parametrize(
    ("codec", "kind", "bs"), [("libx264", H264, 0), ("libx264", H264, 2), ("libx265", H265, 0), ("libx265", H265, 2)]
)
def test_a_film_has_every_picture_once_at_its_time(tmp_path: Path, codec: str, kind: int, bs: int) -> None:
    units = pictures(codec, 50, bs=bs)
    said = write(tmp_path / "one", record(BEGIN) + shown(kind, units, shift=1_234_567) + record(END, flags=WHOLE))
    video = streams(tmp_path / "one.mp4")["video"]
    assert (video["codec_name"], int(video["nb_read_frames"]), int(video["nb_frames"])) == (
        "h264" if kind == H264 else "hevc",
        50,
        50,
    )
    assert float(video["duration"]) == pytest.approx(2.0, abs=0.001)
    assert float(video["start_time"]) == 0
    assert said[-1]["pictures"] == 50
    assert said[-1]["sealed"] == (tmp_path / "one.mp4").stat().st_size
    with av.open(str(tmp_path / "one.mp4")) as film:
        times = [float(frame.time or 0) for frame in film.decode(video=0)]
    assert times == [pytest.approx(number / 25, abs=0.001) for number in range(50)]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["one.done", "one.lock", "one.mp4"]
    assert write(tmp_path / "one", b"") == said[-1:]


def test_g711_becomes_aac_beside_the_picture(tmp_path: Path) -> None:
    units = pictures("libx264", 50)
    mixed = b"".join(record(H264, data, pts, dts, KEY if key else 0) + beep(0.04, pts) for data, pts, dts, key in units)
    write(tmp_path / "one", record(BEGIN) + mixed + record(END, flags=WHOLE))
    sound = streams(tmp_path / "one.mp4")["audio"]
    assert (sound["codec_name"], sound["sample_rate"], sound["channels"]) == ("aac", "8000", 1)
    assert float(sound["duration"]) == pytest.approx(2.0, abs=0.2)
    with av.open(str(tmp_path / "one.mp4")) as film:
        loud = [float(numpy.abs(frame.to_ndarray()).max()) for frame in film.decode(audio=0)]
    assert max(loud) > 0.01


def adts_frames(count: int) -> Iterator[bytes]:
    encoder = av.CodecContext.create("aac", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format, encoder.time_base = 16_000, "mono", "fltp", Fraction(1, 16_000)
    for number in range(count):
        raw = numpy.sin(numpy.arange(1024, dtype=numpy.float32) / 5).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(raw, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16_000, number * 1024
        for packet in encoder.encode(frame):
            size = packet.size + 7
            yield bytes([0xFF, 0xF1, 1 << 6 | 8 << 2, 1 << 6 | size >> 11, size >> 3 & 255, size << 5 & 255 | 31, 0xFC]) + bytes(
                packet
            )


def test_aac_is_passed_on(tmp_path: Path) -> None:
    units = pictures("libx264", 50)
    frames = list(adts_frames(30))
    sound = b"".join(record(AAC, frame, number * 1024 * CLOCK // 16_000) for number, frame in enumerate(frames))
    write(tmp_path / "one", record(BEGIN) + shown(H264, units[:1]) + sound + shown(H264, units[1:]) + record(END, flags=WHOLE))
    found = streams(tmp_path / "one.mp4")["audio"]
    assert (found["codec_name"], found["sample_rate"], int(found["nb_frames"])) == ("aac", "16000", len(frames))


def test_a_film_is_gone_on_with(tmp_path: Path) -> None:
    """The first process is killed in its third second; the next one has the device begin there again."""
    first = shown(H264, pictures("libx264", 70))
    assert "sealed" not in write(tmp_path / "one", record(BEGIN) + first + record(H264, b"torn")[:-2])[-1]
    kept = write(tmp_path / "one", b"")[-1]
    assert (kept["pictures"], kept["until"]) == (70, 69 * STEP)
    second = shown(H264, pictures("libx264", 75), shift=987_654)
    said = write(tmp_path / "one", record(BEGIN, time=2 * CLOCK) + second + record(END, flags=WHOLE))
    assert said[-1]["pictures"] == 125
    video = streams(tmp_path / "one.mp4")["video"]
    assert int(video["nb_read_frames"]) == 125
    assert float(video["duration"]) == pytest.approx(5.0, abs=0.001)


def test_a_record_without_its_sample_is_none(tmp_path: Path) -> None:
    write(tmp_path / "one", record(BEGIN) + shown(H264, pictures("libx264", 30)))
    part = tmp_path / "one.part"
    part.write_bytes(part.read_bytes()[:-1])
    index = tmp_path / "one.index"
    index.write_bytes(index.read_bytes() + b"\x00\x01torn")
    assert write(tmp_path / "one", b"")[-1]["pictures"] == 29
    write(tmp_path / "one", record(END, flags=WHOLE))
    assert int(streams(tmp_path / "one.mp4")["video"]["nb_read_frames"]) == 29


def test_half_a_film_can_be_looked_at_and_gone_on_with(tmp_path: Path) -> None:
    write(tmp_path / "one", record(BEGIN) + shown(H264, pictures("libx264", 50)) + record(END))
    assert int(streams(tmp_path / "one.mp4")["video"]["nb_read_frames"]) == 50
    assert write(tmp_path / "one", b"")[0]["pictures"] == 50
    write(tmp_path / "one", record(BEGIN, time=2 * CLOCK) + shown(H264, pictures("libx264", 25)) + record(END, flags=WHOLE))
    assert int(streams(tmp_path / "one.mp4")["video"]["nb_read_frames"]) == 75


def test_a_camera_that_changes_its_picture_keeps_both_sizes(tmp_path: Path) -> None:
    small, large = pictures("libx264", 25), pictures("libx264", 25, size=(640, 360))
    later = [(data, pts + CLOCK, dts + CLOCK, key) for data, pts, dts, key in large]
    write(tmp_path / "one", record(BEGIN) + shown(H264, small + later) + record(END, flags=WHOLE))
    with av.open(str(tmp_path / "one.mp4")) as film:
        sizes = [frame.width for frame in film.decode(video=0)]
    assert (sizes.count(320), sizes.count(640)) == (25, 25)


def test_pictures_before_the_first_key_frame_are_passed_over(tmp_path: Path) -> None:
    units = pictures("libx264", 40)
    write(tmp_path / "one", record(BEGIN) + shown(H264, units[5:]) + record(END, flags=WHOLE))
    video = streams(tmp_path / "one.mp4")["video"]
    assert (int(video["nb_read_frames"]), float(video["start_time"])) == (30, 0)


def test_times_that_stand_still_or_go_back_still_make_a_film(tmp_path: Path) -> None:
    units = [
        (data, 9000 if number % 7 else 5000 + pts, 9000, key)
        for number, (data, pts, _, key) in enumerate(pictures("libx264", 40))
    ]
    write(tmp_path / "one", record(BEGIN) + shown(H264, units) + record(END, flags=WHOLE))
    assert int(streams(tmp_path / "one.mp4")["video"]["nb_frames"]) > 0


@pytest.mark.parametrize(("limit", "free", "word"), [(5_000, 0, "too_large"), (LIMIT, 1 << 62, "disk_full")])
def test_limits_are_said_and_what_is_there_stays(tmp_path: Path, limit: int, free: int, word: str) -> None:
    said = write(tmp_path / "one", record(BEGIN) + shown(H264, pictures("libx264", 50)) + record(END), limit=limit, free=free)
    assert said[-1] == {"error": word}
    assert (tmp_path / "one.part").stat().st_size <= 64 + limit + 50_000


def test_nothing_makes_no_film(tmp_path: Path) -> None:
    assert write(tmp_path / "one", record(BEGIN) + record(END, flags=WHOLE))[-1] == {"error": "empty"}


@pytest.mark.parametrize("data", [b"\0\0\0\1\x67", b"\0\0\0\1\x67\x42\0\x1e", b"", bytes(100)])
def test_parameter_sets_that_are_none_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"parameter sets|SPS|NAL unit|PPS"):
        look("h264", h264.split_annex_b(data))


def test_garbage_ends_with_a_word(tmp_path: Path) -> None:
    assert write(tmp_path / "one", HEAD.pack(H264, 0, 0, 0, 1 << 31))[-1] == {"error": "too_large"}
    noise = b"".join(record(kind, struct.pack("!I", kind) * 50, 0, 0, KEY) for kind in range(1, 6))
    assert write(tmp_path / "two", record(BEGIN) + noise * 20 + record(END))[-1] == {"error": "empty"}


def test_a_cut_takes_what_comes_anew(tmp_path: Path) -> None:
    write(tmp_path / "one", record(BEGIN) + shown(H264, pictures("libx264", 50)))
    film = Film(tmp_path / "one", LIMIT)
    film.cut(CLOCK)
    assert (film.pictures, film.until) == (25, 24 * STEP)
    film.close()
