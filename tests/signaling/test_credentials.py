"""What a fresh token holds, and what somebody may say of themselves."""

from __future__ import annotations

from dataclasses import replace

import pytest
from google.protobuf.json_format import ParseDict
from livekit.protocol import models, rtc

from commhub.conference import Ticket
from commhub.errors import Invalid
from signaling import describing, tokens
from signaling.clients import client_of
from signaling.messages import PUBLISH_MIMES, join_from_query
from signaling.participant import Origin
from tests.support.livekit import HUB_KEY, KEYS, Stage, request, ticket


def enter(stage: Stage, who: Ticket, asked: rtc.JoinRequest | None = None) -> str:
    sid, outs = stage.room.join(who, asked or request(), stage.now, dual=False)
    stage.run(outs)
    return sid


def test_a_fresh_token_holds_what_was_changed() -> None:
    stage = Stage()
    alice = enter(stage, ticket("alice"))
    change = rtc.UpdateParticipantMetadata(name="Alice A.", metadata="m", attributes={"seat": "3", "org": "mine"})
    stage.receive(alice, update_metadata=change)
    permission = models.ParticipantPermission(can_subscribe=True, can_publish_data=True, can_update_metadata=True)
    stage.run(stage.room.update("alice", stage.now, permission=permission)[1])
    fresh = stage.room.people[alice].credential(stage.now, 600)
    token = tokens.refreshed(fresh, KEYS, now=stage.now, ttl=600)
    read = tokens.verify(token, KEYS, stage.now)
    assert (read.name, read.metadata, read.attributes) == ("Alice A.", "m", {"seat": "3"})
    assert read.expires_at == stage.now + 600
    assert not tokens.permission(read.grants).can_publish
    assert tokens.require_join(read) == "r"


@pytest.mark.parametrize(("until", "kept"), [(1000.0 + 3600, True), (1000.0 + 599, False)])
def test_rights_over_the_api_last_as_long_as_their_token(until: float, kept: bool) -> None:
    stage = Stage()
    grants = {"roomAdmin": True, "roomCreate": True, "roomList": True, "recorder": True}
    alice = enter(stage, replace(ticket("alice", grants=grants), expires_at=until))
    fresh = stage.room.people[alice].credential(stage.now, 600).grants
    assert {name: name in fresh for name in ("roomAdmin", "roomCreate", "roomList")} == dict.fromkeys(list(grants)[:3], kept)
    assert fresh["roomJoin"]
    assert fresh["recorder"]


@pytest.mark.parametrize("way", ["resumed", "back from a dead worker"])
def test_a_long_token_does_not_prolong_what_a_short_one_gave(way: str) -> None:
    """Two tokens of one identity: an admin's for a minute, and an ordinary one for a day."""
    stage = Stage()
    short = replace(ticket("alice", grants={"roomAdmin": True}), expires_at=stage.now + 60)
    long = replace(ticket("alice"), expires_at=stage.now + 86_400)
    sid = enter(stage, short)
    if way == "resumed":
        outs = stage.room.resume(sid, long, rtc.JoinRequest(reconnect=True, participant_sid=sid), stage.now)
        assert outs is not None
    else:
        stage.run(stage.room.lost(stage.now))
        stage.run(stage.room.place(stage.now))
        sid = enter(stage, long)
    assert "roomAdmin" not in stage.room.people[sid].credential(stage.now, 600).grants
    outs = stage.room.resume(sid, short, rtc.JoinRequest(reconnect=True, participant_sid=sid), stage.now)
    assert "roomAdmin" not in stage.room.people[sid].credential(stage.now, 30).grants


def test_in_a_consultation_no_service_makes_up_its_organisation() -> None:
    """Its page shows it to everybody; in their own rooms API keys use the name as they like."""
    for kept, shown in ((True, {}), (False, {"org": "Police", "kind": "camera"})):
        stage = Stage(kept=kept)
        asked = request()
        asked.participant_attributes.update({"org": "Police", "kind": "camera"})
        sid = enter(stage, ticket("bot"), asked)
        assert dict(stage.room.people[sid].info.attributes) == shown
        stage.receive(sid, update_metadata=rtc.UpdateParticipantMetadata(attributes={"org": "Mayor"}, request_id=2))
        assert stage.room.people[sid].info.attributes.get("org") == (None if kept else "Mayor")
        other = Stage(kept=True)
        person = stage.room.people[sid]
        person.info.attributes["org"] = "Mayor"
        image, _ = other.room.mirror(person, Origin("r", "source"), 0.0)
        assert not image.info.attributes
        stage.room.depart(person, "s", stage.now)
        other.room.arrive(person, person.ticket, stage.now)
        assert not person.info.attributes


def test_nobody_changes_their_organisation() -> None:
    stage = Stage()
    person = replace(ticket("p:t", key=HUB_KEY), attributes={"org": "Harbour", "kind": "person"})
    asked = request()
    asked.participant_attributes.update({"org": "Mayor", "seat": "3"})
    sid = enter(stage, person, asked)
    assert dict(stage.room.people[sid].info.attributes) == {"org": "Harbour", "kind": "person", "seat": "3"}
    stage.receive(sid, update_metadata=rtc.UpdateParticipantMetadata(attributes={"org": "Mayor"}, request_id=2))
    assert stage.last(sid, "request_response").reason == rtc.RequestResponse.NOT_ALLOWED
    assert stage.room.people[sid].presence().org == "Harbour"
    assert stage.room.people[sid].credential(stage.now, 600).attributes["org"] == "Harbour"


def test_who_may_not_describe_himself_does_not_by_joining() -> None:
    stage = Stage()
    asked = request()
    asked.metadata, asked.participant_attributes["a"] = "mine", "b"
    sid = enter(stage, replace(ticket("alice", grants={"canUpdateOwnMetadata": False}), metadata="theirs"), asked)
    info = stage.room.people[sid].info
    assert (info.metadata, dict(info.attributes)) == ("theirs", {})


@pytest.mark.parametrize("text", ["x" * 64_001, "雪" * 21_334])
def test_a_join_request_that_says_too_much(text: str) -> None:
    asked = request()
    asked.metadata = text
    with pytest.raises(Invalid, match="exceeds metadata size limit"):
        describing.introduced(ticket("alice"), asked)
    asked.metadata, asked.participant_attributes["a"] = "", text
    with pytest.raises(Invalid, match="exceeds attributes size limit"):
        describing.introduced(ticket("alice"), asked)


@pytest.mark.parametrize(
    ("about", "struck", "disabled", "unpublished"),
    [
        ({"browser": "Chrome", "os": "windows"}, set(), [], []),
        ({"browser": "firefox", "os": "Linux"}, {"video/H264"}, [], ["video/H264"]),
        ({"browser": "Safari", "browser_version": "17.4"}, {"video/AV1"}, ["video/AV1"], []),
        ({"browser": "Safari", "browser_version": "18.4"}, {"video/AV1", "video/VP9"}, ["video/AV1"], ["video/VP9"]),
        ({"browser": "Safari", "browser_version": "garbage"}, {"video/AV1"}, ["video/AV1"], []),
    ],
)
def test_clients_that_cannot_be_trusted_with_a_codec(
    about: dict[str, str], struck: set[str], disabled: list[str], unpublished: list[str]
) -> None:
    client = client_of(ParseDict(about, models.ClientInfo()))
    assert set(PUBLISH_MIMES) - set(client.publishes(PUBLISH_MIMES)) == struck
    told = client.configuration()
    assert (disabled, unpublished) == ([], []) if told is None else True
    if told is not None:
        assert [codec.mime for codec in told.disabled_codecs.codecs] == disabled
        assert [codec.mime for codec in told.disabled_codecs.publish] == unpublished


def test_the_old_paths_parameters_are_the_same_request() -> None:
    query = {"auto_subscribe": "0", "adaptive_stream": "1", "browser": "firefox", "os": "linux", "protocol": "16", "sdk": "js"}
    read = join_from_query(query)
    assert (read.connection_settings.auto_subscribe, read.connection_settings.adaptive_stream) == (False, True)
    assert not read.connection_settings.HasField("subscriber_allow_pause")
    assert client_of(read.client_info).publishes(("video/H264",)) == []
    assert join_from_query({}).connection_settings.auto_subscribe
    assert join_from_query({"subscriber_allow_pause": "0"}).connection_settings.HasField("subscriber_allow_pause")
    assert dict(join_from_query({"attributes": "eyJhIjoiYiJ9"}).participant_attributes) == {"a": "b"}
    assert not join_from_query({"attributes": "eyJhIjoxfQ=="}).participant_attributes
    assert not join_from_query({"attributes": "%%%"}).participant_attributes


def test_settings_of_the_connection_reach_the_engine() -> None:
    stage = Stage()
    asked = request()
    asked.connection_settings.adaptive_stream, asked.connection_settings.subscriber_allow_pause = True, False
    enter(stage, ticket("alice"), asked)
    added = stage.commands[-1]
    assert (added.adaptive, added.may_pause) == (True, False)  # type: ignore[union-attr]
