"""The pictures of one RTSP stream: H.264 and H.265 pass as they are; a backup in H.264 is made of what not every browser shows.

A device's word about its codec is only a beginning: what comes decides.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from bridges.access import Assembler, Unit
from bridges.backup import MIME, Backup
from bridges.depacket import Video
from bridges.faults import Fault
from bridges.hevc import Hevc
from bridges.rtsp_sdp import Media
from bridges.source import Source, handle, timeline
from bridges.timeline import SECOND, Sequence
from bridges.transcode_video import Transcodes
from commhub.media.messages import Codec, SourceStream

_MALFORMED = 200  # unreadable packets in a row
_NO_PICTURE = 15 * SECOND  # longer than any camera is without a key frame
_WATCHED = 60  # pictures of a session in which B-frames show if there are any


class Pictures:
    """One stream; ``layer`` is main, sub or "". ``changed`` is called when there is a first picture of a session, and when size,
    codec, ``fault`` or what is made of it change."""

    def __init__(self, source: Source, layer: str, transcodes: Transcodes, changed: Callable[[], None]) -> None:
        self.handle = handle()
        self.layer = layer
        self._source, self._changed = source, changed
        self.timeline = timeline(source.source, layer, 90_000)
        self.backup = Backup(transcodes, source, layer, self._tell)
        self._video = Video(self.timeline)
        self._hevc = Hevc()
        self._sequence = Sequence()
        self._assembler: Assembler | None = None
        self._watched = 0
        self._opened = 0
        self._told: object = None
        self._lied = False  # H.265 came where H.264 was said
        self._said = ""  # the codec of the session
        self._needed = False  # H.264 that every browser shows

    @property
    def codec(self) -> str:
        """As it comes."""
        return "H265" if self._said == "H265" or self._lied else "H264"

    @property
    def _is_h265(self) -> bool:
        return self.codec == "H265"

    @property
    def running(self) -> bool:
        return self._hevc.running if self._is_h265 else self._video.running

    @property
    def known(self) -> bool:
        """Is there anything to tell the workers of?"""
        return (self._hevc.sps if self._is_h265 else self._video.sps) is not None

    @property
    def _reorders(self) -> bool:
        return self._hevc.reorders if self._is_h265 else self._video.b_frames

    @property
    def fault(self) -> Fault | None:
        """What is wrong with pictures that come all the same."""
        fault = self.backup.fault
        return Fault("b_frames") if fault is not None and fault.code == "transcodes_full" and not self._is_h265 else fault

    def streams(self) -> list[SourceStream]:
        """As the workers are told of them, once it runs: what comes, and what is made of it."""
        possible, made = self.backup.possible, self.backup.stream(self.layer)
        stored = self._reorders and possible
        backups = (MIME,) if possible and (stored or self._is_h265) else ()
        sps = self._hevc.sps if self._is_h265 else self._video.sps
        assert sps is not None
        stream = SourceStream(handle=self.handle, kind="video", codec=self._codec(), width=sps.width, height=sps.height,
                              layer=self.layer, backups=backups, stored=stored)  # fmt: skip
        return [stream] if made is None else [stream, made]

    def _codec(self) -> Codec:
        if self._is_h265:
            return self._hevc.codec()
        assert self._video.sps is not None
        fmtp = f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={self._video.sps.profile_level_id}"
        return Codec(mime=MIME, clock_rate=90_000, fmtp=fmtp)

    def translate(self, rtp_time: int) -> list[tuple[int, int]]:
        """A device's time near the newest picture's: each stream's handle and its RTP time then."""
        found = [(self.handle, self.timeline.translate(rtp_time)), (self.backup.handle, self.backup.translate(rtp_time))]
        return [(number, at) for number, at in found if at is not None]

    # ---- from the session

    def begin(self, media: Media) -> None:
        """A new session."""
        self._video.restart()  # the timeline, too
        self._sequence.restart()
        self.backup.restart()
        self._hevc.running = False
        self._opened, self._told, self._watched = time.time_ns(), None, _WATCHED
        self._said = "H265" if media.codec in ("H265", "HEVC") else "H264"
        if self._assembler is None or self.codec != self._assembler.codec:
            self._assembler = Assembler(self.codec)
        self._assembler.restart()
        self._assembler.learn(media.parameter_sets)
        if not self._is_h265:
            self._video.learn(media.parameter_sets)

    def forget(self) -> None:
        """Another device: what this one said of its pictures means nothing any more."""
        self.end()
        self._video.forget()
        self._hevc.forget()
        self._assembler, self._lied = None, False

    def end(self) -> None:
        """Nobody wants it for now."""
        self.backup.end()

    def receive(self, packet: bytes, now: int) -> None:
        """RTP in order; ``now`` is UTC ns. Fault when it is of no use."""
        if self._is_h265:
            for unit in self._units(packet):
                self._pass(unit, now)
            if not self._hevc.running and now - self._opened > _NO_PICTURE:
                raise Fault("no_media")
            return
        try:
            sent = self._video.receive(packet, now)
        except ValueError:
            if not self._proves_h265() and self._video.malformed > _MALFORMED:
                raise Fault("protocol", "Its video packets cannot be read.") from None
            return
        if self._proves_h265():
            return
        if self._watched > 0 or self._video.b_frames:
            self._watch(packet)
        if sent:
            self._tell()
        for each in sent:
            self._source.add(self.handle, each, now)
        if not sent and not self._video.running and now - self._opened > _NO_PICTURE:
            raise Fault("no_media" if self._video.complete else "no_parameters")

    def _units(self, packet: bytes) -> list[Unit]:
        assert self._assembler is not None
        taken = self._sequence.take(packet)
        if taken is None or not taken[0].payload:
            return []
        got, missing = taken
        return self._assembler.push(got.payload, got.timestamp, got.marker, missing)

    def _proves_h265(self) -> bool:
        if self._video.h265 and not self._lied:
            self._lied = True
            self._assembler = Assembler("H265")
            self.timeline.restart()
            self._sequence.restart()
        return self._lied

    def _pass(self, unit: Unit, now: int) -> None:
        running = self._hevc.running
        payloads = self._hevc.push(unit.data, key=unit.key)
        if payloads:
            self._tell()  # workers have to know of it before its first packet leaves
            if unit.lost and running:
                self.timeline.lose(1)  # receivers are to know of it
            at = self.timeline.time(unit.timestamp & 0xFFFF_FFFF, now, reorders=self._hevc.reorders)
            for packet in self.timeline.packets(payloads, at):
                self._source.add(self.handle, packet, now)
        self.backup.push("H265", *unit)
        self._fit()

    def _watch(self, packet: bytes) -> None:
        """The first pictures are kept, so that a backup that turns out to be necessary begins with them; then only what has
        B-frames."""
        for unit in self._units(packet):
            self._watched -= 1
            self.backup.push("H264", *unit)
        self._fit()
        if self._watched <= 0 and not self._video.b_frames:
            self.backup.close()

    def want_backup(self, wanted: bool) -> None:
        """Somebody needs H.264 that every browser shows, whatever comes; nothing is made of what is that."""
        self._needed = wanted
        self._fit()

    def _fit(self) -> None:
        self.backup.want(self._needed and (self._is_h265 or self._video.b_frames))

    def _tell(self) -> None:
        if not self.running:
            return
        sps = self._hevc.sps if self._is_h265 else self._video.sps
        shape = (sps, self._reorders, self.backup.shape)  # once for each packet: as little as can be said
        if shape != self._told:
            self._told = shape
            self._changed()
