"""Tracks of every codec and source: published, muted, taken back, published again."""

from __future__ import annotations

import pytest

from tests.support.peers.meeting import KINDS, MARKS, SINGLES, Meeting, full
from tests.support.peers.peer import PeerError

pytestmark = MARKS

# livekit-client publishes VP8 alone in Firefox, whatever it is asked for.
CODECS = [(client, codec) for client in ("python-single", "node-single", "chromium-single") for codec in ("h264", "vp9", "av1")]


@pytest.mark.parametrize(("client", "codec"), CODECS)
async def test_codecs(meet: Meeting, client: str, codec: str) -> None:
    alice = await meet(client, "alice")
    bob = await meet("python-single", "bob")
    carol = await meet("chromium-single", "carol") if client == "python-single" else None
    await alice.publish("camera", codec=codec, width=320, height=180)
    await bob.becomes("others/alice/tracks/camera/mime", f"video/{codec}")
    await bob.sees("alice")
    if carol is not None:
        await carol.sees("alice")


@pytest.mark.parametrize("client", KINDS)
async def test_taken_back_and_published_again(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    bob = await meet("python-single", "bob")
    first = await alice.publish("camera")
    await bob.sees("alice")
    await alice.call("unpublish", source="camera")
    await bob.heard("TrackUnsubscribed alice camera", "TrackUnpublished alice camera")
    mark = len(await bob.events())
    second = await alice.publish("camera")
    assert second != first
    await bob.heard("TrackSubscribed alice camera", since=mark)
    await bob.becomes("others/alice/tracks/camera/sid", second)
    await bob.sees("alice")
    await meet.as_recorded("taken back", client, bob)


@pytest.mark.parametrize("client", ["python-single", "firefox-single", *full("chromium-single", "chromium-dual")])
async def test_muted(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    bob = await meet("python-single", "bob")
    await alice.publish("camera")
    await bob.sees("alice")
    await alice.call("mute", source="camera", on=True)
    await bob.heard("TrackMuted alice camera")
    await bob.becomes("others/alice/tracks/camera/muted", True)
    await bob.silent("alice")
    await alice.call("mute", source="camera", on=False)
    await bob.heard("TrackUnmuted alice camera")
    await bob.sees("alice")
    # Who comes while it is muted knows at once, and gets pictures when it is not any more.
    await alice.call("mute", source="camera", on=True)
    await bob.becomes("others/alice/tracks/camera/muted", True)
    carol = await meet("python-single", "carol")
    await carol.becomes("others/alice/tracks/camera/muted", True)
    await alice.call("mute", source="camera", on=False)
    await carol.sees("alice")


@pytest.mark.parametrize("client", ["node-single", "firefox-single", *full("python-single", "chromium-single")])
async def test_a_screen_with_its_sound_beside_camera_and_microphone(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    bob = await meet("python-single", "bob")
    sids = {}
    for source in ("camera", "microphone", "screen_share", "screen_share_audio"):
        sids[source] = await alice.publish(source, width=320, height=180)
    for source in sids:
        await bob.sees("alice", source)
    tracks = (await bob.state())["others"]["alice"]["tracks"]
    assert {source: track["sid"] for source, track in tracks.items()} == sids
    assert {track["mime"] for track in tracks.values()} == {"video/vp8", "audio/opus"}
    await alice.call("unpublish", source="screen_share")
    await bob.heard("TrackUnpublished alice screen_share")
    await bob.sees("alice", "camera")
    await bob.sees("alice", "screen_share_audio")


@pytest.mark.parametrize("client", SINGLES)
async def test_simulcast_is_known_to_others(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    bob = await meet("python-single", "bob")
    await alice.publish("camera", simulcast=True, width=1280, height=720)
    await bob.becomes("others/alice/tracks/camera/simulcasted", True)
    await bob.sees("alice")


@pytest.mark.parametrize("client", ["python-single", "firefox-single", *full("chromium-single", "node-single")])
async def test_more_people_than_the_first_offer_has_sections_for(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    others = ("bob", "carol", "dave", "erin", "frank")
    for name in others:
        peer = await meet("python-single", name, autoSubscribe=False)
        await peer.publish("camera", simulcast=False, width=160, height=90)
        await peer.publish("microphone")
    for name in others:
        await alice.sees(name)
        await alice.sees(name, "microphone")


@pytest.mark.parametrize("client", ["chromium-single", *full("python-single")])
async def test_only_what_is_allowed(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice", grants={"can_publish_sources": ["microphone"]})
    bob = await meet("python-single", "bob")
    await alice.publish("microphone")
    await bob.sees("alice", "microphone")
    with pytest.raises(PeerError) as caught:
        await alice.publish("camera")
    assert caught.value.name == "PublishTrackError"
    silence = "room error engine: internal error: track publication timed out, no response received from the server"
    browser = "failed to publish track, insufficient permissions"
    assert caught.value.message == (browser if alice.kind == "chromium" else silence)
    assert set((await bob.state())["others"]["alice"]["tracks"]) == {"microphone"}
