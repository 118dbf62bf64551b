"""The coturn configuration we ship, asked by a stranger and by a participant."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import free_port
from tests.support.relay import Client, Relay, coturn

pytestmark = [pytest.mark.peer, pytest.mark.timeout(60)]

MEDIA, MEDIA6 = "203.0.113.5", "2001:db8::5"  # nobody's (RFC 5737, RFC 3849)
UNAUTHORISED, FORBIDDEN, OTHER_FAMILY = 401, 403, 443

#: Whom a relay inside the city's network must never reach for somebody outside, in every way of writing it.
FORBIDDEN_PEERS = [
    "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "8.8.8.8",
    "::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1", "::ffff:192.168.1.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
]  # fmt: skip


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    async with coturn(tmp_path, "127.0.0.1", free_port(), free_port(), MEDIA, MEDIA6) as running:
        yield running


async def participant(relay: Relay, *, seconds: int = 3600, spoil: str = "") -> Client:
    given = relay.turn(seconds=seconds).credentials("person:terminal", time.time())
    client = Client(relay, given.username, given.password + spoil)
    await client.open()
    return client


@pytest.mark.parametrize("family", [4, 6])
async def test_relays_to_the_hubs_media_and_to_nobody_else(relay: Relay, family: int) -> None:
    client = await participant(relay)
    try:
        assert await client.allocate(family) == 0
        good = MEDIA if family == 4 else MEDIA6
        assert await client.permit(good) == 0
        answers = {host: (await client.permit(host), await client.bind(host)) for host in FORBIDDEN_PEERS}
        wrong = {host: codes for host, codes in answers.items() if codes != (_refusal(host, family),) * 2}
        assert wrong == {}
        assert await client.bind(good) == 0
    finally:
        client.close()


def _refusal(host: str, family: int) -> int:
    return FORBIDDEN if (":" in host) == (family == 6) else OTHER_FAMILY


@pytest.mark.parametrize(("seconds", "spoil"), [(3600, "x"), (-60, "")], ids=["wrong password", "expired"])
async def test_refuses_who_has_no_credentials(relay: Relay, seconds: int, spoil: str) -> None:
    client = await participant(relay, seconds=seconds, spoil=spoil)
    try:
        assert await client.allocate() == UNAUTHORISED
    finally:
        client.close()


def test_credentials_name_nobody_and_are_always_the_same() -> None:
    turn = Relay("turn.example", 3478, 5349).turn("stun:stun.example", "turn:turn.example:3478", "turns:turn.example:443")
    (plain, nothing), (relays, given) = turn.groups("01ABC:01DEF", 1_000.0)
    assert (plain, nothing) == (["stun:stun.example"], None)
    assert relays == ["turn:turn.example:3478", "turns:turn.example:443"]
    assert given is not None
    assert given.username.startswith("4600:")
    assert "01ABC" not in given.username
    assert turn.groups("01ABC:01DEF", 1_000.0)[1][1] == given
    other = turn.groups("01ABC:01DEG", 1_000.0)[1][1]
    assert other is not None
    assert other.username != given.username
