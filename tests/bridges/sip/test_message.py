"""The codec: what GB/T 28181 devices do to SIP, the limits, and that what is sent is what the standard says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.sip import message as codec
from bridges.sip.fields import TOKEN
from bridges.sip.message import Headers, Message, Request, Response, demand, parse, serialize
from tests.support.fuzz import hammer
from tests.support.sip_messages import (
    CATALOGUE,
    CATALOGUE_XML,
    CHANNEL,
    CORPUS,
    DEVICE,
    DEVICES,
    INVITED,
    INVITED_SDP,
    KEEPALIVE,
    KEEPALIVE_XML,
    MESSAGE_HEAD,
    PLATFORM,
    REGISTER,
    TERSE,
    crlf,
    with_body,
)


@pytest.mark.parametrize("name", DEVICES)
def test_what_devices_send_is_understood_and_goes_on_unharmed(name: str) -> None:
    message = parse(DEVICES[name])
    demand(message)
    assert parse(serialize(message)) == message


def test_a_registration() -> None:
    message = parse(REGISTER)
    assert isinstance(message, Request)
    assert (message.method, message.uri) == ("REGISTER", f"sip:{PLATFORM}@3402000000")
    assert (message.sender.user, message.sender.tag) == (DEVICE, "2043466181")
    assert (message.via.host, message.via.port, message.via.parameters["rport"]) == ("192.168.1.64", 5060, None)
    assert message.contacts[0].uri == f"sip:{DEVICE}@192.168.1.64:5060"
    assert (message.expires, message.headers.get("x-gb-VER")) == (3600, "3.0")
    assert serialize(message) == REGISTER


def test_names_are_compact_or_odd_lines_end_in_a_bare_feed_and_a_number_touches_its_method() -> None:
    message = parse(TERSE)
    demand(message)
    assert message.cseq.number == 20
    assert message.receiver.user == ""
    assert message.content_type == "application/manscdp+xml"
    assert message.body == KEEPALIVE_XML


def test_an_answer_of_a_device() -> None:
    message = parse(INVITED)
    assert isinstance(message, Response)
    assert (message.status, message.final, message.content_type) == (200, True, "application/sdp")
    assert (message.receiver.user, message.cseq.method, message.body) == (CHANNEL, "INVITE", INVITED_SDP)


@pytest.mark.parametrize("length", ["", "Content-Length: 5\r\n", "Content-Length: 9999\r\n", "Content-Length: 0\r\n", "l: x\r\n"])
def test_a_wrong_length_in_a_datagram_cuts_no_document(length: str) -> None:
    data = crlf(MESSAGE_HEAD) + length.encode() + b"\r\n" + CATALOGUE_XML
    assert parse(data).body == CATALOGUE_XML


def test_what_follows_the_length_is_not_the_body() -> None:
    assert parse(KEEPALIVE + b"garbage \0 and more").body == KEEPALIVE_XML
    assert parse(with_body(MESSAGE_HEAD, b"") + b"INVITE sip:x SIP/2.0").body == b""


def test_nuls_behind_a_body_without_length_are_padding() -> None:
    assert parse(crlf(MESSAGE_HEAD) + b"\r\n" + KEEPALIVE_XML + bytes(20)).body == KEEPALIVE_XML


def test_line_ends_and_nuls_before_a_message_are_passed_over() -> None:
    assert parse(b"\r\n\r\n\0\0" + REGISTER) == parse(REGISTER)


@pytest.mark.parametrize(("data", "is_one"), [(b"\r\n\r\n", True), (b"\0\0\0\0", True), (b"", True), (REGISTER, False)])
def test_keepalives_of_nothing(data: bytes, is_one: bool) -> None:
    assert codec.blank(data) is is_one


def test_octets_of_any_charset_come_through() -> None:
    name = "东口㐀".encode("gb18030")
    data = CATALOGUE.replace(b"Max-Forwards", b"Subject: " + name + b"\r\nMax-Forwards")
    message = parse(data)
    assert message.headers.get("Subject").encode("utf-8", "surrogateescape") == name
    assert b"Subject: " + name + b"\r\n" in serialize(message)
    assert message.body == CATALOGUE_XML


def test_what_is_no_header_is_passed_over() -> None:
    broken = REGISTER.replace(b"Expires", b"no colon here\r\n: nothing\r\nbad name: x\r\n \xff folded\r\n\xff\xfe: y\r\nExpires")
    assert parse(broken) == parse(REGISTER)


def test_a_bare_carriage_return_cannot_smuggle_a_header() -> None:
    message = parse(REGISTER.replace(b"IP Camera", b"IP\rEvil: 1"))
    assert message.headers.get("User-Agent") == "IP Evil: 1"
    assert b"\r\nEvil" not in serialize(message)


def test_a_head_without_its_empty_line() -> None:
    assert parse(REGISTER.rstrip(b"\r\n")) == parse(REGISTER)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (bytes(65_536), "A SIP datagram is longer than 64 KiB."),
        (b"OPTIONS sip:a SIP/2.0\r\n" + b"a: b\r\n" * 129 + b"\r\n", "A SIP message has more than 128 headers."),
        (b"OPTIONS sip:a SIP/2.0\r\nSubject: " + b"x" * 9000 + b"\r\n\r\n", "A SIP header is longer than 8 KiB."),
        (b"OPTIONS sip:a SIP/2.0\r\nS: x\r\n" + b" y\r\n" * 5000 + b"\r\n", "A SIP header is longer than 8 KiB."),
        (b"OPTIONS sip:a SIP/2.0\r\n" + b"x" * 40_000, "A SIP head is longer than 32 KiB."),
        (b"OPTIONS sip:" + b"a" * 9000 + b" SIP/2.0\r\n\r\n", "A SIP first line is longer than 8 KiB."),
        (b"GET / HTTP/1.1\r\n\r\n", "A SIP message has no readable first line."),
        (b"\x80\x60\x00\x01rtp", "A SIP message has no readable first line."),
        (b"SIP/2.0 099 Early\r\n\r\n", "A SIP response has a status that is none."),
        (b"OPTIONS sip:a\x00b SIP/2.0\r\n\r\n", "A SIP request has no readable first line."),
        (b"OPTIONS sip:a SIP/1.0\r\n\r\n", "A message speaks another version than SIP 2.0."),
    ],
)
def test_wrong_input_has_its_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(data)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("missing", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_nothing_that_an_answer_needs_may_be_missing(missing: str) -> None:
    message = parse(REGISTER)
    message.headers.set(missing)
    with pytest.raises(ValueError, match=rf"^A SIP message has no {missing}\.$"):
        demand(message)


@pytest.mark.parametrize(
    "message",
    [
        Request("OPTIONS", "sip:a b"),
        Request("OPT IONS", "sip:a"),
        Request("OPTIONS", "sip:a\r\nEvil: 1"),
        Request("OPTIONS", ""),
        Request("OPTIONS", "sip:a", headers=Headers([("Subject", "x\r\nEvil: 1")])),
        Request("OPTIONS", "sip:a", headers=Headers([("Sub ject", "x")])),
        Request("OPTIONS", "sip:a", headers=Headers([("Subject", "\ud800")])),
        Response(99, "Early"),
        Response(200, "OK\nEvil: 1"),
    ],
)
def test_what_may_not_be_sent_is_not_sent(message: Message) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        serialize(message)


def test_a_reply_repeats_what_it_must() -> None:
    request = parse(REGISTER)
    assert isinstance(request, Request)
    reply = request.reply(401, tag="ours")
    assert [name for name, _ in reply.headers] == ["Via", "From", "Call-ID", "CSeq", "To"]
    assert (reply.reason, reply.receiver.tag, reply.sender.tag) == ("Unauthorized", "ours", "2043466181")
    request.headers.set("To", request.receiver.tagged("theirs"))
    assert request.reply(200, tag="ours").receiver.tag == "theirs"


def test_headers_are_many_and_have_an_order() -> None:
    headers = Headers([("v", "one"), ("From", "x"), ("VIA", 'two, "a,b" <sip:c,d>')])
    assert headers.values("via") == ["one", "two", '"a,b" <sip:c,d>']
    headers.set("Via", "new")
    headers.first("Via", "top")
    assert list(headers) == [("Via", "top"), ("Via", "new"), ("From", "x")]
    assert "sip" not in repr(headers)


@pytest.mark.parametrize(
    ("head", "seconds"),
    [
        ("Expires: 60\n", 60),
        ("Contact: <sip:a@b>;expires=30\n", 30),
        ("Expires: soon\nContact: <sip:a@b>;expires=30\n", 30),
        ("Expires: 99999999999\n", (1 << 32) - 1),
        ("", None),
    ],
)
def test_expiry_stands_here_or_there(head: str, seconds: int | None) -> None:
    assert parse(crlf(f"REGISTER sip:a SIP/2.0\n{head}\n")).expires == seconds


_TOKENS = st.from_regex(TOKEN, fullmatch=True).filter(lambda one: len(one) <= 40 and one.lower() not in ("content-length", "l"))
_TEXTS = st.binary(max_size=60).map(
    lambda one: one.translate(None, b"\r\n").decode("utf-8", "surrogateescape").strip(" \t\0").replace("\r", "")
)
_HEADERS = st.lists(st.tuples(_TOKENS, _TEXTS), max_size=20).map(Headers)
_URIS = st.from_regex(r"sips?:[!-;=?-~]{1,40}", fullmatch=True)
_MESSAGES = st.one_of(
    st.builds(Request, _TOKENS, _URIS, headers=_HEADERS, body=st.binary(max_size=200)),
    st.builds(Response, st.integers(100, 699), _TEXTS, headers=_HEADERS, body=st.binary(max_size=200)),
)


@given(_MESSAGES)
def test_what_is_written_is_read(message: Message) -> None:
    assert parse(serialize(message)) == message


def test_what_is_read_can_be_written_and_is_the_same() -> None:
    """Whatever a mutated message was taken for, its octets on the next hop mean the same."""

    def there_and_back(data: bytes) -> None:
        message = parse(data)
        assert parse(serialize(message)) == message

    assert hammer(there_and_back, CORPUS, 1_000, 5, text=True, largest=codec.DATAGRAM_LIMIT).inputs == 1_000
