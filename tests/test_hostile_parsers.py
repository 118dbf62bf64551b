"""Hostile bytes for every parser: only the declared error comes out, with a sentence, and soon."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.fuzz import Mutator, hammer
from tests.support.parsers import TARGETS, Target
from tests.support.proofs import Figure

SHORT, LONG = 2_000, 200_000


def fuzz(target: Target, count: int, seed: int) -> float:
    async def inside() -> float:  # some parsers belong to objects that live in a loop
        result = hammer(
            target.parse,
            target.corpus(),
            count,
            seed,
            text=target.text,
            declared=target.declared,
            largest=target.largest,
            slowest=target.slowest,
        )
        assert result.inputs == count
        return result.slowest

    return asyncio.run(inside())


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_only_the_declared_error_comes_out(target: Target) -> None:
    fuzz(target, SHORT, 1)


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_two_hundred_thousand_inputs(target: Target, figure: Figure) -> None:
    slowest = fuzz(target, LONG, 2)
    goal = f"≤ {target.slowest * 1000:g} ms"
    assert figure(f"{LONG:,} hostile inputs, {target}: slowest", round(slowest * 1000, 2), "ms", goal=goal)


def test_the_same_seed_makes_the_same_inputs() -> None:
    one, other = Mutator([b"abc" * 50], 7), Mutator([b"abc" * 50], 7)
    assert [one.next() for _ in range(200)] == [other.next() for _ in range(200)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (KeyError("x"), "KeyError"),
        (UnicodeDecodeError("utf-8", b"", 0, 1, "x."), "UnicodeDecodeError"),
        (ValueError("no sentence"), "is no sentence"),
    ],
)
def test_the_hammer_notices(wrong: Exception, said: str) -> None:
    def parse(data: bytes) -> None:
        if len(data) == 3:
            raise wrong

    with pytest.raises(AssertionError, match=said):
        hammer(parse, [b"ab"], 500, 1)
