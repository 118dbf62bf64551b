"""What people are told when there is no picture: each cause is made to happen."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from bridges.gb28181 import report as reports
from bridges.gb28181.calls import Place
from bridges.gb28181.offer import PASSIVE, UDP, Description
from bridges.gb28181.report import SENTENCES, Story, Try, Verdict, refused
from commhub.addresses import AllowList
from commhub.wire import rtp
from tests.support import until
from tests.support.gb_device import Device, Platform, Script, both

NAMES = ["registered", "invited", "answered", "received", "ssrc", "picture"]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds become tenths: what is decided stays, how long it takes does not."""
    monkeypatch.setattr("bridges.gb28181.ladder.PATIENCE", (0.2, 0.2, 0.2))
    monkeypatch.setattr("bridges.gb28181.ladder.ALONE", 0.3)
    monkeypatch.setattr("bridges.gb28181.play.ANSWER_SECONDS", 0.4)
    monkeypatch.setattr("bridges.gb28181.play.PICTURE_SECONDS", 1.2)
    monkeypatch.setattr("bridges.gb28181.play.LOSS_SECONDS", 0.5)
    monkeypatch.setattr("bridges.gb28181.play.CONNECTED_SECONDS", 0.3)
    monkeypatch.setattr("bridges.gb28181.receive._REDIAL_SECONDS", 0.05)


def test_every_code_has_its_words() -> None:
    for code, words in SENTENCES.items():
        verdict = Verdict(code, "1", "2", "3")
        assert verdict.text.endswith("."), code
        assert verdict.text_zh.endswith("。"), code
        assert len(words) == 4
        assert "{" not in verdict.text + verdict.text_zh + verdict.advice + verdict.advice_zh
        if code not in ("ended",):
            assert verdict.advice
            assert verdict.advice_zh


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "refused"), (403, "forbidden"), (404, "channel_unknown"), (406, "not_acceptable"), (408, "unavailable"),
     (415, "not_acceptable"), (480, "unavailable"), (486, "busy"), (488, "not_acceptable"), (500, "device_error"),
     (503, "device_error"), (600, "busy"), (603, "forbidden")],
)  # fmt: skip
def test_refusals_mean_what_devices_mean_by_them(status: int, code: str) -> None:
    assert refused(status, "").code == code


@pytest.mark.parametrize(("status", "code"), [(404, "channel_unknown"), (486, "busy"), (403, "forbidden"), (480, "unavailable")])
@pytest.mark.usefixtures("hurried")
async def test_a_refusal_is_told_with_its_number(tmp_path: Path, status: int, code: str) -> None:
    async with both(tmp_path, Script(refuses=status)) as (platform, device):
        platform.pull("media-0")
        await platform.turns("failed", code)
        told = platform.report()
        assert (told.code, [step.name for step in told.steps]) == (code, NAMES)
        assert [step.state for step in told.steps] == ["done", "done", "failed", "skipped", "skipped", "skipped"]
        assert str(status) in told.text_zh
        assert told.advice_zh
        assert len(device.invites) == 1
        assert platform.calls.ports.used == 0


@pytest.mark.usefixtures("hurried")
async def test_no_answer_is_told_and_the_invite_taken_back(tmp_path: Path) -> None:
    async with both(tmp_path, Script(silent=True)) as (platform, _):
        platform.pull("media-0")
        await platform.turns("failed", "no_answer")
        assert [step.state for step in platform.report().steps][:3] == ["done", "done", "failed"]
        assert platform.calls.ports.used == 0


@pytest.mark.usefixtures("hurried")
async def test_no_packets_tells_what_was_tried(tmp_path: Path) -> None:
    async with both(tmp_path, Script(takes=())) as (platform, device):
        platform.pull("media-0")
        await platform.turns("failed", "no_packets")
        told = platform.report()
        assert [(one.way, one.packets, one.code) for one in told.attempts] == [
            ("udp", 0, "no_packets"), ("tcp-passive", 0, "no_packets"), ("tcp-active", 0, "not_connected"),
        ]  # fmt: skip
        assert [step.state for step in told.steps] == ["done", "done", "done", "failed", "skipped", "skipped"]
        await until(lambda: device.heard.count("BYE") >= 3)


@pytest.mark.usefixtures("hurried")
async def test_an_inner_address_is_named(tmp_path: Path) -> None:
    async with both(tmp_path, Script(takes=(), answer_host="192.168.1.64")) as (platform, device):
        platform.ways["34020000001320000001"] = UDP
        platform.pull("media-0")
        await platform.turns("failed", "private_address")
        told = platform.report()
        assert "192.168.1.64" in told.advice
        assert "内网地址" in told.steps[3].text_zh
        assert device.offers


@pytest.mark.usefixtures("hurried")
async def test_packets_of_a_stranger_are_counted_not_taken(tmp_path: Path) -> None:
    """From another address than the device's, and not with the SSRC that was agreed."""
    async with both(tmp_path, Script(takes=())) as (platform, device):
        platform.ways["34020000001320000001"] = UDP
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.2", 0))
            platform.pull("media-0")
            await until(lambda: bool(device.offers))
            for number in range(20):
                packet = rtp.build(b"\0\0\1\xba" + bytes(50), ssrc=666, sequence=number, timestamp=0, payload_type=96)
                stranger.sendto(packet, ("127.0.0.1", device.offers[0].port))
            await platform.turns("failed", "elsewhere")
            told = platform.report()
            assert f"127.0.0.2:{stranger.getsockname()[1]}" in told.text
            assert told.steps[4].state == "failed"
            assert [one.packets for one in told.attempts] == [0]


@pytest.mark.usefixtures("hurried")
async def test_media_that_cannot_be_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "_pictures", lambda self, request: [(b"\x77" * 4000, number, False) for number in range(5)])
    async with both(tmp_path) as (platform, _):
        platform.pull("media-0")
        await platform.turns("failed", "undecodable")
        told = platform.report()
        assert [step.state for step in told.steps] == ["done", "done", "done", "done", "done", "failed"]
        assert told.attempts[0].packets > 5


@pytest.mark.usefixtures("hurried")
async def test_another_ssrc_is_noted_and_taken(tmp_path: Path) -> None:
    async with both(tmp_path, Script(ssrc=77)) as (platform, _):
        platform.pull("media-0")
        await platform.turns("live")
        assert "0000000077" in platform.report().steps[4].text
        assert platform.report().attempts[0].ssrc == 77


@pytest.mark.usefixtures("hurried")
async def test_an_address_that_is_not_allowed_is_not_connected_to(tmp_path: Path) -> None:
    """A description that points to the hub, or to somebody else."""
    for host in ("127.0.0.5", "11.22.33.44", "169.254.1.1"):
        async with both(tmp_path, Script(takes=("tcp-active",), answer_host=host)) as (platform, _):
            platform.ways["34020000001320000001"] = "tcp-active"
            platform.pull("media-0")
            await platform.turns("failed", "denied_address")
            assert host in platform.report().text
    place = Place("127.0.0.1", "127.0.0.1", (0, 0), AllowList(["127.0.0.0/8:*"]))
    async with Platform(tmp_path, place) as platform, Device(Script(takes=("tcp-active",), answer_host="127.0.0.5")) as device:
        platform.knows(device)
        platform.ways["34020000001320000001"] = "tcp-active"
        platform.pull("media-0")
        await platform.turns("failed", "denied_address")  # an own address needs its port as well


@pytest.mark.usefixtures("hurried")
async def test_a_picture_that_stops_is_asked_for_again(tmp_path: Path) -> None:
    async with both(tmp_path, Script(frames=30)) as (platform, device):
        platform.pull("media-0")
        await platform.turns("live")
        device.script.frames = 1 << 30
        await platform.turns("connecting", "lost")
        assert platform.report().code == "lost"
        await platform.turns("live")
        assert (device.heard.count("INVITE"), device.heard.count("BYE")) == (2, 1)
        assert platform.report().code == ""


@pytest.mark.usefixtures("hurried")
async def test_without_a_port_nothing_is_asked(tmp_path: Path) -> None:
    place = Place("127.0.0.1", "127.0.0.1", (0, 0), AllowList([]))
    async with Platform(tmp_path, place) as platform, Device() as device:

        def none(now: float) -> int:
            raise ValueError("All media ports are in use.")

        platform.calls.ports.take = none  # type: ignore[method-assign]
        platform.knows(device)
        platform.pull("media-0")
        await platform.turns("failed", "no_port")
        await asyncio.sleep(0.05)
        assert not device.invites


def test_a_story_in_the_middle_says_what_is_waited_for() -> None:
    one = Try(PASSIVE, 0.02, 1, 30218, 105000001)
    story = Story(
        "cam", 5, "From 10.32.8.17:5060 (UDP), 2022", "来自 10.32.8.17:5060（UDP），2022 版", "10.32.8.17", "30000–30998", [one]
    )
    assert [step.state for step in reports.report(story).steps] == ["done", "done", "waiting", "skipped", "skipped", "skipped"]
    one.answer, one.answered_at = Description(host="192.168.1.64", port=15060, ssrc=100_000_132), 0.31
    told = reports.report(story)
    assert told.steps[1].text_zh == "INVITE 第 1 次，TCP 被动，我方端口 30218"
    assert told.steps[2].text_zh == "答复地址 192.168.1.64:15060，SSRC 0100000132"
    assert told.steps[3].state == "waiting"
    one.ended_at = 15.31
    told = reports.report(story)
    assert (told.steps[3].state, told.steps[3].seconds) == ("failed", 15.31)
    assert told.steps[3].text_zh == "30218 端口收到 0 包。应答地址是内网地址，与信令来源不同"
