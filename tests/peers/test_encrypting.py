"""End-to-end encryption: the server passes on what it cannot read, with its trailer, between every kind of client."""

from __future__ import annotations

import pytest

from tests.support.peers.meeting import MARKS, Meeting

pytestmark = MARKS
PAIRS = [("python-single", "node-single"), ("chromium-single", "python-dual"), ("node-single", "chromium-dual")]


@pytest.mark.parametrize(("sender", "receiver"), PAIRS)
async def test_who_has_the_key_sees(meet: Meeting, sender: str, receiver: str) -> None:
    alice = await meet(sender, "alice", passphrase="一二三四")
    bob = await meet(receiver, "bob", passphrase="一二三四")
    await alice.publish("camera", width=320, height=180)
    await alice.publish("microphone")
    await bob.heard("TrackSubscribed alice camera", "TrackSubscribed alice microphone")
    await bob.becomes("others/alice/tracks/camera/encrypted", True)
    await bob.sees("alice")
    await bob.sees("alice", "microphone")
