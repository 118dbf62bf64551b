from __future__ import annotations

import base64
import datetime
import json
from typing import Any

import jwt
import pytest
from livekit import api
from livekit.protocol.models import ParticipantPermission, TrackSource

from commhub.errors import Forbidden, HubError, Invalid, Unauthenticated
from signaling import tokens
from tests.support.livekit import KEYS, ticket

NOW = 1_000_000.0


def made(**claims: Any) -> str:
    whole = {"iss": "own", "sub": "alice", "exp": NOW + 60, "video": {"roomJoin": True, "room": "r"}, **claims}
    whole = {name: value for name, value in whole.items() if value is not None}
    return jwt.PyJWS().encode(json.dumps(whole).encode(), "o" * 40, algorithm="HS256")


def test_livekits_own_token_is_read() -> None:
    token = (
        api.AccessToken("own", "o" * 40)
        .with_identity("alice")
        .with_name("Alice")
        .with_metadata("m")
        .with_attributes({"org": "Harbour"})
        .with_grants(api.VideoGrants(room_join=True, room="r", can_publish_sources=["microphone"]))
        .with_room_config(api.RoomConfiguration(max_participants=3))
        .with_ttl(datetime.timedelta(hours=1))
        .to_jwt()
    )
    now = datetime.datetime.now(datetime.UTC).timestamp()
    read = tokens.verify(token, KEYS, now)
    assert (read.key, read.identity, read.name, read.room, read.metadata) == ("own", "alice", "Alice", "r", "m")
    assert read.attributes == {"org": "Harbour"}
    assert read.room_config == {"maxParticipants": 3}
    assert now + 3500 < read.expires_at < now + 3601
    assert len(read.token_id) == 32
    assert tokens.permission(read.grants).can_publish_sources == [TrackSource.MICROPHONE]


def test_minted_token_is_read_by_livekit_and_by_us() -> None:
    now = datetime.datetime.now(datetime.UTC).timestamp()
    token = tokens.mint("own", KEYS, now=now, ttl=60, identity="a", grants={"roomJoin": True, "room": "r"}, token_id="0" * 32)
    claims = api.TokenVerifier("own", "o" * 40).verify(token)
    assert claims.video is not None
    assert (claims.identity, claims.video.room_join, claims.video.room) == ("a", True, "r")
    assert tokens.verify(token, KEYS, now).token_id == "0" * 32


def test_a_refreshed_token_is_revoked_with_the_first() -> None:
    first = tokens.verify(made(name="Alice", attributes={"org": "x"}), KEYS, NOW)
    second = tokens.verify(tokens.refreshed(first, KEYS, now=NOW, ttl=600), KEYS, NOW + 500)
    assert second.token_id == first.token_id
    assert (second.grants, second.name, second.attributes) == (first.grants, first.name, first.attributes)
    assert second.expires_at == NOW + 600


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        ("", "There is no access token."),
        ("junk", "The token cannot be read."),
        ("a.b.c", "The token cannot be read."),
        ("x" * 20_000, "The token is too long."),
        (made(exp=NOW - 1), "The token has expired."),
        (made(exp=None), "The token has no expiry."),
        (made(exp="soon"), "The token's exp is not a time."),
        (made(exp=True), "The token's exp is not a time."),
        (made(exp=10**400), "The token's exp is not a time."),
        (made(nbf=NOW + 100), "The token is not valid yet."),
        (made(iss="nobody"), "The token's API key is not known."),
        (made(iss=7), "The token's API key is not known."),
        (made(iss=None), "The token's API key is not known."),
        (made(iss="other"), "The token's signature is wrong."),
        (made(sub=7), "The token's sub is not a text of at most 256 characters."),
        (made(sub="x" * 300), "The token's sub is not a text of at most 256 characters."),
        (made(video=[]), "The token's video is not an object."),
        (made(video={"room": 5}), "The token's room is not a name."),
        (made(attributes={"a": 1}), "The token's attributes are not texts."),
        (made(attributes={"a": "x" * 70_000}), "The token is too long."),
        (made(roomConfig="x"), "The token's roomConfig is not an object."),
    ],
)
def test_each_wrong_token_gets_its_sentence(token: str, sentence: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        tokens.verify(token, KEYS, NOW)
    assert refused.value.message == sentence
    assert refused.value.message_zh != sentence
    assert refused.value.status == 401


def test_only_hs256_with_our_secret() -> None:
    longer = jwt.encode({"iss": "own", "exp": NOW + 60}, "o" * 64, algorithm="HS512")
    with pytest.raises(Unauthenticated, match="not signed with HS256"):
        tokens.verify(longer, KEYS, NOW)
    header, payload, signature = made().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["video"]["roomAdmin"] = True
    changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    with pytest.raises(Unauthenticated, match="signature is wrong"):
        tokens.verify(f"{header}.{changed}.{signature}", KEYS, NOW)


def test_the_identity_that_sdks_write_as_jti_names_no_token() -> None:
    one, other = (tokens.verify(made(jti="alice", nbf=NOW - age), KEYS, NOW) for age in (1, 2))
    assert one.token_id != other.token_id


def test_when_a_token_was_issued() -> None:
    assert tokens.verify(made(), KEYS, NOW).issued_at == 0
    assert tokens.verify(made(nbf=NOW - 5), KEYS, NOW).issued_at == NOW - 5
    assert tokens.verify(made(nbf=NOW - 5, iat=NOW - 9.5), KEYS, NOW).issued_at == NOW - 9.5
    minted = tokens.mint("own", KEYS, now=NOW + 0.25, ttl=60, identity="a")
    assert tokens.verify(minted, KEYS, NOW + 1).issued_at == NOW + 0.25


def test_a_clock_that_is_a_little_ahead() -> None:
    assert tokens.verify(made(nbf=NOW + 59), KEYS, NOW).identity == "alice"


@pytest.mark.parametrize(
    ("grants", "asked", "kind", "sentence"),
    [
        ({"room": "r"}, "", Forbidden, "The token does not allow joining a room."),
        ({"roomJoin": False, "room": "r"}, "", Forbidden, "The token does not allow joining a room."),
        ({"roomJoin": True, "room": "r"}, "s", Forbidden, "The token is for another room."),
        ({"roomJoin": True}, "", Forbidden, "The token names no room."),
    ],
)
def test_joining_needs_the_grant_of_this_room(grants: dict[str, object], asked: str, kind: type[HubError], sentence: str) -> None:
    read = tokens.verify(made(video=grants), KEYS, NOW)
    with pytest.raises(kind) as refused:
        tokens.require_join(read, asked)
    assert refused.value.message == sentence


def test_joining_needs_an_identity_and_may_name_the_room() -> None:
    with pytest.raises(Invalid, match="no identity"):
        tokens.require_join(tokens.verify(made(sub=None), KEYS, NOW))
    assert tokens.require_join(tokens.verify(made(video={"roomJoin": True}), KEYS, NOW), "any") == "any"


def test_admin_of_this_very_room() -> None:
    admin = ticket("a", grants={"roomAdmin": True})
    tokens.require_admin(admin, "r")
    for room in ("s", ""):
        with pytest.raises(Forbidden, match="another room"):
            tokens.require_admin(admin, room)
    with pytest.raises(Forbidden, match="administering"):
        tokens.require_admin(ticket("a"), "r")


@pytest.mark.parametrize(
    ("grants", "publish", "subscribe", "data", "sources"),
    [
        ({}, True, True, True, []),
        ({"canPublish": False}, False, True, False, []),
        ({"canPublish": False, "canPublishData": True}, False, True, True, []),
        ({"canPublish": False, "canPublishSources": ["camera"]}, True, True, True, [TrackSource.CAMERA]),
        ({"canPublishSources": ["nonsense"]}, False, True, False, []),
        ({"canPublishSources": []}, True, True, True, []),
        ({"canSubscribe": False}, True, False, True, []),
        ({"canPublish": None, "canPublishData": False}, True, True, False, []),
    ],
)
def test_grants_mean_what_livekit_means(
    grants: dict[str, object], publish: bool, subscribe: bool, data: bool, sources: list[TrackSource]
) -> None:
    shown = tokens.permission(grants)
    assert (shown.can_publish, shown.can_subscribe, shown.can_publish_data) == (publish, subscribe, data)
    assert list(shown.can_publish_sources) == sources
    assert not shown.can_update_metadata
    assert tokens.permission(tokens.with_permission(grants, shown)) == shown


def test_sources_that_no_token_can_name_are_not_any_source() -> None:
    granted = ParticipantPermission(can_publish=True, can_publish_sources=[TrackSource.UNKNOWN])
    assert not tokens.permission(tokens.with_permission({}, granted)).can_publish


def test_reach_of_keys() -> None:
    assert not KEYS.reaches("gone", "gone")
    assert KEYS.reaches("own", "own")
    assert KEYS.reaches("wide", "own")
    assert not KEYS.reaches("own", "other")
    assert not KEYS.reaches("gone", "own")
    assert "oooo" not in repr(KEYS["own"])
