"""SRTP: RFC 7714's vectors, libsrtp on the other side in both directions, replay."""

from __future__ import annotations

import os
import random

import pylibsrtp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.media.srtp import PROFILES, WINDOW, Inbound, Outbound, Window, session_keys
from commhub.wire import rtcp, rtp

KEY, SALT = bytes(range(16)), b"Quid pro quo"
RTP = bytes.fromhex("8040f17b8041f8d35501a0b2") + b"Gallia est omnis divisa in partes tres"
# RFC 7714 §16.1.1
SRTP = bytes.fromhex(
    "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce"
)
RTCP = bytes.fromhex("81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef")
# RFC 7714 §17.1
SRTCP = bytes.fromhex(
    "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b"
    "c84aa45896cf4d2fc5abf87245d9eade800005d4"
)
LIBSRTP = {
    "SRTP_AEAD_AES_128_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "SRTP_AEAD_AES_256_GCM": pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "SRTP_AES128_CM_SHA1_80": pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}

INDICES = (65534, 65535, 65536, 65537, 90_000, 120_000, 131_071, 131_073)  # over two roll-overs


def libsrtp(profile: str, master: bytes, inbound: bool) -> pylibsrtp.Session:
    kind = pylibsrtp.Policy.SSRC_ANY_INBOUND if inbound else pylibsrtp.Policy.SSRC_ANY_OUTBOUND
    return pylibsrtp.Session(pylibsrtp.Policy(key=master, ssrc_type=kind, srtp_profile=LIBSRTP[profile]))


def test_rtp_vector() -> None:
    assert Outbound.from_session_keys(KEY, SALT).nonce(0x5501A0B2) ^ 0xF17B == 0x51753C6580C2726F20718414
    outbound = Outbound.from_session_keys(KEY, SALT)
    assert outbound.protect(RTP[:12], RTP[12:], 0x5501A0B2, 0xF17B) == SRTP
    inbound = Inbound.from_session_keys(KEY, SALT)
    assert inbound.unprotect(SRTP, 12, 0x5501A0B2, 0xF17B) == RTP[12:]


def test_rtcp_vector() -> None:
    outbound = Outbound.from_session_keys(KEY, SALT)
    outbound._index = 0x5D3
    assert outbound.protect_rtcp(RTCP) == SRTCP
    inbound = Inbound.from_session_keys(KEY, SALT)
    assert inbound.unprotect_rtcp(SRTCP) == RTCP


@pytest.mark.parametrize("profile", list(PROFILES))
def test_libsrtp_reads_what_we_send(profile: str) -> None:
    master = os.urandom(sum(PROFILES[profile]))
    ours, theirs = Outbound(profile, master), libsrtp(profile, master, True)
    for index in INDICES:
        packet = rtp.build(b"payload", ssrc=77, sequence=index, timestamp=1, payload_type=96, values=[(1, b"m"), (4, b"\x80")])
        sealed = ours.protect(packet[:-7], packet[-7:], 77, index)
        assert theirs.unprotect(sealed) == packet
    report = rtcp.build_receiver_report(5, [])
    for _ in range(3):
        assert theirs.unprotect_rtcp(ours.protect_rtcp(report)) == report


@pytest.mark.parametrize("profile", list(PROFILES))
def test_we_read_what_libsrtp_sends(profile: str) -> None:
    master = os.urandom(sum(PROFILES[profile]))
    ours, theirs = Inbound(profile, master), libsrtp(profile, master, False)
    for index in INDICES:
        packet = rtp.build(b"payload", ssrc=77, sequence=index, timestamp=1, payload_type=96, values=[(1, b"m")])
        assert ours.unprotect(theirs.protect(packet), len(packet) - 7, 77, index) == b"payload"
    report = rtcp.build_nack(1, 2, [3])
    sealed = theirs.protect_rtcp(report)
    assert ours.unprotect_rtcp(sealed) == report
    with pytest.raises(ValueError):
        ours.unprotect_rtcp(sealed)  # again


@pytest.mark.parametrize("profile", list(PROFILES))
def test_forgeries_are_refused(profile: str) -> None:
    master = os.urandom(sum(PROFILES[profile]))
    outbound, rng = Outbound(profile, master), random.Random(3)
    good = outbound.protect(RTP[:12], RTP[12:], 0x5501A0B2, 0xF17B)
    report = outbound.protect_rtcp(rtcp.build_receiver_report(5, []))
    for _ in range(200):
        inbound = Inbound(profile, master)
        torn = bytearray(good)
        torn[rng.randrange(12, len(torn))] ^= 1 << rng.randrange(8)
        with pytest.raises(ValueError, match="not authentic"):
            inbound.unprotect(bytes(torn), 12, 0x5501A0B2, 0xF17B)
        torn = bytearray(report)
        torn[rng.randrange(len(torn))] ^= 1 << rng.randrange(8)
        with pytest.raises(ValueError):
            inbound.unprotect_rtcp(bytes(torn))
    for size in range(len(report)):
        with pytest.raises(ValueError):
            Inbound(profile, master).unprotect_rtcp(report[:size])


def test_authenticated_but_not_encrypted_rtcp() -> None:
    """E = 0 (RFC 7714 §9.3): the tag covers the packet and the index word."""
    inbound = Inbound("SRTP_AEAD_AES_128_GCM", bytes(28))
    report = rtcp.build_receiver_report(5, [])
    assert inbound.rtcp is not None
    nonce = ((5 << 48 | 9) ^ inbound.rtcp_salt).to_bytes(12, "big")
    tag = inbound.rtcp.encrypt(nonce, b"", report + b"\0\0\0\x09")
    assert inbound.unprotect_rtcp(report + tag + b"\0\0\0\x09") == report


def test_wrong_keys() -> None:
    with pytest.raises(ValueError, match="not supported"):
        Inbound("SRTP_NULL", b"")
    with pytest.raises(ValueError, match="wrong length"):
        Outbound("SRTP_AEAD_AES_128_GCM", bytes(27))
    assert len(session_keys(16, bytes(28))[1]) == 12


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=300), st.integers(0, 200_000))
def test_window_against_a_set(steps: list[int], start: int) -> None:
    """Every index is taken once and never again, whatever the order; too old ones never."""
    window, seen, highest = Window(), set[int](), -1
    for step in steps:
        index = start + step
        fresh = index not in seen and (highest < 0 or index > highest - WINDOW)
        assert window.fresh(index) == fresh
        if fresh:
            window.accept(index)
            seen.add(index)
            highest = max(highest, index)
            assert window.highest == highest


def test_window_extends_sequence_numbers() -> None:
    window = Window()
    assert window.index(65535) == 65535
    window.accept(65535)
    assert window.index(3) == 65539
    window.accept(65539)
    assert window.index(65530) == 65530
    assert window.index(40000) == 40000
    fresh = Window()
    fresh.accept(5)
    assert fresh.index(65535) == 65535  # before the beginning there is nothing: taken as ahead
