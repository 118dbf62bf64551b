"""One stream's pictures as H.264 that every browser shows, made by a child process while somebody needs them so: of H.265, or of
H.264 with B-frames. The original goes its own way beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from bridges.faults import Fault
from bridges.source import Source, handle, timeline
from bridges.timeline import SECOND
from bridges.transcode_video import FMTP, Picture, Transcode, Transcodes
from commhub.media.messages import Codec, SourceStream
from commhub.media.messages.sources import PLAIN

RATE = 90_000
MIME = "video/H264"
_KEPT = 4 << 20  # octets since a key frame
_KEPT_TICKS = 10 * RATE
_AGAIN = 10 * SECOND  # until a place for a conversion is looked for again


def needed(layer: str, layers: Collection[str]) -> bool:
    """Whether somebody needs a stream as H.264, as a Pull's ``layers`` say; one that stands in for another is needed as that
    one is."""
    return layer + PLAIN in layers if layer in layers else any(one.endswith(PLAIN) for one in layers)


class Backup:
    """What comes since the last key frame is kept, so that a conversion begins with a picture at once. ``changed`` is called at
    the first picture, when the size changes, and when ``fault`` does: no place for it, or the child died and is replaced.

    >>> backup.push(data, pts, key=True); backup.want(True); backup.stream("main")
    """

    def __init__(self, transcodes: Transcodes, source: Source, layer: str, changed: Callable[[], None]) -> None:
        self.handle = handle()
        self.fault: Fault | None = None
        self.wanted = False
        self._transcodes, self._source, self._changed = transcodes, source, changed
        self._timeline = timeline(source.source, layer + PLAIN, RATE)
        self._transcode: Transcode | None = None
        self._codec = ""
        self._size = (0, 0)  # of what is made; none before the first picture
        self._kept: list[tuple[bytes, int, bool]] = []
        self._octets = 0
        self._refused = 0  # when there was no place
        self._late = True  # up to a key frame

    @property
    def possible(self) -> bool:
        """Whether it can be had, as far as is known."""
        return self.fault is None or self.fault.code != "transcodes_full"

    @property
    def starved(self) -> bool:
        """It is wanted, and there is no key frame to begin with."""
        return self.wanted and self._transcode is None and not self._kept

    @property
    def shape(self) -> object:
        """What the workers have to be told anew when it changes."""
        return self._size, self.fault and self.fault.code

    def want(self, wanted: bool) -> None:
        """Somebody needs it from now on, or nobody any more."""
        if wanted == self.wanted:
            return
        self.wanted = wanted
        if wanted:
            self._refused = 0
            self._open()
        else:
            self.close()
            self._changed()

    def push(self, codec: str, data: bytes, pts: int, key: bool, lost: bool = False) -> None:
        """An access unit (annex B) of H264 or H265; ``pts`` is 90 kHz, unwrapped. The first one is a key frame, also after a
        loss."""
        if codec != self._codec:
            self.close()
            self._codec = codec
        self._late = (self._late or lost) and not key
        if self._transcode is None:
            self._keep(data, pts, key)
            self._open()
            return
        if self._late:
            self._transcode.lose()
        self._transcode.push(data, pts, key)

    def _keep(self, data: bytes, pts: int, key: bool) -> None:
        if key or self._late:
            self._kept, self._octets = [], 0
        if not self._late:
            self._kept.append((data, pts, key))
            self._octets += len(data)
            if self._octets > _KEPT or abs(pts - self._kept[0][1]) > _KEPT_TICKS:
                self._kept, self._octets, self._late = [], 0, True

    def _open(self) -> None:
        now = time.time_ns()
        if not self.wanted or not self._kept or now - self._refused < _AGAIN:
            return
        before = self.fault
        try:
            self._transcode = self._transcodes.open(self._source.source, self._codec, self._taken, self._died)
        except Fault as fault:
            self._refused, self.fault = now, fault
        else:
            self.fault = None
            kept, self._kept, self._octets = self._kept, [], 0
            for unit in kept:
                self._transcode.push(*unit)
        if (before and before.code) != (self.fault and self.fault.code):
            self._changed()

    def want_key_frame(self) -> None:
        if self._transcode is not None:
            self._transcode.want_key_frame()

    def translate(self, rtp_time: int) -> int | None:
        """Our RTP time of a device's, once there is something to compare."""
        return self._timeline.translate(rtp_time)

    def stream(self, layer: str) -> SourceStream | None:
        """As the workers are told of it, beside the original."""
        if not self._size[0]:
            return None
        codec = Codec(mime=MIME, clock_rate=RATE, fmtp=FMTP)
        return SourceStream(handle=self.handle, kind="video", codec=codec, width=self._size[0], height=self._size[1],
                            layer=layer, made=True)  # fmt: skip

    def restart(self) -> None:
        """A new session: what comes has nothing to do with what came. The child stays, at hand."""
        self._timeline.restart()
        self._kept, self._octets, self._late = [], 0, True

    def close(self) -> None:
        """Nothing is made any more, until somebody wants it and a picture comes."""
        if self._transcode is not None:
            self._transcode.close()
            self._transcode = None
        self._size, self.fault = (0, 0), None
        self.restart()

    def end(self) -> None:
        """Nobody wants the stream any more."""
        self.wanted = False
        self.close()

    def _taken(self, picture: Picture) -> None:
        size = (picture.width, picture.height)
        if size != self._size or self.fault is not None:
            if not picture.key:
                return
            self._size, self.fault = size, None
            self._changed()
        now = time.time_ns()
        for packet in picture.packets(self._timeline, now):
            self._source.add(self.handle, packet, now)
        self._source.flush()

    def _died(self, fault: Fault) -> None:
        self.fault = fault
        self._changed()
