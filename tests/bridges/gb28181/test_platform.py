"""What the platform says and does with what it hears, without sockets."""

# ruff: noqa: E501 - the wire has its own line lengths

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bridges.gb28181 import manscdp, outs, positions
from commhub.media.messages import (
    AlarmRaised,
    AskDevice,
    ChannelsChanged,
    Control,
    DeviceAnswer,
    DeviceState,
    Done,
    Position,
    Terms,
)
from tests.support.gb_platform import CHANNEL, DEVICE, DOMAIN, FLOW, NOON, PLATFORM, Camera, Table, item, there, xml


def inside(table: Table) -> str:
    """Of the one document of ours: what stands behind its DeviceID."""
    (post,) = table.posts("MESSAGE")
    text = post.request.body.decode("gb18030").replace("\r\n", "")
    return text.partition("</DeviceID>")[2].rpartition("</")[0]


# ---- what it asks at the beginning


def test_a_device_is_asked_one_thing_after_the_other() -> None:
    table = Table(Terms(DEVICE, "secret", guard=True, positions=True))
    camera = Camera(table)
    camera.register()
    asked = []
    for _ in range(30):
        table.wait(0.3)
        new = [one for one in table.posts() if one.number not in table.answered]
        assert len([one for one in new if one.request.method == "MESSAGE"]) <= 1
        for post in new:
            table.answered.add(post.number)
            table.answer(post)
            found = manscdp.parse(post.request.body)
            asked.append((post.request.method, found.command))
            if found.command == "DeviceInfo":
                camera.say(xml("Response", "DeviceInfo", "<DeviceName>NVR</DeviceName><Model>X</Model>", sn=found.sn))
    assert [one for one in asked if one[0] == "MESSAGE"] == [
        ("MESSAGE", "DeviceInfo"),
        ("MESSAGE", "Catalog"),
        ("MESSAGE", "DeviceControl"),
    ]
    subscribed = {one[1] for one in asked if one[0] == "SUBSCRIBE"}
    assert subscribed == {"Catalog", "Alarm", "MobilePosition"}
    assert table.told(DeviceState)[-1].name == "NVR"


def test_a_device_that_does_not_say_who_it_is_is_asked_for_the_rest() -> None:
    table = Table()
    camera = Camera(table)
    camera.register()
    for _ in range(6):
        table.wait(40)
        camera.beat()
    assert len(table.documents("DeviceInfo")) == 4
    assert table.documents("Catalog")


def test_a_request_of_ours() -> None:
    table, _ = there()
    table.take(table.platform.ask(AskDevice(DEVICE, "", "status"), 1, table.now))
    (post,) = table.posts()
    request = post.request
    assert request.uri == f"sip:{DEVICE}@192.0.2.64:5060"
    assert request.headers.get("To") == f"<sip:{DEVICE}@192.0.2.64:5060>"
    assert request.sender.uri == f"sip:{PLATFORM}@{DOMAIN}"
    assert request.sender.tag
    assert request.headers.get("Content-Type") == "Application/MANSCDP+xml"
    assert post.flow == FLOW
    sn = table.documents()[0].sn
    assert (
        request.body
        == (
            f'<?xml version="1.0" encoding="GB2312"?>\r\n<Query>\r\n<CmdType>DeviceStatus</CmdType>\r\n<SN>{sn}</SN>\r\n'
            f"<DeviceID>{DEVICE}</DeviceID>\r\n</Query>\r\n"
        ).encode()
    )


# ---- controls

CONTROLS: dict[str, tuple[str, dict[str, str], str]] = {
    "preset": ("preset_call", {"number": "1"}, "<PTZCmd>A50F018200010038</PTZCmd>"),
    "preset of 2022": (
        "preset_set",
        {"number": "1", "name": "门"},
        "<PTZCmd>A50F018100010037</PTZCmd><PTZCmdParams><PresetName>门</PresetName></PTZCmdParams>",
    ),
    "cruise": ("cruise_start", {"number": "1"}, "<PTZCmd>A50F01880100003E</PTZCmd>"),
    "cruise stop": ("cruise_stop", {}, "<PTZCmd>A50F0100000000B5</PTZCmd>"),
    "scan": ("scan_left", {"number": "1"}, "<PTZCmd>A50F018901010040</PTZCmd>"),
    "wiper": ("aux_on", {"number": "1"}, "<PTZCmd>A50F018C01000042</PTZCmd>"),
    "reboot": ("reboot", {}, "<TeleBoot>Boot</TeleBoot>"),
    "key frame": ("key_frame", {}, "<IFrameCmd>Send</IFrameCmd>"),
    "record": ("record_start", {}, "<RecordCmd>Record</RecordCmd>"),
    "record of the sub stream": (
        "record_stop",
        {"stream": "1"},
        "<RecordCmd>StopRecord</RecordCmd><StreamNumber>1</StreamNumber>",
    ),
    "guard": ("guard_off", {}, "<GuardCmd>ResetGuard</GuardCmd>"),
    "alarm": ("alarm_reset", {"method": "2"}, "<AlarmCmd>ResetAlarm</AlarmCmd><Info><AlarmMethod>2</AlarmMethod></Info>"),
    "home": (
        "home",
        {"preset": "2", "seconds": "30"},
        "<HomePosition><Enabled>1</Enabled><ResetTime>30</ResetTime><PresetIndex>2</PresetIndex></HomePosition>",
    ),
    "home off": ("home", {"enabled": "0"}, "<HomePosition><Enabled>0</Enabled></HomePosition>"),
    "drag": (
        "zoom_to",
        {"length": "1920", "width": "1080", "x": "400", "y": "300", "length_x": "200", "length_y": "100"},
        "<DragZoomIn><Length>1920</Length><Width>1080</Width><MidPointX>400</MidPointX><MidPointY>300</MidPointY>"
        "<LengthX>200</LengthX><LengthY>100</LengthY></DragZoomIn>",
    ),
    "precise": ("precise", {"pan": "12.5", "zoom": "2"}, "<PTZPreciseCtrl><Pan>12.5</Pan><Zoom>2</Zoom></PTZPreciseCtrl>"),
    "snapshot": (
        "snapshot",
        {"count": "2", "url": "http://192.0.2.1/s/x", "session": "a" * 32},
        "<SnapShotConfig><SnapNum>2</SnapNum><Interval>1</Interval><UploadURL>http://192.0.2.1/s/x</UploadURL>"
        f"<SessionID>{'a' * 32}</SessionID></SnapShotConfig>",
    ),
}
CONFIRMED = {"record", "record of the sub stream", "guard", "alarm", "home", "home off", "snapshot"}


def order(table: Table, verb: str, values: dict[str, str] | None = None, number: int = 5) -> None:
    table.take(table.platform.control(Control(DEVICE, CHANNEL, verb, values or {}), number, table.now))


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control(name: str) -> None:
    verb, values, wire = CONTROLS[name]
    table, camera = there(version="3.0")
    order(table, verb, values)
    assert inside(table) == wire
    (document,) = table.documents()
    assert document.device == CHANNEL
    assert document.command == ("DeviceConfig" if name == "snapshot" else "DeviceControl")
    table.answer_all()
    assert table.settled() == ([] if name in CONFIRMED else [Done()])
    camera.say(xml("Response", document.command, "<Result>OK</Result>", sn=document.sn, device=CHANNEL))
    assert table.settled() == [Done()]


def test_a_key_frame_of_2016_has_no_r() -> None:
    table, _ = there()
    table.take(table.platform.key_frame(DEVICE, CHANNEL, table.now))
    assert inside(table) == "<IFameCmd>Send</IFameCmd>"


def test_what_a_device_refuses_is_said() -> None:
    table, camera = there()
    order(table, "record_start", number=1)
    camera.say(xml("Response", "DeviceControl", "<Result>ERROR</Result>", sn=table.documents()[-1].sn))
    order(table, "reboot", number=2)
    table.answer(table.posts()[-1], 405)
    order(table, "reboot", number=3)
    table.take(table.platform.failed(table.posts()[-1].number, "timeout", table.now))
    order(table, "fly", number=4)
    table.take(table.platform.control(Control("3" * 20, "", "reboot"), 5, table.now))
    refused = [(one.ask, one.code) for one in table.done if isinstance(one, outs.Refuse)]
    assert refused == [
        (1, "refused_by_device"),
        (2, "refused_by_device"),
        (3, "no_answer"),
        (4, "invalid_value"),
        (5, "device_offline"),
    ]


def test_a_confirmation_that_never_comes_was_a_200() -> None:
    table, _ = there()
    order(table, "guard_on")
    table.answer_all()
    table.wait(3.1)
    assert table.settled() == [Done()]
    order(table, "guard_on", number=6)  # not even that
    table.wait(8.1)
    assert table.refused() == ["no_answer"]


def test_a_device_that_leaves_leaves_no_question_open() -> None:
    table, camera = there()
    order(table, "guard_on")
    camera.register(0)
    assert table.refused() == ["device_offline"]


# ---- questions


def records(table: Table) -> DeviceAnswer:
    found = [one for one in table.settled() if isinstance(one, DeviceAnswer)]
    assert len(found) == 1
    return found[0]


def test_recordings_in_pages() -> None:
    table, camera = there()
    start, end = str(NOON), str(NOON + 3600 * 10**9)
    table.take(
        table.platform.ask(AskDevice(DEVICE, CHANNEL, "records", {"start": start, "end": end, "kind": "alarm"}), 1, table.now)
    )
    (asked,) = table.documents("RecordInfo")
    assert (asked.get("StartTime"), asked.get("EndTime")) == ("2026-11-25T12:00:00", "2026-11-25T13:00:00")
    assert asked.get("Type") == "alarm"
    one = (
        f"<Item><DeviceID>{CHANNEL}</DeviceID><Name>n</Name><FilePath>/f</FilePath><StartTime>2026-11-25T12:00:00</StartTime>"
        "<EndTime>2026-11-25T12:10:00</EndTime><Type>alarm</Type><FileSize>1000</FileSize></Item>"
    )
    for _ in range(2):
        camera.say(
            xml(
                "Response", "RecordInfo", f"<SumNum>2</SumNum><RecordList Num='1'>{one}</RecordList>", sn=asked.sn, device=CHANNEL
            )
        )
    answer = records(table)
    assert answer.complete
    assert answer.items == [
        {"start": start, "end": str(NOON + 600 * 10**9), "kind": "alarm", "name": "n", "size": "1000", "path": "/f", "channel": CHANNEL,
         "stream": ""}
    ] * 2  # fmt: skip


def test_recordings_of_which_some_do_not_come() -> None:
    table, camera = there()
    table.take(table.platform.ask(AskDevice(DEVICE, CHANNEL, "records", {"start": "1", "end": "2"}), 1, table.now))
    sn = table.documents()[0].sn
    camera.say(
        xml("Response", "RecordInfo", f"<SumNum>9</SumNum><RecordList>{item(CHANNEL)}</RecordList>", sn=sn, device=CHANNEL)
    )
    table.wait(5.1)
    assert not records(table).complete


def test_no_recordings() -> None:
    table, camera = there()
    table.take(table.platform.ask(AskDevice(DEVICE, CHANNEL, "records", {"start": "1", "end": "2"}), 1, table.now))
    camera.say(xml("Response", "RecordInfo", "<SumNum>0</SumNum>", sn=table.documents()[0].sn, device=CHANNEL))
    assert records(table) == DeviceAnswer(items=[], complete=True)


QUESTIONS: dict[str, tuple[dict[str, str], str, str, list[dict[str, str]]]] = {
    "presets": ({}, "PresetQuery", "<SumNum>2</SumNum><PresetList Num='2'><Item><PresetID>1</PresetID><PresetName>门</PresetName></Item>"
                "<Item><PresetID></PresetID></Item></PresetList>", [{"number": "1", "name": "门"}]),
    "cruises": ({}, "CruiseTrackListQuery", "<SumNum>1</SumNum><CruiseTrackList><CruiseTrack><Number>1</Number><Name>a</Name></CruiseTrack>"
                "</CruiseTrackList>", [{"number": "1", "name": "a"}]),
    "cruise": ({"number": "1"}, "CruiseTrackQuery", "<SumNum>1</SumNum><CruisePointList><CruisePoint><PresetIndex>3</PresetIndex>"
               "<StayTime>9</StayTime><Speed>5</Speed></CruisePoint></CruisePointList>", [{"preset": "3", "stay": "9", "speed": "5"}]),
    "home": ({}, "HomePositionQuery", "<HomePosition><Enabled>1</Enabled><ResetTime>60</ResetTime><PresetIndex>2</PresetIndex></HomePosition>",
             [{"enabled": "1", "preset": "2", "seconds": "60"}]),
    "info": ({}, "DeviceInfo", "<DeviceName>a</DeviceName><Channel>4</Channel>", [{"DeviceID": CHANNEL, "DeviceName": "a", "Channel": "4"}]),
    "config": ({"kinds": "BasicParam"}, "ConfigDownload", "<Result>OK</Result><BasicParam><Name>x</Name></BasicParam>",
               [{"DeviceID": CHANNEL, "Result": "OK", "BasicParam.Name": "x"}]),
}  # fmt: skip


@pytest.mark.parametrize("what", QUESTIONS)
def test_a_question(what: str) -> None:
    values, command, body, items = QUESTIONS[what]
    table, camera = there()
    table.take(table.platform.ask(AskDevice(DEVICE, CHANNEL, what, values), 1, table.now))
    (asked,) = table.documents(command)
    camera.say(xml("Response", command, body, sn=asked.sn, device=CHANNEL))
    assert records(table).items == items


# ---- alarms and positions


def alarm(**more: Any) -> bytes:
    said = {"AlarmPriority": "1", "AlarmMethod": "5", "AlarmTime": "2026-11-25T12:00:00", "AlarmDescription": "越界"} | more
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in said.items())
    return xml("Notify", "Alarm", f"{inner}<Longitude>116.4</Longitude><Latitude>39.9</Latitude><Info><AlarmType>5</AlarmType></Info>",
               sn=more.get("sn", 8), device=CHANNEL)  # fmt: skip


def test_an_alarm_is_told_and_confirmed() -> None:
    table, camera = there()
    camera.say(alarm())
    (raised,) = table.told(AlarmRaised)
    assert raised == AlarmRaised(
        device=DEVICE, channel=CHANNEL, priority=1, method=5, kind=5, at=NOON, description="越界", longitude=116.4, latitude=39.9
    )
    (answer,) = table.documents("Alarm")
    assert (answer.root, answer.sn, answer.device, answer.ok) == ("response", 8, CHANNEL, True)
    assert not table.documents("DeviceControl")


def test_an_alarm_that_comes_both_ways_is_one() -> None:
    table, camera = there()
    camera.say(alarm(), "NOTIFY", Event="presence", Subscription_State="active")
    camera.say(alarm())
    assert len(table.told(AlarmRaised)) == 1
    camera.say(alarm(AlarmTime="2026-11-25T12:00:09"))
    assert len(table.told(AlarmRaised)) == 2


@pytest.mark.parametrize("reset", [True, False])
def test_an_alarm_of_the_device_is_reset(reset: bool) -> None:
    table, camera = there(Terms(DEVICE, "secret", reset=reset))
    camera.say(alarm(AlarmMethod="2"), "NOTIFY")
    assert [one.get("AlarmCmd") for one in table.documents("DeviceControl")] == (["ResetAlarm"] if reset else [])


def test_an_alarm_that_says_little() -> None:
    table, camera = there()
    camera.say(xml("Notify", "Alarm", "<AlarmPriority></AlarmPriority>", device="0000000000"))
    (raised,) = table.told(AlarmRaised)
    assert (raised.priority, raised.method, raised.kind, raised.at, raised.longitude) == (4, 7, 0, 0, None)


def test_positions_of_2016_and_2022() -> None:
    table, camera = there(Terms(DEVICE, "secret", positions=True))
    flat = "<Time>2026-11-25T12:00:00</Time><Longitude>116.4</Longitude><Latitude>39.9</Latitude><Speed>30</Speed><Direction>90</Direction>"
    camera.say(xml("Notify", "MobilePosition", flat, device=CHANNEL), "NOTIFY", Event="presence")
    one = "<Item><DeviceID>{}</DeviceID><CaptureTime>2026-11-25T12:00:05</CaptureTime><Longitude>{}</Longitude><Latitude>39.9</Latitude></Item>"
    listed = f"<SumNum>2</SumNum><DeviceList Num='2'>{one.format(CHANNEL, 116.5)}{one.format(CHANNEL, '')}</DeviceList>"
    camera.say(xml("Notify", "MobilePosition", listed), "NOTIFY", Event="presence")
    found = table.told(Position)
    assert found[0] == Position(
        device=DEVICE, channel=CHANNEL, longitude=116.4, latitude=39.9, at=NOON, speed=30, direction=90, altitude=None
    )
    assert [(one.longitude, one.at - NOON) for one in found[1:]] == [(116.5, 5 * 10**9)]


def test_positions_of_vendors_that_shift_them() -> None:
    table, camera = there(Terms(DEVICE, "secret", gcj02=True))
    shifted = positions.to_gcj02(116.391, 39.907)
    camera.say(
        xml("Notify", "MobilePosition", f"<Longitude>{shifted[0]}</Longitude><Latitude>{shifted[1]}</Latitude>", device=CHANNEL)
    )
    (found,) = table.told(Position)
    assert found.longitude == pytest.approx(116.391, abs=1e-6)
    assert found.latitude == pytest.approx(39.907, abs=1e-6)
    assert shifted[0] != pytest.approx(116.391, abs=1e-3)


def test_changes_of_a_catalogue_by_notify_and_by_message() -> None:
    table, camera = there()
    for method in ("NOTIFY", "MESSAGE"):
        inner = item(CHANNEL, "x", "<Event>OFF</Event>") + item("34020000001320000002", "y", "<Event>ADD</Event>")
        camera.say(xml("Notify", "Catalog", f"<SumNum>2</SumNum><DeviceList Num='2'>{inner}</DeviceList>"), method)
    found = table.told(ChannelsChanged)
    assert len(found) == 2
    assert [(one.channel, one.event, one.online) for one in found[0].channels] == [
        (CHANNEL, "OFF", False),
        ("34020000001320000002", "ADD", True),
    ]


def test_the_end_of_a_file_goes_to_calls() -> None:
    table, camera = there()
    assert camera.say(xml("Notify", "MediaStatus", "<NotifyType>121</NotifyType>", device=CHANNEL)).status == 200
    assert [(one.device, one.channel) for one in table.done if isinstance(one, outs.Ended)] == [(DEVICE, CHANNEL)]


def test_a_broadcast_is_answered() -> None:
    table, camera = there()
    sn, todo = table.platform.notify(DEVICE, {"CmdType": "Broadcast", "SourceID": PLATFORM, "TargetID": CHANNEL})
    table.take(todo)
    assert b"<Notify>\r\n<CmdType>Broadcast</CmdType>" in table.posts()[0].request.body
    assert b"DeviceID" not in table.posts()[0].request.body
    camera.say(xml("Response", "Broadcast", "<Result>OK</Result>", sn=int(sn)))
    assert outs.Broadcast(DEVICE, sn, True) in table.done


def test_strangers_cost_a_look_at_a_table() -> None:
    table, _ = there()
    other = Camera(table, flow=replace(FLOW, host="198.51.100.1"))
    for method in ("MESSAGE", "NOTIFY", "INFO"):
        assert other.say(b"<!DOCTYPE x>", method).status == 403
    assert not table.platform.counts["unreadable documents"]
    assert other.say(b"", "INVITE").status == 403
    assert other.say(b"", "SUBSCRIBE").status == 489


def test_what_cannot_be_read_is_counted_and_the_device_lives() -> None:
    table, camera = there()
    answer = camera.say(b'<!DOCTYPE x [<!ENTITY a "b">]><Notify><CmdType>Keepalive</CmdType></Notify>')
    assert (answer.status, answer.reason) == (400, "An XML document has a DTD, which is refused")
    assert table.platform.counts["unreadable documents"] == 1
    found = table.platform.device(DEVICE)
    assert found is not None
    assert found.online


def test_a_device_that_does_not_stop_talking_is_not_the_hubs_burden() -> None:
    table, camera = there(Terms(DEVICE, "secret", reset=False))
    for number in range(700):
        camera.say(alarm(AlarmTime=f"2026-11-25T12:{number // 60:02}:{number % 60:02}"))
    assert len(table.told(AlarmRaised)) == 500
    assert table.platform.counts["told too often"] == 200


def test_an_answer_that_never_ends_is_ended() -> None:
    table, camera = there()
    table.take(table.platform.ask(AskDevice(DEVICE, CHANNEL, "records", {"start": "1", "end": "2"}), 1, table.now))
    (asked,) = table.documents()
    for _ in range(100):
        table.wait(1)
        camera.say(xml("Response", "RecordInfo", f"<SumNum>99999</SumNum><RecordList>{item(CHANNEL)}</RecordList>", sn=asked.sn))
    assert not records(table).complete
    assert len(records(table).items) <= 60


def test_headers_in_any_charset_can_be_told() -> None:
    import msgspec

    table = Table(Terms(DEVICE, "secret"))
    for code in (DEVICE, "34020000001110000002"):
        wire = Camera(table, code).request("REGISTER", more={"User-Agent": "AGENT", "X-GB-ver": "VER"})
        table.receive(wire.replace(b"AGENT", "海康".encode("gbk")).replace(b"VER", b"\xff3.0"))
    for one in table.done:
        if isinstance(one, outs.Tell):
            msgspec.msgpack.encode(one.message)


def test_one_device_does_not_take_all_the_time() -> None:
    table, camera = there()
    large = xml("Notify", "Keepalive", "<Name>" + "x" * 60_000 + "</Name>")
    answers = [camera.say(large).status for _ in range(700)]
    assert 400 < answers.count(200) < 600
    assert set(answers) == {200, 503}
    assert camera.register().status == 200
    table.wait(1)
    assert camera.beat().status == 200
