from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.addresses import AllowList, is_own, parse_entry, parse_url, plain

LIST = AllowList(
    [
        "10.0.0.0/8:554",
        "10.9.9.9:*",
        "0.0.0.0/0:8000",
        "127.0.0.1:27001",
        "[fd00::/8]:554",
        "[::]/0:8000",
        "[::1]:27002",
        "169.254.1.1:554",
    ]
)


@pytest.mark.parametrize(
    ("address", "port", "permitted"),
    [
        ("10.1.2.3", 554, True),
        ("10.1.2.3", 555, False),
        ("11.1.2.3", 554, False),
        ("10.9.9.9", 1, True),
        ("10.9.9.9", 0, False),
        ("10.9.9.9", 65536, False),
        ("10.9.9.9", -1, False),
        ("8.8.8.8", 8000, True),
        # a wide entry never includes what is not an ordinary address
        ("127.0.0.1", 8000, False),
        ("127.0.0.1", 27001, True),
        ("127.0.0.2", 27001, False),
        ("127.0.0.1", 27002, False),
        ("0.0.0.0", 8000, False),
        ("0.1.2.3", 8000, False),
        ("169.254.0.5", 8000, False),
        ("169.254.1.1", 554, True),
        ("224.0.0.1", 8000, False),
        ("255.255.255.255", 8000, False),
        ("240.0.0.1", 8000, False),
        # IPv6
        ("fd12::1", 554, True),
        ("fd12::1", 555, False),
        ("2001:db9::1", 8000, True),
        ("::1", 8000, False),
        ("::1", 27002, True),
        ("::", 8000, False),
        ("fe80::1", 8000, False),
        ("fe80::1%eth0", 8000, False),
        ("ff02::1", 8000, False),
        ("fec0::1", 8000, False),
        # IPv4 inside of IPv6 is judged as IPv4
        ("::ffff:127.0.0.1", 8000, False),
        ("::ffff:127.0.0.1", 27001, True),
        ("::ffff:10.1.2.3", 554, True),
        ("::ffff:10.1.2.3", 8000, True),
        ("::127.0.0.1", 8000, False),
        ("64:ff9b::7f00:1", 8000, False),
        ("64:ff9b::a01:203", 554, True),
        ("64:ff9b:1::7f00:1", 8000, False),
        ("2002:7f00:1::", 8000, False),
        ("2002:a01:203::1", 554, True),
        # not addresses at all
        ("", 554, False),
        ("camera", 554, False),
        ("10.1.2", 554, False),
        ("0x0a010203", 554, False),
        ("167838211", 554, False),
    ],
)
def test_permits(address: str, port: int, permitted: bool) -> None:
    assert LIST.permits(address, port) is permitted


def test_the_hubs_own_addresses_need_an_exact_entry() -> None:
    assert LIST.permits("10.1.2.3", 554, own=True) is False
    assert LIST.permits("10.9.9.9", 554, own=True) is False
    assert AllowList(["10.1.2.3:554"]).permits("10.1.2.3", 554, own=True) is True
    assert AllowList(["10.1.2.3/32:554"]).permits("10.1.2.3", 554, own=True) is True
    assert AllowList(["10.1.2.3:*"]).permits("10.1.2.3", 554, own=True) is False


def test_an_empty_list_permits_nothing() -> None:
    assert not AllowList([]).permits("10.1.2.3", 554)


def test_is_own() -> None:
    assert is_own(ipaddress.ip_address("127.0.0.1"))
    assert not is_own(ipaddress.ip_address("192.0.2.1"))
    assert not is_own(ipaddress.ip_address("2001:db8::1"))


WRONG_ENTRIES = """10.0.0.0/8 10.0.0.0/8: 10.0.0.0/8:0 10.0.0.0/8:65536 10.0.0.0/33:1 10.0.0.1/8:554 10.0.0:554 *:554 camera:554
    ::1:554 [::1:554 fd00::/8:554 [fd00::/8]/8:554 [fd00::]/129:554 10.0.0.0/8:55x 10.0.0.0/8:-1 010.0.0.1:554"""


@pytest.mark.parametrize("text", ["", *WRONG_ENTRIES.split()])
def test_a_wrong_entry_is_named(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_entry(text)
    assert str(caught.value).startswith(f"“{text}” ")
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("rtsp://10.1.2.3/ch1", "10.1.2.3", 554, "/ch1"),
        ("RTSP://10.1.2.3:8554", "10.1.2.3", 8554, "/"),
        ("rtsp://cam-1.city.example:554/a?b=c", "cam-1.city.example", 554, "/a?b=c"),
        ("rtsp://[fd00::1]:554/x", "fd00::1", 554, "/x"),
        ("rtsp://[::FFFF:127.0.0.1]/x", "::ffff:7f00:1", 554, "/x"),
        ("rtsp://10.1.2.3/user=a@b", "10.1.2.3", 554, "/user=a@b"),
        ("rtsp://10.1.2.3?x", "10.1.2.3", 554, "?x"),
    ],
)
def test_parse_url(url: str, host: str, port: int, path: str) -> None:
    place = parse_url(url, "rtsp", 554)
    assert (place.host, place.port, place.path) == (host, port, path)
    assert path == "/" or path not in place.shown


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "The address does not begin with rtsp://."),
        ("http://10.1.2.3/", "The address does not begin with rtsp://."),
        ("rtsp:/10.1.2.3/", "The address does not begin with rtsp://."),
        ("rtsp://", "The address has no readable host."),
        ("rtsp:///x", "The address has no readable host."),
        ("rtsp://admin:secret@10.1.2.3/", "The address contains a user or a password; they belong into their own fields."),
        ("rtsp://10.1.2.3@127.0.0.1/", "The address contains a user or a password; they belong into their own fields."),
        ("rtsp://10.1.2.3:554\\@127.0.0.1/", "The address contains a space, a backslash or a control character."),
        ("rtsp://10.1.2.3/ HTTP", "The address contains a space, a backslash or a control character."),
        ("rtsp://10.1.2.3/\r\nX: y", "The address contains a space, a backslash or a control character."),
        ("rtsp://10.1.2.3:0/", "The address has a port outside of 1 to 65535."),
        ("rtsp://10.1.2.3:65536/", "The address has a port outside of 1 to 65535."),
        ("rtsp://10.1.2.3:/", "The address has no readable host and port."),
        ("rtsp://10.1.2.3:55:4/", "The address has no readable host and port."),
        ("rtsp://10.1.2.3:+554/", "The address has no readable host and port."),
        ("rtsp://fd00::1/x", "The address has no readable host and port."),
        ("rtsp://[fd00::zz]/x", "The address has no readable IPv6 host."),
        ("rtsp://2130706433/", "The address has a host of digits that is not an IPv4 address in four decimal parts."),
        ("rtsp://0x7f000001/", "The address has a host of digits that is not an IPv4 address in four decimal parts."),
        ("rtsp://0x7f.0.0.1/", "The address has a host of digits that is not an IPv4 address in four decimal parts."),
        ("rtsp://127.1/", "The address has a host of digits that is not an IPv4 address in four decimal parts."),
        ("rtsp://0177.0.0.1/", "The address has a host of digits that is not an IPv4 address in four decimal parts."),
        ("rtsp://256.1.1.1/", "The address has a host of digits that is not an IPv4 address in four decimal parts."),
        ("rtsp://-cam/", "The address has no readable host."),
        ("rtsp://cam..x/", "The address has no readable host."),
        ("rtsp://cäm/", "The address has no readable host."),
        ("rtsp://１２７.0.0.1/", "The address has no readable host."),
        ("rtsp://cam/" + "x" * 2048, "The address is too long."),
    ],
)
def test_parse_url_says_what_is_wrong(url: str, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_url(url, "rtsp", 554)
    assert str(caught.value) == sentence


@given(st.text(max_size=60))
def test_parse_url_of_anything(text: str) -> None:
    for url in (text, "rtsp://" + text):
        try:
            place = parse_url(url, "rtsp", 554)
        except ValueError:
            continue
        assert place.host
        assert 1 <= place.port <= 65535


@given(st.ip_addresses())
def test_plain_is_stable(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    assert plain(plain(address)) == plain(address)
    assert not AllowList(["0.0.0.0/0:*", "[::]/0:*"]).permits("127.9.9.9", 1)
