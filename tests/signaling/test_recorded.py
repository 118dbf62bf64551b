"""The client's half of two recorded conversations, against our half of what LiveKit 1.13.3 said.

``tests/data/livekit/*.jsonl``: ``[seconds, connection, ">>" | "<<", message]`` without trickle and with short names for SDP.
What LiveKit said because of media (a track bound, somebody subscribed, speakers) is the engine's: the replay lets
the engine say it at the same place, and then our client has to hear the same.
"""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from livekit.protocol import models, rtc

from commhub.media import messages as media
from signaling.outs import Out, Send
from tests.support.livekit import Stage, ticket

DATA = Path(__file__).parent.parent / "data" / "livekit"
# LiveKit tells these when it gets to it, several times over, or in groups; what must be in them is checked apart.
LOOSE = {"update", "room_update", "refresh_token", "connection_quality"}


class Replay:
    def __init__(self, name: str) -> None:
        self.lines = [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text().splitlines()]
        self.stage = Stage()
        self.sids: dict[str, str] = {}  # connection -> PA_ sid
        self.ours: dict[str, str] = {}  # LiveKit's sids -> ours
        self.theirs: dict[str, deque[rtc.SignalResponse]] = {}
        self.compared = 0

    def run(self) -> None:
        for _, connection, direction, body in self.lines:
            if direction == ">>":
                self.client(connection, self.translated(body))
            else:
                self.server(connection, ParseDict(body, rtc.SignalResponse()))

    def translated(self, body: Any) -> Any:
        text = json.dumps(body)
        for theirs, ours in self.ours.items():
            text = text.replace(theirs, ours)
        return json.loads(text)

    def carry(self, outs: list[Out]) -> None:
        for out in outs:
            if isinstance(out, Send):
                for sid in out.to:
                    self.theirs.setdefault(sid, deque()).append(out.response)
        self.stage.run(outs)

    def client(self, connection: str, body: dict[str, Any]) -> None:
        room, now = self.stage.room, self.stage.now
        if "join_request" in body:
            request = ParseDict(body["join_request"], rtc.JoinRequest())
            self.sids[connection], outs = room.join(ticket(connection), request, now, dual=False)
        else:
            outs = room.receive(self.sids[connection], ParseDict(body, rtc.SignalRequest()), now)
        self.carry(outs)

    def engine(self, message: media.Message) -> None:
        self.carry(self.stage.room.event(message, self.stage.now))

    def server(self, connection: str, said: rtc.SignalResponse) -> None:
        kind = said.WhichOneof("message") or ""
        sid = self.sids[connection]
        self.cause(kind, sid, said)
        mine = self.theirs.setdefault(sid, deque())
        if kind in LOOSE:
            return
        while mine and mine[0].WhichOneof("message") in LOOSE:
            mine.popleft()
        assert mine, f"LiveKit said {kind}, we said nothing"
        answer = mine.popleft()
        if kind == "subscription_permission_update":  # in any order
            mine.appendleft(answer)
            track = self.ours[said.subscription_permission_update.track_sid]
            answer = next(one for one in mine if one.subscription_permission_update.track_sid == track)
            mine.remove(answer)
        assert answer.WhichOneof("message") == kind
        getattr(self, f"same_{kind}", lambda ours, theirs: None)(getattr(answer, kind), getattr(said, kind))
        self.compared += 1

    def cause(self, kind: str, sid: str, said: rtc.SignalResponse) -> None:
        """What the engine tells the hub so that it says this."""
        room = self.stage.room
        match kind:
            case "answer":
                offer = self.stage.offers.pop(0)
                assert (offer.peer, offer.id) == (sid, said.answer.id or offer.id)
                mids = {mid: self.ours[track] for mid, track in said.answer.mid_to_track_id.items()}
                self.carry(room.answered(sid, media.Answer("v=0", offer.id, mids)))
            case "update":
                for person in said.update.participants:
                    for track in person.tracks:
                        if not room.people[self.ours[person.sid]].tracks[self.ours[track.sid]].bound:
                            peer, ours = self.ours[person.sid], self.ours[track.sid]
                            self.engine(media.TrackBound("r", peer, ours, track.mid, track.mime_type))
            case "track_subscribed":
                subscribed = self.ours[said.track_subscribed.track_sid]
                self.engine(media.TrackSubscribed("r", sid, subscribed, "PA_other"))
            case "media_sections_requirement":
                wanted = said.media_sections_requirement
                self.engine(media.SectionsWanted("r", sid, wanted.num_audios, wanted.num_videos))
            case "subscribed_quality_update":
                update = said.subscribed_quality_update
                on = [int(one.quality) for one in update.subscribed_qualities if one.enabled]
                self.engine(media.Wanted("r", sid, self.ours[update.track_sid], [("video/VP8", on)]))
            case "speakers_changed":
                told = [one for one in self.theirs.get(sid, ()) if one.WhichOneof("message") == kind]
                if not told:  # the first of the two connections hears of it
                    speakers = [
                        media.Speaker(self.ours[one.sid], "", one.level, one.active)
                        for one in said.speakers_changed.speakers
                        if self.ours[one.sid] in room.people
                    ]
                    self.engine(media.Speakers("r", speakers))

    # ------------------------------------------------------------------------------------------ what must be the same

    def same_join(self, ours: rtc.JoinResponse, theirs: rtc.JoinResponse) -> None:
        self.ours[theirs.participant.sid] = ours.participant.sid
        assert ours.participant.state == theirs.participant.state
        assert ours.participant.permission == theirs.participant.permission
        assert ours.participant.client_protocol == theirs.participant.client_protocol
        assert ours.participant.capabilities == theirs.participant.capabilities
        assert (ours.subscriber_primary, ours.fast_publish) == (theirs.subscriber_primary, theirs.fast_publish)
        assert (ours.ping_interval, ours.ping_timeout) == (theirs.ping_interval, theirs.ping_timeout)
        assert (ours.room.empty_timeout, ours.room.departure_timeout) == (300, 20)
        for mine, other in zip(ours.other_participants, theirs.other_participants, strict=True):
            assert mine.sid == self.ours[other.sid]
            assert mine.state in (other.state, models.ParticipantInfo.State.JOINED)
            assert {track.sid for track in mine.tracks} == {self.ours[track.sid] for track in other.tracks}

    def same_track_published(self, ours: rtc.TrackPublishedResponse, theirs: rtc.TrackPublishedResponse) -> None:
        self.ours[theirs.track.sid] = ours.track.sid
        assert ours.cid == theirs.cid
        assert ours.track.sid[:5] == theirs.track.sid[:5]
        for field in ("type", "name", "width", "height", "simulcast", "source", "stream", "audio_features"):
            assert getattr(ours.track, field) == getattr(theirs.track, field), field
        sizes = [(layer.quality, layer.width, layer.height, layer.bitrate) for layer in ours.track.layers]
        assert sizes == [(layer.quality, layer.width, layer.height, layer.bitrate) for layer in theirs.track.layers]
        assert [one.cid for one in ours.track.codecs] == [one.cid for one in theirs.track.codecs]

    def same_answer(self, ours: rtc.SessionDescription, theirs: rtc.SessionDescription) -> None:
        assert ours.type == "answer"
        assert dict(ours.mid_to_track_id) == {mid: self.ours[sid] for mid, sid in theirs.mid_to_track_id.items()}

    def same_subscription_permission_update(
        self, ours: rtc.SubscriptionPermissionUpdate, theirs: rtc.SubscriptionPermissionUpdate
    ) -> None:
        assert (ours.participant_sid, ours.track_sid) == (self.ours[theirs.participant_sid], self.ours[theirs.track_sid])
        assert ours.allowed == theirs.allowed

    def same_subscribed_quality_update(self, ours: rtc.SubscribedQualityUpdate, theirs: rtc.SubscribedQualityUpdate) -> None:
        assert ours.subscribed_qualities == theirs.subscribed_qualities
        assert ours.subscribed_codecs == theirs.subscribed_codecs

    def same_speakers_changed(self, ours: rtc.SpeakersChanged, theirs: rtc.SpeakersChanged) -> None:
        assert [(one.level, one.active) for one in ours.speakers] == [(one.level, one.active) for one in theirs.speakers]

    def same_request_response(self, ours: rtc.RequestResponse, theirs: rtc.RequestResponse) -> None:
        assert ours == theirs

    def same_leave(self, ours: rtc.LeaveRequest, theirs: rtc.LeaveRequest) -> None:
        assert (ours.reason, ours.action) == (theirs.reason, theirs.action)


@pytest.mark.parametrize("name", ["livekit-client-2.23", "livekit-python-1.2.1"])
def test_what_livekit_said_we_say(name: str) -> None:
    replay = Replay(name)
    replay.run()
    assert replay.compared > 30
