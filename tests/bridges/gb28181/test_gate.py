from __future__ import annotations

from bridges.gb28181.gate import Gate
from commhub.wire import rtcp, rtp

DEVICE, STRANGER = ("10.0.0.9", 15060), ("203.0.113.9", 4444)
AGREED, OTHER = 100_000_132, 77


def packet(ssrc: int = AGREED, sequence: int = 1, payload_type: int = 96) -> bytes:
    return rtp.build(b"x" * 20, ssrc=ssrc, sequence=sequence, timestamp=0, payload_type=payload_type)


def gate() -> Gate:
    return Gate([DEVICE[0]], [AGREED])


def test_the_device_with_the_agreed_ssrc() -> None:
    one = gate()
    assert all(one.admit(packet(sequence=number), DEVICE, 0.0) for number in range(5))
    assert (one.packets, one.ssrc, one.source, one.strangers) == (5, AGREED, DEVICE, 0)


def test_the_device_with_another_ssrc_is_taken() -> None:
    one = gate()
    assert one.admit(packet(OTHER), DEVICE, 0.0)
    assert one.ssrc == OTHER


def test_the_agreed_ssrc_from_elsewhere_is_taken() -> None:
    """A media server beside the device, or a NAT."""
    one = gate()
    assert one.admit(packet(), STRANGER, 0.0)
    assert one.source == STRANGER


def test_another_ssrc_from_elsewhere_is_counted_only() -> None:
    one = gate()
    assert not any(one.admit(packet(OTHER, number), STRANGER, 0.0) for number in range(5))
    assert (one.heard, one.strangers, one.elsewhere) == (False, 5, {STRANGER: 5})
    assert one.admit(packet(), DEVICE, 0.1)


def test_who_came_first_is_held_to() -> None:
    one = gate()
    assert one.admit(packet(), DEVICE, 0.0)
    assert not one.admit(packet(), STRANGER, 0.5)  # with the agreed SSRC, but the device is there
    assert not one.admit(packet(OTHER), DEVICE, 0.5)
    assert one.admit(packet(sequence=2), DEVICE, 0.6)
    assert one.strangers == 2


def test_the_port_may_change_behind_a_nat() -> None:
    one = gate()
    assert one.admit(packet(), DEVICE, 0.0)
    assert one.admit(packet(sequence=2), (DEVICE[0], 999), 0.1)
    assert one.source == (DEVICE[0], 999)


def test_an_encoder_that_restarts_has_its_turn_when_the_first_is_silent() -> None:
    one = gate()
    assert one.admit(packet(), DEVICE, 0.0)
    assert not one.admit(packet(OTHER), DEVICE, 0.9)
    assert one.admit(packet(OTHER), DEVICE, 1.1)
    assert (one.ssrc, one.changes) == (OTHER, 1)


def test_control_first_decides_nothing() -> None:
    one = gate()
    report = rtcp.build_sender_report(rtcp.SenderReport(OTHER, 0, 0, 0, 0, []))
    assert not one.admit(report, DEVICE, 0.0)
    assert (one.control, one.ssrc) == (1, None)
    assert one.admit(packet(), DEVICE, 0.0)
    assert not one.admit(report, DEVICE, 0.0)
    assert one.control == 2


def test_what_is_no_rtp_is_malformed() -> None:
    one = gate()
    for hostile in (b"", b"\x80", bytes(11), bytes(100), b"\x40" * 50, b"\x80\x50" + bytes(40)):
        assert not one.admit(hostile, DEVICE, 0.0)
    assert one.malformed == 6
    assert not one.heard


def test_strangers_do_not_fill_the_memory() -> None:
    one = gate()
    for number in range(1000):
        one.admit(packet(OTHER), (f"203.0.113.{number % 250}", number), 0.0)
    assert one.strangers == 1000
    assert len(one.elsewhere) <= 8


def test_many_are_taken_as_one_by_one() -> None:
    mixed = [
        packet(),
        packet(sequence=2),
        packet(OTHER, 3),
        packet(sequence=4, payload_type=72),
        b"",
        b"short",
        packet(sequence=5),
    ]
    for source in (DEVICE, STRANGER):
        for packets in ([packet(sequence=number) for number in range(9)], mixed):
            one, many = gate(), gate()
            for now in (0.0, 0.1, 5.0):
                expected = [each for each in packets if one.admit(each, source, now)]
                assert many.admit_all(packets, source, now) == expected
                counts = [(each.packets, each.strangers, each.control, each.malformed, each.heard_at) for each in (one, many)]
                assert counts[0] == counts[1]
