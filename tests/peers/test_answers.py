"""What a client is told when it asks for something: the same questions, on a bare WebSocket, to both servers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from livekit.protocol import models, rtc

from tests.support.peers.meeting import MARKS
from tests.support.peers.servers import Server

pytestmark = MARKS
R = rtc.RequestResponse
VIDEO, AUDIO = models.TrackType.VIDEO, models.TrackType.AUDIO
CAMERA, MICROPHONE = models.TrackSource.CAMERA, models.TrackSource.MICROPHONE
_rooms = itertools.count(1)


class Line:
    """A client without media, on ``/rtc``."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.heard: list[rtc.SignalResponse] = []

    async def say(self, **message: Any) -> None:
        await self.socket.send_bytes(rtc.SignalRequest(**message).SerializeToString())

    async def hears(self, kind: str, within: float = 5) -> Any:
        """The next response of this kind."""
        async with asyncio.timeout(within):
            while True:
                frame = await self.socket.receive()
                assert frame.type == aiohttp.WSMsgType.BINARY, frame
                response = rtc.SignalResponse.FromString(frame.data)
                self.heard.append(response)
                if response.WhichOneof("message") == kind:
                    return getattr(response, kind)


@asynccontextmanager
async def joined(server: Server, identity: str, room: str, **grants: Any) -> AsyncIterator[tuple[Line, rtc.JoinResponse]]:
    query = {"access_token": server.token(identity, room, **grants), "protocol": "16", "sdk": "js", "version": "2.23.0"}
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{server.base}/rtc", params=query) as socket:
        line = Line(socket)
        yield line, await line.hears("join")


ASKED: list[tuple[dict[str, Any], int]] = [
    ({"add_track": rtc.AddTrackRequest(cid="d", type=models.TrackType.DATA, source=CAMERA)}, R.UNSUPPORTED_TYPE),
    ({"add_track": rtc.AddTrackRequest(cid="c", sid="TR_none", type=VIDEO, source=CAMERA)}, R.NOT_FOUND),
    ({"mute": rtc.MuteTrackRequest(sid="TR_none", muted=True)}, R.NOT_FOUND),
    ({"update_audio_track": rtc.UpdateLocalAudioTrack(track_sid="TR_none")}, R.NOT_FOUND),
    ({"update_video_track": rtc.UpdateLocalVideoTrack(track_sid="TR_none")}, R.NOT_FOUND),
    ({"update_metadata": rtc.UpdateParticipantMetadata(metadata="m", request_id=7)}, R.OK),
    ({"update_metadata": rtc.UpdateParticipantMetadata(attributes={"a": "x" * 70_000}, request_id=8)}, R.LIMIT_EXCEEDED),
    ({"update_metadata": rtc.UpdateParticipantMetadata(name="x" * 300, request_id=9)}, R.LIMIT_EXCEEDED),
    ({"publish_data_track_request": rtc.PublishDataTrackRequest(pub_handle=0, name="n")}, R.INVALID_HANDLE),
    ({"publish_data_track_request": rtc.PublishDataTrackRequest(pub_handle=3)}, R.INVALID_NAME),
    ({"unpublish_data_track_request": rtc.UnpublishDataTrackRequest(pub_handle=9)}, R.NOT_FOUND),
    ({"get_data_blob_request": rtc.GetDataBlobRequest(request_id=4, participant_identity="x")}, R.INVALID_REQUEST),
    ({"trickle": rtc.TrickleRequest(candidateInit="nonsense", target=rtc.SignalTarget.PUBLISHER)}, R.UNCLASSIFIED_ERROR),
]


@pytest.mark.parametrize(("asked", "reason"), ASKED, ids=[f"{next(iter(asked))}-{reason}" for asked, reason in ASKED])
async def test_a_request_and_its_reason(server: Server, asked: dict[str, Any], reason: int) -> None:
    async with joined(server, "alice", f"answers-{next(_rooms)}") as (line, _):
        await line.say(**asked)
        answer = await line.hears("request_response")
        assert R.Reason.Name(answer.reason) == R.Reason.Name(reason)
        request = next(iter(asked.values()))
        assert answer.request_id == getattr(request, "request_id", 0)
        echo = answer.WhichOneof("request")
        assert echo is None or getattr(answer, echo) == request


async def test_what_is_not_granted(server: Server) -> None:
    grants = {"can_publish_sources": ["microphone"], "can_update_own_metadata": False, "can_publish_data": False}
    async with joined(server, "alice", f"answers-{next(_rooms)}", **grants) as (line, join):
        assert list(join.participant.permission.can_publish_sources) == [MICROPHONE]
        await line.say(add_track=rtc.AddTrackRequest(cid="c", type=VIDEO, source=CAMERA))
        assert (await line.hears("request_response")).reason == R.NOT_ALLOWED
        await line.say(update_metadata=rtc.UpdateParticipantMetadata(name="A", request_id=2))
        assert (await line.hears("request_response")).reason == R.NOT_ALLOWED
        await line.say(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=1, name="n"))
        assert (await line.hears("request_response")).reason == R.NOT_ALLOWED
        await line.say(add_track=rtc.AddTrackRequest(cid="m", type=AUDIO, source=MICROPHONE, stereo=True))
        track = (await line.hears("track_published")).track
        assert (track.stereo, track.stream, track.disable_red) == (True, "camera", False)
        assert models.AudioTrackFeature.TF_STEREO in track.audio_features


async def test_data_tracks(server: Server) -> None:
    room = f"answers-{next(_rooms)}"
    async with joined(server, "alice", room) as (alice, _):
        await alice.say(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=7, name="positions"))
        info = (await alice.hears("publish_data_track_response")).info
        assert (info.pub_handle, info.name, info.sid[:4]) == (7, "positions", "DTR_")
        for handle, name, reason in ((7, "other", R.DUPLICATE_HANDLE), (8, "positions", R.DUPLICATE_NAME)):
            await alice.say(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=handle, name=name))
            assert (await alice.hears("request_response")).reason == reason
        async with joined(server, "bob", room) as (_, join):
            assert [one.sid for one in join.other_participants[0].data_tracks] == [info.sid]
        await alice.say(unpublish_data_track_request=rtc.UnpublishDataTrackRequest(pub_handle=7))
        assert (await alice.hears("unpublish_data_track_response")).info.sid == info.sid


@pytest.mark.parametrize(
    ("said", "told"),
    [("CLIENT_INITIATED", "CLIENT_INITIATED"), ("USER_REJECTED", "USER_REJECTED"), ("ROOM_DELETED", "CLIENT_INITIATED")],
)
async def test_why_somebody_left(server: Server, said: str, told: str) -> None:
    room = f"answers-{next(_rooms)}"
    async with joined(server, "alice", room) as (alice, _), joined(server, "bob", room) as (bob, _):
        await bob.say(leave=rtc.LeaveRequest(reason=said))
        while True:
            update = await alice.hears("update")
            gone = [one for one in update.participants if one.identity == "bob" and one.state == 3]
            if gone:
                break
        assert models.DisconnectReason.Name(gone[0].disconnect_reason) == told


async def test_the_first_words(server: Server) -> None:
    async with joined(server, "alice", f"answers-{next(_rooms)}") as (alice, join):
        assert join.server_info.protocol >= 16
        assert (join.subscriber_primary, join.fast_publish, join.ping_interval, join.ping_timeout) == (True, True, 5, 15)
        assert join.sif_trailer
        await alice.hears("refresh_token")
        await alice.hears("offer")
        await alice.say(ping_req=rtc.Ping(timestamp=5))
        assert (await alice.hears("pong_resp")).last_ping_timestamp == 5
