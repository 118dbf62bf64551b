"""What was decided about people survives whatever dies; who is told to end hands over first, and never waits without limit."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from livekit import api
from livekit.protocol.models import ParticipantPermission, TrackSource

from tests.support import alive, until
from tests.support.installation import SECRET, Installation
from tests.support.media_files import probe
from tests.support.meetings import meeting

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]

ALL_KEYS = json.dumps({"APItest": {"secret": SECRET, "scope": "all"}})
BOUND = 10.0  # seconds that anything told to end may take


async def gone(hub: Installation, name: str, pid: int) -> None:
    await until(lambda: not alive(pid) and hub.pids().get(name) not in (None, pid), BOUND + 5, f"{name} has another life")


async def recorded(hub: Installation, consultation: str) -> dict[str, Any]:
    """The only recording of a consultation, when it is closed; every file of it can be read to its end."""
    reviewer = await hub.sign_in(hub.who("admin"))
    for _ in range(100):
        listed = (await reviewer.call("GET", f"/recordings?consultation={consultation}"))["items"]
        if listed and all(each["state"] != "recording" for each in listed):
            break
        await asyncio.sleep(0.2)
    assert [each["state"] in ("complete", "repaired") for each in listed] == [True], listed
    detail: dict[str, Any] = await reviewer.call("GET", f"/recordings/{listed[0]['id']}")
    for track in detail["tracks"]:
        for segment in track["segments"]:
            file = hub.segment(listed[0]["id"], segment["url"])
            assert abs(await probe(file) * 1000 - segment["duration_ms"]) < 1_000, (track["source"], segment)
    return detail


async def decide(admin: api.LiveKitAPI, room: str, host: str, guest: str) -> None:
    """The host is muted, the guest may not send data and does not want the host's picture."""
    found = await admin.room.get_participant(api.RoomParticipantIdentity(room=room, identity=host))
    sids = {track.source: track.sid for track in found.tracks}
    mute = api.MuteRoomTrackRequest(room=room, identity=host, track_sid=sids[TrackSource.MICROPHONE], muted=True)
    await admin.room.mute_published_track(mute)
    unwanted = api.UpdateSubscriptionsRequest(room=room, identity=guest, track_sids=[sids[TrackSource.CAMERA]], subscribe=False)
    await admin.room.update_subscriptions(unwanted)
    permission = ParticipantPermission(can_subscribe=True, can_publish=True, can_publish_data=False)
    change = api.UpdateParticipantRequest(room=room, identity=guest, permission=permission, metadata="of the hall")
    await admin.room.update_participant(change)


async def still_decided(admin: api.LiveKitAPI, room: str, host: str, guest: str) -> None:
    first = await admin.room.get_participant(api.RoomParticipantIdentity(room=room, identity=host))
    assert {track.source: track.muted for track in first.tracks}[TrackSource.MICROPHONE]
    second = await admin.room.get_participant(api.RoomParticipantIdentity(room=room, identity=guest))
    assert second.metadata == "of the hall"
    assert second.permission.can_publish
    assert not second.permission.can_publish_data


@pytest.mark.parametrize("what", ["worker", "everything"])
async def test_rights_mutes_wishes_and_the_recording_survive(tmp_path: Path, what: str) -> None:
    async with Installation(tmp_path, COMMHUB_KEYS=ALL_KEYS) as hub:
        async with meeting(hub, record=True) as call, api.LiveKitAPI(hub.base, "APItest", SECRET) as admin:
            host, guest, room, first, second = call.host, call.guest, call.room, call.first, call.second
            await decide(admin, room, host, guest)
            await until(lambda: time.monotonic() - second.frames[host][-1] > 1, 10, "the guest no longer gets the picture")
            await asyncio.sleep(3)  # some of it is recorded
            before, killed = hub.pids(), time.monotonic()
            if what == "worker":
                hub.kill("media-0")
            else:
                await hub.crash()
                await hub.start()
                await until(lambda: not any(map(alive, before.values())), 5, "nobody of the earlier life is left")
            back = await first.sees(guest, after=killed + 0.2, within=40)
            await asyncio.sleep(4)
            await still_decided(admin, room, host, guest)
            assert not [at for at in second.frames[host] if at > killed + 0.2]
            assert len([at for at in first.frames[guest] if at > back]) > 20
            about = await call.about()
            assert about["recording"]["state"] == "recording"
            assert {each["identity"] for each in about["present"]} == {host, guest}
            await call.stop_recording()
        detail = await recorded(hub, room)
        (camera,) = [one for one in detail["tracks"] if (one["identity"], one["source"]) == (guest, "camera")]
        assert len(camera["segments"]) >= 2, camera


async def test_a_worker_told_to_end_hands_over_within_its_bound(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub:
        async with meeting(hub, record=True) as call:
            await hub.spare("media-0")
            worker, told = hub.pids()["media-0"], time.monotonic()
            assert "media-0 已移交" in await hub.run("drain", "media-0")
            assert not alive(worker)
            assert time.monotonic() - told < BOUND
            assert max(await call.seen(after=told + 0.2)) - told < 8
            await asyncio.sleep(2)
            assert (await call.about())["recording"]["state"] == "recording"
            await call.stop_recording()
        detail = await recorded(hub, call.room)
        assert all(len(track["segments"]) >= 2 for track in detail["tracks"]), detail["tracks"]


async def test_the_rooms_of_one_worker_go_to_the_other(tmp_path: Path) -> None:
    async with Installation(tmp_path, COMMHUB_MEDIA__WORKERS="2") as hub, meeting(hub) as call:
        for name in ("media-0", "media-1", "media-0"):  # wherever the room was at first, it moves at least twice
            pid, told = hub.pids()[name], time.monotonic()
            os.kill(pid, signal.SIGTERM)
            await gone(hub, name, pid)
            await hub.ready()
            await call.seen(after=told + 0.2)


async def test_all_of_it_ends_within_its_bound_and_goes_on_when_it_starts_again(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub:
        async with meeting(hub, record=True) as call:
            await asyncio.sleep(3)
            before = hub.pids()
            assert await hub.end() < BOUND
            assert not any(map(alive, before.values()))
            (manifest,) = (hub.folder / "data" / "recordings").glob("*/manifest.json")
            read = hub.plain(manifest.parent.name, manifest.name).read_text()
            assert json.loads(read)["state"] == "complete"
            await hub.start()
            started = time.monotonic()
            await call.seen(after=started, within=40)
            await asyncio.sleep(2)
            await call.stop_recording()
        detail = await recorded(hub, call.room)
        assert all(len(track["segments"]) >= 2 for track in detail["tracks"]), detail["tracks"]


async def test_everything_is_started_anew_one_after_the_other_and_the_call_goes_on(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, meeting(hub) as call:
        before = hub.pids()
        assert "全部进程已重启" in await hub.run("restart")
        after = hub.pids()
        assert after.pop("supervisor") == before.pop("supervisor")
        assert not set(after.values()) & set(before.values())
        await hub.ready()
        await call.seen(after=time.monotonic())
        for who in (call.first, call.second):
            assert not [event for _, event in who.events if event == "disconnected"]
