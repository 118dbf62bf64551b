"""Room and engine with everything between them arriving in whatever order: see :mod:`tests.support.crossing`."""

from __future__ import annotations

import itertools

import pytest

from signaling import messages
from tests.support.crossing import World
from tests.support.proofs import Figure


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that are the same in every run of a seed."""
    numbers = itertools.count(1)
    monkeypatch.setattr(messages, "new_sid", lambda prefix: f"{prefix}{next(numbers):06}")


async def live(seed: int, turns: int) -> World:
    world = World(seed)
    for turn in range(turns):
        world.act()
        for _ in range(world.random.randrange(8)):
            world.step()
        if turn % 12 == 11:
            await world.settle()
            world.check()
    await world.settle()
    world.check()
    return world


@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize("seed", range(8))
async def test_whatever_crosses_ends_well(seed: int) -> None:
    world = await live(seed, 60)
    assert len(set(world.done)) > 10


@pytest.mark.prove
@pytest.mark.usefixtures("counted")
async def test_whatever_crosses_ends_well_many_times(figure: Figure) -> None:
    seeds = 300
    for seed in range(1000, 1000 + seeds):
        await live(seed, 60)
    assert figure("signalling and engine: random interleavings that end well", seeds, "of 60 acts", goal=f"≥ {seeds}")
