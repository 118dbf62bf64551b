"""The data plane's contract: what the control side may say to whoever moves packets, and what it hears back.

An implementation owns the sockets, SRTP, packet caches and header rewriting. No Python object per packet crosses
this border: commands are about transports, receivers, routes and taps (small integers the caller chooses), events
are about datagrams that are not media (STUN, DTLS, SCTP inside DTLS) and about rare facts (first packet, loss of a layer,
a bandwidth estimate). :mod:`commhub.media.forward` implements it in Python; a native one may replace it unseen.

Everything runs in one event loop (or hands its events to it): no locks, no awaits.

    transport  one peer connection: an authenticated 5-tuple with SRTP keys
    receiver   one incoming track (from a transport, or fed from a Source), with 1 … 3 simulcast layers
    route      one receiver to one transport: own SSRC, payload type and header extension numbers
    tap        one receiver to a callback (a Sink): plain RTP
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

#: Header extensions the plane understands; a spec maps these URIs to the numbers the peer negotiated (RFC 8285).
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
TRANSPORT_CC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
DEPENDENCY = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"


#: ``(UTC ns at which it came in, where it begins, where it ends)`` of a packet among others
Place = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Address:
    """A local address to bind; ``announced`` is what peers are told (NAT). One socket each, UDP and TCP."""

    host: str
    announced: str


@dataclass(frozen=True, slots=True)
class Path:
    """Where a datagram came from: socket number, and the remote address, or a TCP connection's number (RFC 4571 framing)."""

    socket: int
    host: str
    port: int
    connection: int = 0  # > 0: TCP


@dataclass(slots=True)
class ReceiverSpec:
    """An incoming track. ``payload_types`` maps PT → mime for what may come, ``rtx`` RTX PT → media PT. Packets find
    their receiver by SSRC (``ssrcs``: SSRC → layer, from the SDP), else by the ``mid`` extension, and their layer by
    ``rids`` (rid → layer number, 0 = lowest). RTX streams by ``rtx_ssrcs`` (SSRC → media SSRC) or the repaired rid."""

    transport: int
    kind: str  # audio, video
    clock_rate: int
    payload_types: dict[int, str]
    rtx: dict[int, int] = field(default_factory=dict)
    mid: str = ""
    ssrcs: dict[int, int] = field(default_factory=dict)
    rtx_ssrcs: dict[int, int] = field(default_factory=dict)
    rids: dict[str, int] = field(default_factory=dict)
    layers: int = 1
    extensions: dict[str, int] = field(default_factory=dict)
    nack: bool = True


@dataclass(slots=True)
class RouteSpec:
    """An outgoing copy. ``extensions`` as the subscriber negotiated them; of these MID, absolute send time, the audio level and
    the dependency descriptor (of tracks that come with one) are written. ``rtx_payload_type`` 0 = resend on the media SSRC.
    An ``ssrc`` belongs to one route of a transport at a time. ``red`` > 0: ``payload_type`` is that of redundant audio
    (RFC 2198), and this is the type of the frames in it."""

    receiver: int
    transport: int
    ssrc: int
    payload_type: int
    mid: str = ""
    extensions: dict[str, int] = field(default_factory=dict)
    rtx_ssrc: int = 0
    rtx_payload_type: int = 0
    red: int = 0


@dataclass(slots=True)
class RouteCounters:
    packets: int = 0
    octets: int = 0
    lost: int = 0  # packets the receiver says that it missed, in all
    highest: int = 0  # the sequence number it has come to, with the times it wrapped around
    jitter_ms: float = 0.0
    rtt_ms: float = 0.0
    layer: int = -1  # what is being sent; -1 nothing yet
    temporal: int = -1
    nacks: int = 0  # packets the subscriber asked for once more
    resent: int = 0
    switches: int = 0  # of layers


@dataclass(slots=True)
class LayerCounters:
    packets: int = 0
    octets: int = 0
    bitrate: int = 0  # bit/s over the last second or so
    lost: int = 0  # never recovered
    width: int = 0
    height: int = 0
    last_at: float = 0.0  # monotonic; 0 = never
    temporal: list[int] = field(default_factory=list)  # bit/s with the temporal layers up to each; [] = there is one
    rates: list[float] = field(default_factory=list)  # likewise frames per second


@dataclass(slots=True)
class Reception:
    """How a receiver's packets come over the network, before repair; all layers, totals since their streams began."""

    expected: int = 0
    received: int = 0
    lost: int = 0  # never recovered
    octets: int = 0  # of payload, with what was recovered
    nacks: int = 0  # asked for once more
    jitter_ms: float = 0.0  # of the worst layer


@dataclass(slots=True)
class Contact:
    """How a transport's peer is reached, and when it was last heard (monotonic; to about a second)."""

    over: str = ""  # udp, tcp; "" not at all
    heard: float = 0.0


class PlaneEvents(Protocol):
    """What the control side hears. Called in the event loop, never re-entrantly from a command."""

    def stun(self, path: Path, data: bytes) -> None:
        """A datagram that looks like STUN (first byte 0 … 3, RFC 7983), from anybody. Rate-limited per address by the plane."""

    def dtls(self, transport: int, data: bytes) -> None:
        """A DTLS record from the transport's own path. DTLS from anywhere else is dropped and counted."""

    def first_packet(self, receiver: int, layer: int) -> None:
        """The first media packet of a layer arrived (again, after it had ended)."""

    def bandwidth(self, transport: int, bits_per_second: int) -> None:
        """The subscriber's own estimate (REMB)."""

    def path_silent(self, transport: int) -> None:
        """Nothing valid came for ``silence`` seconds; once per silence."""

    def audio_levels(self, levels: list[tuple[int, int]]) -> None:
        """Every ~100 ms while anybody speaks: ``(receiver, loudest -dBov of the interval, 0 loud … 127 silent)``."""

    def key_frame_wanted(self, receiver: int, layer: int) -> None:
        """Only for fed receivers: their Source is not behind a transport."""

    def connection_closed(self, path: Path) -> None:
        """A TCP connection ended."""

    def sender_report(self, tap: int, rtp_time: int, ntp: int) -> None:
        """The sender's own clock, for a tap that is being fed: RTP time as the tap's packets have it, and the sender's UTC ns
        (which may be far from ours). At most once for every report and a few times a second; also when the tap begins anew."""


class Tap(Protocol):
    """Plain RTP of one receiver, continuous over layer switches, with the ingress time (UTC ns)."""

    def __call__(self, packet: bytes | bytearray | memoryview, at: int) -> None: ...


class Plane(Protocol):
    """Commands. A number that is not known (any more) is silently ignored: ends race with everything."""

    def open(self, addresses: list[Address], port: int) -> list[tuple[str, int]]:
        """Bind one UDP socket and one TCP listener per address. Returns ``(announced, port)`` per address for the candidates.
        OSError when an explicitly named address cannot be bound."""

    def close(self) -> None: ...

    def send(self, path: Path, data: bytes) -> None:
        """A datagram as it is (STUN answers)."""

    # transports
    def add_transport(self, transport: int) -> None: ...
    def set_path(self, transport: int, path: Path) -> None:
        """Where the peer is from now on; only ever after an authenticated check (RFC 8445 §7.3)."""

    def send_dtls(self, transport: int, data: bytes) -> None: ...
    def set_keys(self, transport: int, profile: str, receive: bytes, transmit: bytes) -> None:
        """SRTP keys, master key then salt (RFC 5764 §4.2); ``profile`` as OpenSSL names it (``SRTP_AEAD_AES_128_GCM``,
        ``SRTP_AES128_CM_SHA1_80``)."""

    def remove_transport(self, transport: int) -> None:
        """Also its receivers and routes."""

    # receivers
    def add_receiver(self, receiver: int, spec: ReceiverSpec) -> None: ...
    def add_fed_receiver(
        self, receiver: int, kind: str, mime: str, clock_rate: int, layers: int = 1, obeys: bool = False
    ) -> None:
        """A Source of a bridge; packets come by :meth:`feed`. Its layers count their RTP time by one clock. Who ``obeys`` sends
        a key frame when one is wanted; of others everything since the last one is kept for who comes."""

    def feed(self, receiver: int, data: bytes, places: Sequence[Place], layer: int = 0) -> None:
        """Plain RTP packets (any payload type) in ``data``, in order."""

    def flush(self) -> None:
        """End of a run of :meth:`feed`: coalesced output leaves."""

    def feed_clock(self, receiver: int, rtp_time: int, ntp: int, layer: int = 0) -> None:
        """The Source's sender report."""

    def set_open(self, receiver: int, open: bool) -> None:
        """Gate one, and mute: closed = nothing leaves by any route or tap."""

    def request_key_frame(self, receiver: int) -> None: ...
    def layers(self, receiver: int) -> list[LayerCounters]:
        """What a route can be set to: simulcast layers, or those inside the only stream (their rates include what is below)."""

    def reception(self, receiver: int) -> Reception: ...
    def contact(self, transport: int) -> Contact: ...
    def remove_receiver(self, receiver: int) -> None:
        """Also its routes and taps."""

    # routes
    def add_route(self, route: int, spec: RouteSpec) -> None:
        """Begins closed to media until the first key frame (video); asks for one. Under an SSRC that this transport has sent
        before, numbers and time go on: to its receiver it is one stream with another picture."""

    def set_allowed(self, route: int, allowed: bool) -> None:
        """Gate two."""

    def set_paused(self, route: int, paused: bool) -> None:
        """The viewer does not look at it, or there is no bandwidth."""

    def set_layer(self, route: int, layer: int, temporal: int = 99, patient: bool = False) -> None:
        """Best layer and temporal layer to send. Switches at a key frame of the wanted layer, inside a stream as soon as its
        dependencies allow, and down when the layer has gone. Who is ``patient`` (a narrow line) waits for that key frame where
        others are sent, in a burst, what has come of a Source since the last one."""

    def counters(self, route: int) -> RouteCounters: ...
    def remove_route(self, route: int) -> None: ...

    # taps
    def add_tap(self, tap: int, receiver: int, sink: Tap) -> None:
        """Highest layer that is there; asks for a key frame."""

    def set_tap_allowed(self, tap: int, allowed: bool) -> None: ...
    def set_tap_layer(self, tap: int, layer: int) -> None:
        """Best layer to hand over; taps begin with the best there is."""

    def remove_tap(self, tap: int) -> None: ...

    def waited(self) -> float:
        """The longest time from a datagram's arrival at this machine until it had been forwarded, since the last call (s)."""

    def statistics(self) -> dict[str, int]:
        """Totals for metrics: packets and octets in and out, dropped by reason, NACKs, resends, PLIs."""
