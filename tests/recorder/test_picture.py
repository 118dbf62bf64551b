"""One picture of a participant: frames become a JPEG, and what cannot be shown is said."""

from __future__ import annotations

import asyncio
import io
import os
import time
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy
import pytest

from commhub.media.link import RECORD, Link
from commhub.media.messages import Codec, KeyFrameWanted, Message, SinkTrack
from recorder import picture
from recorder.avc import H264
from recorder.frames import Frame
from recorder.picture import Camera, Darkroom, jpeg
from recorder.reorder import parse

H264_CODEC = Codec("video/H264", 90000)


def stream(pictures: int = 12, group: int = 6) -> list[list[bytes]]:
    """RTP packets of each picture: a bright square on the right of a dark one."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 320, 180, "yuv420p", Fraction(1, 25)
    encoder.gop_size = group
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "bf": "0"}
    raw = numpy.full((180, 320, 3), 20, numpy.uint8)
    raw[60:120, 200:300] = 230
    made: list[list[bytes]] = []
    sequence = 0
    for number in range(pictures):
        frame = av.VideoFrame.from_ndarray(raw, format="rgb24")
        frame.pts = number
        data = b"".join(bytes(packet) for packet in encoder.encode(frame))
        units = [unit for unit in data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit]
        packets: list[bytes] = []
        for unit in units:
            chunks = [unit[at : at + 1000] for at in range(1, len(unit), 1000)]
            for index, chunk in enumerate(chunks):
                head = bytes(
                    [unit[0] & 0x60 | 28, (0x80 if index == 0 else 0) | (0x40 if chunk is chunks[-1] else 0) | unit[0] & 31]
                )
                last = unit is units[-1] and chunk is chunks[-1]
                packets.append(rtp(sequence, number * 3600, head + chunk, marker=last))
                sequence += 1
        made.append(packets)
    return made


def rtp(sequence: int, time: int, payload: bytes, *, marker: bool) -> bytes:
    head = bytes([0x80, 96 | (0x80 if marker else 0)]) + (sequence & 0xFFFF).to_bytes(2, "big")
    return head + time.to_bytes(4, "big") + b"\0\0\0\7" + payload


def frames(packets: list[list[bytes]]) -> list[Frame]:
    taken = H264(H264_CODEC)
    return [frame for picture in packets for packet in picture for frame in taken.receive(parse(packet, time.time_ns()))]


def shown(data: bytes) -> Any:
    with av.open(io.BytesIO(data), "r", format="mjpeg") as file:
        return next(file.decode(video=0)).to_ndarray(format="gray")


def batch(handle: int, packets: list[bytes], at: int) -> bytes:
    return b"".join(RECORD.pack(handle, at, len(packet)) + packet for packet in packets)


def track(codec: Codec | None, **more: Any) -> SinkTrack:
    return SinkTrack(
        sink="s", handle=3, track="TR", peer="PA", identity="c:bridge", kind="video", source="camera", open=codec is not None,
        at=0, codec=codec, **more,
    )  # fmt: skip


class Told:
    def __init__(self) -> None:
        self.told: list[Message] = []

    def tell(self, message: Message) -> None:
        self.told.append(message)


def test_frames_become_a_jpeg() -> None:
    room = Darkroom()
    assert all(room.feed(frame) for frame in frames(stream()))
    assert room.picture is not None
    data = jpeg(room.picture)
    assert data.startswith(b"\xff\xd8")
    picture = shown(data)
    assert picture.shape == (180, 320)
    assert picture[90, 250] > 200
    assert picture[90, 50] < 60


def test_nothing_is_shown_before_a_key_frame_or_of_rubbish() -> None:
    room = Darkroom()
    later = frames(stream())[1:]
    assert not room.feed(Frame(0, 0, later[0].data, False))
    key = next(frame for frame in later if frame.key)
    assert not room.feed(Frame(0, 0, os.urandom(500), True, 0, key.format))
    assert room.picture is None
    assert room.feed(key)


async def test_a_receiver_is_done_with_a_picture_of_now() -> None:
    camera, link = Camera(), Told()
    packets = stream()
    old, now = time.time_ns() - 10**10, time.time_ns()
    camera.batch(batch(3, packets[0], old))  # overtook the fact that opens the track
    camera.receive(cast(Link, link), track(H264_CODEC))
    assert link.told == [KeyFrameWanted(handle=3)]
    assert camera.darkroom.picture is not None
    assert not camera.done.is_set()  # ten seconds old: what follows is decoded too
    camera.batch(batch(9, packets[1], now))  # of somebody else
    camera.batch(b"torn")
    assert not camera.done.is_set()
    camera.batch(batch(3, packets[1], now))
    assert camera.done.is_set()


@pytest.mark.parametrize(
    ("fact", "sentence"),
    [
        (track(Codec("video/H266", 90000)), "No picture can be taken of video/H266."),
        (track(H264_CODEC, encrypted=True), "The picture is encrypted end to end."),
    ],
)
def test_what_cannot_be_taken(fact: SinkTrack, sentence: str) -> None:
    camera = Camera()
    camera.receive(cast(Link, Told()), fact)
    assert (camera.wrong, camera.done.is_set()) == (sentence, True)


async def test_no_worker_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^The media worker is not there\.$"):
        await asyncio.wait_for(picture.take(tmp_path, "media-0", "r", "i", 0.2), 30)
