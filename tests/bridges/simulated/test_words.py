"""What simulated devices write is what the query wanted, or the fault that was asked for."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from bridges.simulated import answers, model, offer, xml
from bridges.simulated.device import cameras
from bridges.simulated.quirks import QUIRKS

DEVICE = "11010500001180000001"


def facts(*quirks: str, version: str = "3.0", channels: int = 3) -> answers.Facts:
    entries = {entry.code: entry for entry in cameras("110105", channels, parent=DEVICE, movable=1)}
    return answers.Facts(
        DEVICE, "录像机", entries, {}, frozenset(quirks), version, "udp", 0, 60.0, 3600, "11010500002000000001"
    )  # fmt: skip


def catalogue(*quirks: str, version: str = "3.0", channels: int = 3) -> list[bytes]:
    query = f"<Query><CmdType>Catalog</CmdType><SN>7</SN><DeviceID>{DEVICE}</DeviceID></Query>"
    return list(answers.bodies(facts(*quirks, version=version, channels=channels), "Catalog", query, 1_700_000_000.0))


def test_a_page_of_a_catalogue() -> None:
    first = catalogue()[0]
    assert first.startswith(b'<?xml version="1.0" encoding="GB18030"?>\r\n<Response>\r\n<CmdType>Catalog</CmdType>\r\n<SN>7</SN>')
    root = ET.fromstring(first.decode("gb18030").partition("?>")[2])
    assert root.findtext("SumNum") == "3"
    assert [item.findtext("DeviceID") for item in root.iter("Item")] == ["11010500001310000001", "11010500001320000002"]
    assert next(root.iter("Item")).findtext("Info/PTZType") == "1"


def test_items_of_2016_and_2022_differ() -> None:
    assert b"<StreamNumberList>" in catalogue()[0]
    assert b"<Owner>" not in catalogue()[0]
    assert b"<Owner>" in catalogue(version="2.0")[0]
    assert b'encoding="GB2312"' in catalogue(version="2.0")[0]


@pytest.mark.parametrize(
    ("quirk", "wrong"),
    [
        ("attributes", rb'<Response CmdType="Catalog" SN="7">'),
        ("gb2312-lies", rb'encoding="GB2312"'),
        ("gbk-lies", rb'encoding="UTF-8"'),
        ("no-declaration", rb"\A<Response>"),
        ("bare-ampersand", rb" A&B</Name>"),
        ("nul-end", rb"\0\0\Z"),
        ("double-close", rb"</Response>\r\n</Response>"),
        ("sn-zero", rb"<SN>0</SN>"),
        ("wrong-total", rb"<SumNum>6</SumNum>"),
        ("small-total", rb"<SumNum>2</SumNum>"),
        ("lists-itself", rb"<DeviceID>11010500001180000001</DeviceID>\r\n<Name>"),
    ],
)
def test_faulty_words(quirk: str, wrong: bytes) -> None:
    assert re.search(wrong, catalogue(quirk)[0])
    assert not re.search(wrong, catalogue()[0])


@pytest.mark.parametrize(
    ("quirk", "items"),
    [("", [2, 2, 1]), ("one-item", [1] * 5), ("empty-page", [2, 2, 1, 0]), ("lost-page", [2, 1]), ("repeated-items", [2] * 5),
     ("no-catalogue", [])],
)  # fmt: skip
def test_pages(quirk: str, items: list[int]) -> None:
    assert [page.count(b"<Item>") for page in catalogue(*filter(None, [quirk]), channels=5)] == items


def test_every_quirk_is_in_use() -> None:
    from pathlib import Path

    import bridges.simulated

    folder = Path(bridges.simulated.__file__).parent
    source = "".join(path.read_text() for path in folder.glob("*.py") if path.name != "quirks.py")
    assert [name for name in QUIRKS if f'"{name}"' not in source] == []


@pytest.mark.parametrize(
    ("hexadecimal", "wanted"),
    [
        ("A50F0101400000F6", (64 / 255, 0, 0)), ("A50F0102400000F7", (-64 / 255, 0, 0)), ("A50F0104004000F9", (0, -64 / 255, 0)),
        ("A50F0108004000FD", (0, 64 / 255, 0)), ("A50F011000008045", (0, 0, 8 / 15)), ("A50F012000008055", (0, 0, -8 / 15)),
        ("A50F01191F1F808C", (31 / 255, 31 / 255, 8 / 15)), ("A50F0100000000B5", (0, 0, 0)), ("A50F014220000017", None),
    ],
)  # fmt: skip
def test_the_golden_moves(hexadecimal: str, wanted: tuple[float, float, float] | None) -> None:
    assert model.speeds(model.ptz(hexadecimal)) == wanted


@pytest.mark.parametrize("text", ["", "A50F", "A50F0100000000B6", "A60F0100000000B6"])
def test_what_is_no_move(text: str) -> None:
    with pytest.raises(ValueError, match=r"^PTZCmd is not eight octets with a right sum\.$"):
        model.ptz(text)


OFFER = "v=0\r\no=1 0 0 IN IP4 10.0.0.1\r\ns=Play\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=video 6000 {} 96\r\n{}y=0105000001\r\n"


@pytest.mark.parametrize(
    ("profile", "lines", "way", "sub"),
    [
        ("RTP/AVP", "", "udp", False),
        ("TCP/RTP/AVP", "a=setup:passive\r\na=connection:new\r\n", "tcp-passive", False),
        ("TCP/RTP/AVP", "a=setup:active\r\n", "tcp-active", False),
        ("RTP/AVP", "a=setup:passive\r\n", "tcp-passive", False),  # the profile is often wrong
        ("RTP/AVP", "a=streamnumber:1\r\n", "udp", True),
        ("RTP/AVP", "a=streamMode:SUB\r\n", "udp", True),
        ("RTP/AVP", "a=streamprofile:1\r\n", "udp", True),
        ("RTP/AVP", "a=stream:0\r\n", "udp", False),
    ],
)
def test_offers(profile: str, lines: str, way: str, sub: bool) -> None:
    found = offer.parse(OFFER.format(profile, lines).encode())
    assert (found.way, found.sub, found.ssrc, found.port) == (way, sub, 105000001, 6000)


def test_an_offer_without_a_medium() -> None:
    with pytest.raises(ValueError, match=r"^The SDP has no medium or no address\.$"):
        offer.parse(b"v=0\r\n")


def test_recordings_have_holes_and_kinds() -> None:
    now = 1_700_000_000
    found = list(model.recordings(now - 86_400, now, now))
    assert {one.kind for one in found} == {"time", "alarm"}
    assert all(now - 2 * 86_400 <= one.start < one.end <= now for one in found)
    covered = sum(one.end - one.start for one in found if one.kind == "time")
    assert 80_000 < covered < 84_000
    assert list(model.recordings(now + 10, now + 20, now)) == []


def test_elements_and_attributes_are_read() -> None:
    assert xml.said('<Notify CmdType="Keepalive" SN="4">', "SN") == "4"
    assert xml.said("<Query><SN> 5 </SN></Query>", "SN") == "5"
    assert xml.root("<Control></Control>") == "Control"
    assert xml.root("no") == ""
