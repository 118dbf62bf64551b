"""One stream's pictures by way of a transcode: access units in, RTP of H.264 into the Source."""

from __future__ import annotations

import time
from collections.abc import Callable

from bridges.faults import Fault
from bridges.source import Source
from bridges.timeline import Timeline
from bridges.transcode_video import FMTP, Picture, Transcodes
from commhub.media.messages import Codec, SourceStream


class Conversion:
    """``changed`` is called at the first picture, and when the size changes; ``failed`` when the child has died: it is replaced.
    What comes in begins with a key frame, also after a loss."""

    def __init__(
        self,
        transcodes: Transcodes,
        codec: str,
        source: Source,
        number: int,
        timeline: Timeline,
        changed: Callable[[], None],
        failed: Callable[[Fault], None],
    ) -> None:
        """``number`` is the stream's handle; ``codec`` H264 or H265. Fault ``transcodes_full``."""
        self.codec = codec
        self.width = self.height = 0
        self.running = False
        self._source, self._number, self._timeline, self._changed, self._failed = source, number, timeline, changed, failed
        self._transcode = transcodes.open(source.source, codec, self._taken, self._died)
        self.want_key_frame = self._transcode.want_key_frame

    def push(self, data: bytes, pts: int, key: bool, lost: bool = False) -> None:
        """An access unit, annex B; ``pts`` 90 kHz, unwrapped."""
        if lost and not key:
            self._transcode.lose()
        self._transcode.push(data, pts, key)

    def stream(self, layer: str) -> SourceStream:
        """As the workers are told of it."""
        codec = Codec(mime="video/H264", clock_rate=90_000, fmtp=FMTP)
        return SourceStream(handle=self._number, kind="video", codec=codec, width=self.width, height=self.height, layer=layer)

    def _taken(self, picture: Picture) -> None:
        size = (picture.width, picture.height)
        if not self.running or size != (self.width, self.height):
            if not picture.key:
                return
            self.running = True
            self.width, self.height = size
            self._changed()
        now = time.time_ns()
        for packet in picture.packets(self._timeline, now):
            self._source.add(self._number, packet, now)
        self._source.flush()

    def _died(self, fault: Fault) -> None:
        self.running = False
        self._failed(fault)

    def close(self) -> None:
        self._transcode.close()
