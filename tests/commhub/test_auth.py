from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from commhub.auth import Auth, Rules, fold
from commhub.errors import Unauthenticated
from commhub.model import Role
from commhub.store import tables
from tests.support.hubs import QUICK, Hub, running

HOUR = 3600 * 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = time.time_ns()

    def __call__(self) -> int:
        return self.now


@asynccontextmanager
async def signing(folder: Path) -> AsyncIterator[tuple[Hub, Auth, Clock]]:
    async with running(folder) as hub:
        clock = Clock()
        auth = Auth(hub.parts.store, hasher=QUICK, clock=clock)
        try:
            yield hub, auth, clock
        finally:
            auth.close()


async def results(hub: Hub, action: str) -> list[tuple[str, str]]:
    a = tables.audit.c
    async with hub.parts.store.reading() as reading:
        rows = await reading.all(sa.select(a.actor_name, a.result).where(a.action == action).order_by(a.id))
    return [(row.actor_name, row.result) for row in rows]


async def refused(auth: Auth, account: str, password: str) -> str:
    with pytest.raises(Unauthenticated) as raised:
        await auth.sign_in(account, password, "192.0.2.1")
    assert raised.value.code == "bad_credentials"
    return raised.value.message


async def test_who_is_signed_in(tmp_path: Path) -> None:
    async with signing(tmp_path) as (hub, auth, _):
        done = await auth.sign_in(" ＷATER ", hub.passwords["water"], "192.0.2.1")
        actor = done.actor
        assert (actor.name, actor.org_name, actor.address) == ("李思涵", "水务局", "192.0.2.1")
        assert [(grant.role, grant.org) for grant in actor.grants] == [(Role.DISPATCHER, hub.ids["water"])]
        assert await auth.who(done.token, "192.0.2.1") == done
        assert len(done.csrf) == 24
        async with hub.parts.store.reading() as reading:
            stored = await reading.all(sa.select(tables.sign_ins))
        assert done.token not in str(stored)  # a copied database lets nobody in
        assert await auth.who("", "") is None
        assert await auth.who(done.token[:-1], "") is None
        assert await auth.who("x" * 5000, "") is None


async def test_a_sign_in_outlives_the_hub_and_ends_by_signing_out(tmp_path: Path) -> None:
    async with signing(tmp_path) as (hub, auth, _):
        done = await auth.sign_in("water", hub.passwords["water"], "")
        restarted = Auth(hub.parts.store, hasher=QUICK)
        assert await restarted.who(done.token) == done
        await restarted.sign_out(done)
        assert await auth.who(done.token) is None
        await restarted.sign_out(done)  # twice is nothing
        restarted.close()
        assert await results(hub, "session.delete") == [("李思涵", "ok")]


async def test_idle_and_absolute_ends(tmp_path: Path) -> None:
    async with signing(tmp_path) as (hub, auth, clock):
        done = await auth.sign_in("water", hub.passwords["water"], "")
        clock.now += 7 * HOUR
        assert await auth.who(done.token) is not None  # and counts as activity
        clock.now += 4 * HOUR
        assert await auth.who(done.token) is not None
        clock.now += HOUR + 1
        assert await auth.who(done.token) is None  # twelve hours
        done = await auth.sign_in("water", hub.passwords["water"], "")
        clock.now += 8 * HOUR + 1
        assert await auth.who(done.token) is None  # idle


async def test_five_failures_lock_for_fifteen_minutes(tmp_path: Path) -> None:
    async with signing(tmp_path) as (hub, auth, clock):
        sentences = {await refused(auth, "water", "wrong") for _ in range(5)}
        sentences.add(await refused(auth, "water", hub.passwords["water"]))  # locked
        sentences.add(await refused(auth, "nobody", "wrong"))
        assert len(sentences) == 1  # nothing tells which it was
        clock.now += 15 * 60 * 1_000_000_000 - 1
        await refused(auth, "water", hub.passwords["water"])
        clock.now += 2
        await auth.sign_in("water", hub.passwords["water"], "")
        said = await results(hub, "session.create")
        assert said[-1] == ("李思涵", "ok")
        assert ("nobody", "refused") in said
        assert await results(hub, "session.lock") == [("李思涵", "ok")]


async def test_success_forgets_failures(tmp_path: Path) -> None:
    async with signing(tmp_path) as (hub, auth, _):
        for _ in range(3):
            for _ in range(4):
                await refused(auth, "water", "wrong")
            await auth.sign_in("water", hub.passwords["water"], "")


async def test_a_crowd_of_guesses_at_once_gets_no_more_than_the_limit(tmp_path: Path) -> None:
    async with signing(tmp_path) as (hub, auth, _):
        words = ["wrong"] * 20 + [hub.passwords["water"]]
        tries = [auth.sign_in("water", word, "") for word in words]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert all(isinstance(answer, Unauthenticated) for answer in answers)


async def test_a_person_who_left_is_out_at_once(tmp_path: Path) -> None:
    async with signing(tmp_path) as (hub, auth, _):
        done = await auth.sign_in("water", hub.passwords["water"], "")
        async with hub.parts.store.transaction() as transaction:
            await transaction.run(sa.update(tables.people).values(active=False))
        assert await auth.who(done.token) is None
        await refused(auth, "water", hub.passwords["water"])


async def test_a_stranger_costs_as_much_as_a_wrong_password(tmp_path: Path) -> None:
    async with running(tmp_path) as hub:
        auth = Auth(hub.parts.store, hasher=PasswordHasher(time_cost=2, memory_cost=16_384, parallelism=1))
        await auth.sign_in("water", hub.passwords["water"], "")
        async with hub.parts.store.transaction() as transaction:
            await transaction.run(sa.update(tables.accounts).values(password_hash=await auth.hash("right")))

        async def cost(account: str) -> float:
            began = time.process_time()
            await refused(auth, account, "wrong")
            return time.process_time() - began

        known, unknown = [await cost("water") for _ in range(4)], [await cost(f"nobody{n}") for n in range(4)]
        assert min(unknown) > min(known) / 2
        auth.close()


def test_accounts_are_the_same_in_any_case_and_width() -> None:
    assert fold("Ｌi.Ming ") == "li.ming"
    assert Rules().failures == 5
