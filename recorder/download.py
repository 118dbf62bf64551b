"""A recording of a device becomes an MP4: the process that writes it. Pictures are passed on as they are, G.711 becomes AAC.

What it reads comes from whoever stands at the other end of a cable; it has its own memory, little of it. Run by the bridge as
``python -m recorder.download PATH LIMIT FREE`` (octets the film may have, octets the disk must keep). Over stdin come records
(``HEAD``: kind, flags, time, order, size, then the data), over stdout go lines of JSON: what is kept, once a second; at the end
``sealed``, or ``error``: too_large, disk_full, disk, empty. When stdin ends without ``END`` the film stays as it is, and a later
process goes on with it; of one that is whole it says so again (``PATH.done``). The other files beside the film are whoever asked
for it to remove.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import resource
import shutil
import struct
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import av

from commhub.wire import adts, h264, h265
from recorder.film import PICTURE, SOUND, Film, Sample, lengths
from recorder.mp4 import CLOCK, Voice, look

HEAD = struct.Struct("!BBqqI")
#: Kinds of records: access units (annex B), sound; BEGIN: a session whose first key frame is shown at ``time`` of the film; END:
#: seal it, with the flag WHOLE for good.
H264, H265, PCMA, PCMU, AAC, BEGIN, END = range(1, 8)
KEY = 1
WHOLE = 1
LARGEST = 8 << 20  # octets of a record
TOLD_SECONDS = 1.0
CHECKED = 16 << 20  # octets between two looks at the disk
MEMORY = 2 << 30
JUMP = CLOCK // 5  # sound that is so much off its count begins anew
NICE = 5


class Laws:
    """G.711 → AAC of its own rate; ``put`` gives ``(90 kHz from the same beginning, frame)``."""

    RATE = 8000

    def __init__(self, law: str) -> None:
        self.law = law
        self._decoder = av.CodecContext.create("pcm_alaw" if law == "pcma" else "pcm_mulaw", "r")
        assert isinstance(self._decoder, av.AudioCodecContext)
        self._decoder.sample_rate, self._decoder.layout = self.RATE, "mono"
        self._begin()

    def _begin(self) -> None:
        encoder = av.CodecContext.create("aac", "w")
        assert isinstance(encoder, av.AudioCodecContext)
        encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = self.RATE, "mono", "fltp", 32_000
        encoder.time_base = Fraction(1, self.RATE)
        encoder.open()
        self._encoder = encoder
        self._base: int | None = None
        self._samples = 0

    @property
    def voice(self) -> Voice:
        return Voice(self.RATE, 1, bytes(self._encoder.extradata or b""))

    def put(self, data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
        due = None if self._base is None else self._base + self._samples * CLOCK // self.RATE
        if due is not None and abs(at - due) > JUMP:
            yield from self.end()
            self._begin()
        if self._base is None:
            self._base = at
        for frame in self._decoder.decode(av.Packet(data)):
            frame.pts, frame.time_base = self._samples, Fraction(1, self.RATE)
            self._samples += frame.samples
            yield from self._timed(self._encoder.encode(frame))

    def end(self) -> Iterator[tuple[int, bytes]]:
        yield from self._timed(self._encoder.encode(None))

    def _timed(self, packets: list[Any]) -> Iterator[tuple[int, bytes]]:
        for packet in packets:
            if self._base is not None and packet.pts is not None and packet.pts >= 0:  # before: what the encoder begins with
                yield self._base + packet.pts * CLOCK // self.RATE, bytes(packet)


class Cutter:
    """Records → the film. A session begins with a key frame; what comes before is passed over."""

    def __init__(self, film: Film) -> None:
        self.film = film
        self._base = 0  # of the session, 90 kHz of the film
        self._first: int | None = None  # the device's time of its first picture
        self._waiting = True
        self._laws: Laws | None = None

    def begin(self, base: int) -> None:
        self._settle()
        if self.film.pictures and self.film.until >= base:
            self.film.cut(base)
        self._base, self._first, self._waiting = base, None, True

    def picture(self, codec: str, data: bytes, time: int, order: int, *, key: bool) -> None:
        units = h264.split_annex_b(data)
        if codec == "h264":
            sets = [one for one in units if one[0] & 31 in (h264.SPS, h264.PPS)]
            rest = [one for one in units if one[0] & 31 not in (h264.SPS, h264.PPS, h264.AUD, h264.FILLER)]
        else:
            sets = [one for one in units if h265.kind(one) in (h265.VPS, h265.SPS, h265.PPS)]
            rest = [one for one in units if h265.kind(one) not in (h265.VPS, h265.SPS, h265.PPS, h265.AUD)]
        if key and sets:
            try:
                self.film.show(look(codec, sets))
                self._waiting = False
            except ValueError:
                key = not self._waiting
        elif key and self.film.looks:
            self._waiting = False
        if not rest or self._waiting:
            return
        if self._first is None:
            self._first = time
        shown = self._base + time - self._first
        if shown >= self._base:
            self.film.add(Sample(PICTURE, key, shown, self._base + order - self._first, lengths(rest)))

    def sound(self, kind: int, data: bytes, time: int) -> None:
        if self._first is None:
            return
        at = self._base + time - self._first
        if kind == AAC:
            self._aac(data, at)
            return
        law = "pcma" if kind == PCMA else "pcmu"
        if self._laws is None or self._laws.law != law:
            self._settle()
            self._laws = Laws(law)
        if self.film.sound(self._laws.voice):
            for when, frame in self._laws.put(data, at):
                self.film.add(Sample(SOUND, True, when, when, frame))

    def _aac(self, data: bytes, at: int) -> None:
        for frame, ticks in adts.split(data)[0]:
            channels = (frame[2] & 1) << 2 | frame[3] >> 6
            index = frame[2] >> 2 & 15
            private = struct.pack(">H", ((frame[2] >> 6) + 1) << 11 | index << 7 | channels << 3)
            bare = frame[7 if frame[1] & 1 else 9 :]
            if bare and channels and frame[6] & 3 == 0 and self.film.sound(Voice(adts.RATES[index], channels, private)):
                self.film.add(Sample(SOUND, True, at, at, bare))
            at += ticks

    def _settle(self) -> None:
        if self._laws is not None and self.film.voice == self._laws.voice:
            for when, frame in self._laws.end():
                self.film.add(Sample(SOUND, True, when, when, frame))
        self._laws = None

    def end(self) -> None:
        self._settle()


class Trouble(Exception):
    """Why it cannot go on: a word for the bridge."""


class Writer:
    """The process: records from ``source``, words to ``sink``."""

    def __init__(self, path: Path, limit: int, free: int, source: BinaryIO, sink: TextIO) -> None:
        self._path, self._free, self._source, self._sink = path, free, source, sink
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._lock = path.with_suffix(".lock").open("wb")
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # the process before us ends when its pipe does
        self._done = path.with_suffix(".done")
        self._limit = limit
        self._checked = -CHECKED

    def run(self) -> None:
        if self._done.exists() and self._path.with_suffix(".mp4").exists():
            self._sink.write(self._done.read_text())
            self._sink.flush()
            return
        self._film = Film(self._path, self._limit)
        cutter, told = Cutter(self._film), time.monotonic()
        self._progress()
        try:
            while len(head := self._source.read(HEAD.size)) == HEAD.size:
                kind, flags, at, order, size = HEAD.unpack(head)
                if size > LARGEST:
                    raise Trouble("too_large")
                data = self._source.read(size)
                if len(data) < size:
                    break
                if kind == END:
                    cutter.end()
                    self._seal(whole=bool(flags & WHOLE))
                    return
                self._take(cutter, kind, flags, at, order, data)
                if (now := time.monotonic()) - told >= TOLD_SECONDS:
                    told = now
                    self._film.flush()
                    self._progress()
        except Trouble as trouble:
            self._film.close()
            self._say(error=str(trouble))
            return
        self._film.close()

    def _take(self, cutter: Cutter, kind: int, flags: int, at: int, order: int, data: bytes) -> None:
        try:
            if kind == BEGIN:
                cutter.begin(at)
            elif kind in (H264, H265):
                cutter.picture("h264" if kind == H264 else "h265", data, at, order, key=bool(flags & KEY))
            elif kind in (PCMA, PCMU, AAC):
                cutter.sound(kind, data, at)
        except ValueError:
            raise Trouble("too_large") from None
        except OSError:
            raise Trouble("disk") from None
        except av.FFmpegError:
            return  # sound that is none
        if self._film.end - self._checked >= CHECKED:
            self._checked = self._film.end
            if shutil.disk_usage(self._path.parent).free < self._free:
                raise Trouble("disk_full")

    def _seal(self, *, whole: bool) -> None:
        try:
            made = self._film.seal(whole=whole)
        except ValueError:
            raise Trouble("empty") from None
        except OSError:
            raise Trouble("disk") from None
        with made.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        words = {"sealed": made.stat().st_size, "sha256": digest, **self._kept()}
        if whole:
            self._done.write_text(json.dumps(words) + "\n")
        self._say(**words)

    def _kept(self) -> dict[str, int]:
        film = self._film
        return {"until": film.until, "pictures": film.pictures, "octets": film.end}

    def _progress(self) -> None:
        self._say(**self._kept())

    def _say(self, **words: Any) -> None:
        self._sink.write(json.dumps(words) + "\n")
        self._sink.flush()


def confine(limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = limit + (256 << 20)  # the tables behind the samples
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))


def main() -> int:
    os.nice(NICE)
    path, limit, free = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    confine(limit)
    av.logging.set_level(av.logging.PANIC)
    try:
        Writer(path, limit, free, sys.stdin.buffer, sys.stdout).run()
    except (OSError, MemoryError):
        sys.stdout.write('{"error": "disk"}\n')
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
