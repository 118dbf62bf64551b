"""One stream of a device on its way to viewers: RTP with a program stream (or whatever else it is) → access units → RTP as
browsers take it (RFC 6184). H.264 is not decoded and not changed; H.265 and B-frames are converted by a child process. ``now`` is
UTC ns."""

from __future__ import annotations

import math
from collections.abc import Callable

from bridges.conversion import Conversion
from bridges.faults import Fault
from bridges.source import Sound, Source, handle, timeline
from bridges.timeline import SECOND, Sequence, unwrap
from bridges.transcode_video import Transcodes
from commhub.media.messages import Codec, SourceStream
from commhub.wire import adts, h264
from commhub.wire.h264 import AUD, FILLER, PPS, SLICE, SPS
from commhub.wire.ps import Demuxer
from commhub.wire.rtp import HEADER
from commhub.wire.units import Unit

RATE = 90_000
_B_PROOF = 2  # pictures with B slices after which the stream is said to have them
_WATCHED = 60  # pictures of a session that are kept until it is clear that there are no B-frames among them
_KEPT = 4 << 20  # octets of them
_AGAIN = 10 * SECOND  # until a place for a conversion is looked for again
_CODECS = {"h265": "H.265", "mpeg4": "MPEG-4", "svac": "SVAC", "mpeg2": "MPEG-2", "mpeg1": "MPEG-1"}


class Picture:
    """``layer`` is main, sub or "". ``changed`` is called when there is a first picture and when size, profile or the kind of
    frames change; ``broken`` when something was lost, so that a key frame would help; ``unfit`` when viewers cannot get it, with
    a code of ``report`` and the name of the codec.

    >>> picture.open(); picture.packet(rtp, now)
    """

    def __init__(self, source: Source, layer: str, transcodes: Transcodes, changed: Callable[[], None],
                 broken: Callable[[], None], unfit: Callable[[str, str], None]) -> None:  # fmt: skip
        self.layer = layer
        self.handle = handle()
        self.sound: Sound | None = None  # who gets the sound of this stream; None: nobody
        self.running = False
        self.b_frames = False
        self.sps: h264.Sps | None = None
        self.speed = 1.0  # of a recording: its times advance so much faster than ours
        self.pictures = 0
        self.position: int | None = None  # of a recording: 90 kHz of it that were shown in this session, or since it was moved
        self.demuxer = Demuxer()
        self._source, self._transcodes = source, transcodes
        self._changed, self._broken, self._unfit = changed, broken, unfit
        self._conversion: Conversion | None = None
        self._kept: list[tuple[bytes, int, bool]] = []  # since the last key frame, while it is watched for B-frames
        self._kept_octets = 0
        self._refused_at = 0  # when there was no place for a conversion
        self._timeline = timeline(source.source, layer, RATE)
        self._sequence = Sequence()
        self._sets: dict[tuple[int, int], bytes] = {}
        self._known = b""  # the newest SPS
        self._heard = ""  # the codec of sound that is being turned into Opus
        self._paced: tuple[int, int] | None = None
        self._measured: tuple[int, int, int] | None = None  # a picture's time, when it came, and the position then
        self._b_slices = 0

    def open(self, sound: str | None = None) -> None:
        """A new session. ``sound`` is the codec that was told by signalling."""
        self.close()
        self.demuxer = Demuxer(sound)
        self._sequence.restart()
        self._timeline.restart()
        self._paced = self._measured = self.position = None
        self._b_slices = 0
        self._kept, self._kept_octets = [], 0

    def close(self) -> None:
        """The session is over. A conversion stays: its child is at hand when the stream comes again."""
        self.running = False
        self.pictures = 0
        self.mute()

    def end(self) -> None:
        """Nobody wants it any more."""
        self.close()
        if self._conversion is not None:
            self._conversion.close()
            self._conversion = None

    def want_key_frame(self) -> bool:
        """Whether the device has to be asked for one: what is converted gets its key frames here."""
        if self._conversion is not None:
            self._conversion.want_key_frame()
        return self._conversion is None

    @property
    def size(self) -> tuple[int, int]:
        """(0, 0) before the first picture."""
        if self._conversion is not None:
            return self._conversion.width, self._conversion.height
        return (self.sps.width, self.sps.height) if self.sps is not None else (0, 0)

    def mute(self) -> None:
        if self.sound is not None and self._heard:
            self.sound.close()
        self._heard = ""

    @property
    def shows_b_frames(self) -> bool:
        """They reach viewers, who see few of the pictures."""
        return self.b_frames and self._conversion is None

    @property
    def container(self) -> str:
        return self.demuxer.container or ""

    def stream(self) -> SourceStream:
        """As the workers are told of it."""
        if self._conversion is not None:
            return self._conversion.stream(self.layer)
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

    def packets(self, packets: list[bytes], now: int) -> None:
        """The same of many. What has one time is put together before it is looked at, where borders of packets mean nothing."""
        joins = self.demuxer.container == "ps"
        if joins and self._whole(packets):
            time, ends = int.from_bytes(packets[0][4:8], "big"), packets[-1][1] >= 0x80
            self._units(self.demuxer.push(b"".join([packet[12:] for packet in packets]), time, ends), now)
            return
        pieces: list[bytes] = []
        time = 0
        for packet in packets:
            if not joins or packet[0] != 0x80 or len(packet) <= 12:
                self._join(pieces, time, False, now)
                self.packet(packet, now)
                joins = self.demuxer.container == "ps"
                continue
            _, second, number, timestamp, _ = HEADER.unpack_from(packet)
            missing = self._sequence.follow(number)
            if missing is None:
                continue
            if missing or timestamp != time:
                self._join(pieces, time, False, now)
            if missing:
                self._units(self.demuxer.gap(), now)
            pieces.append(packet[12:])
            time = timestamp
            if second >= 0x80:
                self._join(pieces, time, True, now)
                joins = self.demuxer.container == "ps"
        self._join(pieces, time, False, now)

    def _whole(self, packets: list[bytes]) -> bool:
        """Whether they are what nearly all are: without a gap, of one time, with plain heads and the marker only at the end. They
        are counted then."""
        first, last = packets[0], packets[-1]
        number, time, kind = self._sequence.next, first[4:8], first[1] & 0x7F
        if last[1] & 0x7F != kind or len(last) <= 12:
            return False
        for packet in packets:
            if packet[2] << 8 | packet[3] != number or packet[0] != 0x80 or packet[4:8] != time:
                return False
            if packet[1] != kind and packet is not last:
                return False
            number = (number + 1) & 0xFFFF
        self._sequence.skip(len(packets))
        return True

    def _join(self, pieces: list[bytes], time: int, marker: bool, now: int) -> None:
        if pieces:
            self._units(self.demuxer.push(b"".join(pieces), time, marker), now)
            pieces.clear()

    def octets(self, data: bytes, now: int) -> None:
        """A stream without RTP."""
        self._units(self.demuxer.push(data), now)

    def _units(self, units: list[Unit], now: int) -> None:
        for unit in units:
            if unit.kind == "audio":
                self._listen(unit, now)
            elif unit.codec in ("h264", "h265"):
                self._picture(unit, now)
            else:
                self._unfit("codec_unsupported", _CODECS.get(unit.codec, unit.codec.upper()))

    # ---- pictures

    def _picture(self, unit: Unit, now: int) -> None:
        codec = unit.codec.upper()
        conversion = self._conversion
        if conversion is not None and conversion.codec != codec:
            conversion.close()
            conversion = self._conversion = None
        if conversion is None and codec == "H265":
            if not unit.key:
                return
            conversion = self._convert(codec, now)
            if conversion is None:
                self._unfit("transcodes_full", "")
                return
        if conversion is None:
            self._show(unit, now)
            return
        if unit.lost and not unit.key:
            self._broken()
        conversion.push(unit.data, self._pace(unit.pts, now), unit.key, unit.lost)

    def _convert(self, codec: str, now: int) -> Conversion | None:
        """None where the machine does no more of them."""
        if now - self._refused_at < _AGAIN:
            return None
        try:
            self._conversion = Conversion(self._transcodes, codec, self._source, self.handle, self._timeline, self._converted,
                                          lambda fault: None)  # fmt: skip
        except Fault:
            self._refused_at = now
        return self._conversion

    def _converted(self) -> None:
        self.running = True
        self.pictures += 1
        self._changed()

    def _watch_for_b_frames(self, unit: Unit, now: int) -> bool:
        """The first pictures are kept: a conversion that turns out to be necessary begins with them. True when it has begun."""
        if unit.key or self.pictures > _WATCHED or self._kept_octets > _KEPT:
            self._kept, self._kept_octets = [], 0
        if self.pictures <= _WATCHED and (unit.key or self._kept):
            self._kept.append((unit.data, unit.pts, unit.key))
            self._kept_octets += len(unit.data)
        conversion = self._convert("H264", now) if self.b_frames else None
        if conversion is None:
            return False
        for data, pts, key in self._kept:
            conversion.push(data, self._pace(pts, now), key)
        if not self._kept:
            self._broken()
        self._kept, self._kept_octets = [], 0
        return True

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
        changed = changed or bidirectional != self.b_frames
        self.b_frames = bidirectional
        if self._watch_for_b_frames(unit, now):
            return
        if changed:
            self._changed()
        time = self._timeline.time(self._pace(unit.pts, now) & 0xFFFF_FFFF, now, reorders=self.b_frames)
        if unit.key:
            sets = [self._sets[key] for key in sorted(self._sets)]
        payloads = h264.aggregate([*sets, *nals])
        self._source.add_all(self.handle, self._timeline.packets(payloads, time), now)

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
            self.position = (self.position or 0) + pts - before
        else:
            if self._measured is None:
                self._measured = (pts, now, self.position or 0)
            since, began, stood = self._measured
            divisor = self.speed
            if now - began > SECOND:
                rate = max((pts - since) * SECOND / RATE / (now - began), 0.01)
                divisor = self.speed if abs(math.log(rate / self.speed)) < abs(math.log(rate)) else 1.0
            out += round((pts - before) / divisor)
            self.position = stood + round((pts - since) * self.speed / divisor)
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
        self._paced = self._measured = self.position = None
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
