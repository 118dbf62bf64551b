"""Coming and going: what each kind of client sees of others, and of a server that says no."""

from __future__ import annotations

import pytest

from tests.support.peers.meeting import KINDS, MARKS, Meeting

pytestmark = MARKS


@pytest.mark.parametrize("client", KINDS)
async def test_coming_and_going(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    bob = await meet("python-single", "bob")
    await alice.heard("ParticipantConnected bob")
    await bob.becomes("others/alice/name", "Alice")
    await bob.publish("camera", simulcast=False)
    await alice.heard("TrackSubscribed bob camera")
    await alice.sees("bob")
    await alice.publish("camera")
    await bob.sees("alice")
    await bob.close()
    await alice.heard("ParticipantDisconnected bob")
    print(await alice.told())
