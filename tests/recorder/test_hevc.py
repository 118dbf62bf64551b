"""H.265 as it comes: what is in the file is what was sent, and other people's software reads it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import av
import pytest

from commhub.media.messages import Codec
from commhub.wire import h264, h265
from recorder.containers import container
from recorder.depacketise import depacketiser
from recorder.frames import Frame
from recorder.hevc import string
from recorder.picture import Darkroom
from recorder.reorder import Packet
from tests.support import h265 as support

H265 = Codec("video/H265", 90_000)


def packets(film: list[tuple[bytes, int, bool]]) -> list[Packet]:
    out: list[Packet] = []
    for data, number, _ in film:
        payloads = h265.packets(h264.split_annex_b(data))
        for position, payload in enumerate(payloads, 1):
            out.append(Packet(len(out), number * 3600, position == len(payloads), payload, number * 40_000_000, 0))
    return out


def frames(sent: list[Packet]) -> list[Frame]:
    taker = depacketiser(H265)
    return [frame for packet in sent for frame in taker.receive(packet)]


def recorded(path: Path, film: list[tuple[bytes, int, bool]]) -> list[Frame]:
    found = frames(packets(film))
    assert found[0].format is not None
    box = container(found[0].format)
    data = bytearray(box.head())
    for frame in found:
        if box.pending >= 45_000:
            data += box.cut()
        box.add(frame.time, frame.data, frame.key)
    data += box.cut(last=True)
    for offset, patch in box.seal().patches:
        data[offset : offset + len(patch)] = patch
    path.write_bytes(data)
    return found


@pytest.mark.parametrize("b_frames", [0, 2])
def test_ffprobe_reads_it_as_hevc(tmp_path: Path, b_frames: int) -> None:
    film = support.film(50, 10, b_frames)
    found = recorded(tmp_path / "a.mp4", film)
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_entries", "packet=pts,dts", "-of", "json"]
    done = subprocess.run([*command, str(tmp_path / "a.mp4")], capture_output=True, text=True, timeout=60, check=True)
    assert not done.stderr
    said = json.loads(done.stdout)
    (stream,) = said["streams"]
    assert (stream["codec_name"], stream["codec_tag_string"], stream["width"], stream["height"]) == ("hevc", "hvc1", 320, 180)
    assert int(stream["nb_read_frames"]) == 50
    assert [int(packet["pts"]) - int(said["packets"][0]["pts"]) for packet in said["packets"]] == [n * 3600 for _, n, _ in film]
    decoding = [int(packet["dts"]) for packet in said["packets"]]
    assert decoding == sorted(set(decoding))
    assert [frame.key for frame in found] == [key for _, _, key in film]


def test_every_unit_of_every_picture_is_in_it(tmp_path: Path) -> None:
    film = support.film(25, 5)
    recorded(tmp_path / "a.mp4", film)
    with av.open(str(tmp_path / "a.mp4")) as file:
        samples = [bytes(packet) for packet in file.demux(video=0) if packet.size]
    for sample, (data, _, _) in zip(samples, film, strict=True):
        units, at = [], 0
        while at < len(sample):
            size = int.from_bytes(sample[at : at + 4], "big")
            units.append(sample[at + 4 : at + 4 + size])
            at += 4 + size
        assert units == [unit for unit in h264.split_annex_b(data) if h265.kind(unit) not in (32, 33, 34, 35)]


def test_what_a_browser_is_asked() -> None:
    (sequence,) = {unit for unit in support.units(support.film()) if h265.kind(unit) == h265.SPS}
    assert string(sequence) == "hvc1.1.6.L60.90"


@pytest.mark.parametrize(
    "payload", [b"", b"\x62\x01", b"\x62\x01\x13", b"\x60\x01\x00\xff\x26", b"\x64\x01\x00\x00", b"\x42\x01\x01"]
)
def test_torn_packets_spoil_their_picture_only(payload: bytes) -> None:
    sent = packets(support.film(10, 5))
    taker = depacketiser(H265)
    taker.receive(Packet(0, 0, True, payload, 0, 0))
    found = [frame for packet in sent for frame in taker.receive(packet)]
    assert len(found) == 10


def test_a_picture_to_keep_is_taken_of_it() -> None:
    room = Darkroom()
    assert room.feed(frames(packets(support.film(5, 5)))[0])
    assert room.picture is not None
    assert (room.picture.width, room.picture.height) == (320, 180)
