"""What Sources feed: packets of cameras and of other workers, which come in order, in runs, and without SRTP."""

from __future__ import annotations

import struct
import time
from abc import abstractmethod
from collections.abc import Sequence

from commhub.media import feedback
from commhub.media.measuring import Measuring
from commhub.media.plane import Place
from commhub.media.sending import NOBODY
from commhub.media.srtp import Window
from commhub.media.uplink import SILENT_LEVEL, SLOT, Kept, Layer, Packet, Receiver, Stream
from commhub.wire import h264, h265, rtp

LEAP = 300  # a Source is fed in order: beyond this it began again
KEPT = ("video/h264", "video/h265")  # codecs of cameras: they send a key frame when they like
FED = 0  # "transport" of receivers that a Source feeds
_KEYS = (0x85, 0x87)  # the second octet of FU-A, its end bit taken away, where a key frame begins
#: The third octet of H.265's fragmentation units, its end bit taken away, where one does
_HEVC_KEYS = frozenset(0x80 | kind for kind in (*h265.IRAP, h265.VPS, h265.SPS))
_HEVC_SLICES = 15  # the last NAL unit type of pictures that refer to others
_plain = struct.Struct("!xBHII").unpack_from  # a header without padding, extension and CSRCs, behind its first octet
_packet = tuple.__new__  # half of what Packet() costs


class Feeding(Measuring):
    """Receivers without a transport."""

    def add_fed_receiver(
        self, receiver: int, kind: str, mime: str, clock_rate: int, layers: int = 1, obeys: bool = False
    ) -> None:
        self.remove_receiver(receiver)
        added = Receiver(receiver, FED, kind, clock_rate, layers, False)
        added.fed = True
        added.mime = mime.lower()
        if added.mime in KEPT and not obeys:
            for layer in added.layers:
                layer.kept = Kept()
        self._receivers[receiver] = added

    @abstractmethod
    def remove_receiver(self, receiver: int) -> None: ...

    def feed(self, receiver: int, data: bytes, places: Sequence[Place], layer: int = 0) -> None:
        known = self._receivers.get(receiver)
        if known is None or not known.fed:
            return
        fed = known.layers[layer]
        at, end = 0, len(places)
        while at < end:
            if fed.steady:
                at = self._follow(fed, data, places, at)
            if at < end:
                try:
                    self._feed_one(fed, data, *places[at])
                except Exception:  # one packet may never stop the others
                    self._failed("feed")
                at += 1

    def _follow(self, fed: Layer, data: bytes, places: Sequence[Place], at: int) -> int:
        """Takes packets as long as each is what nearly all are: the next one of a picture, in which no key frame begins.
        Returns where one stands that has to be looked at more closely."""
        stream, kept, cache = fed.stream, fed.kept, fed.cache
        assert stream is not None
        window, ssrc, shift = stream.window, stream.ssrc, fed.shift
        before = highest = window.highest
        hevc = fed.receiver.mime == "video/h265"
        sent = feedback.absolute_send_time(time.time_ns())
        came = octets = 0
        for came, begin, end in places[at:]:
            if end - begin < 15 or data[begin] != 0x80:
                break
            mark, sequence, timestamp, owner = _plain(data, begin)
            if owner != ssrc or sequence != highest + 1 & 0xFFFF:
                break
            if hevc:
                kind = data[begin + 12] >> 1
                if kind > _HEVC_SLICES and (kind != h265.FRAGMENT or data[begin + 14] & 0xBF in _HEVC_KEYS):
                    break
            else:
                kind = data[begin + 12] & 0x1F
                if kind != h264.SLICE and (kind != h264.FU_A or data[begin + 13] & 0x9F in _KEYS):
                    break
            highest += 1
            place = highest + shift
            payload = data[begin + 12 : end]
            octets += end - begin - 12
            packet = _packet(
                Packet, (place, mark & 0x80, timestamp, payload, sent, SILENT_LEVEL, None, came, mark & 0x7F, None, b"", ())
            )
            cache[place & SLOT] = packet
            fed.highest = place
            if kept is not None:
                kept.follow(packet)
            if fed.receiver.open and (fed.routes or fed.taps):
                try:
                    self._deliver(fed, packet, NOBODY)
                except Exception:  # one packet may never stop the others
                    self._failed("feed")
        if taken := highest - before:
            window.follow(taken)
            fed.follow(taken, octets, packet.at)
            self._count["packets_in"] += taken
            self._count["octets_in"] += octets + 12 * taken
            if fed.key_wanted:
                self._want_key(fed)
        return at + taken

    def _feed_one(self, fed: Layer, data: bytes, at: int, begin: int, end: int) -> None:
        packet = memoryview(data)[begin:end]
        size = end - begin
        try:
            start = rtp.header_size(packet, size)
        except ValueError:
            self._count["malformed"] += 1
            return
        first, mark, sequence, timestamp, ssrc = rtp.HEADER.unpack_from(packet)
        if first & 0x20:
            padding = packet[size - 1]
            if not 0 < padding <= size - start:
                self._count["malformed"] += 1
                return
            size -= padding
        stream = fed.stream
        index = -1 if stream is None else stream.window.index(sequence)
        if stream is None or stream.ssrc != ssrc or abs(index - stream.window.highest) > LEAP:
            fed.stream = Stream(ssrc, fed, False, Window())
            if stream is not None:
                fed.restart()
                self._restarted(fed)
            stream = fed.stream
            index = sequence
        if not stream.window.fresh(index):
            self._count["replayed"] += 1
            return
        stream.window.accept(index)
        self._count["packets_in"] += 1
        self._count["octets_in"] += size
        self._media(fed, index, mark, timestamp, bytes(packet[start:size]), SILENT_LEVEL, at)

    def flush(self) -> None:
        self.done()

    def feed_clock(self, receiver: int, rtp_time: int, ntp: int, layer: int = 0) -> None:
        known = self._receivers.get(receiver)
        if known is not None and known.fed:
            self._report(known.layers[layer], feedback.ntp_time(ntp), rtp_time, self._clock())
