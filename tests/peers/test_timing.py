"""How long people wait: joining, and the first picture of somebody, of both servers in the same words."""

from __future__ import annotations

import statistics
import time

import pytest

from tests.support.peers.meeting import EACH, MARKS, MORE, Meeting
from tests.support.proofs import Figure

pytestmark = [*MARKS[:2], pytest.mark.timeout(240), pytest.mark.prove]


@pytest.mark.parametrize("client", [*EACH, *MORE])
async def test_joining_and_the_first_picture(meet: Meeting, figure: Figure, client: str) -> None:
    bob = await meet("python-single", "bob")
    await bob.publish("camera", simulcast=False)
    joined, seen = [], []
    for number in range(5):
        began = time.monotonic()
        alice = await meet(client, f"alice{number}")
        joined.append(time.monotonic() - began)
        await alice.sees("bob", more=1)
        seen.append(time.monotonic() - began)
        await alice.close()
    figure(f"{meet.server.name}, {client}: joined, median of 5", statistics.median(joined), "s")
    figure(f"{meet.server.name}, {client}: first picture, median of 5", statistics.median(seen), "s")
