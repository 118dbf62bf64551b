"""Every parser that meets bytes of somebody else, with inputs to begin from: golden bytes, conversations, encoded clips."""

from __future__ import annotations

import base64
import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import av

from bridges import rtsp_auth, rtsp_message, rtsp_sdp
from bridges.access import Assembler
from bridges.depacket import Video
from bridges.gb28181 import catalogue, codes, commands, manscdp, notices, offer, ptz
from bridges.gb28181.asking import Found
from bridges.gb28181.framing import Splitter
from bridges.gb28181.gate import Gate
from bridges.simulated.snapshots import jpeg as encoded
from bridges.sip import digest as sip_digest
from bridges.sip import message as sip_message
from bridges.sip import stream as sip_stream
from bridges.sip.fields import Uri
from bridges.timeline import Timeline
from commhub.addresses import parse_entry, parse_url
from commhub.directory import formats
from commhub.errors import Invalid, PeerError, Unauthenticated
from commhub.media import data, link
from commhub.media import messages as media
from commhub.wire import (
    adts,
    av1,
    dependency,
    h264,
    h265,
    journal,
    jpeg,
    nal,
    pes,
    ps,
    rtcp,
    rtp,
    sctp,
    sdp,
    sdpfrag,
    stun,
    vp8,
    vp9,
)
from recorder import reorder
from recorder.depacketise import depacketiser
from signaling import messages, tokens
from tests.support import corpora, gb_quirks, sink_feed, sip_messages, streams
from tests.support.fuzz import LONGEST, SLOWEST
from tests.support.livekit import KEYS

DATAGRAM = 2048
_packets = corpora.of_payloads


@dataclass(frozen=True)
class Target:
    """``corpus`` is made when it is wanted; ``declared`` is what ``parse`` may raise."""

    name: str
    parse: Callable[[bytes], object]
    corpus: Callable[[], list[bytes]]
    text: bool = False
    declared: tuple[type[Exception], ...] = (ValueError,)
    largest: int = LONGEST

    @property
    def slowest(self) -> float:
        """Seconds: what fits into a datagram is parsed between two packets of media."""
        return 0.02 if self.largest <= DATAGRAM else SLOWEST

    def __str__(self) -> str:
        return self.name


@functools.cache
@functools.cache

# ---- parsers


def _read_stun(data: bytes) -> object:
    message = stun.parse(data)
    stun.check_integrity(data, message, b"secret")
    return (message.username, message.priority, message.controlling, message.controlled, message.error, message.mapped_address)


def _read_rtp(data: bytes) -> object:
    return rtp.extensions(data, rtp.header_size(data, len(data))), rtp.payload(data), reorder.parse(data, 0)


def _read_key_frames(data: bytes) -> object:
    """These say yes or no, whatever they get."""
    for mime in ("video/vp8", "video/vp9", "video/h264", "video/av1"):
        nal.is_key_frame(mime, data)
    return None


def _loose(*parsers: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """Each of them gets the input; the last one's refusal is told."""

    def parse(data: bytes) -> None:
        refusal: ValueError | None = None
        for one in parsers:
            try:
                one(data)
            except ValueError as error:
                if type(error) is not ValueError:
                    raise
                refusal = error
        if refusal is not None:
            raise refusal

    return parse


def _recorder(codec: media.Codec) -> Callable[[bytes], object]:
    """A depacketiser with a memory: it goes on over many inputs, as a hostile sender's does."""
    numbers = itertools.count()
    taker = depacketiser(codec)

    def parse(data: bytes) -> None:
        nonlocal taker
        number = next(numbers)
        if number % 500 == 499:
            taker = depacketiser(codec)
        lost = 1 if number % 97 == 0 else 0
        taker.receive(reorder.Packet(number, number // 3 * 3000, number % 3 == 2, data, number, lost))

    return parse


def _camera() -> Callable[[bytes], object]:
    numbers = itertools.count()
    video = Video(Timeline(90_000, 1, 100, 5000))

    def parse(data: bytes) -> None:
        nonlocal video
        number = next(numbers)
        if number % 500 == 499:
            video = Video(Timeline(90_000, 1, 100, 5000))
        packet = rtp.build(
            data, ssrc=5, sequence=number & 0xFFFF, timestamp=number // 3 * 3600, payload_type=97, marker=number % 3 == 2
        )
        for sent in video.receive(packet, number * 13_000_000):
            assert len(sent) <= 1500

    return parse


def _assembled(codec: str) -> Callable[[bytes], object]:
    """What a camera's packets become for a decoder."""
    numbers = itertools.count()
    assembler = Assembler(codec)

    def parse(data: bytes) -> None:
        number = next(numbers)
        for unit in assembler.push(data, number // 3 * 3600 & 0xFFFFFFFF, number % 3 == 2, int(number % 97 == 0)):
            assert unit.data.startswith(h264.START_CODE)

    return parse


def _camera_stream(*, packets: bool) -> Callable[[bytes], object]:
    """A demultiplexer with a memory, as one of a camera has. It refuses nothing, and what it gives is sound."""
    numbers = itertools.count()
    demuxer = ps.Demuxer()

    def parse(data: bytes) -> None:
        nonlocal demuxer
        number = next(numbers)
        if number % 200 == 199:
            demuxer = ps.Demuxer()
        units = demuxer.gap() if number % 23 == 0 else []
        size = 1400 if packets else 5000
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            units += demuxer.push(piece, number * 3600 & 0xFFFF_FFFF, at + size >= len(data)) if packets else demuxer.push(piece)
        units += demuxer.flush() if number % 50 == 49 else []
        for unit in units:
            assert unit.kind in ("video", "audio")
            assert 0 < len(unit.data) <= 4 << 20

    return parse


def _device_connection() -> Callable[[bytes], object]:
    """A connection of a device's media with its memory: whatever it gives is a packet, and little is kept."""
    numbers = itertools.count()
    splitter, gate = Splitter(), Gate(["10.0.0.9"], [7])

    def parse(data: bytes) -> None:
        nonlocal splitter, gate
        number = next(numbers)
        if number % 100 == 99:
            splitter, gate = Splitter(), Gate(["10.0.0.9"], [7])
        for at in range(0, len(data), 1400):
            for packet in splitter.push(data[at : at + 1400]):
                assert splitter.raw or 8 <= len(packet) <= 65_535
                gate.admit(packet, ("10.0.0.9" if number % 3 else "203.0.113.9", 5), number / 10)
        assert len(gate.elsewhere) <= 8

    return parse


def _read_rtsp(data: bytes) -> None:
    parser = rtsp_message.Parser()
    parser.channels.update((0, 1))
    for at in range(0, len(data), 700):
        parser.receive(data[at : at + 700])


def _read_sip(data: bytes) -> None:
    """Everything that the transport, transactions and dialogs ask a message for."""
    message = sip_message.parse(data)
    sip_message.demand(message)
    _loose(
        lambda _: (message.vias, message.contacts, message.expires),
        lambda _: (message.routes, message.record_routes, message.content_type),
        lambda _: [Uri.parse(one.uri) for one in (message.sender, message.receiver)],
    )(data)
    assert sip_message.parse(sip_message.serialize(message)) == message


def _read_sip_stream(data: bytes) -> None:
    framer = sip_stream.Framer()
    for at in range(0, len(data), 1400):
        framer.receive(data[at : at + 1400])


def _read_manscdp(data: bytes) -> None:
    """Everything that the platform asks a document for."""
    found = manscdp.parse(data)
    assert len(manscdp.flat(found.element)) <= 64
    _ = found.ok, found.total
    notices.alarm(found, "34020000001110000001", gcj02=True)
    notices.found_positions(found, "34020000001110000001", gcj02=True)
    for what in ("records", "presets", "cruises", "cruise", "home", "status"):
        commands.items(what, Found([found], found.items()))
    assert manscdp.parse(manscdp.write("Notify", found.command, found.sn, found.device)).sn == found.sn


def _read_catalogue() -> Callable[[bytes], object]:
    """A run with a memory: it never claims more than it has got."""
    run, now = catalogue.Run(1, 1, 0.0), 0.0

    def parse(data: bytes) -> None:
        nonlocal run, now
        now += 0.1
        if run.received > 2000:
            run = catalogue.Run(1, 1, now)
        for part in [*run.take(manscdp.parse(data), now), *run.tick(now)]:
            assert all(codes.is_code(one.channel) for one in part.channels)

    return parse


def _read_credentials(data: bytes) -> None:
    server = sip_digest.Server(b"key", "r")
    credentials = sip_digest.Credentials.parse(data.decode("utf-8", "surrogateescape"))
    server.verify(credentials, "password", "REGISTER", "192.0.2.1", 1.0)


def _read_frame(data: bytes) -> None:
    made: list[media.Message] = []
    one = link.Link(cast(Any, None), cast(Any, None), lambda _, message: made.append(message))
    one.closed.set()
    work = one._dispatch(data)
    try:
        work.send(None)
    except StopIteration:
        pass
    for task in one._tasks:  # pragma: no cover - a handler that is a function makes none
        task.cancel()


def _of_directories(format: formats.Format) -> Callable[[], list[bytes]]:
    entries: list[tuple[str, dict[str, Any]]] = [
        ("organisation", {"key": "city", "name": "云江市", "kind": "city", "parent": None, "listed": True}),
        ("person", {"key": "p", "name": 'A "b",\nc', "org": "city", "level": 5}),
        ("endpoint", {"key": "e", "owner": "person:p", "kind": "phone", "address": "+8613812341234"}),
    ]
    return lambda: [b"".join(formats.WRITERS[format](entries))]


def _read_token(data: bytes) -> object:
    return tokens.verify(data.decode("latin-1"), KEYS, 1000.0)


def _read_json(data: bytes) -> None:
    messages.parse_request(data.decode("utf-8", "replace"))


def _read_batch(data: bytes) -> None:
    for _ in link.records(data):
        pass


def _read_url(data: bytes) -> None:
    _loose(
        lambda one: parse_url(one.decode("utf-8", "replace"), "rtsp", 554),
        lambda one: parse_entry(one.decode("utf-8", "replace")),
    )(data)


_RED = media.Codec("audio/red", 48_000, 2)
_VIDEO = (sink_feed.VP8, sink_feed.VP9, sink_feed.H264, sink_feed.AV1)
TARGETS = [
    Target("STUN", _read_stun, corpora.of_stun, largest=DATAGRAM),
    Target("RTP", _read_rtp, corpora.of_rtp, largest=DATAGRAM),
    Target("RTCP", rtcp.parse, corpora.of_rtcp, largest=DATAGRAM),
    Target("SCTP", sctp.check, corpora.of_sctp, largest=DATAGRAM),
    Target("SDP", lambda one: sdp.parse(one.decode("utf-8", "replace")), corpora.of_descriptions, text=True),
    Target("trickled SDP", lambda one: sdpfrag.parse(one.decode("utf-8", "replace")), corpora.of_fragments, text=True),
    Target("join request", lambda one: messages.parse_join(base64.urlsafe_b64encode(one).decode()), corpora.of_wrapped_joins),
    Target("join parameter", lambda one: messages.parse_join(one.decode("latin-1")), corpora.of_join_parameters),
    Target("signal request", messages.parse_request, lambda: [one.SerializeToString() for one in corpora.of_requests()]),
    Target("signal request in JSON", _read_json, corpora.of_json_requests, text=True),
    Target("data packet", lambda one: data.stamp(one, "PA_1", "alice", reliable=True), corpora.of_data_packets),
    Target("directory CSV", lambda one: formats.read(one, "csv"), _of_directories("csv"), text=True, declared=(Invalid,)),
    Target("directory JSON", lambda one: formats.read(one, "json"), _of_directories("json"), text=True, declared=(Invalid,)),
    Target("token", _read_token, corpora.of_tokens, text=True, declared=(Unauthenticated,)),
    Target("link frame", _read_frame, corpora.of_frames, declared=(PeerError,)),
    Target("link batch", _read_batch, lambda: [link.RECORD.pack(1, 2, len(one)) + one for one in corpora.of_rtp()]),
    Target("RTSP", _read_rtsp, corpora.of_rtsp, text=True),
    Target("RTSP's SDP", rtsp_sdp.parse, lambda: [corpora.CAMERA], text=True),
    Target("RTSP's challenge", lambda one: rtsp_auth.choose([one.decode("latin-1")]), lambda: corpora.CHALLENGES, text=True),
    Target("SIP", _read_sip, lambda: sip_messages.CORPUS, text=True, largest=sip_message.DATAGRAM_LIMIT),
    Target("SIP on TCP", _read_sip_stream, lambda: [b"".join(sip_messages.CORPUS[:6]), *sip_messages.CORPUS], text=True),
    Target("MANSCDP", _read_manscdp, gb_quirks.corpus, text=True, largest=manscdp.SIZE_LIMIT),
    Target("catalogue of a device", _read_catalogue(), gb_quirks.pages, text=True, largest=manscdp.SIZE_LIMIT),
    Target("SDP of a device", offer.parse, corpora.of_device_descriptions, text=True, largest=offer.LIMIT + 1),
    Target("media of a device over TCP", _device_connection(), corpora.of_device_connections),
    Target("PTZ command", lambda one: ptz.parse(one.decode("latin-1")), lambda: [b"A50F0100000000B5", b"a50f01191f1f808c"]),
    Target("SIP's credentials", _read_credentials, lambda: sip_messages.PROOFS, text=True, largest=sip_message.HEADER_LIMIT),
    Target("address", _read_url, lambda: corpora.ADDRESSES, text=True),
    Target("journal", lambda one: (journal.scan(one), journal.decode(one)), lambda: [journal.encode({"type": "a", "at": 1}) * 3]),
    Target("key frames", _read_key_frames, lambda: [x for codec in _VIDEO for x in _packets(codec)()], largest=DATAGRAM),
    Target("VP8 header", _loose(lambda one: vp8.size(one), vp8.parse), _packets(sink_feed.VP8), largest=DATAGRAM),
    Target("VP9 header", _loose(lambda one: vp9.size(one), vp9.parse), _packets(sink_feed.VP9), largest=DATAGRAM),
    Target("AV1 header", _loose(av1.sequence, av1.aggregation, av1.elements), _packets(sink_feed.AV1), largest=DATAGRAM),
    Target("H.264 units", _loose(h264.parse_sps, h264.parse_pps_ids, h264.slice_start), corpora.of_h264_units, largest=DATAGRAM),
    Target("H.264 payload", lambda one: h264.Recutter().push(one), _packets(sink_feed.H264), largest=DATAGRAM),
    Target("H.265 units", _loose(lambda one: list(h265.aggregated(one)), h265.key_frame, h265.parse_sps), corpora.of_h265_units),
    Target("PES header", lambda one: (pes.program_map(one[6:]), pes.header(one, 0, len(one))), corpora.of_pes, largest=DATAGRAM),
    Target("JPEG", jpeg.size, lambda: [encoded(av.VideoFrame(64, 48, "yuvj420p"))]),
    Target("ADTS", lambda one: (adts.split(one), adts.inside(one), adts.mpeg_audio(one)), lambda: [streams.adts_frame() * 3]),
    Target("camera's streams in RTP", _camera_stream(packets=True), corpora.of_camera_streams),
    Target("camera's streams in octets", _camera_stream(packets=False), corpora.of_camera_streams),
    Target("dependency descriptor", lambda one: dependency.parse(one, None), lambda: corpora.DEPENDENCIES, largest=256),
    Target("camera's picture", _camera(), _packets(sink_feed.H264), largest=DATAGRAM),
    Target("camera's H.264 for a decoder", _assembled("H264"), _packets(sink_feed.H264), largest=DATAGRAM),
    Target("camera's H.265 for a decoder", _assembled("H265"), _packets(sink_feed.H264), largest=DATAGRAM),
    *(Target(f"recorder's {codec.mime}", _recorder(codec), _packets(codec), largest=DATAGRAM) for codec in _VIDEO),
    Target("recorder's audio/red", _recorder(_RED), lambda: [b"\xef\x0a\x00\x05" + b"x" * 5 + b"\x6f" + b"y" * 9]),
]  # fmt: skip
