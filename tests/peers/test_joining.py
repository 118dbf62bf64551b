"""Coming and going: what each kind of client sees of others, and of a server that says no."""

from __future__ import annotations

import time
from collections.abc import Callable

import jwt
import pytest
from livekit import api

from tests.support.installation import SECRET
from tests.support.peers.meeting import BROWSERS, FALLBACKS, KINDS, MARKS, SINGLES, Meeting
from tests.support.peers.peer import Peer, PeerError
from tests.support.peers.servers import KEY

pytestmark = MARKS


@pytest.mark.parametrize("client", KINDS + FALLBACKS)
async def test_everything_once(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    bob = await meet("python-single", "bob")
    await alice.heard("ParticipantConnected bob")
    await bob.publish("camera", simulcast=False)
    await bob.publish("microphone")
    await alice.heard("TrackSubscribed bob camera", "TrackSubscribed bob microphone")
    await alice.sees("bob")
    await alice.sees("bob", "microphone")
    await alice.publish("camera")
    await alice.publish("microphone")
    await bob.heard("TrackSubscribed alice camera", "TrackSubscribed alice microphone")
    await bob.sees("alice")
    await bob.sees("alice", "microphone")
    await alice.heard("LocalTrackSubscribed")
    await bob.call("mute", source="microphone", on=True)
    await alice.heard("TrackMuted bob microphone")
    await bob.call("mute", source="microphone", on=False)
    await alice.heard("TrackUnmuted bob microphone")
    await bob.call("describe", name="Robert")
    await bob.becomes("me/name", "Robert")  # the SDK sends the name that it knows with whatever it changes next
    await bob.call("describe", metadata="m")
    await bob.becomes("me/metadata", "m")
    await bob.call("describe", attributes={"seat": "3"})
    await alice.heard("ParticipantNameChanged bob Robert", "ParticipantMetadataChanged bob m", "ParticipantAttributesChanged bob")
    await alice.call("unpublish", source="camera")
    await bob.heard("TrackUnpublished alice camera")
    await bob.close()
    await alice.heard("ParticipantDisconnected bob")
    await meet.as_recorded("everything once", client, alice)
    # To a server that knows no /rtc/v1 it came by /rtc.
    assert bool(meet.refused()) == (alice.mode == "fallback")
    assert all(path.startswith("/rtc/v1") for path in meet.refused())


@pytest.mark.parametrize("client", SINGLES)
async def test_who_came_before_is_there_at_once(meet: Meeting, client: str) -> None:
    bob = await meet("python-single", "bob")
    sid = await bob.publish("microphone")
    await bob.call("describe", metadata="early")
    await meet.published("bob", "microphone")
    alice = await meet(client, "alice")
    seen = (await alice.state())["others"]
    assert list(seen) == ["bob"]
    assert (seen["bob"]["name"], seen["bob"]["metadata"]) == ("Bob", "early")
    assert {source: track["sid"] for source, track in seen["bob"]["tracks"].items()} == {"microphone": sid}
    await alice.sees("bob", "microphone")


@pytest.mark.parametrize("client", SINGLES)
async def test_the_same_identity_again(meet: Meeting, client: str) -> None:
    carol = await meet("python-single", "carol")
    first = await meet(client, "alice")
    await carol.heard("ParticipantConnected alice")
    second = await meet(client, "alice")
    await first.heard("Disconnected DUPLICATE_IDENTITY")
    await carol.heard("ParticipantDisconnected alice")
    await carol.becomes("others/alice/sid", (await second.state())["me"]["sid"])
    assert (await second.state())["state"] == "connected"
    await meet.as_recorded("the same identity again", client, carol)


@pytest.mark.parametrize("client", SINGLES)
async def test_a_hidden_participant(meet: Meeting, client: str) -> None:
    ghost = await meet("python-single", "ghost", grants={"hidden": True})
    alice = await meet(client, "alice")
    await ghost.heard("ParticipantConnected alice")
    await alice.publish("microphone")
    await ghost.sees("alice", "microphone")
    await ghost.call("data", text="who is there", to=["alice"])
    await alice.heard("DataReceived")
    await ghost.close()
    bob = await meet("python-single", "bob")
    await alice.heard("ParticipantConnected bob")
    assert await bob.told() == [] or "ghost" not in str(await bob.told())
    await meet.as_recorded("a hidden participant", client, alice)


async def refused(meet: Meeting, client: str, token: str) -> PeerError:
    peer: Peer = await meet.make(client, "alice")
    try:
        await peer.join(await meet.url(peer), token)
    except PeerError as error:
        peer.joined = False
        await peer.close()
        return error
    raise AssertionError("it was let in")


def _token(**changes: object) -> str:
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": KEY, "sub": "alice", "nbf": now - 600, "exp": now + 600, "video": {"roomJoin": True, "room": "somewhere"},
    }  # fmt: skip
    secret = str(changes.pop("secret", SECRET))
    claims.update(changes)
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, secret, algorithm="HS256")


TOKENS: dict[str, Callable[[], str]] = {
    "junk": lambda: "junk",
    "another secret": lambda: _token(secret="x" * 40),
    "an unknown key": lambda: _token(iss="nobody"),
    "expired": lambda: _token(exp=int(time.time()) - 300),
    "not yet": lambda: _token(nbf=int(time.time()) + 300),
    "not to join": lambda: _token(video={"room": "somewhere"}),
    "no identity": lambda: _token(sub=None),
}  # fmt: skip
# Class of the error as each SDK has it; browsers cannot read why a WebSocket was refused, so livekit-client asks /validate.
CLASSES = {"python": "ConnectError", "node": "Error", "chromium": "ConnectionError", "firefox": "ConnectionError"}


@pytest.mark.parametrize("client", SINGLES)
async def test_tokens_that_do_not_open(meet: Meeting, client: str) -> None:
    said = {}
    for bad, make in TOKENS.items():
        error = await refused(meet, client, make())
        assert error.name == CLASSES[client.split("-")[0]]
        said[bad] = error.message
    if client in BROWSERS:
        expected = meet.expected("refusals in words")
        # /validate does not look at the identity, on either server.
        expected = {**expected, "no identity": "Encountered websocket error during connection establishment"}
        expected = {bad: f"could not establish signal connection: {text}" for bad, text in expected.items()}
    else:
        statuses = meet.expected("refusals by status")
        expected = {
            bad: f"engine: signal failure: client error: {statuses[bad]} - {text}"
            for bad, text in meet.expected("refusals in words").items()
        }
    for bad, text in expected.items():
        assert said[bad].startswith(text), bad


@pytest.mark.parametrize("client", SINGLES)
async def test_a_full_room(meet: Meeting, client: str) -> None:
    await meet.admin.room.create_room(api.CreateRoomRequest(name=meet.room, max_participants=1))
    await meet("python-single", "bob")
    error = await refused(meet, client, meet.server.token("alice", meet.room))
    assert error.message == meet.expected("a full room")["browsers" if client in BROWSERS else "others"]
