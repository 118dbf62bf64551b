"""WHIP and WHEP with peers that nobody here wrote: aiortc, the PyPI livekit SDK, Chromium."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from livekit import rtc
from livekit.protocol import models
from playwright.async_api import Browser, Page

from commhub.media.messages import Untaken
from tests.support import until
from tests.support.browser import chromium
from tests.support.caller import Caller
from tests.support.hevc_player import speaks_h265
from tests.support.hub import Hub
from tests.support.whip import Picture, Tone, Way

pytestmark = [pytest.mark.peer, pytest.mark.timeout(90)]


async def test_an_encoder_is_seen_and_heard(hub: Hub) -> None:
    async with Caller(hub.url, hub.token("alice"), video=False, audio=False) as alice:
        began = time.monotonic()
        async with Way(hub.base, "/whip", hub.token("encoder")).send(Tone(), Picture()):
            assert await alice.sees("encoder", count=10) - began < 20
            await until(lambda: len(alice.sounds["encoder"]) > 20)
            participant = alice.room.remote_participants["encoder"]
            assert participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_INGRESS
            sources = {publication.source for publication in participant.track_publications.values()}
            assert sources == {rtc.TrackSource.SOURCE_CAMERA, rtc.TrackSource.SOURCE_MICROPHONE}
        await until(lambda: not alice.room.remote_participants)
    await until(lambda: not hub.rooms.rooms["r"].people)


async def test_a_player_sees_and_hears_and_goes_on_when_the_watched_one_comes_back(hub: Hub) -> None:
    async with Way(hub.base, "/whep?participant=alice", hub.token("wall", hidden=True)).receive("audio", "video") as wall:
        async with Caller(hub.url, hub.token("alice")) as alice:
            await asyncio.gather(wall.sees(count=10), wall.hears(count=20))
            assert alice.room.remote_participants == {}  # a viewer is not shown
            camera = next(one for one in alice.room.local_participant.track_publications.values() if one.kind == 2)
            await alice.room.local_participant.unpublish_track(camera.sid)
        gone = time.monotonic()
        async with Caller(hub.url, hub.token("alice")):
            await asyncio.gather(wall.sees(after=gone + 0.5, count=10), wall.hears(after=gone + 0.5, count=20))
        assert (await wall.call("DELETE"))[0] == 200
        assert (await wall.call("DELETE"))[0] == 404


async def test_h265_of_an_encoder_is_for_players_that_decode_it(hub: Hub) -> None:
    """Nothing is made of a participant's picture: who does not decode it is told so."""
    said: list[Any] = []
    hub.rooms.engine.on_event(said.append)
    with speaks_h265():
        async with (
            Way(hub.base, "/whip", hub.token("encoder")).send(Picture(90)) as encoder,
            Way(hub.base, "/whep", hub.token("wall")).receive("video") as wall,
        ):
            await wall.sees(count=20)
            assert abs(wall.pictures[-1][1] - 90) < 12
            encoding = next(one for one in hub.rooms.rooms["r"].people.values() if one.identity == "encoder")
            (track,) = encoding.tracks.values()
            assert track.info.mime_type == "video/H265"
            assert "H265/90000" in encoder.connection.remoteDescription.sdp
            async with Caller(hub.url, hub.token("alice"), video=False, audio=False) as alice:
                # Its SDK hears subscription_response, and says nothing of it.
                await until(lambda: any(isinstance(one, Untaken) for one in said), 20, "a word about the codec")
                assert alice.frames == {}


async def test_from_encoder_to_player_over_a_hub_that_is_killed(hub: Hub) -> None:
    async with (
        Way(hub.base, "/whip", hub.token("encoder")).send(Tone(), Picture(40)) as encoder,
        Way(hub.base, "/whep", hub.token("wall")).receive("audio", "video") as wall,
    ):
        await asyncio.gather(wall.sees(count=5), wall.hears())
        assert abs(wall.pictures[-1][1] - 40) < 12
        await hub.crash()
        killed = time.monotonic()
        await wall.sees(after=killed, count=10, within=8)
        await hub.start()
        assert (await encoder.call("PATCH", "a=end-of-candidates\r\n", If_Match=encoder.etag))[0] == 204
        await asyncio.sleep(2)
        await asyncio.gather(wall.sees(after=time.monotonic(), count=5), wall.hears(after=time.monotonic()))
        (sid,) = [one.sid for one in hub.rooms.rooms["r"].people.values() if one.identity == "encoder"]
        async with Way(hub.base, "/whip", hub.token("encoder")).send(Picture(200)):  # it comes anew: its old session ends
            again = time.monotonic()
            await wall.sees(after=again + 1, count=5)
            await until(lambda: abs(wall.pictures[-1][1] - 200) < 20, 10)
            people = {one.identity: one for one in hub.rooms.rooms["r"].people.values()}
            assert people["encoder"].sid != sid
            assert people["encoder"].info.kind == models.ParticipantInfo.Kind.INGRESS
        assert (await encoder.call("DELETE"))[0] == 404


async def test_an_encoder_that_is_removed_or_falls_silent(hub: Hub) -> None:
    async with Way(hub.base, "/whip", hub.token("encoder")).send(Picture()) as encoder:
        await until(lambda: any(one.info.state == 2 for one in hub.rooms.rooms["r"].people.values()), 15)
        await hub.rooms.remove("r", "encoder")
        assert hub.rooms.rooms["r"].people == {}
        assert (await encoder.call("PATCH", "a=end-of-candidates\r\n"))[0] == 404
    async with Way(hub.base, "/whip", hub.token("silent")).send(Picture()) as silent:
        await until(lambda: any(one.info.state == 2 for one in hub.rooms.rooms["r"].people.values()), 15)
        await silent.connection.close()  # no DELETE
        await until(lambda: not hub.rooms.rooms["r"].people, 15)


# ---- Chromium

SCRIPT = Path(__file__).parents[1] / "support" / "whip.js"


async def _counted(page: Page, name: str, *, frames: int = 10, sound: int = 20, within: float = 25) -> dict[str, Any]:
    """So many *more* frames and packets of sound."""
    began = await page.evaluate("(name) => counts(name)", name)
    end = time.monotonic() + within
    while True:
        now: dict[str, Any] = await page.evaluate("(name) => counts(name)", name)
        if now["frames"] - began["frames"] >= frames and now["sound"] - began["sound"] >= sound:
            return now
        assert time.monotonic() < end, (began, now)
        await asyncio.sleep(0.1)


async def _page(browser: Browser, hub: Hub) -> Page:
    context = await browser.new_context(permissions=["camera", "microphone"])
    page = await context.new_page()
    await page.goto(f"{hub.base}/page")
    await page.add_script_tag(path=SCRIPT)
    return page


async def test_chromium_publishes_in_three_layers_and_survives_an_ice_restart(hub: Hub) -> None:
    async with chromium() as browser, Caller(hub.url, hub.token("alice"), video=False, audio=False) as alice:
        page = await _page(browser, hub)
        await page.evaluate("(token) => encode(token)", hub.token("encoder"))
        assert await page.evaluate("trickle('out')") == 204
        await alice.sees("encoder", count=10, within=30)
        await until(lambda: len(alice.sounds["encoder"]) > 20)
        (video,) = [one for one in alice.room.remote_participants["encoder"].track_publications.values() if one.kind == 2]
        assert video.simulcasted
        async with Way(hub.base, "/whep", hub.token("wall")).receive("audio", "video") as wall:
            await wall.sees(count=5)

            async def layers() -> bool:
                sent = (await page.evaluate("counts('out')"))["sent"]
                return len(sent) == 3 and all(sent.values())

            end = time.monotonic() + 20
            while not await layers():
                assert time.monotonic() < end, await page.evaluate("counts('out')")
                await asyncio.sleep(0.2)
            assert await page.evaluate("restart('out')") == 200
            since = time.monotonic()
            await asyncio.gather(wall.sees(after=since + 3, count=10), wall.hears(after=since + 3))
        assert await page.evaluate("send('out', 'DELETE').then((answer) => answer.status)") == 200
        await until(lambda: not alice.room.remote_participants)


async def test_chromium_plays_on_when_the_watched_one_comes_back_in_another_codec(hub: Hub) -> None:
    async with chromium() as browser:
        page = await _page(browser, hub)
        await page.evaluate("([token, query]) => play(token, query)", [hub.token("wall"), "?participant=alice"])
        assert await page.evaluate("trickle('in')") == 204
        async with Caller(hub.url, hub.token("alice")):
            seen = await _counted(page, "in")
            assert seen["height"] == 360
        async with Caller(hub.url, hub.token("alice"), codec=rtc.VideoCodec.H264):
            await _counted(page, "in")
            assert await page.evaluate("restart('in')") == 200
            await asyncio.sleep(1)
            await _counted(page, "in")
        assert await page.evaluate("send('in', 'DELETE').then((answer) => answer.status)") == 200


async def test_a_killed_worker_ends_sessions_and_the_same_identity_comes_again(hub: Hub) -> None:
    async with Way(hub.base, "/whip", hub.token("encoder")).send(Picture()) as encoder:
        await until(lambda: any(one.info.state == 2 for one in hub.rooms.rooms["r"].people.values()), 15)
        await hub.media.end()
        await until(lambda: not hub.workers.health()["media-0"])
        assert (await encoder.call("PATCH", "a=end-of-candidates\r\n"))[0] == 404
        await hub.media.start()
        await until(lambda: hub.workers.health()["media-0"])
        async with (
            Way(hub.base, "/whip", hub.token("encoder")).send(Picture()),
            Way(hub.base, "/whep?participant=encoder", hub.token("wall")).receive("video") as wall,
        ):
            await wall.sees(count=5)
            identities = [one.identity.partition("~")[0] for one in hub.rooms.rooms["r"].people.values()]
            assert sorted(identities) == ["encoder", "wall"]
