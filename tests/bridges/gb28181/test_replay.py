from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridges.gb28181.replay import message
from bridges.timeline import signed32, unwrap
from commhub.errors import HubError
from commhub.media.messages import Pull, SourceState, Standing, Terms
from commhub.media.messages.devices import Replay
from tests.support import until
from tests.support.bridge import continuous, marked
from tests.support.gb_device import CHANNEL, DEVICE, Device, Platform, Script, both
from tests.support.media_worker import MediaWorker

BEGIN, END = 1_700_000_000, 1_700_000_600
MEDIA_STATUS = (
    b'<?xml version="1.0" encoding="GB2312"?>\r\n<Notify><CmdType>MediaStatus</CmdType><SN>1</SN>'
    b"<DeviceID>34020000001310000001</DeviceID><NotifyType>121</NotifyType></Notify>"
)


@contextlib.asynccontextmanager
async def playing(folder: Path, script: Script | None = None) -> AsyncIterator[tuple[Platform, Device, MediaWorker]]:
    async with MediaWorker(folder) as worker, both(folder, script) as (platform, device):
        platform.pull("media-0", query=f"?from={BEGIN}&to={END}", layers=("main", "sub"))
        await platform.turns("live")
        yield platform, device, worker


async def act(platform: Platform, verb: str, value: float = 0.0) -> None:
    await platform.calls.replay(Replay(source="cam", verb=verb, value=value))


def test_mansrtsp_is_the_standards() -> None:
    assert message("PAUSE", "PauseTime: now") == "PAUSE RTSP/1.0\r\nCSeq: {cseq}\r\nPauseTime: now\r\n\r\n"


async def test_a_recording_is_asked_for_once_by_its_times(tmp_path: Path) -> None:
    async with playing(tmp_path) as (platform, device, _):
        lines = device.invites[0].body.decode().split("\r\n")
        assert "s=Playback" in lines
        assert f"u={CHANNEL}:0" in lines
        assert f"t={BEGIN} {END}" in lines
        assert [line[:3] for line in lines if line.startswith("y=")] == ["y=1"]
        assert not [line for line in lines if "stream" in line]
        assert [one.layer for one in platform.state().streams] == [""]
        assert len(device.invites) == 1
        assert platform.key_frames == 0


async def test_where_it_stands_is_told(tmp_path: Path) -> None:
    def standing(platform: Platform) -> Standing:
        found = platform.state().standing
        assert found is not None
        return found

    async with playing(tmp_path) as (platform, device, _):
        await until(lambda: standing(platform).playing)
        assert standing(platform).at < 5
        await act(platform, "seek", 300)
        assert standing(platform).at == 300
        # The device's pictures are 40 ms apart and come every 20 ms: who counts on from what was told is wrong soon.
        await until(lambda: standing(platform).playing and standing(platform).at > 302)
        await act(platform, "pause")
        paused = standing(platform)
        assert not paused.playing
        assert 302 < paused.at < 320
        await act(platform, "speed", 4)
        assert (standing(platform).speed, standing(platform).playing) == (4, True)
        device.hang_up("MESSAGE", MEDIA_STATUS)
        await platform.turns("idle", "ended")
        over = standing(platform)
        assert not over.playing
        assert over.at >= paused.at


async def test_a_device_that_reads_local_times_gets_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Platform, "terms", lambda self, device: Terms(device=device, password="", local_times=True))
    async with playing(tmp_path) as (_, device, _):
        assert f"t={BEGIN + 28_800} {END + 28_800}".encode() in device.invites[0].body


async def test_pause_play_seek_and_speed_are_told_to_the_device(tmp_path: Path) -> None:
    async with playing(tmp_path) as (platform, device, worker):
        await act(platform, "pause")
        await act(platform, "play")
        await act(platform, "seek", 100)
        await act(platform, "speed", 2)
        await act(platform, "speed", 1)
        assert [text.split("\r\n")[0::2][:2] for text in device.controls] == [
            ["PAUSE RTSP/1.0", "PauseTime: now"],
            ["PLAY RTSP/1.0", "Range: npt=now-"],
            ["PLAY RTSP/1.0", "Range: npt=100-"],
            ["PLAY RTSP/1.0", "Scale: 2"],
            ["PLAY RTSP/1.0", "Scale: 1"],
        ]
        assert [text.split("\r\n")[1] for text in device.controls] == [f"CSeq: {number}" for number in range(2, 7)]
        count = marked(worker.of("cam"))
        await until(lambda: marked(worker.of("cam")) > count + 20)
        assert continuous(worker.of("cam"))
        assert platform.state().state == "live"


async def test_what_is_paused_stays_so_when_its_call_is_replaced(tmp_path: Path) -> None:
    """The device is gone and comes back: it is called again, and paused again at its first picture."""
    async with playing(tmp_path) as (platform, device, worker):
        await act(platform, "seek", 300)
        await until(lambda: (now := platform.state().standing) is not None and now.at > 301)
        await act(platform, "pause")
        paused = platform.state().standing
        assert paused is not None
        assert (paused.playing, paused.paused) == (False, True)
        platform.loses()
        await platform.turns("connecting", "not_registered")
        platform.knows(device)
        await until(lambda: [text.split(" ")[0] for text in device.controls] == ["PLAY", "PAUSE", "PAUSE"])
        assert f"t={BEGIN + int(paused.at)} {END}".encode() in device.invites[1].body
        told = [one.standing for one in platform.told if isinstance(one, SourceState) and one.standing is not None]
        assert not any(one.playing for one in told[told.index(paused) :])
        count = marked(worker.of("cam"))
        await act(platform, "play")
        await until(lambda: marked(worker.of("cam")) > count + 5)
        now = platform.state().standing
        assert now is not None
        assert (now.playing, now.paused) == (True, False)


async def test_one_that_was_paused_in_an_earlier_process_is_so_in_this_one(tmp_path: Path) -> None:
    async with MediaWorker(tmp_path) as worker, both(tmp_path) as (platform, device):
        url = f"gb28181://{DEVICE}/{CHANNEL}?from={BEGIN}&to={END}"
        platform.calls.pull(Pull(source="cam", url=url, workers=["media-0"], at=61.7, paused=True))
        await until(lambda: [text.split("\r\n")[0] for text in device.controls] == ["PAUSE RTSP/1.0"])
        assert f"t={BEGIN + 61} {END}".encode() in device.invites[0].body
        await until(lambda: marked(worker.of("cam")) > 0)  # it can be seen where it stands
        await until(lambda: (now := platform.state().standing) is not None and now.paused and now.at > 60)


async def test_a_device_that_does_not_pause_again_plays_on(tmp_path: Path) -> None:
    async with playing(tmp_path) as (platform, device, _):
        await act(platform, "pause")
        device.script.info = 400
        platform.loses()
        await platform.turns("connecting", "not_registered")
        platform.knows(device)
        await until(lambda: len(device.controls) == 2)
        await until(lambda: (now := platform.state().standing) is not None and now.playing and not now.paused)


async def test_times_of_a_faster_recording_pass_as_they_do_here(tmp_path: Path) -> None:
    """The device sends 50 pictures a second whose times are 40 ms apart: at double speed that is 20 ms each."""
    async with playing(tmp_path) as (platform, _, worker):
        await act(platform, "speed", 2)
        count = len(worker.of("cam"))
        await until(lambda: marked(worker.of("cam")[count:]) >= 60)
        times = [unwrap(packet).timestamp for packet in worker.of("cam")[count:] if unwrap(packet).marker]
        steps = sorted(signed32(later - one) for one, later in itertools.pairwise(times[5:]))
        assert steps[len(steps) // 2] == 1800


async def test_a_device_without_speed_is_led_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridges.gb28181.replay.STEP_SECONDS", 0.2)
    async with playing(tmp_path, Script(refuses_scale=400)) as (platform, device, _):
        await act(platform, "speed", 8)
        await until(lambda: sum("Range: npt=" in text for text in device.controls) >= 3)
        ahead = [float(text.split("npt=")[1].split("-")[0]) for text in device.controls if "npt=" in text]
        assert all(later - one == pytest.approx(1.6, abs=1) for one, later in itertools.pairwise(ahead))
        await act(platform, "speed", 1)
        count = len(device.controls)
        with pytest.raises(HubError) as refused:
            await act(platform, "speed", 0.5)
        assert refused.value.message_zh == "设备不支持慢放。"
        assert len(device.controls) == count + 1


async def test_a_device_without_seek_is_called_again(tmp_path: Path) -> None:
    async with playing(tmp_path, Script(info=400)) as (platform, device, _):
        await act(platform, "seek", 250)
        await until(lambda: len(device.invites) == 2)
        assert f"t={BEGIN + 250} {END}".encode() in device.invites[1].body
        assert device.heard.count("BYE") == 1
        await platform.turns("live")
        with pytest.raises(HubError):
            await act(platform, "pause")


@pytest.mark.parametrize("method", ["MESSAGE", "INFO", "BYE"])
async def test_the_end_of_a_file_ends_the_playback(tmp_path: Path, method: str) -> None:
    async with playing(tmp_path) as (platform, device, _):
        device.hang_up(method, b"" if method == "BYE" else MEDIA_STATUS)
        await platform.turns("idle", "ended")
        if method != "BYE":
            await until(lambda: "BYE" in device.heard)
        assert platform.calls.ports.used == 0
        await act(platform, "seek", 10)
        await platform.turns("live")
        assert f"t={BEGIN + 10} {END}".encode() in device.invites[1].body


async def test_the_end_of_a_file_is_heard_outside_of_the_dialog(tmp_path: Path) -> None:
    async with playing(tmp_path) as (platform, device, _):
        platform.calls.media_status(device="34020000001320000001", channel=CHANNEL, request=device.invites[0])
        await platform.turns("idle", "ended")
        await until(lambda: "BYE" in device.heard)


async def test_acts_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    async with playing(tmp_path) as (platform, _, _):
        platform.pull("media-0", source="live")
        for verb, value, sentence in [
            ("seek", 601, "The recording does not reach that far."),
            ("seek", -1, "The recording does not reach that far."),
            ("speed", 9, "The speed is from 0.25 to 8."),
            ("rewind", 1, "A playback knows play, pause, seek and speed."),
        ]:
            with pytest.raises(HubError, match=sentence):
                await act(platform, verb, value)
        with pytest.raises(HubError, match="This is not a recording"):
            await platform.calls.replay(Replay(source="live", verb="pause"))
        with pytest.raises(HubError, match="There is no such playback"):
            await platform.calls.replay(Replay(source="nothing", verb="pause"))
