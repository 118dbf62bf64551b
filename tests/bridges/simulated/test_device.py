"""The simulated device, against a platform that only listens: what it says and sends is what the standard wants, or the fault
that was asked for."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from bridges.simulated import quirks
from bridges.simulated.device import code
from commhub.wire import ps, rtp
from commhub.wire.units import Unit
from tests.support.gb28181 import DEVICE, Call, Packets, Registrar, device, packets, registrar, sdp

CAMERA = code("110105", "131", 1)
FIXED = code("110105", "132", 2)


def units(received: list[bytes]) -> tuple[ps.Demuxer, list[Unit]]:
    demuxer, found = ps.Demuxer(), []
    for packet in received:
        timestamp = int.from_bytes(packet[4:8], "big")
        found += demuxer.push(rtp.payload(packet), timestamp, bool(packet[1] & 0x80))
    return demuxer, found + demuxer.flush()


async def play(platform: Registrar, into: Packets, channel: str = CAMERA, **more: str) -> Call:
    call = await platform.invite(channel, sdp(into.port, way=into.way, **more))
    assert isinstance(call, Call), call
    if into.way == "tcp-active":
        await into.connect(int(call.answer.split("m=video ")[1].split()[0]))
    return call


async def hang_up(platform: Registrar, call: Call) -> None:
    assert (await platform.send(call.dialog.bye())).status == 200


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_signs_in_lives_and_signs_out(transport: str) -> None:
    async with registrar() as platform:
        async with device(platform.address, transport=transport, heartbeat=0.2):
            first = platform.registers[0]
            assert first.expires == 3600
            assert first.headers.get("X-GB-ver") == "3.0"
            assert first.cseq.number > 1
            await platform.until(lambda: len(platform.texts("Keepalive")) >= 2)
            assert f"<DeviceID>{DEVICE}</DeviceID>" in platform.texts("Keepalive")[0]
        await platform.until(lambda: platform.registers[-1].expires == 0)
        assert platform.registers[-1].call_id == first.call_id


async def test_a_wrong_password_does_not_let_it_in() -> None:
    async with registrar() as platform, device(platform.address, password="wrong", wait=None) as made:
        await platform.until(lambda: made.agent.status == 403)
        assert not made.registered.is_set()
        assert not platform.registers


async def test_answers_what_it_is_asked() -> None:
    async with registrar() as platform, device(platform.address, channels=5, movable=1) as made:
        for command, wanted in {
            "DeviceInfo": "<Channel>5</Channel>",
            "DeviceStatus": "<Online>ONLINE</Online>",
            "PresetQuery": '<PresetList Num="0">',
            "HomePositionQuery": "<Enabled>1</Enabled>",
            "PTZPosition": "<Zoom>1.0</Zoom>",
        }.items():
            sn = await platform.say("Query", command, CAMERA if "P" in command else DEVICE)
            await platform.until(lambda command=command: bool(platform.texts(command)))  # type: ignore[misc]
            assert wanted in platform.texts(command)[0]
            assert f"<SN>{sn}</SN>" in platform.texts(command)[0]
        await platform.say("Query", "ConfigDownload", DEVICE, "<ConfigType>BasicParam</ConfigType>")
        await platform.until(lambda: bool(platform.texts("ConfigDownload")))
        assert "<HeartBeatInterval>60</HeartBeatInterval>" in platform.texts("ConfigDownload")[0]
        sn = await platform.say("Query", "Catalog", DEVICE)
        await platform.until(lambda: sum(text.count("<Item>") for text in platform.texts("Catalog")) == 5)
        pages = platform.texts("Catalog")
        assert len(pages) == 3
        assert all("<SumNum>5</SumNum>" in page and f"<SN>{sn}</SN>" in page for page in pages)
        assert made.counts["Query Catalog"] == 1


async def test_recordings_are_found_by_time_and_kind() -> None:
    async with registrar() as platform, device(platform.address):
        span = "<StartTime>2020-01-01T00:00:00</StartTime><EndTime>2099-01-01T00:00:00</EndTime>"
        await platform.say("Query", "RecordInfo", CAMERA, f"{span}<Type>alarm</Type>")
        await platform.until(lambda: bool(platform.texts("RecordInfo")))
        first = platform.texts("RecordInfo")[0]
        total = int(first.split("<SumNum>")[1].split("<")[0])
        await platform.until(lambda: sum(text.count("<Item>") for text in platform.texts("RecordInfo")) == total)
        assert 11 <= total <= 13
        assert "<Type>alarm</Type>" in first
        assert "<Type>time</Type>" not in first


@pytest.mark.parametrize("way", ["udp", "tcp-passive", "tcp-active"])
async def test_plays_a_program_stream(way: str) -> None:
    async with registrar() as platform, device(platform.address) as made, packets(way) as into:
        call = await play(platform, into)
        assert "y=0105000001" in call.answer
        assert "a=rtpmap:96 PS/90000" in call.answer
        received = list(await into.until(30))
        assert {int.from_bytes(packet[8:12], "big") for packet in received} == {105000001}
        demuxer, found = units(received)
        assert (demuxer.container, demuxer.video) == ("ps", "h264")
        assert found[0].key
        assert demuxer.counts.maps
        gaps = {second.pts - first.pts for first, second in itertools.pairwise(found)}
        assert gaps == {3600}
        await hang_up(platform, call)
        await platform.until(lambda: made.plays == 0)
        count = len(into.packets)
        await asyncio.sleep(0.3)
        assert len(into.packets) <= count + 5


async def test_main_and_sub_stream_differ_and_a_key_frame_comes_when_asked() -> None:
    async with registrar() as platform, device(platform.address) as made, packets() as main, packets() as sub:
        await play(platform, main)
        await play(platform, sub, extra="a=streamnumber:1\n")
        await main.until(5)
        await sub.until(5)
        assert made.plays == 2
        await platform.say("Control", "DeviceControl", CAMERA, "<IFrameCmd>Send</IFrameCmd>")
        await platform.until(lambda: any(one.what == "IFrameCmd" for one in made.commands))
        films = {film.look.width: film for film in made.studio._films.values()}
        assert sorted(films) == [160, 320]
        assert films[320].key_frames_asked == 1


async def test_moves_and_remembers_presets() -> None:
    async with registrar() as platform, device(platform.address) as made:
        mount = made.mounts[CAMERA]
        await platform.say("Control", "DeviceControl", CAMERA, "<PTZCmd>A50F0101FF0000B5</PTZCmd>")
        await asyncio.sleep(0.2)
        await platform.say("Control", "DeviceControl", CAMERA, "<PTZCmd>A50F0100000000B5</PTZCmd>")
        panned = mount.view(time.monotonic()).pan
        assert 0.05 < panned < 0.9
        assert mount.speeds == (0.0, 0.0, 0.0)
        await platform.say("Control", "DeviceControl", CAMERA, "<PTZCmd>A50F018100010037</PTZCmd>")
        await platform.say("Query", "PresetQuery", CAMERA)
        await platform.until(lambda: bool(platform.texts("PresetQuery")))
        assert "<PresetID>1</PresetID>" in platform.texts("PresetQuery")[0]
        assert [one.value for one in made.commands] == ["A50F0101FF0000B5", "A50F0100000000B5", "A50F018100010037"]
        await platform.say("Control", "DeviceControl", CAMERA, "<PTZCmd>A50F0101FF0000B6</PTZCmd>")
        assert made.counts["bad PTZCmd"] == 1


async def test_a_recording_plays_pauses_seeks_and_ends() -> None:
    async with registrar() as platform, device(platform.address, version="2.0") as made, packets() as into:
        end = int(time.time()) // 3600 * 3600 - 7 * 3600
        call = await play(platform, into, session="Playback", t=f"{end - 600} {end - 590}")
        await into.until(10)
        (play_,) = made.calls.plays
        for text, status in (("PAUSE RTSP/1.0\r\nCSeq: 2\r\nPauseTime: now\r\n\r\n", 200),
                             ("PLAY RTSP/1.0\r\nCSeq: 3\r\nScale: 4.0\r\n\r\n", 200),
                             ("PLAY RTSP/1.0\r\nCSeq: 4\r\nRange: npt=9.5-\r\n\r\n", 200)):  # fmt: skip
            info = call.dialog.request("INFO", body=text.encode(), content_type="Application/MANSRTSP")
            response = await platform.send(info)
            assert response.status == status
            assert b"RTSP/1.0 200 OK" in response.body
            if text.startswith("PAUSE"):
                await asyncio.sleep(0.2)
                count = len(into.packets)
                await asyncio.sleep(0.2)
                assert len(into.packets) == count
        await platform.until(lambda: bool(platform.texts("MediaStatus")))
        assert "<NotifyType>121</NotifyType>" in platform.texts("MediaStatus")[0]
        assert play_.stream.packets > 0


async def test_alarms_and_positions_go_to_who_subscribed() -> None:
    async with registrar() as platform, device(platform.address) as made:
        await made.alarm(CAMERA)
        assert platform.heard[-1].request.method == "MESSAGE"
        assert "<AlarmMethod>5</AlarmMethod>" in platform.heard[-1].text
        dialog, response = await platform.subscribe("Alarm")
        assert response.expires == 60
        await made.alarm(CAMERA, priority=1)
        await platform.until(lambda: platform.heard[-1].request.method == "NOTIFY")
        notify = platform.heard[-1].request
        assert notify.call_id == dialog.call_id
        assert notify.headers.get("Subscription-State").startswith("active")
        await platform.subscribe("MobilePosition", "<Interval>5</Interval>")
        await made.position(CAMERA, 116.4, 39.9, speed=30)
        await platform.until(lambda: bool(platform.texts("MobilePosition")))
        made.subscriptions.forget()
        again = dialog.request("SUBSCRIBE")
        again.headers.add("Expires", 60)
        assert (await platform.send(again)).status == 481


@pytest.mark.parametrize(
    ("quirk", "container", "video"),
    [
        ("no-psm", "ps", "h264"), ("psm-first-only", "ps", "h264"), ("psm-as-system-header", "ps", "h264"),
        ("no-system-header", "ps", "h264"), ("zero-length", "ps", "h264"), ("wrapped-length", "ps", "h264"),
        ("private-stream", "ps", "h264"),
        ("shifted-header", "ps", "h264"), ("constant-time", "ps", "h264"), ("jumping-time", "ps", "h264"), ("ts", "ts", "h264"),
        ("es", "rtp", "h264"), ("b-frames", "ps", "h264"), ("h265", "ps", "h265"), ("h265-said-h264", "ps", "h265"),
        ("late-key", "ps", "h264"), ("no-marker", "ps", "h264"), ("other-ssrc", "ps", "h264"),
    ],
)  # fmt: skip
async def test_faults_of_streams_are_readable_all_the_same(quirk: str, container: str, video: str) -> None:
    async with registrar() as platform, device(platform.address, quirks=[quirk]), packets() as into:
        await play(platform, into)
        received = await into.until(30)
        demuxer, found = units(received)
        assert (demuxer.container, demuxer.video) == (container, video)
        assert sum(unit.kind == "video" for unit in found) >= 10
        assert any(unit.key for unit in found)


@pytest.mark.parametrize(
    ("quirk", "way", "status"),
    [("udp-only", "tcp-passive", 488), ("udp-only", "udp", 200), ("tcp-passive-only", "udp", 488),
     ("tcp-active-only", "udp", 488), ("busy", "udp", 486)],
)  # fmt: skip
async def test_refusals(quirk: str, way: str, status: int) -> None:
    async with registrar() as platform, device(platform.address, quirks=[quirk]):
        found = await platform.invite(CAMERA, sdp(40_000, way=way))
        assert (found.response if isinstance(found, Call) else found).status == status


async def test_an_unknown_channel_is_404_and_one_that_is_off_480() -> None:
    async with registrar() as platform, device(platform.address) as made:
        made.entries[FIXED].online = False
        for channel, status in (("11010500001320000099", 404), (FIXED, 480)):
            found = await platform.invite(channel, sdp(40_000))
            assert not isinstance(found, Call)
            assert found.status == status


async def test_comes_back_after_the_power_was_cut() -> None:
    async with registrar() as platform, device(platform.address) as made:
        call_id = platform.registers[-1].call_id
        await made.power_cycle()
        await asyncio.wait_for(made.registered.wait(), 5)
        assert platform.registers[-1].call_id != call_id
        assert platform.registers[-1].expires


def test_a_quirk_that_there_is_not() -> None:
    with pytest.raises(ValueError, match=r"^There is no quirk late\.$"):
        quirks.chosen(["late"])
    assert quirks.chosen(["no-psm, ts", "busy"]) == {"no-psm", "ts", "busy"}
