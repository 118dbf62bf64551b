"""Data between different kinds of client: packets, texts, files, calls."""

from __future__ import annotations

import pytest

from tests.support.peers.meeting import MARKS, Meeting, full
from tests.support.peers.peer import PeerError

pytestmark = MARKS
PAIRS = [
    ("python-single", "chromium-single"), ("chromium-single", "python-dual"), ("node-single", "firefox-single"),
    ("firefox-single", "node-dual"), ("chromium-dual", "firefox-single"), ("python-dual", "node-single"),
]  # fmt: skip
MEGABYTE = 1_000_000


@pytest.mark.parametrize(("sender", "receiver"), PAIRS)
async def test_packets_and_texts(meet: Meeting, sender: str, receiver: str) -> None:
    alice, bob = await meet(sender, "alice"), await meet(receiver, "bob")
    carol = await meet("python-single", "carol")
    await bob.becomes("others/alice/name", "Alice")
    await alice.becomes("others/carol/name", "Carol")
    await alice.call("data", text="kept", topic="t")
    await bob.heard("DataReceived alice reliable t kept")
    await alice.call("data", text="perhaps", reliable=False, topic="t")
    await bob.heard("DataReceived alice lossy t perhaps")
    await alice.call("data", text="for one", topic="t", to=["bob"])
    await bob.heard("DataReceived alice reliable t for one")
    long = "东口积水" * 20_000  # beyond one packet
    await alice.call("text", text=long)
    assert (await bob.got(1))[0] == {"from": "alice", "text": long}
    await bob.call("text", text="收到", to=["alice"])
    assert (await alice.got(1))[0] == {"from": "bob", "text": "收到"}
    await alice.call("data", text="last", topic="t")
    await carol.heard("DataReceived alice reliable t last")
    heard = [line for line in await carol.events() if line.startswith("DataReceived")]
    assert "DataReceived alice reliable t for one" not in heard
    assert [one["text"] for one in await carol.got(1)] == [long]
    order = [line for line in await bob.events() if line.startswith("DataReceived alice reliable")]
    assert order == [f"DataReceived alice reliable t {text}" for text in ("kept", "for one", "last")]


@pytest.mark.parametrize(("sender", "receiver"), PAIRS[1:3])
async def test_a_file_of_three_megabytes(meet: Meeting, sender: str, receiver: str) -> None:
    alice, bob = await meet(sender, "alice"), await meet(receiver, "bob")
    await alice.becomes("others/bob/name", "Bob")
    fingerprint = await alice.call("bytes", size=3 * MEGABYTE, to=["bob"])
    assert await bob.got(1, within=60) == [{"from": "alice", "size": 3 * MEGABYTE, "sha256": fingerprint, "name": "noise"}]


@pytest.mark.parametrize(("caller", "called"), PAIRS)
async def test_calls(meet: Meeting, caller: str, called: str) -> None:
    alice, bob = await meet(caller, "alice"), await meet(called, "bob")
    await alice.becomes("others/bob/name", "Bob")
    assert await alice.call("rpc", to="bob", method="echo", payload="三泵") == "alice:三泵"
    assert await bob.call("rpc", to="alice", method="echo", payload="x" * 14_000) == "bob:" + "x" * 14_000
    said = []
    for to, method, timeout in (("bob", "refuse", 10), ("bob", "nothing", 10), ("bob", "never", 2)):
        with pytest.raises(PeerError) as caught:
            await alice.call("rpc", to=to, method=method, timeout=timeout)
        said.append((caught.value.code, caught.value.message, caught.value.data or ""))
    assert said[0] == (4711, "不行", "because")
    assert [code for code, _, _ in said[1:]] == [1400, 1502]  # unsupported method, response timeout


@pytest.mark.parametrize("client", ["chromium-single", *full("python-single", "node-single", "firefox-single")])
async def test_a_call_to_nobody(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice")
    with pytest.raises(PeerError) as caught:
        await alice.call("rpc", to="nobody", method="echo", timeout=3)
    assert caught.value.code == {"python": 1501, "node": 1501}.get(alice.kind, 1502)  # no connection, no response: by SDK


@pytest.mark.parametrize("client", ["python-single", "chromium-single", "node-single"])
async def test_who_may_not_send_data(meet: Meeting, client: str) -> None:
    alice = await meet(client, "alice", grants={"can_publish_data": False})
    bob = await meet("python-single", "bob")
    await alice.becomes("others/bob/name", "Bob")
    try:
        await alice.call("data", text="psst")
    except PeerError as error:
        print(f"{meet.server.name} {client} no data: {error}")
    await bob.call("data", text="and you?")
    await alice.heard("DataReceived bob")
    assert not [line for line in await bob.events() if line.startswith("DataReceived")]
