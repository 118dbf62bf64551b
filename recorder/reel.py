"""The files of one logical track: what :class:`recorder.track.Feed` gives out, written and journalled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from recorder import manifest as manifests
from recorder.files import Disk, File
from recorder.shelf import Shelf
from recorder.track import Anchor, Begin, End, Gap, Moved, Out, Piece, WantKey
from recorder.whole import PART, Finished, Note


class Reel:
    """``write(type, **fields)`` journals a fact, ``failed`` hears that the disk refused something;
    ``again``: the folder may hold files; ``noted`` gets what a closed segment's last pieces digest to; ``shelf`` is the
    session's."""

    def __init__(
        self,
        track: manifests.Track,
        folder: Path,
        disk: Disk,
        write: Callable[..., None],
        failed: Callable[[OSError], None],
        again: bool = False,
        noted: Callable[[str, int, list[Note]], None] | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        self.track = track
        self._folder, self._disk, self._write, self._failed = folder, disk, write, failed
        self._noted, self._shelf = noted, shelf
        # What was uploaded may be here no more: its numbers are not given again.
        self._sequence = max([last_number(folder), *(one.sequence for one in track.segments)]) if again else 0
        self._file: File | None = None
        self._segment: manifests.Segment | None = None
        self.finishing: set[asyncio.Future[Finished]] = set()

    @property
    def open(self) -> tuple[str, int, File] | None:
        """The segment that is being written: track, number, file."""
        return (self.track.id, self._sequence, self._file) if self._file is not None else None

    def take(self, outs: list[Out]) -> bool:
        """True: a key frame would help."""
        wanted = False
        for out in outs:
            if isinstance(out, Piece):
                if self._file is not None and self._segment is not None:
                    self._file.append(out.data, out.duration_ms)
                    self._segment.bytes += len(out.data)
                    self._segment.duration_ms = out.duration_ms
            elif isinstance(out, WantKey):
                wanted = True
            elif isinstance(out, Anchor):
                self._write(
                    "anchor", track=self.track.id, sequence=self._sequence, rtp=out.rtp, ingress=out.at, ntp=out.ntp,
                    mono=out.mono, place=out.place, start=out.start,
                )  # fmt: skip
            elif isinstance(out, Moved):
                self._write("moved", track=self.track.id, sequence=self._sequence - out.back, start=out.start)
            elif isinstance(out, Begin):
                self._begin(out)
            elif isinstance(out, End):
                self._end(out)
            elif isinstance(out, Gap):
                self._write("gap", track=self.track.id, start=out.start, end=out.end, reason=out.reason)
        return wanted

    def _begin(self, out: Begin) -> None:
        self._sequence += 1
        path = self._folder / f"{self._sequence:04d}.{out.extension}{PART}"
        self._write(
            "segment", track=self.track.id, sequence=self._sequence, file=path.name, mime=out.mime, start=out.start,
            codec=out.format.codec, width=out.format.width, height=out.format.height, rtp=out.rtp, rate=out.format.rate,
            fresh=out.fresh,
        )  # fmt: skip
        self._file = File(self._disk, path, self._failed, self._shelf)
        self._file.append(out.head)
        self._segment = self.track.segments[-1]
        self._segment.bytes = len(out.head)

    def _end(self, out: End) -> None:
        file, sequence = self._file, self._sequence
        assert file is not None
        self._file = self._segment = None
        self._write("moved", track=self.track.id, sequence=sequence, start=out.start)
        future = file.finish(out.seal)
        self.finishing.add(future)

        def finished(done: asyncio.Future[Finished]) -> None:
            self.finishing.discard(done)
            if done.cancelled():
                return
            result = done.result()
            if self._noted is not None:
                self._noted(self.track.id, sequence, result.notes)
            if result.size == 0:
                self._write("segment_lost", track=self.track.id, sequence=sequence)
            else:
                self._write(
                    "segment_end", track=self.track.id, sequence=sequence, bytes=result.size,
                    duration_ms=result.duration_ms if result.error else out.duration_ms, file=file.path.name.removesuffix(PART),
                    **result.proof,
                )  # fmt: skip
            if result.error is not None:
                self._failed(result.error)

        future.add_done_callback(finished)


def last_number(folder: Path) -> int:
    """The highest number any file or folder in it begins with; 0 when there is none."""
    try:
        names = [path.name.partition(".")[0] for path in folder.iterdir()]
    except OSError:
        return 0
    return max((int(name) for name in names if name.isascii() and name.isdigit()), default=0)
