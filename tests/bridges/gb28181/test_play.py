"""From INVITE to packets at a worker, with a device that does as each test says."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridges.gb28181.offer import ACTIVE, PASSIVE, UDP
from bridges.sip.message import Request
from commhub.media.messages import Pull
from commhub.wire import h264
from tests.support import h265, streams, until
from tests.support.bridge import continuous, marked
from tests.support.gb_device import CHANNEL, DEVICE, US, Device, Platform, Script, both
from tests.support.h264 import decode
from tests.support.media_worker import MediaWorker


async def test_a_camera_plays(tmp_path: Path) -> None:
    async with MediaWorker(tmp_path) as worker, both(tmp_path) as (platform, device):
        platform.pull("media-0")
        live = await platform.turns("live")
        assert [(one.kind, one.codec.mime, one.width, one.height, one.layer) for one in live.streams] == [
            ("video", "video/H264", 320, 180, "main")
        ]
        await until(lambda: marked(worker.of("cam")) >= 20)
        packets = worker.of("cam")
        assert worker.unknown == 0
        assert continuous(packets)
        assert max(map(len, packets)) <= 1212
        assert len(decode(packets)) >= 20
        assert platform.learned() == [UDP]
        assert platform.key_frames == 1
        report = platform.report()
        assert (report.code, [step.state for step in report.steps]) == ("", ["done"] * 6)
        assert [attempt.way for attempt in report.attempts] == [UDP]
        invite = device.invites[0]
        assert invite.uri == f"sip:{CHANNEL}@127.0.0.1:{device.port}"
        assert invite.headers.get("Subject") == f"{CHANNEL}:{device.offers[0].ssrc:010d},{US}:0"
        assert invite.headers.get("Contact").startswith(f"<sip:{US}@127.0.0.1:")
        assert (await _acked(device)).uri == f"sip:{CHANNEL}@192.168.1.64:5060"
        platform.pull()
        await until(lambda: "BYE" in device.heard)
        assert device.heard.count("INVITE") == device.heard.count("BYE") == 1
        assert platform.state().state == "idle"
        assert platform.calls.ports.used == 0


async def _acked(device: Device) -> Request:
    await until(lambda: bool(device.acks))
    return device.acks[0]


@pytest.mark.parametrize("status", [200, 488])
@pytest.mark.parametrize("way", [UDP, PASSIVE, ACTIVE])
async def test_a_device_that_takes_one_way_only_is_found(tmp_path: Path, way: str, status: int) -> None:
    """It agrees to the others and sends nothing, or refuses them."""
    async with MediaWorker(tmp_path) as worker, both(tmp_path, Script(takes=(way,), status=status)) as (platform, device):
        platform.pull("media-0")
        await platform.turns("live")
        assert platform.learned() == [way]
        await until(lambda: marked(worker.of("cam")) >= 10)
        platform.pull()
        await until(lambda: device.heard.count("BYE") == (device.heard.count("INVITE") if status == 200 else 1))
        assert platform.calls.ports.used == 0
        before = device.heard.count("INVITE")
        platform.pull("media-0")
        await platform.turns("live", seconds=2)
        assert device.heard.count("INVITE") == before + 1  # it is remembered


async def test_the_way_that_worked_before_a_restart_is_tried_first(tmp_path: Path) -> None:
    async with both(tmp_path, Script(takes=(ACTIVE,))) as (platform, device):
        platform.worked[DEVICE] = ACTIVE
        platform.pull("media-0")
        await platform.turns("live", seconds=2)
        assert [offer.setup for offer in device.offers] == ["active"]


async def test_a_fixed_way_is_the_only_one(tmp_path: Path) -> None:
    async with both(tmp_path, Script(takes=(PASSIVE,))) as (platform, device):
        platform.ways[DEVICE] = PASSIVE
        platform.pull("media-0")
        await platform.turns("live", seconds=2)
        assert [offer.setup for offer in device.offers] == ["passive"]


@pytest.mark.parametrize(
    "script",
    [
        Script(y="none"),
        Script(y="0000000000"),
        Script(y="77", ssrc=77),
        Script(y="same", ssrc=4_000_000_000),
        Script(y="9", ssrc=10),
        Script(control_first=True),
        Script(answer_host="192.168.1.64"),
        Script(takes=(PASSIVE,), status=488, setup=False, profile="RTP/AVP"),
        Script(takes=(PASSIVE,), status=488, raw=True),
        Script(takes=(PASSIVE,), status=488, ssrc=5, control_first=True),
        Script(takes=(ACTIVE,), status=488, setup=False),
    ],
    ids=["no y", "zero y", "its own ssrc", "another than agreed", "three of them", "RTCP first", "inner address",
         "TCP without setup", "no RTP", "TCP with its own ssrc", "active without setup"],
)  # fmt: skip
async def test_what_devices_do_with_answers_and_ssrc(tmp_path: Path, script: Script) -> None:
    async with both(tmp_path, script) as (platform, _):
        platform.pull("media-0")
        await platform.turns("live", seconds=4)


async def test_sound_comes_as_opus(tmp_path: Path) -> None:
    async with MediaWorker(tmp_path) as worker, both(tmp_path, Script(sound="pcma", rate=25)) as (platform, _):
        platform.pull("media-0")
        await until(lambda: [one.codec.mime for one in worker.streams("cam")] == ["video/H264", "audio/opus"])
        await until(lambda: len(worker.of("cam", "audio")) >= 20)
        assert continuous(worker.of("cam", "audio"))


async def test_main_and_sub_are_two_layers_of_one_clock(tmp_path: Path) -> None:
    async with MediaWorker(tmp_path) as worker, both(tmp_path) as (platform, device):
        platform.pull("media-0", layers=("main", "sub"))
        await until(lambda: [(one.layer, one.width) for one in worker.streams("cam")] == [("main", 320), ("sub", 160)])
        assert sorted(offer_stream(device)) == [b"a=streamnumber:0", b"a=streamnumber:1"]
        await until(lambda: len(worker.packets) > 60)
        newest = {heard.handle: heard for heard in worker.packets}
        times = [heard.rtp.timestamp / 90_000 - heard.at / 1e9 for heard in newest.values()]
        wrap = (1 << 32) / 90_000
        assert len(times) == 2
        assert min((times[0] - times[1]) % wrap, (times[1] - times[0]) % wrap) < 0.5
        platform.pull("media-0", layers=("sub",))
        await until(lambda: [one.layer for one in worker.streams("cam")] == ["sub"], 6)
        assert device.heard.count("BYE") == 1


def offer_stream(device: Device) -> list[bytes]:
    return [line for invite in device.invites for line in invite.body.split(b"\r\n") if line.startswith(b"a=streamnumber")]


async def test_a_device_with_one_stream_is_called_once(tmp_path: Path) -> None:
    async with MediaWorker(tmp_path) as worker, both(tmp_path, Script(sub=False)) as (platform, device):
        platform.pull("media-0", layers=("main", "sub"))
        await until(lambda: [(one.layer, one.width) for one in worker.streams("cam")] == [("", 320)])
        await until(lambda: len(device.sending) == 1)
        platform.pull("media-0", layers=("sub",), source="other")
        await platform.turns("live", source="other")
        assert [one.layer for one in platform.state("other").streams] == [""]


async def test_a_device_that_hangs_up_is_called_again(tmp_path: Path) -> None:
    async with both(tmp_path) as (platform, device):
        platform.pull("media-0")
        await platform.turns("live")
        device.hang_up()
        await platform.turns("connecting", "hung_up")
        await platform.turns("live", seconds=4)
        assert device.heard.count("INVITE") == 2


async def test_a_device_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    async with Platform(tmp_path) as platform, Device() as device:
        platform.pull("media-0")
        state = await platform.turns("failed", "not_registered")
        assert state.text_zh == "设备没有注册到本平台。"
        assert [step.state for step in platform.report().steps] == ["failed"] + ["skipped"] * 5
        platform.knows(device)
        await platform.turns("live")
        platform.loses()
        await platform.turns("connecting", "not_registered")
        platform.knows(device)
        await platform.turns("live")


async def test_a_stray_answer_after_cancelling_is_hung_up(tmp_path: Path) -> None:
    async with both(tmp_path, Script(late=0.4)) as (platform, device):
        platform.pull("media-0")
        await until(lambda: "INVITE" in device.heard)
        platform.pull()
        await until(lambda: "BYE" in device.heard)
        assert "ACK" in device.heard
        assert platform.calls.ports.used == 0


@pytest.mark.parametrize("said", ["h265", "h264"])
async def test_h265_passes_whatever_the_map_says_and_h264_is_made_when_needed(tmp_path: Path, said: str) -> None:
    async with MediaWorker(tmp_path) as worker, both(tmp_path, Script(codec="h265", said=said, rate=25)) as (platform, device):
        platform.pull("media-0")
        live = await platform.turns("live", seconds=15)
        assert [(one.codec.mime, one.width, one.made) for one in live.streams] == [("video/H265", 320, False)]
        await until(lambda: marked(worker.of("cam")) >= 30)
        got = h265.received(worker.of("cam"))
        sent = [unit for data in streams.h265_pictures() * 9 for unit in h264.split_annex_b(data)]
        begins = next(at for at in range(len(sent)) if sent[at : at + 6] == got[:6])
        assert got == sent[begins : begins + len(got)]
        assert h265.children() == []
        platform.pull("media-0", layers=("main", "main/H264"))
        await until(lambda: marked(worker.of("cam", made=True)) >= 10)
        assert len(decode(worker.of("cam", made=True))) >= 10
        assert len(h265.children()) == 1
        platform.pull("media-0")
        await until(lambda: [one.made for one in worker.streams("cam")] == [False] and not h265.children())
        assert continuous(worker.of("cam"))
        assert len(device.invites) == 1


async def test_b_frames_are_converted(tmp_path: Path) -> None:
    async with MediaWorker(tmp_path) as worker, both(tmp_path, Script(codec="b-frames", rate=25)) as (platform, device):
        platform.pull("media-0", layers=("main", "main/H264"))
        await until(lambda: marked(worker.of("cam", made=True)) >= 20)
        assert platform.state().code == ""
        assert [(one.made, one.stored) for one in worker.streams("cam")] == [(False, True), (True, False)]
        assert len(decode(worker.of("cam", made=True))) >= 20
        assert len(device.sending) == 1


async def test_a_device_that_refuses_its_second_stream_gives_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Device._invited

    async def invited(self: Device, request: Request, address: tuple[str, int]) -> None:
        if b"a=streamnumber:1" in request.body:
            self.send(request.reply(488, tag="device"), address)
        else:
            await real(self, request, address)

    monkeypatch.setattr(Device, "_invited", invited)
    async with both(tmp_path) as (platform, device):
        platform.pull("media-0", layers=("sub",))
        live = await platform.turns("live")
        assert [(one.layer, one.width) for one in live.streams] == [("", 320)]
        platform.pull("media-0", layers=("main", "sub"))
        platform.pull("media-0", layers=("main", "sub"), source="other")
        await platform.turns("live", source="other")
        assert len(device.invites) == 2


@pytest.mark.parametrize(
    "url",
    ["gb28181://", "gb28181://a", "rtsp://a/b", "gb28181://a/b?from=1", "gb28181://a/b?from=x&to=2", "gb28181://a/b?from=5&to=5",
     "gb28181://a/b?from=-5&to=5", "gb28181://a b/c"],
)  # fmt: skip
async def test_an_address_that_is_none_of_ours_is_refused(tmp_path: Path, url: str) -> None:
    async with Platform(tmp_path) as platform:
        platform.calls.pull(Pull(source="cam", url=url, workers=["media-0"]))
        assert (platform.state().state, platform.state().code) == ("failed", "bad_address")
        assert not platform.calls.states()
