"""A track's pictures and sound, one after the other on the session's clock. What cannot be decoded is left out. Blocking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from recorder.export.taken import Lane, Source, Taken

RATE = 48_000
_LARGEST = 8192  # pixels, either way
_NEAR = 1_500  # ms: not worth a look for a key frame
_JUMP = RATE // 25  # samples that a place may be off before it counts as missing sound
Samples = NDArray[np.float32]


class _Part:
    """A file of a session, as long as what of it is proved."""

    def __init__(self, file: Any, size: int) -> None:
        self._file, self._size = file, size

    def read(self, count: int = -1) -> bytes:
        rest = max(0, self._size - self._file.tell())
        return bytes(self._file.read(rest if count < 0 else min(count, rest)))

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(self._size + offset) if whence == 2 else self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        self._file.close()


def opened(taken: Taken, source: Source) -> Any:
    """A container. av.FFmpegError, OSError."""
    file: Any = taken.file(source)
    if source.size >= 0:
        file = _Part(file, source.size)
    return av.open(file, format="mp4" if source.name.endswith(".mp4") else "matroska")


def _decoded(container: Any, kind: str, begin: float) -> Iterator[tuple[float, Any]]:
    """Frames with their place (ms) in the file, from about ``begin`` on."""
    stream = next((one for one in container.streams if one.type == kind), None)
    if stream is None:
        return
    if begin > _NEAR:
        try:
            container.seek(int(begin / 1000 / stream.time_base), stream=stream, backward=True)
        except av.FFmpegError:
            pass  # no index: from its beginning
    if kind == "video":
        stream.thread_type = "AUTO"
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError, OSError):
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        for frame in frames:
            if frame.pts is not None:
                yield float(frame.pts * frame.time_base * 1000), frame


class Pictures:
    """Of one track. :meth:`at` with times that grow."""

    def __init__(self, taken: Taken, lane: Lane) -> None:
        self._taken, self._sources = taken, list(lane.sources)
        self._source: Source | None = None
        self._container: Any = None
        self._frames: Iterator[tuple[float, Any]] = iter(())
        self._next: tuple[float, Any] | None = None
        self._shown: Any = None

    def at(self, ms: float) -> Any:
        """The picture that is to be seen then; None: none."""
        if self._source is None or ms >= self._source.end:
            self._turn(ms)
        source = self._source
        if source is None or ms < source.start:
            return None
        place = source.inside(ms)
        while self._next is not None and self._next[0] <= place + 1:
            if max(self._next[1].width, self._next[1].height) <= _LARGEST:
                self._shown = self._next[1]
            self._next = next(self._frames, None)
        return self._shown

    def _turn(self, ms: float) -> None:
        self.close()
        while self._sources and self._sources[0].end <= ms:
            self._sources.pop(0)
        if not self._sources:
            return
        self._source = self._sources[0]
        try:
            self._container = opened(self._taken, self._source)
        except (av.FFmpegError, OSError):
            return
        self._frames = _decoded(self._container, "video", max(0.0, self._source.inside(ms)))
        self._next = next(self._frames, None)

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
        self._source = self._container = self._next = self._shown = None
        self._frames = iter(())


class Sound:
    """Of one track: ``(sample, what is heard from there on)``, mono of :data:`RATE`, counted from the clip's beginning. A clock
    that runs fast or slow is followed by a sample more or less now and then; nothing is heard of that."""

    def __init__(self, taken: Taken, lane: Lane) -> None:
        self._taken, self._lane = taken, lane

    def __iter__(self) -> Iterator[tuple[int, Samples]]:
        for source in self._lane.sources:
            try:
                container = opened(self._taken, source)
            except (av.FFmpegError, OSError):
                continue
            try:
                yield from self._of(source, container)
            finally:
                container.close()

    def _of(self, source: Source, container: Any) -> Iterator[tuple[int, Samples]]:
        first, last = self._taken.from_ms, self._taken.to_ms
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        due = -1
        for place, frame in _decoded(container, "audio", max(0.0, source.inside(first))):
            moment = source.outside(place)
            if moment >= last:
                return
            try:
                frame.pts = None
                parts = [one.to_ndarray().reshape(-1) for one in resampler.resample(frame)]
            except (av.FFmpegError, ValueError):
                continue
            samples = np.concatenate(parts).astype(np.float32) if parts else np.zeros(0, np.float32)
            if not len(samples):
                continue
            at = round((moment - first) * RATE / 1000)
            if due < 0 or abs(at - due) > _JUMP:
                due = at
            elif abs(off := at - due) > 1 and len(samples) > 100:
                samples = _stretched(samples, len(samples) + (1 if off > 0 else -1))
            yield due, samples
            due += len(samples)


def _stretched(samples: Samples, count: int) -> Samples:
    places = np.linspace(0, len(samples) - 1, count)
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


class Mixed:
    """All sound together, a stretch after the other."""

    def __init__(self, sounds: list[Sound]) -> None:
        self._voices = [iter(sound) for sound in sounds]
        self._heads: list[tuple[int, Samples] | None] = [next(voice, None) for voice in self._voices]
        self._at = 0

    def take(self, count: int) -> Samples:
        """The next ``count`` samples, from -1 to 1."""
        out = np.zeros(count, np.float32)
        for number in range(len(self._voices)):
            self._add(number, out)
        self._at += count
        loud = np.abs(out) > 0.8  # bent instead of cut off
        out[loud] = np.sign(out[loud]) * (0.8 + 0.2 * np.tanh((np.abs(out[loud]) - 0.8) * 2))
        return out

    def _add(self, number: int, out: Samples) -> None:
        begin, end = self._at, self._at + len(out)
        while (head := self._heads[number]) is not None and head[0] < end:
            at, samples = head
            from_, to = max(at, begin), min(at + len(samples), end)
            if to > from_:
                out[from_ - begin : to - begin] += samples[from_ - at : to - at]
            if at + len(samples) > end:
                return  # the rest of it comes next
            self._heads[number] = next(self._voices[number], None)
