"""Subscriptions of the platform: begun, renewed, changed, refused. Without sockets."""

from __future__ import annotations

from bridges.gb28181 import outs
from commhub.media.messages import (
    Terms,
)
from tests.support.gb_platform import DEVICE, PLATFORM, Camera, Table, there, xml


def subscribed(table: Table) -> list[outs.Post]:
    return [one for one in table.posts("SUBSCRIBE") if b"<CmdType>Catalog<" in one.request.body]


def test_what_is_wanted_may_change_while_it_is_there() -> None:
    table, _ = there()
    table.admit(Terms(DEVICE, "secret", positions=True, guard=True))
    assert [one.request.method for one in table.posts()] == ["SUBSCRIBE", "MESSAGE"]
    assert [one.get("GuardCmd") for one in table.documents("DeviceControl")] == ["SetGuard"]
    table.answer_all()
    table.admit(Terms(DEVICE, "secret", positions=True, guard=True))
    assert len(table.posts()) == 2
    table.admit(Terms(DEVICE, "secret"))
    (ended,) = [one for one in table.posts("SUBSCRIBE") if one.request.headers.get("Expires") == "0"]
    assert b"MobilePosition" in ended.request.body


def test_a_subscription_is_renewed_in_its_dialog() -> None:
    table = Table()
    camera = Camera(table)
    camera.register()
    for _ in range(8):
        table.wait(2)
        table.answer_all()
        for one in table.documents("DeviceInfo"):
            camera.say(xml("Response", "DeviceInfo", "", sn=one.sn))
    (first,) = subscribed(table)
    assert first.request.headers.get("Event").startswith("Catalog;id=")
    assert first.request.headers.get("Expires") == "600"
    assert first.request.headers.get("Contact") == f"<sip:{PLATFORM}@192.0.2.1:5060>"
    for _ in range(9):
        table.wait(55)
        camera.beat()
    _, second = subscribed(table)
    assert second.request.call_id == first.request.call_id
    assert second.request.receiver.tag == "device"
    assert second.request.cseq.number == first.request.cseq.number + 1
    table.answer(second, 481)
    table.wait(0.1)
    third = subscribed(table)[2]
    assert third.request.call_id != first.request.call_id
    assert not third.request.receiver.tag
    table.answer(third)
    camera.say(b"", "NOTIFY", Call_ID=third.request.call_id, Subscription_State="terminated;reason=timeout")


def test_a_device_that_cannot_is_not_asked_every_second() -> None:
    table = Table()
    camera = Camera(table)
    camera.register()
    for _ in range(50):
        table.wait(10)
        camera.beat()
        for one in table.documents("DeviceInfo"):
            camera.say(xml("Response", "DeviceInfo", "", sn=one.sn))
        table.answer_all(200 if not table.posts("SUBSCRIBE") else 489)
    assert len(subscribed(table)) == 1
