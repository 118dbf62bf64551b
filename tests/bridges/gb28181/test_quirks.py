"""What devices do wrong, as octets, and what is understood of it."""

from __future__ import annotations

import pytest

from bridges.gb28181 import manscdp, xml
from bridges.gb28181.catalogue import channel
from commhub.media.messages import AskDevice, CataloguePart, DeviceAnswer
from tests.support.gb_platform import DEVICE, DOMAIN, PLATFORM, Camera, Table, item, page
from tests.support.gb_platform import xml as document
from tests.support.gb_quirks import DOCUMENTS, ENTRIES, RUNS


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document(name: str) -> None:
    case = DOCUMENTS[name]
    found = manscdp.parse(case.body)
    for key, value in case.said.items():
        said = getattr(found, key) if key in ("root", "command", "sn", "device") else found.get(key)
        assert said == value, key


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry(name: str) -> None:
    case = ENTRIES[name]
    found = channel(xml.parse(case.xml), us=PLATFORM)
    if case.has is None:
        assert found is None
        return
    assert found is not None
    for key, value in case.has.items():
        assert getattr(found, key) == value, key


@pytest.mark.parametrize("name", RUNS)
def test_a_catalogue(name: str) -> None:
    case = RUNS[name]
    table = Table()
    device = Camera(table)
    device.welcomed()
    table.wait(30)
    table.answer_all()
    table.forget()
    table.take(table.platform.ask(AskDevice(DEVICE, "", "catalogue"), 1, table.now))
    (query,) = table.documents("Catalog")
    table.answer_all()
    for body in case.pages:
        if body is None:
            table.wait(6)
        else:
            device.say(body.replace(b"<SN>1<", b"<SN>%d<" % query.sn))
    table.wait(6)
    parts = table.told(CataloguePart)
    first = [one for one in parts if one.run == parts[0].run]
    names = [one.channel for part in first for one in part.channels]
    assert len(names) == len(set(names)) == case.found
    assert [one.last for one in first] == [False] * (len(first) - 1) + [True]
    assert first[-1].complete == case.complete
    assert len({one.run for one in parts}) == case.runs
    assert not any(one.complete for one in parts if one.run != first[0].run)


def test_a_run_that_lost_a_page_is_asked_once_more() -> None:
    table = Table()
    device = Camera(table)
    device.welcomed()
    table.take(table.platform.ask(AskDevice(DEVICE, "", "catalogue"), 1, table.now))
    for _ in range(3):
        table.answer_all()
        device.beat()
        for query in table.documents("Catalog")[-1:]:
            device.say(page(item("34020000001320000001", str(query.sn)), 2, sn=query.sn))
        table.wait(25)
    assert len(table.documents("Catalog")) == 2


def test_the_same_channel_under_two_devices_stays_two() -> None:
    """WVP #1118."""
    from commhub.media.messages import Terms

    other = "34020000001110000002"
    table = Table(Terms(DEVICE, "secret"), Terms(other, "secret"))
    for code in (DEVICE, other):
        device = Camera(table, code)
        assert device.register().status == 200
        device.say(page(item("34020000001320000001", code), 1, device=code))
    table.wait(6)
    found = {(part.device, one.channel, one.name) for part in table.told(CataloguePart) for one in part.channels}
    assert found == {(code, "34020000001320000001", code) for code in (DEVICE, other)}


# ---- on the wire


def _message(
    uri: str = f"sip:{PLATFORM}@{DOMAIN}",
    kind: str = "Application/MANSCDP+xml",
    length: str | None = "",
    **more: str,
) -> bytes:
    body = document("Notify", "Keepalive", "<Status>OK</Status>")
    head = {
        "Via": "SIP/2.0/UDP 192.0.2.64:5060;rport;branch=z9hG4bK1",
        "From": f"<sip:{DEVICE}@{DOMAIN}>;tag=1",
        "To": f"<sip:{PLATFORM}@{DOMAIN}>",
        "Call-ID": "1",
        "CSeq": "1 MESSAGE",
        "Content-Type": kind,
        "Content-Length": "" if length is None else length or str(len(body)),
    } | more
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items() if value)
    return f"MESSAGE {uri} SIP/2.0\r\n{lines}\r\n".encode() + body


WIRE: dict[str, bytes] = {
    "our public address (WVP #2104)": _message("sip:34020000002000000001@203.0.113.9:5060"),
    "the domain as user (gb28181-rs)": _message(f"sip:{DOMAIN}@{DOMAIN}"),
    "no user at all": _message(f"sip:{DOMAIN}"),
    "another platform's code": _message("sip:34020000002000000077@10.0.0.1"),
    "a domain of digits and a name": _message(f"sip:{PLATFORM}@{DOMAIN}.spvmn.cn"),
    "From with an address": _message(From=f"<sip:{DEVICE}@10.1.2.3:5060;transport=udp>;tag=1"),
    "From without angles": _message(From=f"sip:{DEVICE}@{DOMAIN};tag=1"),
    "From with a name": _message(From=f'"NVR 1" <sip:{DEVICE}@{DOMAIN}>;tag=1'),
    "content type in small letters": _message(kind="application/manscdp+xml"),
    "content type with a charset": _message(kind="Application/MANSCDP+xml;charset=gb2312"),
    "no content type": _message(kind=""),
    "a length that is too small (Q3)": _message(length="20"),
    "a length that is too great": _message(length="9999"),
    "no length": _message(length=None),
    "compact names": _message()
    .replace(b"From:", b"f:")
    .replace(b"To:", b"t:")
    .replace(b"Via:", b"v:")
    .replace(b"Call-ID:", b"i:"),
    "line feeds only": _message().replace(b"\r\n", b"\n"),
    "no branch": _message(Via="SIP/2.0/UDP 192.0.2.64:5060;rport"),
    "CSeq without a blank": _message(CSeq="1MESSAGE"),
    "no tag": _message(From=f"<sip:{DEVICE}@{DOMAIN}>"),
    "line ends before it": b"\r\n\r\n" + _message(),
}


@pytest.mark.parametrize("name", WIRE)
def test_a_heartbeat_on_the_wire(name: str) -> None:
    table = Table()
    device = Camera(table)
    device.register()
    table.wait(100)
    assert table.receive(WIRE[name]).status == 200
    assert table.platform.counts["notify keepalive"] == 1
    table.wait(100)
    found = table.platform.device(DEVICE)
    assert found is not None
    assert found.online


def test_a_message_signed_with_a_channel_is_its_devices() -> None:
    table = Table()
    device = Camera(table)
    device.register()
    wire = _message(From=f"<sip:34020000001320000001@{DOMAIN}>;tag=1")
    assert table.receive(wire).status == 200
    assert table.platform.counts["notify keepalive"] == 1


ANSWERS = {"its SN": None, "SN 0": 0, "an SN of its own": 4711}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_found(name: str) -> None:
    table = Table()
    device = Camera(table)
    device.welcomed()
    table.take(table.platform.ask(AskDevice(DEVICE, "", "status"), 9, table.now))
    (asked,) = table.documents("DeviceStatus")
    number = ANSWERS[name]
    said = asked.sn if number is None else number
    device.say(document("Response", "DeviceStatus", "<Result>OK</Result><Online>ONLINE</Online>", sn=said))
    (found,) = [one for one in table.settled() if isinstance(one, DeviceAnswer)]
    assert found.items[0]["Online"] == "ONLINE"


def test_of_two_open_questions_an_unknown_sn_answers_none() -> None:
    table = Table()
    device = Camera(table)
    device.welcomed()
    for number in (1, 2):
        table.take(table.platform.ask(AskDevice(DEVICE, "", "status"), number, table.now))
    device.say(document("Response", "DeviceStatus", "<Online>ONLINE</Online>", sn=0))
    assert not table.settled()
    table.wait(9)
    assert table.refused() == ["no_answer", "no_answer"]


def test_there_are_enough() -> None:
    assert len(DOCUMENTS) + len(ENTRIES) + len(RUNS) + len(WIRE) + len(ANSWERS) >= 60
