"""Dialogs: what both sides keep, the requests inside, and those that do not belong."""

from __future__ import annotations

import pytest

from bridges.sip.dialog import Dialog, Dialogs, State
from bridges.sip.message import Headers, Request, Response, demand, parse, serialize
from tests.support.sip_messages import CHANNEL, PLATFORM


def invite(*routes: str) -> Request:
    headers = Headers([("Via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1")])
    for route in routes:
        headers.add("Record-Route", route)
    headers.add("From", f"<sip:{PLATFORM}@3402000000>;tag=ours")
    headers.add("To", f"<sip:{CHANNEL}@192.168.1.64:5060>")
    headers.add("Call-ID", "c1")
    headers.add("CSeq", "7 INVITE")
    headers.add("Contact", f"<sip:{PLATFORM}@10.0.0.1:5060>")
    return Request("INVITE", f"sip:{CHANNEL}@192.168.1.64:5060", headers=headers)


def accepted(request: Request, status: int = 200, *, contact: str = f"<sip:{CHANNEL}@192.168.1.64:5060>") -> Response:
    response = request.reply(status, tag="theirs")
    if contact:
        response.headers.add("Contact", contact)
    return response


def both(*routes: str) -> tuple[Dialog, Dialog]:
    """The caller's and the callee's."""
    request = invite(*routes)
    response = accepted(request)
    return Dialog.called(request, response), Dialog.calling(request, response)


def crossing(request: Request) -> Request:
    """As it arrives."""
    request.headers.first("Via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK2")
    arrived = parse(serialize(request))
    demand(arrived)
    assert isinstance(arrived, Request)
    return arrived


def test_both_sides_agree() -> None:
    caller, callee = both()
    assert {caller.state, callee.state} == {State.CONFIRMED}
    assert caller.key == ("c1", "ours", "theirs")
    assert callee.key == ("c1", "theirs", "ours")
    info = crossing(caller.request("INFO", body=b"PLAY RTSP/1.0\r\n", content_type="Application/MANSRTSP"))
    assert (info.uri, str(info.cseq), info.receiver.tag) == (f"sip:{CHANNEL}@192.168.1.64:5060", "8 INFO", "theirs")
    assert callee.receive(info) is None
    notify = crossing(callee.request("MESSAGE"))
    assert (notify.uri, str(notify.cseq)) == (f"sip:{PLATFORM}@10.0.0.1:5060", "1 MESSAGE")
    assert caller.receive(notify) is None


def test_the_ack_has_the_invites_number() -> None:
    caller, _ = both()
    ack = caller.ack(accepted(invite()))
    assert (ack.method, str(ack.cseq), ack.receiver.tag) == ("ACK", "7 ACK", "theirs")
    assert caller.local_number == 7


def test_a_response_without_contact_keeps_the_address_that_was_asked() -> None:
    request = invite()
    assert Dialog.called(request, accepted(request, contact="")).target == request.uri


@pytest.mark.parametrize("contact", ["*", "<>", "<sip:a@b:99999>", "nonsense<"])
def test_a_contact_that_is_none_is_not_taken(contact: str) -> None:
    request = invite()
    assert Dialog.called(request, accepted(request, contact=contact)).target == request.uri


def test_routes_are_each_others_backwards() -> None:
    caller, callee = both("<sip:p2;lr>", "<sip:p1;lr>")
    assert caller.request("BYE").headers.values("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert callee.request("BYE").headers.values("Route") == ["<sip:p2;lr>", "<sip:p1;lr>"]


def test_a_strict_router_is_served_as_it_wants() -> None:
    caller, _ = both("<sip:old>")
    request = caller.request("INFO")
    assert (request.uri, request.headers.values("Route")) == ("sip:old", [f"<sip:{CHANNEL}@192.168.1.64:5060>"])


def test_early_becomes_confirmed_with_the_final_answer() -> None:
    request = invite()
    caller = Dialog.called(request, accepted(request, 183))
    callee = Dialog.calling(request, accepted(request, 183))
    assert {caller.state, callee.state} == {State.EARLY}
    caller.answered(accepted(request, contact="<sip:moved@10.9.9.9>"))
    callee.responded(accepted(request))
    assert {caller.state, callee.state} == {State.CONFIRMED}
    assert caller.target == "sip:moved@10.9.9.9"


def test_a_refusal_ends_an_early_dialog() -> None:
    request = invite()
    caller = Dialog.called(request, accepted(request, 180))
    caller.answered(accepted(request, 486))
    assert caller.state is State.ENDED


def test_numbers_only_grow() -> None:
    caller, callee = both()
    first, second = crossing(caller.request("INFO")), crossing(caller.request("INFO"))
    assert callee.receive(second) is None
    refused = callee.receive(first)
    assert refused is not None
    assert (refused.status, refused.reason) == (500, "CSeq Out Of Order")


def test_bye_ends_both() -> None:
    caller, callee = both()
    assert callee.receive(crossing(caller.bye())) is None
    assert caller.state is callee.state is State.ENDED
    with pytest.raises(ValueError, match=r"^The dialog is over\.$"):
        caller.request("INFO")
    late = callee.receive(invite())
    assert late is not None
    assert late.status == 481


def test_two_invites_at_once() -> None:
    caller, callee = both()
    ours, theirs = crossing(caller.request("INVITE")), crossing(callee.request("INVITE"))
    for side, request in ((caller, theirs), (callee, ours)):
        refused = side.receive(request)
        assert refused is not None
        assert refused.status == 491
        with pytest.raises(ValueError, match=r"^An INVITE of this dialog is still open\.$"):
            side.request("INVITE")
    caller.answered(ours.reply(491))
    assert caller.state is State.CONFIRMED
    assert 2.1 <= caller.glare_seconds(0.0) < caller.glare_seconds(1.0) <= 4.0
    assert 0.0 <= callee.glare_seconds(0.0) < callee.glare_seconds(1.0) <= 2.0
    caller.request("INVITE")


def test_a_second_invite_before_the_first_is_answered() -> None:
    caller, callee = both()
    first = crossing(caller.request("INVITE", contact="<sip:new@10.0.0.9>"))
    caller.inviting = False
    assert callee.receive(first) is None
    assert callee.target == "sip:new@10.0.0.9"
    refused = callee.receive(crossing(caller.request("INVITE")))
    assert refused is not None
    assert (refused.status, refused.headers.get("Retry-After")) == (500, "5")
    callee.responded(first.reply(200))
    caller.inviting = False
    assert callee.receive(crossing(caller.request("INVITE"))) is None


def test_the_other_side_knows_nothing_of_it() -> None:
    caller, _ = both()
    caller.answered(crossing(caller.request("SUBSCRIBE")).reply(481))
    assert caller.state is State.ENDED


def test_requests_find_their_dialog() -> None:
    caller, callee = both()
    dialogs = Dialogs()
    dialogs.add(callee, 0.0)
    info = crossing(caller.request("INFO"))
    assert dialogs.receive(info, 1.0) == (callee, None)
    assert dialogs.find(accepted(info)) is None  # a response to a request of ours would have our tag as From
    assert dialogs.find(crossing(callee.request("INFO")).reply(200)) is callee
    assert dialogs.receive(crossing(caller.bye()), 2.0) == (callee, None)
    assert len(dialogs) == 0


@pytest.mark.parametrize(("to", "found"), [("", True), (";tag=theirs", True), (";tag=wrong", False)])
def test_a_device_may_forget_a_tag_but_not_invent_one(to: str, found: bool) -> None:
    caller, callee = both()
    dialogs = Dialogs()
    dialogs.add(callee, 0.0)
    bye = crossing(caller.request("BYE"))
    bye.headers.set("To", f"<sip:{CHANNEL}@x>{to}")
    dialog, refused = dialogs.receive(bye, 1.0)
    assert dialog is (callee if found else None)
    assert (refused.status if refused else None) == (None if found else 481)


def test_what_claims_no_dialog_is_let_through() -> None:
    assert Dialogs().receive(invite(), 0.0) == (None, None)


def test_dialogs_get_stale_and_are_bounded() -> None:
    caller, callee = both()
    dialogs = Dialogs(idle=60, limit=1)
    dialogs.add(callee, 0.0)
    dialogs.receive(crossing(caller.request("INFO")), 30.0)
    assert dialogs.stale(89.0) == []
    assert dialogs.stale(90.0) == [callee]
    with pytest.raises(ValueError, match=r"^There are too many dialogs at once\.$"):
        dialogs.add(caller, 0.0)
    dialogs.remove(callee)
    dialogs.remove(callee)
    dialogs.add(caller, 0.0)
