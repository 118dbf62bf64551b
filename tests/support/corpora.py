"""What fuzzed parsers begin from: golden bytes, conversations, encoded clips."""

from __future__ import annotations

import base64
import functools
import struct
from collections.abc import Callable
from typing import Any, cast

from aiortc import rtcsctptransport
from google.protobuf import json_format
from livekit.protocol import models, rtc

from bridges.gb28181 import offer
from commhub.media import link
from commhub.media import messages as media
from commhub.wire import (
    h264,
    h265,
    ps_write,
    rtcp,
    rtp,
    sdp,
    sdpfrag,
    stun,
)
from signaling import tokens
from tests.support import recorded, sink_feed, streams
from tests.support.client import Offer
from tests.support.livekit import KEYS

HEADERS = {1: b"a", 2: b"q", 4: b"\x30", 5: b"\x00\x01", 6: b"\x01\x02\x03"}


def of_stun() -> list[bytes]:
    request = functools.partial(stun.binding_request, b"t" * 12, "abcdefgh:them", b"secret")
    return [
        request(controlling=1),
        request(controlling=7, use_candidate=True),
        request(controlled=9),
        stun.binding_success(b"t" * 12, "192.0.2.1", 5000, b"k"),
        stun.binding_success(b"t" * 12, "2001:db8::1", 5000, b"k"),
        stun.error_response(b"t" * 12, 420, "Unknown Attribute", b"k", [1, 2, 3]),
    ]


def of_rtp() -> list[bytes]:
    values = list(HEADERS.items())
    found = [
        rtp.build(b"x" * size, ssrc=7, sequence=65535, timestamp=9, payload_type=96, marker=True, values=values)
        for size in (0, 1, 100)
    ]
    two_octets = bytes.fromhex("9060000100000002000000031000000301016102020505030000000000000000")
    padded = b"\xa0\x60\x00\x01" + bytes(8) + b"payload" + b"\x00\x00\x03"
    csrc = b"\x83\x60\x00\x01" + bytes(8) + bytes(12) + b"payload"
    return [*found, two_octets, padded, csrc]


def of_rtcp() -> list[bytes]:
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


def of_descriptions() -> list[bytes]:
    found = [entry.sdp.encode() for client in recorded.CLIENTS for entry in recorded.conversation(client) if entry.sdp]
    found.sort(key=len)
    small = [one for one in found if len(one) < 8_000]
    own = Offer().send("audio", "mic").send("video", "cam", ["q", "h", "f"]).receive("video", 3).text()
    return [own.encode(), *small[:: max(1, len(small) // 12)]]


def of_fragments() -> list[bytes]:
    description = sdp.parse(of_descriptions()[0].decode())
    candidate = "a=candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host\r\na=end-of-candidates\r\n"
    return [sdpfrag.build(description).encode(), b"a=ice-ufrag:abcd\r\na=ice-pwd:" + b"p" * 24 + b"\r\n" + candidate.encode()]


def of_joins() -> list[rtc.JoinRequest]:
    offer = rtc.SessionDescription(type="offer", sdp=of_descriptions()[0].decode(), id=1)
    client = models.ClientInfo(sdk="JS", version="2.23.0", protocol=17)
    settings = rtc.ConnectionSettings(auto_subscribe=True)
    return [
        rtc.JoinRequest(client_info=client, connection_settings=settings, publisher_offer=offer, metadata="m"),
        rtc.JoinRequest(client_info=client, reconnect=True, participant_sid="PA_x", participant_attributes={"a": "b"}),
    ]


def of_join_parameters() -> list[bytes]:
    import gzip

    found = []
    for join in of_joins():
        packed = join.SerializeToString()
        for wrapped in (
            rtc.WrappedJoinRequest(join_request=packed),
            rtc.WrappedJoinRequest(join_request=gzip.compress(packed), compression="GZIP"),
        ):
            found.append(base64.urlsafe_b64encode(wrapped.SerializeToString()))
    return found


def of_wrapped_joins() -> list[bytes]:
    return [base64.urlsafe_b64decode(one + b"===") for one in of_join_parameters()]


def of_requests() -> list[rtc.SignalRequest]:
    tracks = ["TR_1", "TR_2"]
    description = rtc.SessionDescription(type="offer", sdp=of_descriptions()[0].decode(), id=3)
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


def of_data_packets() -> list[bytes]:
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


def of_tokens() -> list[bytes]:
    mint = functools.partial(tokens.mint, "own", KEYS, now=1000.0, ttl=600)
    grants: dict[str, Any] = {"roomJoin": True, "room": "r", "canPublishSources": ["camera"]}
    return [mint(identity="alice", name="Alice", grants=grants).encode(), mint(identity="b", grants={}).encode(), b"a.b.c"]


def of_sctp() -> list[bytes]:
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


def of_rtsp() -> list[bytes]:
    unauthorized = b"RTSP/1.0 401 Unauthorized\r\nCSeq: 2\r\nWWW-Authenticate: " + CHALLENGES[0] + b"\r\n\r\n"
    described = b"RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%b" % (len(CAMERA), CAMERA)
    packets = b"".join(b"$\x00" + len(packet).to_bytes(2, "big") + packet for packet in of_rtp())
    return [unauthorized, described, packets, b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" + packets]


def of_device_descriptions() -> list[bytes]:
    """Of GB/T 28181: answers, and what devices make of them."""
    answer = (
        b"v=0\r\no=34020000001320000001 0 0 IN IP4 192.168.1.64\r\ns=Play\r\nc=IN IP4 192.168.1.64\r\nt=0 0\r\n"
        b"m=video 15060 TCP/RTP/AVP 96\r\na=sendonly\r\na=rtpmap:96 PS/90000\r\na=setup:active\r\na=connection:new\r\n"
        b"a=filesize:4096\r\ny=0100000132\r\nf=v/2/6/25/1/4096a/1/8/1\r\n"
    )
    voice = b"v=0\nc=IN IP6 fd00::1\nm=audio 8 RTP/AVP 8 0\na=rtpmap:8 PCMA/8000/1\na=recvonly\ny=0x0BEBC201\n"
    own = offer.Offer("34020000002000000001", "10.0.0.5", 30218, 105_000_001, offer.PASSIVE, layer="sub").text()
    return [answer, answer.replace(b"\r\n", b"\n").replace(b"y=0100000132", b"y="), voice, own]


def of_device_connections() -> list[bytes]:
    """RTP in each framing that devices have."""
    sent = [
        rtp.build(b"\0\0\1\xba" + bytes(60), ssrc=7, sequence=number, timestamp=number * 3600, payload_type=96)
        for number in range(4)
    ]
    framed = b"".join(struct.pack("!H", len(one)) + one for one in sent)
    interleaved = b"".join(b"$\0" + struct.pack("!H", len(one)) + one for one in sent)
    control = bytes.fromhex("80c80006") + bytes(24)
    return [framed, interleaved, b"\1\0\1" + bytes(253) + interleaved, b"".join(sent), b"\0\0\1\xba" + bytes(90),
            struct.pack("!H", len(control)) + control + framed]  # fmt: skip


CAMERA = (
    b"v=0\r\no=- 1 1 IN IP4 x.y.z.w\r\ns=Media\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\nm=video 0 RTP/AVP 96\r\n"
    b"a=control:trackID=1\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 profile-level-id=42801F; packetization-mode=1; "
    b"sprop-parameter-sets=Z0IAH5WoFAFuQA==,aM48gA==\r\nm=audio 0 RTP/AVP 8\r\na=control:trackID=2\r\na=rtpmap:8 PCMA/8000/1\r\n"
)

CHALLENGES = [
    b'Digest realm="a, b", nonce="c", opaque="d", algorithm=SHA-256, qop="auth,auth-int", stale=true',
    b"Digest realm=x,nonce=y",
    b'Basic realm="a"',
]


def of_payloads(codec: media.Codec) -> Callable[[], list[bytes]]:
    def made() -> list[bytes]:
        return [payload for _, payloads in sink_feed.video(codec).frames[:6] for payload in payloads][:24]

    return made


def of_h264_units() -> list[bytes]:
    found = []
    for payload in of_payloads(sink_feed.H264)():
        if payload[0] & 31 == 24:
            found += [bytes(unit) for unit in h264.aggregated(payload)]
    return [base64.b64decode("Z0IAH5WoFAFuQA=="), base64.b64decode("aM48gA=="), *found]


def of_h265_units() -> list[bytes]:
    units = [unit for one in streams.h265_pictures()[:2] for unit in h264.split_annex_b(one)]
    return [*units, *h265.packets(units)]


def of_pes() -> list[bytes]:
    times = streams.pes(0xE0, b"x" * 20, 90_000), streams.pes(0xC0, b"y" * 20)
    mpeg1 = bytes.fromhex("000001e00010ffff6020310007d8611100051615")
    return [*times, mpeg1, ps_write.program_map([(0xE0, "h264"), (0xC0, "aac")]), ps_write.packets(0xE0, b"z" * 20, 7, 5)[0]]


DEPENDENCIES = [
    bytes.fromhex(text)
    for text in (
        "80000180003a408002064ed18c34bf0186004a80f9fe08",
        "c00001800214eaa860414d141020842701df010d",
        "000002",
        "410003",
        "8200ff",
    )
]


def of_frames() -> list[bytes]:
    body = [
        media.OpenRoom("r"),
        media.AddPeer("r", "PA_1", "alice"),
        media.Offer("r", "PA_1", "v=0", 1),
        media.Hello("hub", "hub", 1),
    ]
    return [link._encoder.encode((number, link.REQUEST, one)) for number, one in enumerate(cast(list[Any], body), 1)]


def of_camera_streams() -> list[bytes]:
    """A picture, with sound or without, in each way in which it travels."""
    found = []
    for codec, video in (("h264", streams.h264_pictures()), ("h265", streams.h265_pictures())):
        for sound, heard in (("pcma", streams.SILENCE), ("aac", streams.adts_frame())):
            muxer = ps_write.Muxer(codec, sound)
            found += [muxer.video(one, at * 3600, key=at % 6 == 0, audio=heard) for at, one in enumerate(video[:4])]
    found += [streams.pack(streams.pes(0xE0, streams.h264_pictures()[0], 0, length=0)), *streams.transport()[:4]]
    found += streams.h264_pictures()[:2] + h265.packets(h264.split_annex_b(streams.h265_pictures()[0]))
    return found


def of_json_requests() -> list[bytes]:
    return [json_format.MessageToJson(one).encode() for one in of_requests()]


ADDRESSES = [b"rtsp://cam:554/a?b", b"rtsp://[::1]:8554/x", b"10.0.0.0/8:554", b"[fd00::/8]:*"]
