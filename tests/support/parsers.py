"""Every parser that meets bytes of somebody else, with inputs to begin from: golden bytes, conversations, encoded clips."""

from __future__ import annotations

import base64
import functools
import itertools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from aiortc import rtcsctptransport
from google.protobuf import json_format
from livekit.protocol import models, rtc

from bridges import rtsp_auth, rtsp_message, rtsp_sdp
from bridges.depacket import Video
from bridges.sip import digest as sip_digest
from bridges.sip import message as sip_message
from bridges.sip import stream as sip_stream
from bridges.sip.fields import Uri
from bridges.timeline import Timeline
from commhub.addresses import parse_entry, parse_url
from commhub.errors import PeerError, Unauthenticated
from commhub.media import data, link
from commhub.media import messages as media
from commhub.wire import (
    adts,
    av1,
    dependency,
    h264,
    h265,
    journal,
    nal,
    pes,
    ps,
    ps_write,
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
from tests.support import recorded, sink_feed, sip_messages, streams
from tests.support.client import Offer
from tests.support.fuzz import LONGEST, SLOWEST
from tests.support.livekit import KEYS

DATAGRAM = 2048
HEADERS = {1: b"a", 2: b"q", 4: b"\x30", 5: b"\x00\x01", 6: b"\x01\x02\x03"}


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


# ---- corpora


def _stun() -> list[bytes]:
    request = functools.partial(stun.binding_request, b"t" * 12, "abcdefgh:them", b"secret")
    return [
        request(controlling=1),
        request(controlling=7, use_candidate=True),
        request(controlled=9),
        stun.binding_success(b"t" * 12, "192.0.2.1", 5000, b"k"),
        stun.binding_success(b"t" * 12, "2001:db8::1", 5000, b"k"),
        stun.error_response(b"t" * 12, 420, "Unknown Attribute", b"k", [1, 2, 3]),
    ]


def _rtp() -> list[bytes]:
    values = list(HEADERS.items())
    found = [
        rtp.build(b"x" * size, ssrc=7, sequence=65535, timestamp=9, payload_type=96, marker=True, values=values)
        for size in (0, 1, 100)
    ]
    two_octets = bytes.fromhex("9060000100000002000000031000000301016102020505030000000000000000")
    padded = b"\xa0\x60\x00\x01" + bytes(8) + b"payload" + b"\x00\x00\x03"
    csrc = b"\x83\x60\x00\x01" + bytes(8) + bytes(12) + b"payload"
    return [*found, two_octets, padded, csrc]


def _rtcp() -> list[bytes]:
    report = rtcp.Report(0x11223344, 64, -3, 0x00010005, 42, 0xAABBCCDD, 65536)
    parts = [
        rtcp.build_sender_report(rtcp.SenderReport(1, 0x83AA7E8040000000, 90000, 5, 600, [report])),
        rtcp.build_receiver_report(9, [report, report]),
        rtcp.build_nack(1, 2, [10, 12, 26, 27, 65535]),
        rtcp.build_pli(1, 2),
        rtcp.build_fir(1, 2, 3),
        rtcp.build_remb(1, 4_160_000, [1, 2]),
        rtcp.build_bye([5, 6]),
        rtcp.build_source_description(1, "name"),
        rtcp.build_transport_feedback(1, 2, 3, [(n, n * 250_000) for n in range(0, 40, 3)])[0],
    ]
    return [*parts, b"".join(parts)]


@functools.cache
def _descriptions() -> list[bytes]:
    found = [entry.sdp.encode() for client in recorded.CLIENTS for entry in recorded.conversation(client) if entry.sdp]
    found.sort(key=len)
    small = [one for one in found if len(one) < 8_000]
    own = Offer().send("audio", "mic").send("video", "cam", ["q", "h", "f"]).receive("video", 3).text()
    return [own.encode(), *small[:: max(1, len(small) // 12)]]


def _fragments() -> list[bytes]:
    description = sdp.parse(_descriptions()[0].decode())
    candidate = "a=candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host\r\na=end-of-candidates\r\n"
    return [sdpfrag.build(description).encode(), b"a=ice-ufrag:abcd\r\na=ice-pwd:" + b"p" * 24 + b"\r\n" + candidate.encode()]


def _joins() -> list[rtc.JoinRequest]:
    offer = rtc.SessionDescription(type="offer", sdp=_descriptions()[0].decode(), id=1)
    client = models.ClientInfo(sdk="JS", version="2.23.0", protocol=17)
    settings = rtc.ConnectionSettings(auto_subscribe=True)
    return [
        rtc.JoinRequest(client_info=client, connection_settings=settings, publisher_offer=offer, metadata="m"),
        rtc.JoinRequest(client_info=client, reconnect=True, participant_sid="PA_x", participant_attributes={"a": "b"}),
    ]


def _join_parameters() -> list[bytes]:
    import gzip

    found = []
    for join in _joins():
        packed = join.SerializeToString()
        for wrapped in (
            rtc.WrappedJoinRequest(join_request=packed),
            rtc.WrappedJoinRequest(join_request=gzip.compress(packed), compression="GZIP"),
        ):
            found.append(base64.urlsafe_b64encode(wrapped.SerializeToString()))
    return found


def _wrapped_joins() -> list[bytes]:
    return [base64.urlsafe_b64decode(one + b"===") for one in _join_parameters()]


@functools.cache
def _requests() -> list[rtc.SignalRequest]:
    tracks = ["TR_1", "TR_2"]
    description = rtc.SessionDescription(type="offer", sdp=_descriptions()[0].decode(), id=3)
    layers = [models.VideoLayer(quality=models.VideoQuality.HIGH, width=size, height=180, bitrate=100_000) for size in (320, 640)]
    add = rtc.AddTrackRequest(cid="c", name="n", type="VIDEO", source="CAMERA", layers=layers)
    permission = rtc.SubscriptionPermission(
        all_participants=False, track_permissions=[rtc.TrackPermission(participant_identity="p", track_sids=tracks)]
    )
    return [
        rtc.SignalRequest(offer=description),
        rtc.SignalRequest(answer=description),
        rtc.SignalRequest(add_track=add),
        rtc.SignalRequest(mute=rtc.MuteTrackRequest(sid="TR_1", muted=True)),
        rtc.SignalRequest(subscription=rtc.UpdateSubscription(track_sids=tracks, subscribe=True)),
        rtc.SignalRequest(track_setting=rtc.UpdateTrackSettings(track_sids=tracks, quality="LOW", width=1, height=2)),
        rtc.SignalRequest(subscription_permission=permission),
        rtc.SignalRequest(update_metadata=rtc.UpdateParticipantMetadata(metadata="m", attributes={"a": "b"})),
        rtc.SignalRequest(trickle=rtc.TrickleRequest(candidateInit='{"candidate":"candidate:1 1 udp 1 1.2.3.4 5 typ host"}')),
        rtc.SignalRequest(ping_req=rtc.Ping(timestamp=1, rtt=2)),
        rtc.SignalRequest(leave=rtc.LeaveRequest()),
        rtc.SignalRequest(sync_state=rtc.SyncState(publish_tracks=[rtc.TrackPublishedResponse(cid="c")], offer=description)),
    ]


def _data_packets() -> list[bytes]:
    packet = models.DataPacket
    stream = models.DataStream
    made = [
        packet(user=models.UserPacket(payload=b"x", topic="t", destination_identities=["a"], destination_sids=["PA_1"])),
        packet(chat_message=models.ChatMessage(id="1", message="hello")),
        packet(rpc_request=models.RpcRequest(id="1", method="m", payload="p"), destination_identities=["a", "b"]),
        packet(stream_header=stream.Header(stream_id="s", topic="lk.chat", text_header=stream.TextHeader())),
        packet(stream_chunk=stream.Chunk(stream_id="s", chunk_index=1, content=b"c" * 100), sequence=7),
        packet(stream_trailer=stream.Trailer(stream_id="s")),
    ]
    return [one.SerializeToString() for one in made]


def _tokens() -> list[bytes]:
    mint = functools.partial(tokens.mint, "own", KEYS, now=1000.0, ttl=600)
    grants: dict[str, Any] = {"roomJoin": True, "room": "r", "canPublishSources": ["camera"]}
    return [mint(identity="alice", name="Alice", grants=grants).encode(), mint(identity="b", grants={}).encode(), b"a.b.c"]


def _sctp() -> list[bytes]:
    data = rtcsctptransport.DataChunk(flags=3, body=struct.pack("!LHHL", 7, 1, 2, 53) + b"message")
    first = rtcsctptransport.InitChunk(body=struct.pack("!LLHHL", 1, 1 << 20, 65535, 65535, 9))
    first.params = [(0xC000, b""), (0x8008, bytes((130, 192)))]
    sack = rtcsctptransport.SackChunk(body=struct.pack("!LLHHHHL", 7, 1 << 20, 1, 1, 2, 3, 5))
    forward = rtcsctptransport.ForwardTsnChunk(body=struct.pack("!LHH", 9, 1, 2))
    reset = rtcsctptransport.ReconfigChunk()
    reset.params = [(13, struct.pack("!LLLHH", 1, 2, 3, 1, 2)), (16, struct.pack("!LL", 1, 1))]
    beat = rtcsctptransport.HeartbeatChunk()
    beat.params = [(1, b"info")]
    head = struct.pack("!HHLL", 5000, 5000, 1, 0)
    chunks = [bytes(one) for one in (data, sack, forward, reset, beat, rtcsctptransport.CookieEchoChunk(body=b"c" * 24))]
    return [head + bytes(first), *(head + one for one in chunks), head + b"".join(chunks)]


def _rtsp() -> list[bytes]:
    unauthorized = b"RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\nWWW-Authenticate: " + _CHALLENGES[0] + b"\r\n\r\n"
    described = b"RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%b" % (len(_CAMERA), _CAMERA)
    packets = b"".join(b"$\x00" + len(packet).to_bytes(2, "big") + packet for packet in _rtp())
    return [unauthorized, described, packets, b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" + packets]


_CAMERA = (
    b"v=0\r\no=- 1 1 IN IP4 x.y.z.w\r\ns=Media\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n"
    b"a=control:trackID=1\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 profile-level-id=42801F; packetization-mode=1; "
    b"sprop-parameter-sets=Z0IAH5WoFAFuQA==,aM48gA==\r\nm=audio 0 RTP/AVP 8\r\na=control:trackID=2\r\na=rtpmap:8 PCMA/8000/1\r\n"
)
_CHALLENGES = [
    b'Digest realm="a, b", nonce="c", opaque="d", algorithm=SHA-256, qop="auth,auth-int", stale=true',
    b"Digest realm=x,nonce=y",
    b'Basic realm="a"',
]


def _payloads(codec: media.Codec) -> Callable[[], list[bytes]]:
    def made() -> list[bytes]:
        return [payload for _, payloads in sink_feed.video(codec).frames[:6] for payload in payloads][:24]

    return made


def _h264_units() -> list[bytes]:
    found = []
    for payload in _payloads(sink_feed.H264)():
        if payload[0] & 31 == 24:
            found += [bytes(unit) for unit in h264.aggregated(payload)]
    return [base64.b64decode("Z0IAH5WoFAFuQA=="), base64.b64decode("aM48gA=="), *found]


def _h265_units() -> list[bytes]:
    units = [unit for one in streams.h265_pictures()[:2] for unit in h264.split_annex_b(one)]
    return [*units, *h265.packets(units)]


def _pes() -> list[bytes]:
    times = streams.pes(0xE0, b"x" * 20, 90_000), streams.pes(0xC0, b"y" * 20)
    mpeg1 = bytes.fromhex("000001e00010ffff6020310007d8611100051615")
    return [*times, mpeg1, ps_write.program_map([(0xE0, "h264"), (0xC0, "aac")]), ps_write.packets(0xE0, b"z" * 20, 7, 5)[0]]


_DEPENDENCIES = [
    bytes.fromhex(text)
    for text in (
        "80000180003a408002064ed18c34bf0186004a80f9fe08",
        "c00001800214eaa860414d141020842701df010d",
        "000002",
        "410003",
        "8200ff",
    )
]


def _frames() -> list[bytes]:
    body = [
        media.OpenRoom("r"),
        media.AddPeer("r", "PA_1", "alice"),
        media.Offer("r", "PA_1", "v=0", 1),
        media.Hello("hub", "hub", 1),
    ]
    return [link._encoder.encode((number, link.REQUEST, one)) for number, one in enumerate(cast(list[Any], body), 1)]


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


def _camera_streams() -> list[bytes]:
    """A picture, with sound or without, in each way in which it travels."""
    found = []
    for codec, video in (("h264", streams.h264_pictures()), ("h265", streams.h265_pictures())):
        for sound, heard in (("pcma", streams.SILENCE), ("aac", streams.adts_frame())):
            muxer = ps_write.Muxer(codec, sound)
            found += [muxer.video(one, at * 3600, key=at % 6 == 0, audio=heard) for at, one in enumerate(video[:4])]
    found += [streams.pack(streams.pes(0xE0, streams.h264_pictures()[0], 0, length=0)), *streams.transport()[:4]]
    found += streams.h264_pictures()[:2] + h265.packets(h264.split_annex_b(streams.h265_pictures()[0]))
    return found


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


def _json_requests() -> list[bytes]:
    return [json_format.MessageToJson(one).encode() for one in _requests()]


_ADDRESSES = [b"rtsp://cam:554/a?b", b"rtsp://[::1]:8554/x", b"10.0.0.0/8:554", b"[fd00::/8]:*"]
_RED = media.Codec("audio/red", 48_000, 2)
_VIDEO = (sink_feed.VP8, sink_feed.VP9, sink_feed.H264, sink_feed.AV1)
TARGETS = [
    Target("STUN", _read_stun, _stun, largest=DATAGRAM),
    Target("RTP", _read_rtp, _rtp, largest=DATAGRAM),
    Target("RTCP", rtcp.parse, _rtcp, largest=DATAGRAM),
    Target("SCTP", sctp.check, _sctp, largest=DATAGRAM),
    Target("SDP", lambda one: sdp.parse(one.decode("utf-8", "replace")), _descriptions, text=True),
    Target("trickled SDP", lambda one: sdpfrag.parse(one.decode("utf-8", "replace")), _fragments, text=True),
    Target("join request", lambda one: messages.parse_join(base64.urlsafe_b64encode(one).decode()), _wrapped_joins),
    Target("join parameter", lambda one: messages.parse_join(one.decode("latin-1")), _join_parameters),
    Target("signal request", messages.parse_request, lambda: [one.SerializeToString() for one in _requests()]),
    Target("signal request in JSON", _read_json, _json_requests, text=True),
    Target("data packet", lambda one: data.stamp(one, "PA_1", "alice", reliable=True), _data_packets),
    Target(
        "token", lambda one: tokens.verify(one.decode("latin-1"), KEYS, 1000.0), _tokens, text=True, declared=(Unauthenticated,)
    ),
    Target("link frame", _read_frame, _frames, declared=(PeerError,)),
    Target("link batch", _read_batch, lambda: [link.RECORD.pack(1, 2, len(one)) + one for one in _rtp()]),
    Target("RTSP", _read_rtsp, _rtsp, text=True),
    Target("RTSP's SDP", rtsp_sdp.parse, lambda: [_CAMERA], text=True),
    Target("RTSP's challenge", lambda one: rtsp_auth.choose([one.decode("latin-1")]), lambda: _CHALLENGES, text=True),
    Target("SIP", _read_sip, lambda: sip_messages.CORPUS, text=True, largest=sip_message.DATAGRAM_LIMIT),
    Target("SIP on TCP", _read_sip_stream, lambda: [b"".join(sip_messages.CORPUS[:6]), *sip_messages.CORPUS], text=True),
    Target("SIP's credentials", _read_credentials, lambda: sip_messages.PROOFS, text=True, largest=sip_message.HEADER_LIMIT),
    Target("address", _read_url, lambda: _ADDRESSES, text=True),
    Target("journal", lambda one: (journal.scan(one), journal.decode(one)), lambda: [journal.encode({"type": "a", "at": 1}) * 3]),
    Target("key frames", _read_key_frames, lambda: [one for codec in _VIDEO for one in _payloads(codec)()], largest=DATAGRAM),
    Target("VP8 header", _loose(lambda one: vp8.size(one), vp8.parse), _payloads(sink_feed.VP8), largest=DATAGRAM),
    Target("VP9 header", _loose(lambda one: vp9.size(one), vp9.parse), _payloads(sink_feed.VP9), largest=DATAGRAM),
    Target("AV1 header", _loose(av1.sequence, av1.aggregation, av1.elements), _payloads(sink_feed.AV1), largest=DATAGRAM),
    Target("H.264 units", _loose(h264.parse_sps, h264.parse_pps_ids, h264.slice_start), _h264_units, largest=DATAGRAM),
    Target("H.264 payload", lambda one: h264.Recutter().push(one), _payloads(sink_feed.H264), largest=DATAGRAM),
    Target("H.265 units", _loose(lambda one: list(h265.aggregated(one)), h265.key_frame, h265.parse_sps), _h265_units),
    Target("PES header", lambda one: (pes.program_map(one[6:]), pes.header(one, 0, len(one))), _pes, largest=DATAGRAM),
    Target("ADTS", lambda one: (adts.split(one), adts.inside(one), adts.mpeg_audio(one)), lambda: [streams.adts_frame() * 3]),
    Target("camera's streams in RTP", _camera_stream(packets=True), _camera_streams),
    Target("camera's streams in octets", _camera_stream(packets=False), _camera_streams),
    Target("dependency descriptor", lambda one: dependency.parse(one, None), lambda: _DEPENDENCIES, largest=256),
    Target("camera's picture", _camera(), _payloads(sink_feed.H264), largest=DATAGRAM),
    *(Target(f"recorder's {codec.mime}", _recorder(codec), _payloads(codec), largest=DATAGRAM) for codec in _VIDEO),
    Target("recorder's audio/red", _recorder(_RED), lambda: [b"\xef\x0a\x00\x05" + b"x" * 5 + b"\x6f" + b"y" * 9]),
]  # fmt: skip
