"""A film that grows on disk and can be gone on with: samples in a file as an MP4 wants them, what they are beside it.

``name.part`` holds the samples, ``name.index`` one record for each. Whatever kills the process, what both agree on stays; a later
process goes on from there. :meth:`Film.seal` writes the MP4's tables behind the samples and takes the part for the whole.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from recorder.mp4 import HEAD, Look, Samples, Voice, head, movie

PICTURE, SOUND, LOOK, VOICE = range(4)
KEY = 1
_RECORD = struct.Struct("<BBBqqI")  # what, flags, look, time, order, size
_SETS = 65_536  # octets of a look's or a voice's description


class Sample(NamedTuple):
    """``time`` and ``order`` (of decoding) are 90 kHz from the film's beginning."""

    what: int
    key: bool
    time: int
    order: int
    data: bytes


class Film:
    """``path`` is the film's, without an ending. ``limit``: octets. Opens what a process before has left.

    ValueError when it would become too large, OSError when the disk does not take it.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path, self._limit = path, limit
        self.looks: list[Look] = []
        self.voice: Voice | None = None
        self.pictures = 0
        self.end = 0  # octets of samples
        self._rows: list[bytes] = []  # not written yet
        self._data: list[bytes] = []
        self._look = 0
        self.until = 0  # 90 kHz: when the last picture is shown
        self._order = -(1 << 62)
        self._sounds_at = -(1 << 62)
        self._part, self._index = path.with_suffix(".part"), path.with_suffix(".index")
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._file, self._rows_file = self._open()

    def _open(self) -> tuple[BinaryIO, BinaryIO]:
        whole = self.path.with_suffix(".mp4")
        if whole.exists() and self._index.exists() and not self._part.exists():
            whole.rename(self._part)  # a film that was sealed before it was whole
        if not (self._part.exists() and self._index.exists()):
            self._part.write_bytes(head())
            self._index.write_bytes(b"")
        self._recover(None)
        rows = self._index.open("r+b")
        rows.seek(0, os.SEEK_END)
        file = self._part.open("r+b")
        file.truncate(HEAD + self.end)
        file.seek(HEAD + self.end)
        return file, rows

    def _recover(self, before: int | None) -> None:
        """Reads the index as far as the samples reach, and cuts it there; or where pictures are shown ``before`` no more."""
        self.looks, self.voice, self.pictures, self.end, self.until, self._order = [], None, 0, 0, 0, -(1 << 62)
        self._sounds_at = -(1 << 62)
        there = self._part.stat().st_size - HEAD
        data = self._index.read_bytes()
        at = 0
        while at + _RECORD.size <= len(data):
            what, _, look, time, order, size = _RECORD.unpack_from(data, at)
            following = at + _RECORD.size
            if what in (LOOK, VOICE):
                if following + size > len(data):
                    break
                self._learn(what, data[following : following + size])
                at = following + size
                continue
            if self.end + size > there or (before is not None and what == PICTURE and time >= before):
                break
            at, self.end = following, self.end + size
            if what == PICTURE:
                self.pictures += 1
                self.until, self._order, self._look = max(self.until, time), order, look
            else:
                self._sounds_at = time
        with self._index.open("r+b") as file:
            file.truncate(at)

    def _learn(self, what: int, text: bytes) -> None:
        if what == VOICE:
            rate, channels = struct.unpack_from("<IB", text)
            self.voice = Voice(rate, channels, text[5:])
            return
        codec, width, height, count = struct.unpack_from("<BHHB", text)
        sets, at = [], 6
        for _ in range(count):
            (size,) = struct.unpack_from("<H", text, at)
            sets.append(text[at + 2 : at + 2 + size])
            at += 2 + size
        self.looks.append(Look("h265" if codec else "h264", tuple(sets), width, height))

    # ---- growing

    def cut(self, time: int) -> None:
        """What is shown from ``time`` on is taken away: it comes anew."""
        self.flush()
        self._file.close()
        self._rows_file.close()
        self._recover(time)
        self._file, self._rows_file = self._open()

    def show(self, look: Look) -> None:
        """What follows is decoded like this."""
        if look in self.looks:
            self._look = self.looks.index(look)
            return
        if len(self.looks) == 255:
            raise ValueError("The picture changes too often.")
        self.looks.append(look)
        self._look = len(self.looks) - 1
        text = struct.pack("<BHHB", look.codec == "h265", look.width, look.height, len(look.sets))
        text += b"".join(struct.pack("<H", len(one)) + one for one in look.sets)
        self._rows.append(_RECORD.pack(LOOK, 0, 0, 0, 0, len(text)) + text)

    def sound(self, voice: Voice) -> bool:
        """Whether what follows can be added: a film has one kind of sound."""
        if self.voice is None:
            self.voice = voice
            text = struct.pack("<IB", voice.rate, voice.channels) + voice.private
            self._rows.append(_RECORD.pack(VOICE, 0, 0, 0, 0, len(text)) + text)
        return self.voice == voice

    def add(self, sample: Sample) -> None:
        size = len(sample.data)
        if self.end + size > self._limit:
            raise ValueError("The film is larger than it may be.")
        time, order = sample.time, sample.order
        if sample.what == PICTURE:
            order = max(min(order, time), self._order + 1)  # of decoding it has to grow, whatever the device says
            self.pictures += 1
            self.until, self._order = max(self.until, time), order
        elif time <= self._sounds_at or time < 0:
            return
        else:
            self._sounds_at = time
        self._data.append(sample.data)
        self._rows.append(_RECORD.pack(sample.what, KEY if sample.key else 0, self._look, time, order, size))
        self.end += size

    def flush(self) -> None:
        """Samples first: a record without its sample is none."""
        if self._data:
            self._file.writelines(self._data)
            self._file.flush()
        if self._rows:
            self._rows_file.writelines(self._rows)
            self._rows_file.flush()
        self._data, self._rows = [], []

    # ---- the end

    def close(self) -> None:
        """As it is: a later process goes on with it."""
        with contextlib.suppress(OSError):
            self.flush()
        self._file.close()
        self._rows_file.close()

    def seal(self, *, whole: bool) -> Path:
        """The MP4. ``whole``: nothing will be added any more. ValueError when there is no picture in it."""
        if not self.pictures:
            raise ValueError("There is no picture in the film.")
        self.flush()
        self._rows_file.close()
        pictures, sound = self._tables()
        self._file.seek(HEAD + self.end)
        self._file.write(movie(pictures, self.looks, sound, self.voice))
        self._file.seek(0)
        self._file.write(head(self.end))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        made = self.path.with_suffix(".mp4")
        self._part.rename(made)
        if whole:
            self._index.unlink()
        return made

    def _tables(self) -> tuple[Samples, Samples]:
        pictures, sound = Samples(), Samples()
        data, at, where = self._index.read_bytes(), 0, HEAD
        while at < len(data):
            what, flags, look, time, order, size = _RECORD.unpack_from(data, at)
            at += _RECORD.size
            if what in (LOOK, VOICE):
                at += size
                continue
            track = pictures if what == PICTURE else sound
            track.where.append(where)
            track.sizes.append(size)
            track.times.append(time)
            track.order.append(order)
            if what == PICTURE:
                track.looks.append(look)
                if flags & KEY:
                    track.keys.append(len(track.sizes))
            where += size
        return pictures, sound


def lengths(units: Sequence[bytes]) -> bytes:
    """NAL units as an MP4 has them: each behind its length."""
    return b"".join(struct.pack(">I", len(one)) + one for one in units)
