"""A film's index goes before its media, and leads to the same places."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from commhub.archive import Reader
from commhub.archive.reading import MemoryBytes
from recorder.boxes import box, full
from recorder.export.fronting import fronted


def reader(data: bytes) -> Reader:
    return Reader(MemoryBytes(data))


def movie(places: list[int], *, wide: bool = False) -> bytes:
    packed = struct.pack(f">I{len(places)}{'Q' if wide else 'I'}", len(places), *places)
    table = full(b"co64" if wide else b"stco", 0, 0, packed)
    trak = box(b"trak", box(b"tkhd", bytes(84)), box(b"mdia", box(b"minf", box(b"stbl", box(b"stsd", bytes(8)), table))))
    return box(b"moov", box(b"mvhd", bytes(100)), trak, trak)


def test_places_are_moved_by_what_was_put_before() -> None:
    media = box(b"mdat", bytes(range(256)))
    head = box(b"ftyp", b"isom")
    begin = len(head) + 8
    for wide in (False, True):
        index = movie([begin, begin + 100], wide=wide)
        film = b"".join(fronted(reader(head + media + index + box(b"free"))))
        assert film == head + movie([begin + len(index), begin + 100 + len(index)], wide=wide) + media + box(b"free")
        assert film[begin + len(index) + 100] == 100
        assert b"".join(fronted(reader(film))) == film  # it is in front


def test_what_cannot_be_moved_stays_as_it_is() -> None:
    film = box(b"ftyp", b"isom") + box(b"mdat", bytes(64)) + movie([40, (1 << 32) - 50])
    assert b"".join(fronted(reader(film))) == film


def test_a_large_box_says_its_size_in_eight_bytes() -> None:
    head, media = box(b"ftyp", b"isom"), struct.pack(">I4sQ", 1, b"mdat", 16 + 64) + bytes(64)
    index = movie([len(head) + 16])
    assert b"".join(fronted(reader(head + media + index))) == head + movie([len(head) + 16 + len(index)]) + media


@pytest.mark.parametrize(
    ("film", "sentence"),
    [
        (b"", r"^A film has no index\.$"),
        (box(b"ftyp", b"isom") + box(b"mdat", bytes(9)), r"^A film has no index\.$"),
        (box(b"ftyp", b"isom") + struct.pack(">I4s", 900, b"mdat"), r"^A film's boxes lead nowhere\.$"),
        (box(b"ftyp", b"isom") + b"mda", r"^A film's boxes lead nowhere\.$"),
        (box(b"mdat") + box(b"moov", struct.pack(">I4s", 99, b"trak")), r"^A film's index leads nowhere\.$"),
        (box(b"mdat") + box(b"moov", full(b"stco", 0, 0, struct.pack(">I", 1 << 30))), r"^A film's index leads nowhere\.$"),
    ],
)
def test_what_is_no_film(film: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        list(fronted(reader(film)))


def test_a_real_one_is_decoded_to_the_same(tmp_path: Path) -> None:
    path, other = tmp_path / "one.mp4", tmp_path / "two.mp4"
    with path.open("wb") as file, av.open(file, "w", format="mp4") as out:
        stream: Any = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for number in range(30):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((96, 64), number * 8, np.uint8), format="yuv420p")))
        out.mux(stream.encode(None))
    with Reader(MemoryBytes(path.read_bytes())) as given:
        other.write_bytes(b"".join(fronted(given)))
    assert path.read_bytes().index(b"moov") > path.read_bytes().index(b"mdat")
    assert other.read_bytes().index(b"moov") < other.read_bytes().index(b"mdat")
    assert decoded(other) == decoded(path)
    assert len(decoded(path)) == 30


def decoded(path: Path) -> list[bytes]:
    with av.open(str(path)) as film:
        return [frame.to_ndarray().tobytes() for frame in film.decode(video=0)]
