from __future__ import annotations

import pytest

from commhub.wire import sdp, sdpfrag

#: RFC 9725 §4.3.2, the candidate of the example as a browser writes it.
TRICKLE = """a=group:BUNDLE 0 1\r
m=audio 9 UDP/TLS/RTP/SAVPF 111\r
a=mid:0\r
a=ice-ufrag:EsAw\r
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r
a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id 1\r
a=candidate:2795255774 1 udp 1685987071 203.0.113.141 35993 typ srflx raddr 192.0.2.1 rport 61764\r
a=end-of-candidates\r
"""


def test_candidates_and_credentials() -> None:
    fragment = sdpfrag.parse(TRICKLE)
    assert (fragment.ufrag, fragment.password) == ("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
    assert [(one.host, one.port, one.kind) for one in fragment.candidates] == [
        ("192.0.2.1", 61764, "host"),
        ("203.0.113.141", 35993, "srflx"),
    ]
    assert fragment.end_of_candidates


def test_credentials_alone_at_session_level() -> None:
    fragment = sdpfrag.parse("a=ice-ufrag:abcd\na=ice-pwd:" + "p" * 24 + "\n")
    assert (fragment.ufrag, fragment.candidates) == ("abcd", [])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x" * 20_000, "An ICE fragment has at most 16384 characters."),
        ("nonsense", "A line of an ICE fragment is a letter, =, and a value."),
        ("a=mid:0\r\n", "An ICE fragment has credentials or candidates."),
        ("", "An ICE fragment has credentials or candidates."),
        ("a=ice-ufrag:abcd\r\n", "An ICE fragment has a username fragment and a password, or neither."),
        ("a=ice-ufrag:a\r\n", "An ICE username fragment has 4 to 256 of its characters."),
        ("a=ice-ufrag:abcd\r\na=ice-pwd:short\r\n", "An ICE password has 22 to 256 of its characters."),
        ("a=candidate:1 1 udp\r\n", "A candidate line is not one."),
    ],
)
def test_what_cannot_be_read(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as failed:
        sdpfrag.parse(text)
    assert str(failed.value) == sentence


def test_what_is_built_can_be_read() -> None:
    candidate = sdp.Candidate("u0", 1, "udp", 5, "192.0.2.9", 7882)
    section = sdp.Section("video", "1", formats=["96"], ufrag="ours1234", password="p" * 24)
    section.candidates, section.end_of_candidates = [candidate], True
    stopped = sdp.Section("audio", "0", port=0)
    text = sdpfrag.build(sdp.Description([stopped, section], bundle=["1"], ice_lite=True))
    assert text.startswith("a=ice-lite\r\na=group:BUNDLE 1\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n")
    assert sdpfrag.parse(text) == sdpfrag.Fragment("ours1234", "p" * 24, [candidate], True)


def test_candidates_of_many_interfaces_are_left_out() -> None:
    assert len(sdpfrag.parse("m=audio 9 x 0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * 65).candidates) == 64
