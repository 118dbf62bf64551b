"""RTCP: golden bytes, aiortc on the other side, round trips, hostile bytes."""

from __future__ import annotations

import random
import struct

import aiortc.rtp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.wire import rtcp

REPORT = rtcp.Report(0x11223344, 64, -3, 0x00010005, 42, 0xAABBCCDD, 65536)


def test_sender_report_golden() -> None:
    data = rtcp.build_sender_report(rtcp.SenderReport(1, 0x83AA7E8040000000, 90000, 5, 600, [REPORT]))
    assert data.hex() == (
        "81c8000c" + "00000001" + "83aa7e8040000000" + "00015f90" + "00000005" + "00000258" + "11223344" + "40fffffd" + "00010005"
        "0000002a" + "aabbccdd" + "00010000"
    )
    assert rtcp.parse(data) == [rtcp.SenderReport(1, 0x83AA7E8040000000, 90000, 5, 600, [REPORT])]


def test_nack_golden() -> None:
    data = rtcp.build_nack(1, 2, [10, 12, 26, 27, 65535])
    assert data.hex() == "81cd0005" + "00000001" + "00000002" + "000a8002" + "001b0000" + "ffff0000"
    assert rtcp.parse(data) == [rtcp.Nack(2, [10, 12, 26, 27, 65535])]
    assert rtcp.parse(rtcp.build_nack(1, 2, [65534, 1])) == [rtcp.Nack(2, [65534, 1])]  # over the wrap in one entry


def test_remb_golden() -> None:
    """Sixteen times 260,000: the mantissa has 18 bits."""
    data = rtcp.build_remb(1, 4_160_000, [0x11111111, 0x22222222])
    assert data.hex() == "8fce0006" + "00000001" + "00000000" + "52454d42" + "0213" + "f7a0" + "11111111" + "22222222"
    assert rtcp.parse(data) == [rtcp.Remb(4_160_000, [0x11111111, 0x22222222])]
    theirs = aiortc.rtp.RtcpPacket.parse(data)[0]
    assert isinstance(theirs, aiortc.rtp.RtcpPsfbPacket)
    assert aiortc.rtp.unpack_remb_fci(theirs.fci) == (4_160_000, [0x11111111, 0x22222222])


def test_key_frame_requests_and_bye() -> None:
    compound = (
        rtcp.build_pli(1, 77) + rtcp.build_fir(1, 78, 300) + rtcp.build_bye([5, 6]) + rtcp.build_source_description(1, "name")
    )
    assert rtcp.parse(compound) == [rtcp.KeyFrameRequest(77), rtcp.KeyFrameRequest(78), rtcp.Bye([5, 6])]
    theirs = aiortc.rtp.RtcpPacket.parse(rtcp.build_receiver_report(9, [REPORT]) + compound[: 12 + 20])
    assert [type(packet).__name__ for packet in theirs] == ["RtcpRrPacket", "RtcpPsfbPacket", "RtcpPsfbPacket"]


def test_source_description_is_readable() -> None:
    for name in ("a", "ab", "abc", "abcd", "会商"):
        packet = aiortc.rtp.RtcpPacket.parse(rtcp.build_source_description(7, name))[0]
        assert isinstance(packet, aiortc.rtp.RtcpSdesPacket)
        assert packet.chunks[0].ssrc == 7
        assert packet.chunks[0].items == [(1, name.encode())]


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=60, unique=True))
def test_nack_round_trip(lost: list[int]) -> None:
    lost.sort()
    assert rtcp.parse(rtcp.build_nack(1, 2, lost)) == [rtcp.Nack(2, lost)]


def test_transport_feedback_golden() -> None:
    """Received, missing, received a tick later, a large gap in time."""
    data, taken = rtcp.build_transport_feedback(1, 2, 3, [(100, 64_000), (102, 64_250), (103, 264_250)])
    assert taken == 3
    assert (
        data.hex()
        == "afcd0006" + "00000001" + "00000002" + "0064" + "0004" + "000001" + "03" + "d180" + "00" + "01" + "0320" + "0002"
    )
    assert rtcp.parse(data) == [rtcp.TransportFeedback(3, [(100, 64_000), (101, None), (102, 64_250), (103, 264_250)])]


def test_transport_feedback_of_random_loss() -> None:
    rng = random.Random(11)
    for _ in range(50):
        sequence, at, packets = rng.randrange(65536), 10**15 % (1 << 40), []
        for _ in range(rng.randrange(1, 300)):
            sequence += 1 if rng.random() < 0.9 else rng.randrange(1, 40)
            at += int(rng.expovariate(1 / 4000))
            packets.append((sequence, at))
        data, taken = rtcp.build_transport_feedback(1, 2, 255, packets)
        assert taken == len(packets)
        assert len(data) % 4 == 0
        feedback = rtcp.parse(data)[0]
        assert isinstance(feedback, rtcp.TransportFeedback)
        back = [(number, when) for number, when in feedback.packets if when is not None]
        assert [number for number, _ in back] == [number & 0xFFFF for number, _ in packets]
        clock = feedback.packets[0][1]
        assert clock is not None
        assert all(abs((when - clock) - (at - packets[0][1])) <= 250 for (_, when), (_, at) in zip(back, packets, strict=True))


def test_transport_feedback_stops_where_one_packet_cannot_say_it() -> None:
    assert rtcp.build_transport_feedback(1, 2, 0, [(1, 0), (1000, 10)])[1] == 1  # too many missing
    assert rtcp.build_transport_feedback(1, 2, 0, [(1, 0), (2, 9_000_000)])[1] == 1  # too long a pause


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\x80\xc9\0", "An RTCP packet has 8 to 1500 octets."),
        (b"\x40\xc9\0\x01" + bytes(4), "The RTCP version is not 2."),
        (b"\x80\xc9\0\x02" + bytes(4), "An RTCP packet ends behind the datagram."),
        (b"\x80\xc9\0\x01" + bytes(4) + b"\x80\xc9", "An RTCP packet ends behind the datagram."),
        (b"\x81\xc9\0\x01" + bytes(4), "An RTCP receiver report is too short."),
        (b"\x80\xc8\0\x01" + bytes(4), "An RTCP sender report is too short."),
        (b"\x82\xcb\0\x01" + bytes(4), "An RTCP BYE is too short."),
        (b"\x81\xce\0\x01" + bytes(4), "An RTCP feedback packet is too short."),
        (b"\xa0\xc9\0\x01" + bytes(3) + b"\x05", "The RTCP padding is longer than the packet."),
        (b"\x8f\xce\0\x04" + bytes(8) + b"REMB\x02\0\0\0", "An RTCP REMB is too short."),
        (b"\x8f\xcd\0\x02" + bytes(8), "An RTCP transport feedback is too short."),
        (b"\x8f\xcd\0\x05" + bytes(8) + b"\0\x01\0\x20\0\0\0\0\0\0\0\0", "An RTCP transport feedback has an empty run."),
        (b"\x8f\xcd\0\x05" + bytes(8) + b"\0\x01\0\x20\0\0\0\0\x20\x01\0\0", "An RTCP transport feedback has an empty run."),
        (
            b"\x8f\xcd\0\x05" + bytes(8) + b"\0\x01\0\x20\0\0\0\0\x20\x20\0\0",
            "An RTCP transport feedback ends before its packets.",
        ),
    ],
)
def test_wrong_input_has_its_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        rtcp.parse(data)
    assert str(caught.value) == sentence


def _survives(data: bytes) -> None:
    try:
        packets = rtcp.parse(data)
    except ValueError:
        return
    assert isinstance(packets, list)


@given(st.integers(0, 31), st.sampled_from([200, 201, 202, 203, 204, 205, 206, 207]), st.binary(min_size=4, max_size=120))
def test_any_body(count: int, kind: int, body: bytes) -> None:
    body = body[: len(body) & ~3]
    _survives(bytes((0x80 | count, kind)) + (len(body) // 4).to_bytes(2, "big") + body)


@given(st.binary(max_size=100))
def test_any_bytes(data: bytes) -> None:
    _survives(data)


def test_a_datagram_about_millions_of_packets_is_refused_soon() -> None:
    """Runs of "not received": each of these took 10 ms, and a datagram holds 37 of them."""
    runs = struct.pack("!HHI", 0, 65_535, 0) + struct.pack("!H", 0x1FFF) * 9
    one = rtcp._feedback_packet(205, 15, 1, 2, runs + bytes(-len(runs) % 4))
    few = rtcp.build_transport_feedback(1, 2, 3, [(number, number * 1000) for number in range(300)])[0]
    assert len(rtcp.parse(few + few)) == 2
    with pytest.raises(ValueError, match=r"^An RTCP transport feedback is about too many packets\.$"):
        rtcp.parse(one)
    small = struct.pack("!HHI", 0, 5_000, 0) + struct.pack("!H", 0x1FFF)
    with pytest.raises(ValueError, match=r"^An RTCP transport feedback is about too many packets\.$"):
        rtcp.parse(rtcp._feedback_packet(205, 15, 1, 2, small + bytes(2)) * 2)
