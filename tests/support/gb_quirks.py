"""What real devices and platforms send, and what is to be understood of it. Each case names where it was seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.support.gb_platform import CHANNEL, DEVICE, PLATFORM, camera, item, page, xml

GATE = "东门卡口"


@dataclass(frozen=True)
class Words:
    """An XML document: ``said`` are its root, command, SN, device, and elements by name."""

    body: bytes
    said: dict[str, Any]


BEAT = {"root": "notify", "command": "Keepalive", "sn": 43, "device": DEVICE}
_BEAT = f"<CmdType>Keepalive</CmdType><SN>43</SN><DeviceID>{DEVICE}</DeviceID><Status>OK</Status>"


def _named(name: str, declared: str, encoding: str) -> bytes:
    text = (
        f'<?xml version="1.0" encoding="{declared}"?><Response><CmdType>Catalog</CmdType><SN>1</SN><Name>{name}</Name></Response>'
    )
    return text.encode(encoding)


DOCUMENTS: dict[str, Words] = {
    # Q2 charsets: WVP #260 #903 #1341 #1344 #1461
    "GB2312 as it says": Words(_named(GATE, "GB2312", "gb2312"), {"Name": GATE}),
    "GB18030 of 2022": Words(_named("㐀䶵东口", "GB18030", "gb18030"), {"Name": "㐀䶵东口"}),
    "rare characters under GB2312": Words(_named("喆堃镕", "GB2312", "gb18030"), {"Name": "喆堃镕"}),
    "a character of four octets under GBK": Words(_named("𠮷野家", "GBK", "gb18030"), {"Name": "𠮷野家"}),
    "UTF-8 under GB2312": Words(_named(GATE, "GB2312", "utf-8"), {"Name": GATE}),
    "GBK under UTF-8": Words(_named(GATE, "UTF-8", "gbk"), {"Name": GATE}),
    "GBK without a declaration": Words(
        f"<Notify><CmdType>Keepalive</CmdType><SN>43</SN><Name>{GATE}</Name></Notify>".encode("gbk"), {"Name": GATE}
    ),
    "a charset in small letters": Words(_named(GATE, "gb2312", "gb2312"), {"Name": GATE}),
    "a charset nobody knows": Words(_named(GATE, "GB-2312-80", "gbk"), {"Name": GATE}),
    "UTF-8 with a mark at its head": Words(b"\xef\xbb\xbf" + _named(GATE, "UTF-8", "utf-8"), {"Name": GATE}),
    "two words of GBK that are UTF-8 too": Words(_named("隆隆", "GB2312", "gb2312"), {"Name": "隆隆"}),
    # Q3 damaged XML
    "NULs at the end": Words(f"<Notify>{_BEAT}</Notify>".encode() + bytes(7), BEAT),
    "NULs inside": Words(f"<Notify>{_BEAT}</Notify>".replace("OK", "O\0K").encode(), BEAT | {"Status": "OK"}),
    "two octets of a name are broken": Words(
        _named(GATE, "GB2312", "gbk").replace("门".encode("gbk"), b"\xff\x80"), {"command": "Catalog"}
    ),
    "a bare & in a name (Hikvision)": Words(
        f"<Notify>{_BEAT}<Name>A&B 1&2&#65;</Name></Notify>".encode(), BEAT | {"Name": "A&B 1&2A"}
    ),
    "a bare < in a name": Words(f"<Notify>{_BEAT}<Name>h < 3 m, <5</Name></Notify>".encode(), BEAT | {"Name": "h < 3 m, <5"}),
    "an entity of HTML": Words(f"<Notify>{_BEAT}<Name>a&nbsp;b&lt;c</Name></Notify>".encode(), BEAT | {"Name": "a&nbsp;b<c"}),
    "an element closed twice (WVP #1320)": Words(f"<Notify>{_BEAT}</Status></Notify>".encode(), BEAT),
    "the root closed twice": Words(f"<Notify>{_BEAT}</Notify></Notify>".encode(), BEAT),
    "the root never closed": Words(f"<Notify>{_BEAT}".encode(), BEAT),
    "an element never closed": Words(
        f"<Notify>{_BEAT.replace('</SN>', '')}</Notify>".encode(), BEAT | {"sn": 43, "command": "Keepalive"}
    ),
    "an element closed in another case": Words(f"<Notify>{_BEAT.replace('</SN>', '</sn>')}</Notify>".encode(), BEAT),
    "garbage behind it": Words(f"<Notify>{_BEAT}</Notify>\r\n\r\nxyz<<".encode(), BEAT),
    "blank lines before the declaration": Words(f'\r\n \r\n<?xml version="1.0"?>\r\n<Notify>{_BEAT}</Notify>'.encode(), BEAT),
    "no declaration": Words(f"<Notify>{_BEAT}</Notify>".encode(), BEAT),
    "a comment and CDATA": Words(
        f"<Notify><!-- <x> -->{_BEAT}<Name><![CDATA[a<b&c]]></Name></Notify>".encode(), BEAT | {"Name": "a<b&c"}
    ),
    # Q19 and cases of tags
    "CmdType and SN as attributes (gb28181-rs)": Words(
        f'<Notify CmdType="Keepalive" SN="43"><DeviceID>{DEVICE}</DeviceID></Notify>'.encode(), BEAT
    ),
    "attributes in single quotes": Words(
        f"<Notify CmdType='Keepalive' SN='43'><DeviceID>{DEVICE}</DeviceID></Notify>".encode(), BEAT
    ),
    "names in other cases": Words(
        f"<notify><cmdtype>Keepalive</cmdtype><Sn>43</Sn><deviceId>{DEVICE}</deviceId></notify>".encode(), BEAT
    ),
    "blanks around values": Words(
        f"<Notify><CmdType> Keepalive\r\n</CmdType><SN> 43 </SN><DeviceID>\t{DEVICE} </DeviceID></Notify>".encode(), BEAT
    ),
    "an SN that is no number": Words(f"<Notify>{_BEAT.replace('43', 'x')}</Notify>".encode(), BEAT | {"sn": 0}),
    "an empty SN": Words(f"<Notify>{_BEAT.replace('43', '')}</Notify>".encode(), BEAT | {"sn": 0}),
    "an SN above 2^32": Words(f"<Notify>{_BEAT.replace('43', '99999999999')}</Notify>".encode(), BEAT | {"sn": 0}),
    "a namespace": Words(f'<Notify xmlns="urn:x" version="2">{_BEAT}</Notify>'.encode(), BEAT),
}


@dataclass(frozen=True)
class Entry:
    """An item of a catalogue and what the channel then has."""

    xml: str
    has: dict[str, Any] | None


def _more(inner: str, code: str = CHANNEL) -> str:
    return f"<Item><DeviceID>{code}</DeviceID>{inner}</Item>"


ENTRIES: dict[str, Entry] = {
    "a camera of 2016": Entry(
        _more(
            "<Name>East</Name><Manufacturer>H</Manufacturer><Model>M</Model><Owner>O</Owner><CivilCode>340200</CivilCode><Address>A</Address>"
            f"<Parental>0</Parental><ParentID>{DEVICE}</ParentID><SafetyWay>0</SafetyWay><RegisterWay>1</RegisterWay><CertNum>1</CertNum>"
            "<Secrecy>0</Secrecy><Status>ON</Status><Info><PTZType>1</PTZType><PositionType>2</PositionType></Info>"
        ),
        {
            "name": "East",
            "kind": "camera",
            "parents": [DEVICE],
            "region": "340200",
            "ptz": 1,
            "online": True,
            "manufacturer": "H",
        },
    ),
    "a camera of 2022": Entry(
        _more(
            "<Name>W</Name><BusinessGroupID>34020000002150000001</BusinessGroupID><ParentID>34020000001110000001/34020000002160000001</ParentID>"
            "<Status>ON</Status><Info><StreamNumberList>0/1</StreamNumberList><MAC>x</MAC></Info>"
        ),
        {"group": "34020000002150000001", "parents": [DEVICE, "34020000002160000001"], "streams": 2},
    ),
    "the group inside Info": Entry(
        _more("<Info><BusinessGroupID>34020000002150000001</BusinessGroupID></Info>"), {"group": "34020000002150000001"}
    ),
    "its platform as its parent (WVP #21)": Entry(_more(f"<ParentID>{PLATFORM}</ParentID>"), {"parents": []}),
    "itself as its parent": Entry(_more(f"<ParentID>{CHANNEL}</ParentID>"), {"parents": []}),
    "no name": Entry(_more(""), {"name": "", "online": True}),
    "empty numbers": Entry(
        _more("<Longitude></Longitude><Latitude/><Info><PTZType></PTZType></Info>"), {"longitude": None, "ptz": 0}
    ),
    "somewhere at 0, 0": Entry(_more("<Longitude>0.0</Longitude><Latitude>0</Latitude>"), {"longitude": None, "latitude": None}),
    "beyond the poles": Entry(_more("<Longitude>116</Longitude><Latitude>391</Latitude>"), {"longitude": None}),
    "a place": Entry(
        _more("<Longitude>116.397</Longitude><Latitude>39.908</Latitude>"), {"longitude": 116.397, "latitude": 39.908}
    ),
    "OFFLINE instead of OFF": Entry(_more("<Status>OFFLINE</Status>"), {"online": False}),
    "a region": Entry(_more("<Name>江北区</Name>", "500105"), {"kind": "region", "name": "江北区"}),
    "a business group": Entry(_more("<ParentID>34020000002000000002</ParentID>", "34020000002150000001"), {"kind": "group"}),
    "a virtual organisation": Entry(_more("", "34020000002160000001"), {"kind": "virtual"}),
    "a lower platform": Entry(_more("", "34020000002000000009"), {"kind": "system"}),
    "a recorder in the list": Entry(_more("", "34020000001180000007"), {"kind": "device"}),
    "a camera with a type of its own": Entry(_more("", "34020000001550000007"), {"kind": "camera"}),
    "an alarm input": Entry(_more("", "34020000001340000007"), {"kind": "other"}),
    "a code with blanks": Entry(_more("", f" {CHANNEL}\r\n"), {"channel": CHANNEL}),
    "a code that is none": Entry(_more("", "<><>"), None),
    "a password": Entry(_more("<Password>hunter2</Password><Port>5060</Port>"), {"more": {"Port": "5060"}}),
    "PTZType outside of Info": Entry(_more("<PTZType>3</PTZType>"), {"ptz": 3}),
    "DeviceId": Entry(f"<Item><DeviceId>{CHANNEL}</DeviceId><name>n</name></Item>", {"channel": CHANNEL, "name": "n"}),
    "tags as attributes": Entry(f'<Item DeviceID="{CHANNEL}"></Item>', {"channel": CHANNEL}),
}


@dataclass(frozen=True)
class Run:
    """Pages (None: six seconds of silence), and what the run is at its end."""

    pages: list[bytes | None]
    found: int
    complete: bool
    runs: int = 1
    more: dict[str, Any] = field(default_factory=dict)


def _items(first: int, last: int) -> str:
    return "".join(item(camera(number), f"C{number}") for number in range(first, last + 1))


def _pages(total: int, count: int, each: int = 1) -> list[bytes | None]:
    return [page(_items(at, min(at + each - 1, count)), total) for at in range(1, count + 1, each)]


RUNS: dict[str, Run] = {
    "one page": Run(_pages(3, 3, 3), 3, True),
    "one item in each message (WVP #853)": Run(_pages(40, 40), 40, True),
    "nothing at all": Run([page("", 0)], 0, True),
    "SumNum 0 and no list": Run([xml("Response", "Catalog", "<SumNum>0</SumNum>")], 0, True),
    "an empty page at the end (WVP)": Run([*_pages(4, 4, 2), page("", 4, number=0)], 4, True),
    "a lost page": Run([one for at, one in enumerate(_pages(10, 10)) if at != 4], 9, False),
    "a page that cannot be read": Run([*_pages(3, 2), b"\x00\x01<"], 2, False),
    "a total that is too great (WVP #1880)": Run(_pages(12, 10), 10, False),
    "a total that is too small": Run(_pages(5, 10), 10, False),
    "the page's number instead of the total": Run([page(_items(1, 2), 2), page(_items(3, 4), 2)], 4, False),
    "a total that changes": Run([page(_items(1, 2), 4), page(_items(3, 4), 5)], 4, False),
    "no total": Run([xml("Response", "Catalog", f"<DeviceList>{_items(1, 2)}</DeviceList>")], 2, False),
    "a page twice, in two messages": Run([*_pages(4, 4), *_pages(4, 4)[:2]], 4, True),
    "one page twice, another lost": Run([*_pages(4, 4)[:3], _pages(4, 4)[0]], 3, False),
    "an item twice in one list": Run([page(_items(1, 3) + _items(3, 3), 4)], 3, True),
    "the device itself and its platform as parent (WVP #21)": Run(
        [page(item(DEVICE, "self", f"<ParentID>{PLATFORM}</ParentID>") + _items(1, 1), 2)], 2, True
    ),
    "items closed twice (WVP #858)": Run([page(_items(1, 3).replace("</Item>", "</Item></Item>"), 3)], 3, True),
    "items never closed": Run([page(_items(1, 3).replace("</Item>", ""), 3, number=3)], 3, True),
    "an SN of its own": Run([page(_items(1, 2), 2, sn=777)], 2, True),
    "SN 0": Run([page(_items(1, 1), 2, sn=0), page(_items(2, 2), 2, sn=0)], 2, True),
    "Num missing": Run([page(_items(1, 2), 2).replace(b' Num="2"', b"")], 2, True),
    "a page after the end": Run([*_pages(2, 2), None, page(_items(3, 3), 3)], 2, True, runs=2),
    "a page after a silence": Run([*_pages(3, 2), None, page(_items(3, 3), 3)], 2, False, runs=2),
    "an item without a code": Run([page(_items(1, 1) + "<Item><DeviceID>?!</DeviceID></Item>", 2)], 1, False),
}


def corpus() -> list[bytes]:
    """All of them, for fuzzing."""
    return [*(one.body for one in DOCUMENTS.values()), *(_wrapped(one.xml) for one in ENTRIES.values()), *pages()]


def pages() -> list[bytes]:
    return [body for run in RUNS.values() for body in run.pages[:3] if body is not None]


def _wrapped(entry: str) -> bytes:
    return page(entry, 1)
