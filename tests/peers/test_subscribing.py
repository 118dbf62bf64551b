"""Who gets what: asked for, allowed, in which size; and what a publisher is spared."""

from __future__ import annotations

import pytest

from tests.support.peers.meeting import BROWSERS, KINDS, MARKS, SINGLES, Meeting, full

pytestmark = MARKS


@pytest.mark.parametrize("client", KINDS)
async def test_only_what_is_asked_for(meet: Meeting, client: str) -> None:
    bob = await meet("python-single", "bob")
    await bob.publish("camera", simulcast=False)
    await bob.publish("microphone")
    await meet.published("bob", "camera", "microphone")
    alice = await meet(client, "alice", autoSubscribe=False)
    await alice.becomes("others/bob/tracks/camera/subscribed", False)
    await alice.call("subscribe", identity="bob", source="camera", on=True)
    await alice.heard("TrackSubscribed bob camera")
    await alice.sees("bob")
    assert (await alice.state())["others"]["bob"]["tracks"]["microphone"]["subscribed"] is False
    await alice.call("subscribe", identity="bob", source="camera", on=False)
    await alice.heard("TrackUnsubscribed bob camera")
    await alice.silent("bob")
    mark = len(await alice.events())
    await alice.call("subscribe", identity="bob", source="camera", on=True)
    await alice.sees("bob")
    if client not in ("python-dual", "node-dual"):  # with two connections the Rust SDK keeps it to itself the second time
        await alice.heard("TrackSubscribed bob camera", since=mark)
        await meet.as_recorded("only what is asked for", client, alice)


@pytest.mark.parametrize("client", ["python-single", *full("chromium-single", "firefox-single")])
async def test_a_publisher_allows_some_people_and_tracks(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    sids = {source: await alice.publish(source) for source in ("camera", "microphone")}
    bob = await meet("python-single", "bob")
    carol = await meet("chromium-single", "carol")
    for one in (bob, carol):
        await one.sees("alice")
        await one.sees("alice", "microphone")
    await alice.call("allow", everybody=False, people=[{"identity": "carol", "sids": [sids["microphone"]]}])
    await carol.heard("TrackSubscriptionPermissionChanged alice camera not_allowed")
    await bob.silent("alice")
    await bob.silent("alice", "microphone")  # the Rust SDK has no event for it
    await carol.sees("alice", "microphone")
    assert (await carol.state())["others"]["alice"]["tracks"]["camera"]["subscribed"] is False
    mark = len(await carol.events())
    await alice.call("allow", everybody=True)
    await carol.heard("TrackSubscriptionPermissionChanged alice camera allowed", since=mark)
    await carol.sees("alice")
    await bob.sees("alice")
    await bob.sees("alice", "microphone")


@pytest.mark.parametrize("client", ["python-single", "chromium-single"])
async def test_who_may_not_subscribe(meet: Meeting, client: str) -> None:
    bob = await meet("python-single", "bob")
    await bob.publish("microphone")
    alice = await meet(client, "alice", grants={"can_subscribe": False})
    carol = await meet("python-single", "carol")
    await carol.sees("bob", "microphone")
    await alice.becomes("others/bob/tracks/microphone/subscribed", False)
    await alice.call("data", text="I am here")
    await carol.heard("DataReceived alice")
    assert (await alice.count("bob", "microphone"))[0] == 0


@pytest.mark.parametrize("client", BROWSERS)
async def test_a_layer_for_each_view_and_no_layer_for_nobody(meet: Meeting, client: str) -> None:
    alice = await meet("chromium-single", "alice")
    bob = await meet(client, "bob")
    await alice.publish("camera", width=1280, height=720)
    await bob.sees("alice")
    await bob.call("view", identity="alice", source="camera", quality=0)
    await bob.layer("alice", 180)
    # Nobody wants the upper layers any more: the publisher's encoder stops making them.
    await alice.answers("encodings", [True, False, False], source="camera")
    await bob.call("view", identity="alice", source="camera", quality=2)
    await alice.answers("encodings", [True, True, True], source="camera")
    await bob.layer("alice", 720)
    await bob.call("view", identity="alice", source="camera", enabled=False)
    await alice.answers("encodings", [False, False, False], source="camera")
    await bob.silent("alice")
    await bob.call("view", identity="alice", source="camera", enabled=True)
    await bob.sees("alice")


@pytest.mark.parametrize("client", BROWSERS)
async def test_a_small_view_gets_the_small_layer(meet: Meeting, client: str) -> None:
    alice = await meet("chromium-single", "alice")
    bob = await meet(client, "bob", adaptiveStream=True)
    await alice.publish("camera", width=1280, height=720)
    await bob.sees("alice")
    await bob.call("view", identity="alice", source="camera", width=200, height=112)
    await bob.layer("alice", 180)
    await alice.answers("encodings", [True, False, False], source="camera")
    await bob.call("view", identity="alice", source="camera", width=1280, height=720)
    await bob.layer("alice", 720)


@pytest.mark.parametrize("client", SINGLES)
async def test_who_speaks_and_how_good_the_line_is(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    bob = await meet("python-single", "bob")
    await bob.publish("microphone")
    await alice.heard("ActiveSpeakersChanged bob", within=20)
    mark = len(await alice.events())
    await bob.call("mute", source="microphone", on=True)
    await alice.heard("ActiveSpeakersChanged -", since=mark)
    await alice.heard("ConnectionQualityChanged bob excellent")
