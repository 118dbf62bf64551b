"""What the pictures of one RTSP stream become: H.264 passes as it is, everything else that can be decoded is converted.

A device's word about its codec is only a beginning: what comes decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bridges.access import Assembler, Unit
from bridges.conversion import Conversion
from bridges.depacket import Video
from bridges.faults import Fault
from bridges.rtsp_sdp import Media
from bridges.source import Source, handle, timeline
from bridges.timeline import SECOND, Sequence, unwrap
from bridges.transcode_video import Transcodes
from commhub.media.messages import Codec, SourceStream

_MALFORMED = 200  # unreadable packets in a row
_NO_PICTURE = 15 * SECOND  # longer than any camera is without a key frame
_WATCHED = 60  # pictures of a session that are kept until it is clear that there are no B-frames among them
_KEPT = 4 << 20  # octets of them
_AGAIN = 10 * SECOND  # until a place for a conversion is looked for again


class Pictures:
    """One stream; ``layer`` is main, sub or "". ``changed`` is called when there is a first picture of a session, and when size,
    codec or ``fault`` change; ``failed`` when pictures cannot be converted for the moment."""

    def __init__(
        self, source: Source, layer: str, transcodes: Transcodes, changed: Callable[[], None], failed: Callable[[Fault], None]
    ) -> None:
        self.handle = handle()
        self.layer = layer
        self._source, self._transcodes, self._changed, self._failed = source, transcodes, changed, failed
        self.timeline = timeline(source.source, layer, 90_000)
        self._video = Video(self.timeline)
        self._sequence = Sequence()
        self._assembler: Assembler | None = None
        self._conversion: Conversion | None = None
        self._kept: list[Unit] = []  # since the last key frame, while it is watched for B-frames
        self._watched = 0
        self._opened = 0
        self._refused = 0  # when there was no place for a conversion
        self._told: object = None
        self._lied = False  # H.265 came where H.264 was said

    @property
    def codec(self) -> str:
        """As it comes, for people and logs."""
        return self._assembler.codec if self._conversion is not None and self._assembler is not None else "H264"

    @property
    def running(self) -> bool:
        return self._conversion.running if self._conversion is not None else self._video.running

    @property
    def known(self) -> bool:
        """Is there anything to tell the workers of?"""
        return self._conversion.width > 0 if self._conversion is not None else self._video.sps is not None

    @property
    def fault(self) -> Fault | None:
        """What is wrong with pictures that come all the same."""
        return Fault("b_frames") if self._conversion is None and self._video.b_frames else None

    def stream(self) -> SourceStream:
        """As the workers are told of it, once it runs."""
        if self._conversion is not None:
            return self._conversion.stream(self.layer)
        sps = self._video.sps
        assert sps is not None
        fmtp = f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={sps.profile_level_id}"
        codec = Codec(mime="video/H264", clock_rate=90_000, fmtp=fmtp)
        return SourceStream(handle=self.handle, kind="video", codec=codec, width=sps.width, height=sps.height, layer=self.layer)

    # ---- from the session

    def begin(self, media: Media) -> None:
        """A new session. Fault ``transcodes_full``."""
        self._video.restart()
        self._sequence.restart()
        self._opened, self._told = time.time_ns(), None
        self._kept, self._watched, self._refused = [], _WATCHED, 0
        codec = "H265" if media.codec in ("H265", "HEVC") or self._lied else "H264"
        if self._conversion is not None and codec != self._conversion.codec:
            self.end()
        if self._assembler is None or codec != self._assembler.codec:
            self._assembler = Assembler(codec)
        self._assembler.restart()
        self._assembler.learn(media.parameter_sets)
        if codec == "H265":
            self._convert("H265")
        else:
            self._video.learn(media.parameter_sets)

    def forget(self) -> None:
        """Another device: what this one said of its pictures means nothing any more."""
        self.end()
        self._video.forget()
        self._assembler, self._lied = None, False

    def end(self) -> None:
        """Nobody wants it for now."""
        if self._conversion is not None:
            self._conversion.close()
            self._conversion = None

    def want_key_frame(self) -> None:
        if self._conversion is not None:
            self._conversion.want_key_frame()

    def receive(self, packet: bytes, now: int) -> None:
        """RTP in order; ``now`` is UTC ns. Fault when it is of no use."""
        if self._conversion is not None:
            for unit in self._units(packet):
                self._conversion.push(*unit)
            if not self._conversion.running and now - self._opened > _NO_PICTURE:
                raise Fault("no_media")
            return
        try:
            sent = self._video.receive(packet, now)
        except ValueError:
            if not self._is_h265() and self._video.malformed > _MALFORMED:
                raise Fault("protocol", "Its video packets cannot be read.") from None
            return
        if self._is_h265():
            return
        convert = self._video.b_frames and now - self._refused >= _AGAIN
        if sent and not convert:
            self._tell()
        for each in sent:  # they have their numbers, so they go in any case
            self._source.add(self.handle, each, now)
        if convert:
            self._without_b_frames(packet, now)
        elif self._watched > 0:
            self._watch(packet)
        if not sent and not self._video.running and now - self._opened > _NO_PICTURE:
            raise Fault("no_media" if self._video.complete else "no_parameters")

    def _units(self, packet: bytes) -> list[Unit]:
        assert self._assembler is not None
        try:
            got = unwrap(packet)
        except ValueError:
            return []
        missing = self._sequence.follow(got.sequence)
        if missing is None or not got.payload:
            return []
        return self._assembler.push(got.payload, got.timestamp, got.marker, missing)

    # ---- what has to be converted

    def _is_h265(self) -> bool:
        if not self._video.h265:
            return False
        if not self._lied:
            self._lied = True
            self._assembler = Assembler("H265")
            self._convert("H265")
        return True

    def _watch(self, packet: bytes) -> None:
        """The first pictures are kept: a conversion that turns out to be necessary begins with them."""
        for unit in self._units(packet):
            self._watched -= 1
            if unit.key:
                self._kept = []
            if unit.key or self._kept:
                self._kept.append(unit)
        if not self._watched or sum(len(unit.data) for unit in self._kept) > _KEPT:
            self._kept, self._watched = [], 0

    def _without_b_frames(self, packet: bytes, now: int) -> None:
        """Go over to a conversion, if there is a place for one. Else browsers get what there is, and people are told."""
        try:
            self._convert("H264")
        except Fault:
            self._refused, self._kept, self._watched = now, [], 0
            self._tell()
            return
        assert self._conversion is not None
        kept, self._kept, self._watched = self._kept, [], 0
        for unit in (*kept, *self._units(packet)):
            self._conversion.push(*unit)

    def _convert(self, codec: str) -> None:
        if self._conversion is None:
            self._conversion = Conversion(
                self._transcodes, codec, self._source, self.handle, self.timeline, self._tell, self._failed
            )

    def _tell(self) -> None:
        conversion, video = self._conversion, self._video
        if conversion is not None:
            shape: object = (conversion.width, conversion.height)
        else:
            shape = (video.sps, video.b_frames)  # once for each packet: as little as can be said
        if shape != self._told:
            self._told = shape
            self._changed()
