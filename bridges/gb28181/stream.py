"""One stream of a device on its way to viewers: RTP with a program stream (or whatever else it is) → access units → RTP as
browsers take it (RFC 6184), or who decodes H.265 (RFC 7798): neither is decoded or changed. Beside them a backup in H.264 is made
of what not every browser shows. ``now`` is UTC ns."""

from __future__ import annotations

import math
from collections.abc import Callable

from bridges.backup import MIME, Backup
from bridges.hevc import Hevc
from bridges.source import Sound, Source, handle, timeline
from bridges.timeline import SECOND, Sequence
from bridges.transcode_video import Transcodes
from commhub.media.messages import Codec, SourceStream
from commhub.wire import adts, h264
from commhub.wire.h264 import AUD, FILLER, PPS, SLICE, SPS
from commhub.wire.ps import Demuxer
from commhub.wire.rtp import HEADER
from commhub.wire.units import Unit

RATE = 90_000
_B_PROOF = 2  # pictures with B slices after which the stream is said to have them
_WATCHED = 60  # pictures of a session in which B-frames show if there are any
_CODECS = {"h265": "H.265", "mpeg4": "MPEG-4", "svac": "SVAC", "mpeg2": "MPEG-2", "mpeg1": "MPEG-1"}


class Picture:
    """``layer`` is main, sub or "". ``changed`` is called when there is a first picture and when size, profile, the kind of
    frames or what is made of them change; ``broken`` when something was lost, so that a key frame would help; ``unfit`` when
    viewers cannot get it, with a code of ``report`` and the name of the codec.

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
        self._source = source
        self._changed, self._broken, self._unfit = changed, broken, unfit
        self.backup = Backup(transcodes, source, layer, self._remade)
        self._hevc = Hevc()
        self._codec = ""  # h264, h265
        self._needed = False  # H.264 that every browser shows
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
        self._hevc.running = False
        self.backup.restart()

    def close(self) -> None:
        """The session is over. What makes the backup stays at hand, for when the stream comes again."""
        self.running = False
        self.pictures = 0
        self.mute()

    def end(self) -> None:
        """Nobody wants it any more."""
        self.close()
        self.backup.end()

    def want_backup(self, wanted: bool) -> None:
        """Somebody needs H.264 that every browser shows, whatever comes; nothing is made of what is that."""
        self._needed = wanted
        self._fit()

    def _fit(self) -> None:
        self.backup.want(self._needed and (self._codec == "h265" or self.b_frames))
        if self.backup.starved:
            self._broken()

    @property
    def size(self) -> tuple[int, int]:
        """(0, 0) before the first picture."""
        sps = self._hevc.sps if self._codec == "h265" else self.sps
        return (sps.width, sps.height) if sps is not None else (0, 0)

    def mute(self) -> None:
        if self.sound is not None and self._heard:
            self.sound.close()
        self._heard = ""

    @property
    def fault(self) -> str:
        """The code of what is wrong with pictures that come all the same; b_frames: viewers see few of them."""
        fault = self.backup.fault
        if fault is None:
            return ""
        return "b_frames" if fault.code == "transcodes_full" and self.b_frames else fault.code

    @property
    def container(self) -> str:
        return self.demuxer.container or ""

    def streams(self) -> list[SourceStream]:
        """As the workers are told of them: what comes, and what is made of it."""
        possible, made = self.backup.possible, self.backup.stream(self.layer)
        stored = possible and (self.b_frames or (self._codec == "h265" and self._hevc.reorders))
        backups = (MIME,) if possible and (stored or self._codec == "h265") else ()
        width, height = self.size
        stream = SourceStream(handle=self.handle, kind="video", codec=self._described(), width=width, height=height,
                              layer=self.layer, backups=backups, stored=stored)  # fmt: skip
        return [stream] if made is None else [stream, made]

    def _described(self) -> Codec:
        if self._codec == "h265":
            return self._hevc.codec()
        assert self.sps is not None
        fmtp = f"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={self.sps.profile_level_id}"
        return Codec(mime=MIME, clock_rate=RATE, fmtp=fmtp)

    # ---- what comes in

    def packet(self, packet: bytes, now: int) -> None:
        """RTP, in order."""
        taken = self._sequence.take(packet)
        if taken is None:
            return
        got, missing = taken
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
        if unit.codec != self._codec:
            if self._codec and not unit.key:
                return
            self._codec, self.running, self.b_frames = unit.codec, False, False
            self._hevc.forget()
            self._timeline.restart()
        if not self.running and not unit.key:
            return
        if unit.lost and not unit.key and self.pictures:
            self._broken()
        paced = self._pace(unit.pts, now)
        if unit.codec == "h265":
            self._pass(unit, paced, now)
        else:
            self._show(unit, paced, now)
        if unit.codec == "h265" or self.b_frames or self.pictures <= _WATCHED:
            self.backup.push(unit.codec.upper(), unit.data, paced, unit.key, unit.lost)
        elif self.pictures == _WATCHED + 1:
            self.backup.close()
        self._fit()

    def _remade(self) -> None:
        """Something else is made of it than before."""
        if self.running:
            self._changed()

    def _pass(self, unit: Unit, paced: int, now: int) -> None:
        """H.265, as it is."""
        before = self._hevc.sps
        payloads = self._hevc.push(unit.data, key=unit.key)
        if not payloads:
            return
        if unit.lost and self.running:
            self._timeline.lose(1)  # receivers are to know of it
        changed = not self.running or self._hevc.sps != before
        self.running = True
        self.pictures += 1
        if changed:
            self._changed()
        at = self._timeline.time(paced & 0xFFFF_FFFF, now, reorders=self._hevc.reorders)
        self._source.add_all(self.handle, self._timeline.packets(payloads, at), now)

    def _show(self, unit: Unit, paced: int, now: int) -> None:
        sets, nals, fresh = self._sort(unit.data)
        if not nals:
            return
        if not self.running and not self._begin(unit):
            return
        if unit.lost and self.pictures:
            self._timeline.lose(1)  # receivers are to know of it
        changed = fresh or not self.running
        self.running = True
        self.pictures += 1
        bidirectional = self.b_frames or self._watch(nals[0])
        changed = changed or bidirectional != self.b_frames
        self.b_frames = bidirectional
        if changed:
            self._changed()
        time = self._timeline.time(paced & 0xFFFF_FFFF, now, reorders=self.b_frames)
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
