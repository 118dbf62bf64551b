"""One stream of a device on its way to viewers: RTP with a program stream (or whatever else it is) → access units → RTP as
browsers take it (RFC 6184). Pictures are not decoded and not changed. No I/O, no clock: ``now`` is UTC ns."""

from __future__ import annotations

import math
from collections.abc import Callable

from bridges.source import Sound, Source, handle, timeline
from bridges.timeline import SECOND, Sequence, unwrap
from commhub.media.messages import Codec, SourceStream
from commhub.wire import adts, h264
from commhub.wire.h264 import AUD, FILLER, PPS, SLICE, SPS
from commhub.wire.ps import Demuxer
from commhub.wire.units import Unit

RATE = 90_000
_B_PROOF = 2  # pictures with B slices after which the stream is said to have them
_CODECS = {"h265": "H.265", "mpeg4": "MPEG-4", "svac": "SVAC", "mpeg2": "MPEG-2", "mpeg1": "MPEG-1"}


class Picture:
    """``layer`` is main, sub or "". ``changed`` is called when there is a first picture and when size, profile or the kind of
    frames change; ``broken`` when something was lost, so that a key frame would help; ``unfit`` with the name of a codec that
    viewers cannot get.

    >>> picture.open(); picture.packet(rtp, now)
    """

    def __init__(self, source: Source, layer: str, changed: Callable[[], None], broken: Callable[[], None],
                 unfit: Callable[[str], None]) -> None:  # fmt: skip
        self.layer = layer
        self.handle = handle()
        self.sound: Sound | None = None  # who gets the sound of this stream; None: nobody
        self.running = False
        self.b_frames = False
        self.sps: h264.Sps | None = None
        self.speed = 1.0  # of a recording: its times advance so much faster than ours
        self.pictures = 0
        self.position: int | None = None  # 90 kHz since the first unit of this session
        self.demuxer = Demuxer()
        self._source, self._changed, self._broken, self._unfit = source, changed, broken, unfit
        self._timeline = timeline(source.source, layer, RATE)
        self._sequence = Sequence()
        self._sets: dict[tuple[int, int], bytes] = {}
        self._known = b""  # the newest SPS
        self._heard = ""  # the codec of sound that is being turned into Opus
        self._paced: tuple[int, int] | None = None
        self._began: int | None = None
        self._measured: tuple[int, int] | None = None  # a picture's time, and when it came
        self._b_slices = 0

    def open(self, sound: str | None = None) -> None:
        """A new session. ``sound`` is the codec that was told by signalling."""
        self.close()
        self.demuxer = Demuxer(sound)
        self._sequence.restart()
        self._timeline.restart()
        self._paced = self._measured = self._began = self.position = None
        self._b_slices = 0

    def close(self) -> None:
        self.running = False
        self.mute()

    def mute(self) -> None:
        if self.sound is not None and self._heard:
            self.sound.close()
        self._heard = ""

    @property
    def container(self) -> str:
        return self.demuxer.container or ""

    def stream(self) -> SourceStream:
        """As the workers are told of it."""
        assert self.sps is not None
        fmtp = f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={self.sps.profile_level_id}"
        codec = Codec(mime="video/H264", clock_rate=RATE, fmtp=fmtp)
        return SourceStream(handle=self.handle, kind="video", codec=codec, width=self.sps.width, height=self.sps.height,
                            layer=self.layer)  # fmt: skip

    # ---- what comes in

    def packet(self, packet: bytes, now: int) -> None:
        """RTP, in order."""
        try:
            got = unwrap(packet)
        except ValueError:
            return
        missing = self._sequence.follow(got.sequence)
        if missing is None:
            return
        if missing:
            self._units(self.demuxer.gap(), now)
        if got.payload:
            self._units(self.demuxer.push(got.payload, got.timestamp, got.marker), now)

    def octets(self, data: bytes, now: int) -> None:
        """A stream without RTP."""
        self._units(self.demuxer.push(data), now)

    def _units(self, units: list[Unit], now: int) -> None:
        for unit in units:
            if self._began is None:
                self._began = unit.pts
            self.position = unit.pts - self._began
            if unit.kind == "audio":
                self._listen(unit, now)
            elif unit.codec == "h264":
                self._show(unit, now)
            else:
                self._unfit(_CODECS.get(unit.codec, unit.codec.upper()))

    # ---- pictures

    def _show(self, unit: Unit, now: int) -> None:
        sets, nals, fresh = self._sort(unit.data)
        if not nals:
            return
        if not self.running and not self._begin(unit):
            return
        if unit.lost and self.pictures:
            self._timeline.lose(1)  # receivers are to know of it
            if not unit.key:
                self._broken()
        changed = fresh or not self.running
        self.running = True
        self.pictures += 1
        bidirectional = self._watch(nals[0])
        if changed or bidirectional != self.b_frames:
            self.b_frames = bidirectional
            self._changed()
        time = self._timeline.time(self._pace(unit.pts, now) & 0xFFFF_FFFF, now, reorders=self.b_frames)
        if unit.key:
            sets = [self._sets[key] for key in sorted(self._sets)]
        payloads = h264.aggregate([*sets, *nals])
        last = len(payloads) - 1
        for number, payload in enumerate(payloads):
            self._source.add(self.handle, self._timeline.packet(payload, time, number == last), now)

    def _sort(self, data: bytes) -> tuple[list[bytes], list[bytes], bool]:
        """``(parameter sets, what else there is to send, whether the picture's form has changed)``."""
        sets: list[bytes] = []
        nals: list[bytes] = []
        fresh = False
        for nal in h264.split_annex_b(data):
            kind = nal[0] & 0x1F
            if kind in (SPS, PPS):
                try:
                    fresh = self._learn(nal, kind) or fresh
                    sets.append(nal)
                except ValueError:
                    continue  # the one we have stays in force
            elif kind not in (AUD, FILLER) and kind < 24:
                nals.append(nal)
        return sets, nals, fresh

    def _begin(self, unit: Unit) -> bool:
        """Whether a decoder could begin here."""
        if not unit.key or not {kind for kind, _ in self._sets} >= {SPS, PPS}:
            return False
        self._timeline.restart()
        return True

    def _learn(self, nal: bytes, kind: int) -> bool:
        if kind == SPS:
            if nal == self._known:
                return False
            sps = h264.parse_sps(nal)
            if self.sps is not None and self.sps.id != sps.id:
                self._sets.clear()
            fresh = self.sps != sps
            self._known, self.sps = nal, sps
            self._sets[SPS, sps.id] = nal
            return fresh
        if nal in self._sets.values():
            return False
        number, _ = h264.parse_pps_ids(nal)
        if len(self._sets) < 32 or (PPS, number) in self._sets:
            self._sets[PPS, number] = nal
        return False

    def _watch(self, nal: bytes) -> bool:
        """Whether the stream has B-frames."""
        if nal[0] & 0x1F == SLICE:
            try:
                if h264.slice_start(nal)[1] % 5 == 1:
                    self._b_slices += 1
            except ValueError:
                pass
        return self._b_slices >= _B_PROOF

    def _pace(self, pts: int, now: int) -> int:
        """Times of a recording that plays at another speed, as they pass here. A device that has already written them so is
        known by how fast they advance."""
        if self._paced is None:
            self._paced = (pts, pts)
        before, out = self._paced
        if self.speed == 1.0:
            out += pts - before
        else:
            if self._measured is None:
                self._measured = (pts, now)
            since, began = self._measured
            divisor = self.speed
            if now - began > SECOND:
                rate = max((pts - since) * SECOND / RATE / (now - began), 0.01)
                divisor = self.speed if abs(math.log(rate / self.speed)) < abs(math.log(rate)) else 1.0
            out += round((pts - before) / divisor)
        self._paced = (pts, out)
        return out

    def accelerate(self, speed: float) -> None:
        self.speed, self._measured = speed, None
        self.resume()

    def resume(self) -> None:
        """After a pause: the next picture is shown now, not when it would have been."""
        self._timeline.restart()

    def seek(self) -> None:
        """The device continues somewhere else: what comes next is shown from its next key frame on, without a pause."""
        self.running = False
        self._paced = self._measured = self._began = self.position = None
        self._timeline.restart()

    # ---- sound

    def _listen(self, unit: Unit, now: int) -> None:
        if self.sound is None or self.speed != 1.0:
            return
        rate = 8000
        if unit.codec == "aac":
            rate = adts.RATES[min(unit.data[2] >> 2 & 15, len(adts.RATES) - 1)]
        name = f"{unit.codec}/{rate}"
        if name != self._heard:
            self._heard = name
            try:
                codec = {"pcma": "PCMA", "pcmu": "PCMU", "aac": "ADTS"}[unit.codec]
                self.sound.open(codec, rate, 1, {})
            except (KeyError, ValueError):
                return
            if self.running:
                self._changed()
        if self.sound.running:
            self.sound.put(unit.data, (unit.pts * rate // RATE) & 0xFFFF_FFFF, now)
