"""The two containers: what FFmpeg reads of them whole, torn at any byte, recovered, sealed."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from commhub.media.messages import Codec
from recorder.container import Torn
from recorder.containers import container, recover
from recorder.depacketise import depacketiser
from recorder.fmp4 import Fmp4
from recorder.frames import Format, Frame
from tests.recorder.test_depacketise import frames, packets
from tests.support import sink_feed
from tests.support.media_files import read
from tests.support.sink_feed import AV1, H264, H265, OPUS, VP8, VP9, Clip

ALL = [VP8, VP9, AV1, H264, H265, OPUS]


def clip_of(codec: Codec) -> Clip:
    return sink_feed.opus() if codec is OPUS else sink_feed.video(codec)


def write(codec: Codec, seconds: float = 6.0) -> tuple[bytes, list[int], bytes, str]:
    """A file's bytes before it is sealed, the offsets behind its pieces, the sealed bytes, and its extension."""
    clip = clip_of(codec)
    found = frames(codec, packets(clip))
    form = found[0].format
    assert form is not None
    box = container(form)
    data = bytearray(box.head())
    ends = [len(data)]

    def piece(last: bool = False) -> None:
        data.extend(box.cut(last))
        if len(data) != ends[-1]:
            ends.append(len(data))

    for number in range(round(seconds * form.rate / clip.length * len(found))):
        rounds, position = divmod(number, len(found))
        frame = found[position]
        if box.pending >= form.rate // 2 or (frame.key and form.kind == "video"):
            piece()
        box.add(rounds * clip.length + frame.time, frame.data, frame.key, frame.duration)
    piece(last=True)
    return bytes(data), ends, sealed(bytes(data), box.seal().tail, box.seal().patches), box.extension


def sealed(data: bytes, tail: bytes, patches: list[tuple[int, bytes]]) -> bytes:
    out = bytearray(data + tail)
    for offset, patch in patches:
        assert offset + len(patch) <= len(data)
        out[offset : offset + len(patch)] = patch
    return bytes(out)


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.mime)
def test_whole_and_sealed_it_says_how_long_it_is(codec: Codec, tmp_path: Path) -> None:
    data, ends, whole, extension = write(codec)
    assert len(ends) >= 12  # half a second each
    path = tmp_path / f"a.{extension}"
    path.write_bytes(whole)
    media = read(path)
    assert media.duration == pytest.approx(6.0, abs=0.04)
    assert len(media.times) == (300 if codec is OPUS else 90)
    assert media.times == sorted(media.times)
    path.write_bytes(data)  # as it is while it is written
    assert len(read(path).times) == len(media.times)


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.mime)
def test_torn_at_any_byte_all_whole_pieces_are_recovered(codec: Codec, tmp_path: Path) -> None:
    data, ends, _, extension = write(codec)
    path = tmp_path / f"a.{extension}"
    dice = random.Random(1)
    cuts = {*ends, *(end - 1 for end in ends), *(end + 1 for end in ends[:-1]), *(dice.randrange(len(data)) for _ in range(40))}
    for cut in sorted(cuts):
        whole = [end for end in ends if end <= cut]
        if len(whole) < 2:  # not one piece
            with pytest.raises(Torn):
                recover(extension, data[:cut])
            continue
        found = recover(extension, memoryview(data)[:cut])
        assert found.end == whole[-1]
        path.write_bytes(sealed(data[: found.end], found.seal.tail, found.seal.patches))
        media = read(path)
        assert media.duration == pytest.approx(found.duration_ms / 1000, abs=0.07)
        assert media.times
    # Zeros behind the end, as after a power failure, are no media.
    assert recover(extension, data + bytes(10_000)).end == len(data)


@pytest.mark.parametrize("codec", ALL, ids=lambda codec: codec.mime)
def test_recovering_a_sealed_file_changes_nothing(codec: Codec) -> None:
    data, _, whole, extension = write(codec)
    found = recover(extension, whole)
    assert found.end == len(data)
    assert sealed(whole[: found.end], found.seal.tail, found.seal.patches) == whole


@pytest.mark.parametrize("extension", ["webm", "mp4"])
@pytest.mark.parametrize("seed", range(30))
def test_noise_is_torn_or_short_and_never_more(extension: str, seed: int) -> None:
    dice = random.Random(seed)
    data = bytearray(write(H264 if extension == "mp4" else VP8, 2.0)[0])
    for _ in range(dice.randrange(1, 30)):
        data[dice.randrange(len(data))] = dice.randrange(256)
    try:
        assert recover(extension, bytes(data)).end <= len(data)
    except Torn:
        pass
    with pytest.raises(Torn):
        recover(extension, dice.randbytes(500))


def test_pictures_shown_in_another_order_keep_their_times(tmp_path: Path) -> None:
    """A camera with B pictures: decoding order I P B B P B B."""
    clip = sink_feed.video(H264)
    taker = depacketiser(H264)
    found: list[Frame] = [frame for packet in packets(clip) for frame in taker.receive(packet)]
    assert found[0].format is not None
    box = Fmp4(found[0].format)
    shown = [0] + [n for first in range(1, 28, 3) for n in (first + 2, first, first + 1)]
    data = bytearray(box.head())
    for frame, place in zip(found, shown, strict=False):
        if box.pending >= 22_500:
            data += box.cut()
        box.add(place * 6000, frame.data, frame.key)
    data += box.cut(last=True)
    path = tmp_path / "a.mp4"
    path.write_bytes(sealed(bytes(data), box.seal().tail, box.seal().patches))
    assert read(path).duration == pytest.approx(len(shown) / 15, abs=0.1)
    assert recover("mp4", bytes(data)).duration_ms == box.duration_ms == len(shown) * 1000 // 15


def test_an_index_with_more_key_frames_than_room_still_fits() -> None:
    clip = sink_feed.video(H264)
    frame = frames(H264, packets(clip))[0]
    assert frame.format is not None
    box = Fmp4(frame.format)
    data = bytearray(box.head())
    for number in range(2000):
        data += box.cut()
        box.add(number * 3000, frame.data, True)
    data += box.cut(last=True)
    whole = sealed(bytes(data), box.seal().tail, box.seal().patches)
    assert recover("mp4", whole).duration_ms == box.duration_ms


def test_only_h264_goes_into_mp4() -> None:
    with pytest.raises(ValueError, match=r"H\.264"):
        Fmp4(Format("video", "vp8", "vp8", 90000))
