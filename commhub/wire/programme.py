"""The pictures and the sound of one sender: which of its streams they are, and what becomes of their packets."""

from __future__ import annotations

from commhub.wire.pes import Bytes
from commhub.wire.sound import Audio
from commhub.wire.units import Clock, Counts, Label, Unit, Video

_OTHER = 50  # packets of another stream, with none of ours between, after which that one is ours


class Programme:
    """Of each kind the first stream is taken; others are counted, and taken when the first one has gone."""

    def __init__(self, out: list[Unit], counts: Counts, audio: str | None = None) -> None:
        self.clock = Clock()
        self.video = Video(self.clock, out, counts)
        self.audio = Audio(self.clock, out, counts, audio)
        self._counts = counts
        self._declared: dict[int, tuple[str, str]] = {}
        self._ours: dict[str, int] = {}
        self._others: dict[str, int] = {}

    def declare(self, streams: dict[int, tuple[str, str]]) -> None:
        """What the sender says of its streams: id → (kind, codec)."""
        if streams == self._declared:
            return
        self._declared = streams
        for kind, track in (("video", self.video), ("audio", self.audio)):
            stream = self._ours.get(kind)
            told = streams.get(stream) if stream is not None else None
            if told is None:
                told = next((one for one in streams.values() if one[0] == kind), None)
            track.declared = told[1] if told is not None and told[0] == kind else None

    def declares(self, stream: int) -> bool:
        return stream in self._declared

    def packet(self, kind: str, stream: int, payload: Bytes, label: Label) -> None:
        """The payload of a packet of ``stream``; it is copied where it must be kept."""
        ours = self._ours.setdefault(kind, stream)
        if stream != ours:
            self._counts.ignored += 1
            self._others[kind] = self._others.get(kind, 0) + 1
            if self._others[kind] < _OTHER:
                return
            self._ours[kind] = stream
            (self.video if kind == "video" else self.audio).lose()
        self._others[kind] = 0
        if kind == "video":
            self.video.push(payload, label)
        else:
            self.audio.push(payload, label)

    def finish(self) -> None:
        self.video.finish()

    def gap(self, whole: bool) -> None:
        """Something is missing from here on. ``whole``: not of the picture that is there."""
        if whole:
            self.video.finish()
        self.video.lose()
        self.audio.lose()
