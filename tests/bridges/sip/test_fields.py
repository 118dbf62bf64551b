from __future__ import annotations

import pytest

from bridges.sip.fields import Address, CSeq, Uri, Via, parameters, received, split


@pytest.mark.parametrize(
    ("text", "user", "host", "port"),
    [
        ("sip:34020000001320000001@3402000000", "34020000001320000001", "3402000000", None),
        ("sip:3402000000", "", "3402000000", None),
        ("sip:34020000002000000001@192.168.1.1:15060;transport=tcp", "34020000002000000001", "192.168.1.1", 15060),
        ("34020000002000000001@192.168.1.1", "34020000002000000001", "192.168.1.1", None),
        ("192.168.1.1:5060", "", "192.168.1.1", 5060),
        ("cam:5060", "", "cam", 5060),
        ("sip:@3402000000.spvmn.cn", "", "3402000000.spvmn.cn", None),
        ("<sip:a@[2001:db8::9]:5070>", "a", "2001:db8::9", 5070),
        ("sip:a@2001:db8::9", "a", "2001:db8::9", None),
        ("SIP:a:secret@h?Subject=x", "a", "h", None),
        ("sip:user;par=u%40example.net@example.com", "user;par=u%40example.net", "example.com", None),
        ("tel:+861012345;phone-context=cn", "+861012345", "", None),
    ],
)
def test_uris(text: str, user: str, host: str, port: int | None) -> None:
    uri = Uri.parse(text)
    assert (uri.user, uri.host, uri.port) == (user, host, port)
    assert Uri.parse(str(uri)) == uri
    assert "secret" not in str(uri)


@pytest.mark.parametrize("text", ["", "sip:", "sip:a@", "sip:a@b@c", "sip:a@h:99999", "sip:a@h:x", "sip:a@h h"])
def test_uris_without_a_meaning(text: str) -> None:
    with pytest.raises(ValueError, match=r"^A SIP URI has .*\.$"):
        Uri.parse(text)


@pytest.mark.parametrize(
    ("text", "uri", "display", "tag"),
    [
        ('"A \\"B\\", C" <sip:a@b;x=y>;tag=1', "sip:a@b;x=y", 'A "B", C', "1"),
        ("sip:a@b;tag=1", "sip:a@b", "", "1"),
        ("东口 <sip:a@b>", "sip:a@b", "东口", ""),
        ("<sip:a@b;tag=1", "sip:a@b", "", "1"),
        ("<sip:a@b> ; TAG = 1", "sip:a@b", "", "1"),
        ("*", "*", "", ""),
    ],
)
def test_addresses(text: str, uri: str, display: str, tag: str) -> None:
    address = Address.parse(text)
    assert (address.uri, address.display, address.tag) == (uri, display, tag)
    assert Address.parse(str(address)) == address


def test_an_address_without_uri() -> None:
    with pytest.raises(ValueError, match=r"^A SIP address has no URI\.$"):
        Address.parse('"name" <>')


@pytest.mark.parametrize(
    ("text", "transport", "host", "port", "unique"),
    [
        ("SIP/2.0/UDP 192.168.1.64:5060;rport;branch=z9hG4bK1", "UDP", "192.168.1.64", 5060, True),
        ("SIP / 2.0 / tcp  cam : 5060 ; branch = 1", "TCP", "cam", 5060, False),
        ("sip/2.0/UDP [::1];branch=Z9HG4BKx", "UDP", "::1", None, True),
        ("SIP/2.0/UDP h;branch=z9hG4bK", "UDP", "h", None, False),
        ("SIP/2.0/UDP h", "UDP", "h", None, False),
    ],
)
def test_vias(text: str, transport: str, host: str, port: int | None, unique: bool) -> None:
    via = Via.parse(text)
    assert (via.transport, via.host, via.port, via.unique) == (transport, host, port, unique)
    assert Via.parse(str(via)) == via


@pytest.mark.parametrize(
    "via", ["SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1", "SIP/2.0/UDP 10.0.0.1;received=6.6.6.6 ;rport=1;branch=z9hG4bK1"]
)
def test_a_via_says_where_it_really_came_from(via: str) -> None:
    assert received(via, "192.0.2.1", 4000) == "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=192.0.2.1;rport=4000".replace(
        " ;branch", ";branch"
    )


@pytest.mark.parametrize("text", ["20 MESSAGE", "20MESSAGE", " 0020\tMESSAGE "])
def test_cseqs(text: str) -> None:
    assert CSeq.parse(text) == CSeq(20, "MESSAGE")


def test_lists_and_parameters() -> None:
    assert split('a, "b,c", <d,e>,, f', ",") == ["a", '"b,c"', "<d,e>", "f"]
    assert split('"open, and, never closed', ",") == ['"open, and, never closed']
    assert parameters(';A=1;b;c="x;\\"y";a=2') == {"a": "1", "b": None, "c": 'x;"y'}
