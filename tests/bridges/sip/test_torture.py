"""RFC 4475: what can mean only one thing is understood, what cannot is refused with a sentence."""

from __future__ import annotations

import pytest

from bridges.sip.message import Request, Response, demand, parse, serialize
from tests.support.sip_messages import INTMETH, REFUSED, UNDERSTOOD, WSINV


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_is_understood_and_goes_on_unharmed(name: str) -> None:
    message = parse(UNDERSTOOD[name])
    demand(message)
    again = parse(serialize(message))
    assert again == message
    assert serialize(again) == serialize(message)


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(name: str) -> None:
    data, sentence = REFUSED[name]
    with pytest.raises(ValueError) as caught:
        demand(parse(data))
    assert str(caught.value) == sentence


def test_the_short_tortuous_invite() -> None:
    message = parse(WSINV)
    assert isinstance(message, Request)
    assert (message.method, message.uri) == ("INVITE", "sip:vivekg@chair-dnrc.example.com;unknownparam")
    assert message.receiver.tag == "1918181833n"
    assert message.receiver.uri == "sip:vivekg@chair-dnrc.example.com"
    assert (message.sender.display, message.sender.tag) == ('J Rosenberg \\"', "98asjd8")
    assert (message.cseq.number, message.cseq.method) == (9, "INVITE")
    assert [(via.transport, via.host, via.branch) for via in message.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert message.headers.get("Subject", "none") == ""
    assert message.headers.get("newfangledheader") == "newfangled value continued newfangled value"
    assert message.headers.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    contact = message.contacts[0]
    assert (contact.display, contact.uri) == ('Quoted string ""', "sip:jdrosen@example.com")
    assert contact.parameters == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
    assert message.body.startswith(b"v=0\r\no=mhandley")


def test_the_wide_range_of_valid_characters() -> None:
    message = parse(INTMETH)
    assert isinstance(message, Request)
    assert message.receiver.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.sender.uri == "sip:mundane@example.com"
    assert message.sender.tag == "_token~1'+`*%!-."
    assert message.sender.parameters["fromparam''~+*_!.-%"] == "работающий"
    assert message.via.branch == "z9hG4bK-.!%66*_+`'~"
    assert message.headers.get("extensionheader-!.%*+_`'~") == "\ufeff大停電"


def test_a_reason_may_be_missing_or_in_any_language() -> None:
    one, other = parse(UNDERSTOOD["3.1.1.12 unreason"]), parse(UNDERSTOOD["3.1.1.13 noreason"])
    assert isinstance(one, Response)
    assert isinstance(other, Response)
    assert one.reason == "= 2**3 * 5**2 но сто девяносто девять - простое"
    assert (other.status, other.reason) == (100, "")


def test_of_two_requests_in_one_datagram_the_first_counts() -> None:
    message = parse(UNDERSTOOD["3.1.1.8 dblreq"])
    assert isinstance(message, Request)
    assert (message.method, message.body) == ("REGISTER", b"")


def test_an_escaped_method_is_not_the_method() -> None:
    message = parse(UNDERSTOOD["3.1.1.5 esc02"])
    assert isinstance(message, Request)
    assert message.method == "RE%47IST%45R"
