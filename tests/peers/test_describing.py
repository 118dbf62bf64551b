"""Names, metadata and attributes that participants give themselves, and what is too much."""

from __future__ import annotations

import pytest

from tests.support.peers.meeting import BROWSERS, MARKS, SINGLES, Meeting
from tests.support.peers.peer import PeerError

pytestmark = MARKS


@pytest.mark.parametrize("client", SINGLES)
async def test_of_oneself(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    bob = await meet("python-single", "bob")
    await alice.becomes("others/bob/name", "Bob")
    await alice.call("describe", name="Anna 安娜")
    await alice.becomes("me/name", "Anna 安娜")
    await alice.call("describe", metadata='{"desk": 3}')
    await alice.becomes("me/metadata", '{"desk": 3}')
    await alice.call("describe", attributes={"seat": "3", "hand": "up"})
    await bob.becomes("others/alice/attributes", {"seat": "3", "hand": "up"})
    await alice.call("describe", attributes={"hand": ""})
    await bob.becomes("others/alice/attributes", {"seat": "3"})
    person = (await bob.state())["others"]["alice"]
    assert (person["name"], person["metadata"]) == ("Anna 安娜", '{"desk": 3}')
    carol = await meet(client, "carol")
    person = (await carol.state())["others"]["alice"]
    assert (person["name"], person["metadata"], person["attributes"]) == ("Anna 安娜", '{"desk": 3}', {"seat": "3"})
    for one in (alice, bob):
        await one.heard("ParticipantConnected carol")
    await meet.as_recorded("of oneself", client, alice, bob)


@pytest.mark.parametrize("client", SINGLES)
async def test_without_the_right_to(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice", grants={"can_update_own_metadata": False})
    bob = await meet("python-single", "bob")
    if client in BROWSERS:
        with pytest.raises(PeerError) as caught:
            await alice.call("describe", metadata="m")
        assert str(caught.value) == "SignalRequestError: does not have permission to update own metadata"
    else:  # the Rust SDK does not say
        await alice.call("describe", metadata="m")
    await alice.call("data", text="and now?")
    await bob.heard("DataReceived alice")
    assert (await bob.state())["others"]["alice"]["metadata"] == ""


@pytest.mark.parametrize("client", BROWSERS)
async def test_too_much(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    answer = ""
    try:
        await alice.call("describe", metadata="m" * 100_000)
    except PeerError as error:
        answer = str(error)
    assert answer == meet.expected("metadata of 100,000 characters")
    await alice.call("describe", metadata="m")
    await alice.becomes("me/metadata", "m")


async def test_a_new_token_comes_by_itself(meet: Meeting) -> None:
    alice = await meet("node-single", "alice")
    mark = len(await alice.events())
    await alice.call("describe", name="Anna")
    await alice.heard("TokenRefreshed", since=mark)
