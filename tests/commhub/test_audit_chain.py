"""The chain of the audit: whatever is done to it afterwards is found."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from commhub import audit
from commhub.model import HUB, By
from commhub.store import Store, Transaction, tables

ROWS = 40


class Undone(Exception):
    """What was done in this transaction is taken back."""


t = tables.audit.c


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}")
    await store.open()
    yield store
    await store.close()


async def fill(store: Store, rows: int = ROWS) -> None:
    for number in range(0, rows, 2):
        async with store.transaction() as transaction:
            await audit.record(transaction, HUB, "camera.open", f"s{number}", object="青石桥")
            await audit.record(transaction, By("某人", "p", "10.0.0.1"), "session.create", "p", result="refused")


async def faults(store: Store, heads: str = "") -> list[str]:
    async with store.reading() as reading:
        return (await audit.verify(reading, heads))[1]


async def test_a_chain_that_nobody_touched_is_whole(store: Store) -> None:
    assert await faults(store) == []
    await fill(store)
    async with store.reading() as reading:
        assert await audit.verify(reading) == (ROWS, [])


async def test_a_transaction_that_fails_leaves_no_hole(store: Store) -> None:
    await fill(store, 4)
    with suppress(Undone):
        async with store.transaction() as transaction:
            await audit.record(transaction, HUB, "camera.open", "lost")
            raise Undone
    await fill(store, 4)
    assert await faults(store) == []


async def edit(transaction: Transaction, chance: random.Random) -> None:
    seq, name = chance.randint(1, ROWS), chance.choice([name for name in audit.HASHED if name not in ("seq", "id", "at")])
    await transaction.run(sa.update(tables.audit).where(t.seq == seq).values({name: "other"}))


async def backdate(transaction: Transaction, chance: random.Random) -> None:
    await transaction.run(sa.update(tables.audit).where(t.seq == chance.randint(1, ROWS)).values(at=t.at - 1))


async def delete(transaction: Transaction, chance: random.Random) -> None:
    await transaction.run(sa.delete(tables.audit).where(t.seq == chance.randint(1, ROWS)))


async def swap(transaction: Transaction, chance: random.Random) -> None:
    one, other = chance.sample(range(1, ROWS + 1), 2)
    for before, after in ((one, -1), (other, one), (-1, other)):
        await transaction.run(sa.update(tables.audit).where(t.seq == before).values(seq=after))


async def truncate(transaction: Transaction, chance: random.Random) -> None:
    await transaction.run(sa.delete(tables.audit).where(t.seq > chance.randint(0, ROWS - 1)))


async def insert(transaction: Transaction, chance: random.Random) -> None:
    row = (await transaction.all(sa.select(tables.audit).where(t.seq == chance.randint(1, ROWS))))[0]._mapping
    await transaction.insert(tables.audit, {**row, "id": f"new{chance.random()}"[:26], "seq": None})


WAYS: list[Callable[[Transaction, random.Random], Awaitable[None]]] = [edit, backdate, delete, swap, truncate, insert]


async def test_a_hundred_of_a_hundred_are_found(store: Store) -> None:
    await fill(store)
    chance, found = random.Random(100), 0
    for number in range(100):
        with suppress(Undone):  # each time from the chain as it was
            async with store.transaction() as transaction:
                await WAYS[number % len(WAYS)](transaction, chance)
                _, wrong = await audit.verify(transaction)
                found += bool(wrong)
                raise Undone
    assert found == 100
    assert await faults(store) == []


async def test_who_rewrites_the_whole_chain_is_found_by_its_heads(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "heads"
    async with store.reading() as reading:
        assert not await audit.export_head(reading, file)
    await fill(store, 4)
    async with store.reading() as reading:
        assert await audit.export_head(reading, file)
        assert not await audit.export_head(reading, file)
    await fill(store, 4)
    assert await faults(store, file.read_text()) == []
    async with store.transaction() as transaction:
        await transaction.run(sa.update(tables.audit).where(t.seq == 2).values(object="other"))
        before = ""
        for row in await transaction.all(sa.select(tables.audit).order_by(t.seq)):
            before = audit.link(before, row._mapping)
            await transaction.run(sa.update(tables.audit).where(t.seq == row.seq).values(hash=before))
    assert await faults(store) == []
    assert await faults(store, file.read_text()) == ["Row 4 is not the one whose hash was exported."]
    async with store.transaction() as transaction:
        await transaction.run(sa.delete(tables.audit))
        await transaction.run(sa.delete(tables.counters))
    assert await faults(store, file.read_text()) == ["The chain ends with row 0; row 4 had been written."]


async def test_rows_from_before_the_chain_are_linked(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    import commhub.store

    engine = sa.create_engine(f"sqlite:///{tmp_path / 'hub.db'}")
    with engine.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(commhub.store.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0012")
        row = {"at": 1, "actor_name": "某人", "action": "camera.open", "result": "ok"}
        row |= dict.fromkeys(("org_name", "address", "subject", "object"), "")
        old = sa.table("audit", *(sa.column(name) for name in ("id", *row)))
        connection.execute(sa.insert(old), [{"id": f"{number:026}", **row} for number in range(1500)])
        connection.commit()
    engine.dispose()
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}")
    await store.open()
    await fill(store, 2)
    async with store.reading() as reading:
        assert await audit.verify(reading) == (1502, [])
    await store.close()
