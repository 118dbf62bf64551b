"""One transport as the plane sees it: where it is, its keys, its streams in and routes out."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from commhub.media import plane
from commhub.media.srtp import Inbound, Outbound, Window
from commhub.media.uplink import Layer, Packet, Receiver, Stream
from commhub.wire import rtcp

if TYPE_CHECKING:
    from commhub.media.downlink import Route
    from commhub.media.sockets import Key, Source

STREAMS = 64  # SSRCs a transport may bring at once
WINDOWS = 256  # replay windows remembered, also of ended streams
FEEDBACK_KEPT = 2000  # arrivals waiting for a transport feedback
FEEDBACK_PACKETS = 16  # sent at once; an honest sender needs one or two


class Peer:
    """State of one transport."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.source: Source | None = None
        self.key: Key = ("", 0)
        self.inbound: Inbound | None = None
        self.outbound: Outbound | None = None
        self.out: list[bytes] = []  # header, body, header, body … of the current batch
        self.ssrc = secrets.randbits(32)  # ours in reports and feedback
        self.receivers: list[Receiver] = []
        self.routes: dict[int, Route] = {}
        self.by_ssrc: dict[int, Route] = {}
        self.streams: dict[int, Stream] = {}
        self._windows: dict[int, Window] = {}
        self._names: dict[int, tuple[bytes, bytes]] = {}  # SSRC → MID and RID it once said
        self._next: dict[int, int] = {}  # SSRC → first packet index never used under these keys
        self._last: dict[int, Packet] = {}  # SSRC → the newest packet of a stream that ended
        self.mid_id = self.rid_id = self.repaired_id = self.level_id = self.feedback_id = 0
        self.dependency_id = 0
        self.arrivals: list[tuple[int, int]] = []  # transport-wide sequence number (extended), arrival in µs
        self.feedback_top = -1
        self.feedback_count = 0
        self.heard = 0.0  # monotonic, set by the clock of the plane
        self.alive = True  # something came since the last look
        self.silent = False

    def can_send(self) -> bool:
        return self.outbound is not None and self.source is not None

    # ------------------------------------------------------------------------------------------------- outgoing

    def first_number(self, ssrc: int) -> int:
        """Where a stream's numbers begin: behind all that were ever used, because a nonce may never repeat (RFC 7714 §8.1)."""
        return self._next.get(ssrc, secrets.randbelow(1 << 15))

    def used(self, ssrc: int, index: int, last: Packet | None = None) -> None:
        """A stream ends; ``index`` was its highest, ``last`` its newest packet."""
        if index >= 0:
            self._next[ssrc] = index + 1
        if last is not None:
            self._last.pop(ssrc, None)
            self._last[ssrc] = last._replace(payload=b"")
            if len(self._last) > WINDOWS:
                del self._last[next(iter(self._last))]

    def last_of(self, ssrc: int) -> Packet | None:
        """The newest packet of a stream that was sent before under this SSRC: another source of it goes on from there."""
        return self._last.get(ssrc)

    def set_keys(self, profile: str, receive: bytes, transmit: bytes) -> None:
        self.inbound = Inbound(profile, receive)
        self.outbound = Outbound(profile, transmit)
        self._windows.clear()
        self._next.clear()
        self._last.clear()
        self.streams.clear()

    # ------------------------------------------------------------------------------------------------- incoming

    def learn(self, spec: plane.ReceiverSpec) -> None:
        """Header extension numbers; in a bundle they are the same in every section (RFC 8285 §5)."""
        extensions = spec.extensions
        self.mid_id = extensions.get(plane.MID, self.mid_id)
        self.rid_id = extensions.get(plane.RID, self.rid_id)
        self.repaired_id = extensions.get(plane.REPAIRED_RID, self.repaired_id)
        self.level_id = extensions.get(plane.AUDIO_LEVEL, self.level_id)
        self.feedback_id = extensions.get(plane.TRANSPORT_CC, self.feedback_id)
        self.dependency_id = extensions.get(plane.DEPENDENCY, self.dependency_id)

    def find(self, ssrc: int, payload_type: int, values: dict[int, bytes]) -> tuple[Layer, bool] | None:
        """Whose stream a new SSRC is (RFC 8843 §9.2): ``(layer, whether it carries repairs)``."""
        for receiver in self.receivers:
            spec = receiver.spec
            if spec is None:
                continue
            number = spec.ssrcs.get(ssrc)
            if number is not None and number < len(receiver.layers):
                return receiver.layers[number], False
            media = spec.rtx_ssrcs.get(ssrc)
            if media is not None:
                number = spec.ssrcs.get(media, 0)
                return receiver.layers[min(number, len(receiver.layers) - 1)], True
        mid, rid = self._named(ssrc, values)
        found = [r for r in self.receivers if r.spec is not None and self._matches(r.spec, mid, payload_type)]
        if len(found) != 1:
            return None
        receiver, spec = found[0], found[0].spec
        assert spec is not None
        repair = payload_type in spec.rtx
        number = spec.rids.get(rid.decode("ascii", "replace"), -1) if spec.rids else 0
        if len(receiver.layers) == 1 and not rid:
            number = 0
        return (receiver.layers[number], repair) if 0 <= number < len(receiver.layers) else None

    def _named(self, ssrc: int, values: dict[int, bytes]) -> tuple[bytes, bytes]:
        """MID and RID of a packet. Senders say them only until the first report comes: what was said once is remembered,
        for a receiver that is made again later."""
        mid = values.get(self.mid_id, b"") if self.mid_id else b""
        rid = values.get(self.repaired_id, b"") if self.repaired_id else b""
        rid = rid or (values.get(self.rid_id, b"") if self.rid_id else b"")
        known = self._names.get(ssrc)
        return (mid, rid) if known is None else (mid or known[0], rid or known[1])

    @staticmethod
    def _matches(spec: plane.ReceiverSpec, mid: bytes, payload_type: int) -> bool:
        if payload_type not in spec.payload_types and payload_type not in spec.rtx:
            return False
        return not mid or not spec.mid or mid == spec.mid.encode()

    def window(self, ssrc: int) -> Window:
        """The replay window of an SSRC, remembered when its stream ends: its packets may not come again."""
        return self._windows.get(ssrc) or Window()

    def bind(self, ssrc: int, layer: Layer, rtx: bool, window: Window, values: dict[int, bytes]) -> Stream:
        """The first authentic packet of an SSRC came: from now on it is this layer's."""
        if ssrc not in self._names and len(self._names) >= WINDOWS:
            del self._names[next(iter(self._names))]
        self._names[ssrc] = self._named(ssrc, values)
        if len(self.streams) >= STREAMS:
            del self.streams[next(iter(self.streams))]
        if ssrc not in self._windows and len(self._windows) >= WINDOWS:
            del self._windows[next(iter(self._windows))]
        self._windows[ssrc] = window
        stream = self.streams[ssrc] = Stream(ssrc, layer, rtx, window)
        if not rtx:
            old = layer.stream
            if old is not None and old is not stream:
                if self.streams.get(old.ssrc) is old:
                    del self.streams[old.ssrc]
                layer.restart()
            layer.stream = stream
        return stream

    def forget(self, receiver: Receiver) -> None:
        """A receiver ends; its SSRCs may belong to another one later."""
        if receiver in self.receivers:
            self.receivers.remove(receiver)
        for ssrc in [s for s, stream in self.streams.items() if stream.layer.receiver is receiver]:
            del self.streams[ssrc]

    # ------------------------------------------------------------------------------------------------- feedback

    def arrived(self, value: bytes, at: int) -> None:
        """A packet carried a transport-wide sequence number."""
        if len(value) < 2:
            return
        sequence = value[0] << 8 | value[1]
        top = self.feedback_top
        if top >= 0:
            delta = sequence - top & 0xFFFF
            sequence = top + (delta - 0x10000 if delta >= 0x8000 else delta)
        if sequence > top:
            self.feedback_top = sequence
        if len(self.arrivals) < FEEDBACK_KEPT:
            self.arrivals.append((sequence, at // 1000))

    def feedback(self) -> list[bytes]:
        """Transport-wide feedback about everything that came since last time."""
        if not self.arrivals:
            return []
        arrived: dict[int, int] = {}
        for sequence, at in self.arrivals:
            arrived.setdefault(sequence, at)
        self.arrivals = []
        rest = sorted(arrived.items())
        packets: list[bytes] = []
        media = next((s.ssrc for s in self.streams.values()), 0)
        while rest and len(packets) < FEEDBACK_PACKETS:
            packet, taken = rtcp.build_transport_feedback(self.ssrc, media, self.feedback_count, rest)
            self.feedback_count += 1
            packets.append(packet)
            rest = rest[max(1, taken) :]
        return packets
