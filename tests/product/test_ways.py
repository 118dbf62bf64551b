"""Egress and Ingress in a whole hub: LiveKit's own client of the server API, a recorder, a bridge, a camera, encoders."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import av
import pytest
from av.subtitles.subtitle import SubtitleSet
from livekit import api, rtc
from livekit.protocol import egress as egress_protocol
from livekit.protocol import ingress as ingress_protocol

from tests.support.caller import Caller
from tests.support.installation import SECRET, Installation
from tests.support.whip import Picture, Tone, Way

pytestmark = [pytest.mark.peer, pytest.mark.timeout(150)]
Status, State = egress_protocol.EgressStatus, ingress_protocol.IngressState


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Installation]:
    async with Installation(tmp_path) as running:
        yield running


def token(identity: str, room: str = "ways") -> str:
    grants = api.VideoGrants(room_join=True, room=room)
    return api.AccessToken("APItest", SECRET).with_identity(identity).with_grants(grants).to_jwt()


async def comes(what: Callable[[], Any], seconds: float = 30) -> Any:
    """The first true answer."""
    end = time.monotonic() + seconds
    while True:
        if found := await what():
            return found
        assert time.monotonic() < end, "it did not come"
        await asyncio.sleep(0.2)


def played(file: Path) -> tuple[str, float]:
    """Codec and seconds of a file, decoded to its end."""
    with av.open(str(file)) as container:
        stream = container.streams[0]
        times = [
            frame.time for frame in container.decode(stream) if not isinstance(frame, SubtitleSet) and frame.time is not None
        ]
        return stream.codec_context.name, max(times)


async def test_a_track_and_a_participant_are_recorded_over_a_killed_hub(hub: Installation) -> None:
    url = f"ws://127.0.0.1:{hub.port}"
    async with (
        Caller(url, token("alice")) as alice,
        Caller(url, token("bob")),
        api.LiveKitAPI(f"http://127.0.0.1:{hub.port}", "APItest", SECRET) as admin,
    ):
        microphone = next(one for one in alice.room.local_participant.track_publications.values() if one.kind == 1)
        file = egress_protocol.DirectFileOutput(filepath="x.ogg")
        track = await admin.egress.start_track_egress(
            egress_protocol.TrackEgressRequest(room_name="ways", track_id=microphone.sid, file=file)
        )
        whole = await admin.egress.start_participant_egress(
            egress_protocol.ParticipantEgressRequest(
                room_name="ways", identity="bob", file_outputs=[egress_protocol.EncodedFileOutput(filepath="x.mp4")]
            )
        )
        assert (track.status, whole.status) == (Status.EGRESS_STARTING, Status.EGRESS_STARTING)

        async def listed() -> dict[str, egress_protocol.EgressInfo]:
            found = await admin.egress.list_egress(egress_protocol.ListEgressRequest(room_name="ways"))
            return {one.egress_id: one for one in found.items}

        async def active() -> bool:
            return all(one.status == Status.EGRESS_ACTIVE for one in (await listed()).values())

        await comes(active)
        await comes(lambda: _true(alice.room.is_recording))
        await asyncio.sleep(2)
        hub.kill("hub")
        await asyncio.sleep(2)

        async def stopped() -> bool:
            try:
                await admin.egress.stop_egress(egress_protocol.StopEgressRequest(egress_id=track.egress_id))
            except (api.TwirpError, aiohttp.ClientError):
                return False
            return True

        await comes(stopped)

        async def complete() -> egress_protocol.EgressInfo | None:
            one = (await listed())[track.egress_id]
            return one if one.status == Status.EGRESS_COMPLETE else None

        ended = await comes(complete)
        assert (await listed())[whole.egress_id].status == Status.EGRESS_ACTIVE
        (result,) = ended.file_results

        def plain(name: str) -> Path:
            return hub.plain(*name.split("/", 1))

        assert played(plain(result.filename))[0] == "opus"
        assert result.size == plain(result.filename).stat().st_size
        assert result.duration > 3_000_000_000
        await admin.egress.stop_egress(egress_protocol.StopEgressRequest(egress_id=whole.egress_id))

        async def both() -> egress_protocol.EgressInfo | None:
            one = (await listed())[whole.egress_id]
            return one if one.status == Status.EGRESS_COMPLETE else None

        lengths = [played(plain(one.filename)) for one in (await comes(both)).file_results]
        # His SDK may have begun anew when the hub came back late: then there are more files than tracks.
        longest = {codec: max(seconds for one, seconds in lengths if one == codec) for codec, _ in lengths}
        assert set(longest) == {"opus", "vp8"}
        assert min(longest.values()) > 3
        await comes(lambda: _true(not alice.room.is_recording))


async def test_a_stream_key_and_a_camera_bring_pictures_in(hub: Installation) -> None:
    url = f"ws://127.0.0.1:{hub.port}"
    base = f"http://127.0.0.1:{hub.port}"
    async with (
        Caller(url, token("alice"), video=False, audio=False) as alice,
        api.LiveKitAPI(base, "APItest", SECRET) as admin,
    ):
        whip = await admin.ingress.create_ingress(
            ingress_protocol.CreateIngressRequest(
                input_type=ingress_protocol.IngressInput.WHIP_INPUT, room_name="ways", participant_identity="encoder",
                participant_name="Encoder", name="obs",
            )
        )  # fmt: skip
        camera = hub.camera
        pulled = await admin.ingress.create_ingress(
            ingress_protocol.CreateIngressRequest(
                input_type=ingress_protocol.IngressInput.URL_INPUT, room_name="ways", participant_identity="camera",
                url=f"rtsp://{camera['user']}:{camera['password']}@127.0.0.1:{hub.camera_port}/camera",
            )
        )  # fmt: skip
        assert (pulled.url, pulled.stream_key) == (f"rtsp://127.0.0.1:{hub.camera_port}/camera", "")
        assert whip.url.endswith("/w")

        async def states() -> dict[str, ingress_protocol.IngressInfo]:
            found = await admin.ingress.list_ingress(ingress_protocol.ListIngressRequest(room_name="ways"))
            return {one.ingress_id: one for one in found.items}

        await alice.sees("camera", count=10, within=30)
        assert alice.room.remote_participants["camera"].kind == rtc.ParticipantKind.PARTICIPANT_KIND_INGRESS
        async with Way(base, "/w", whip.stream_key).send(Tone(), Picture()):
            await alice.sees("encoder", count=10, within=30)
            now = await states()
            assert {one.state.status for one in now.values()} == {State.ENDPOINT_PUBLISHING}
            assert {track.type for track in now[whip.ingress_id].state.tracks} == {0, 1}
            assert now[pulled.ingress_id].state.video.mime_type == "video/H264"
            assert now[whip.ingress_id].stream_key == whip.stream_key
            hub.kill("hub")
            killed = time.monotonic()
            await asyncio.gather(
                alice.sees("encoder", after=killed + 4, count=10), alice.sees("camera", after=killed + 4, count=10)
            )

            async def known() -> bool:
                try:
                    return {one.state.status for one in (await states()).values()} == {State.ENDPOINT_PUBLISHING}
                except (api.TwirpError, aiohttp.ClientError):
                    return False

            await comes(known)

        async def ended() -> bool:
            return (await states())[whip.ingress_id].state.status == State.ENDPOINT_INACTIVE

        await comes(ended)
        await admin.ingress.delete_ingress(ingress_protocol.DeleteIngressRequest(ingress_id=pulled.ingress_id))
        await comes(lambda: _true("camera" not in alice.room.remote_participants))
        assert set(await states()) == {whip.ingress_id}
        await admin.ingress.delete_ingress(ingress_protocol.DeleteIngressRequest(ingress_id=whip.ingress_id))
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{base}/w", data="v=0", headers={"Authorization": f"Bearer {whip.stream_key}", "Content-Type": "application/sdp"}
            ) as answer,
        ):
            assert answer.status == 401


async def test_what_the_bridge_may_not_reach_is_said(hub: Installation) -> None:
    async with api.LiveKitAPI(f"http://127.0.0.1:{hub.port}", "APItest", SECRET) as admin:
        pulled = await admin.ingress.create_ingress(
            ingress_protocol.CreateIngressRequest(
                input_type=ingress_protocol.IngressInput.URL_INPUT, room_name="ways", participant_identity="camera",
                url="rtsp://127.0.0.1:9/none",
            )
        )  # fmt: skip

        async def error() -> str:
            (found,) = (await admin.ingress.list_ingress(ingress_protocol.ListIngressRequest())).items
            assert found.ingress_id == pulled.ingress_id
            return str(found.state.error) if found.state.status == State.ENDPOINT_ERROR else ""

        assert "allow" in await comes(error)


async def _true(value: object) -> object:
    return value
