from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import commhub.store
from commhub import audit
from commhub.events import Events
from commhub.model import HUB
from commhub.store import Store, tables


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'new' / 'hub.db'}")
    await store.open()
    yield store
    await store.close()


async def value(store: Store, query: sa.Select[Any] | sa.TextClause) -> object:
    async with store.reading() as reading:
        return (await reading.connection.execute(query)).scalar()


async def test_migrations_make_exactly_the_tables_of_the_code(store: Store) -> None:
    def difference(connection: sa.Connection) -> object:
        return compare_metadata(MigrationContext.configure(connection), tables.metadata)

    async with store.reading() as reading:
        assert await reading.connection.run_sync(difference) == []


def test_migrations_are_one_line() -> None:
    scripts = ScriptDirectory(str(Path(commhub.store.__file__).parent / "migrations"))
    assert scripts.get_heads() == [commhub.store.HEAD]
    assert all(isinstance(script.down_revision, str | None) for script in scripts.walk_revisions())


SCRIPTS = Path(commhub.store.__file__).parent / "migrations"
REVISIONS = sorted(script.revision for script in ScriptDirectory(str(SCRIPTS)).walk_revisions())


@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_database_of_any_age_is_brought_up_to_date_with_what_is_in_it(tmp_path: Path, revision: str) -> None:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}")
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))

    def old(connection: sa.Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        column, found = ("search, ", "'p', ") if revision < "0009" else ("", "")  # what people were found by
        for statement in (
            "INSERT INTO organisations (id, key, name, name_en, short, kind, position) VALUES ('o', 'o', 'O', 'O', 'O', 'a', 0)",
            f"INSERT INTO people (id, key, org_id, name, post, level, {column}active)"
            f" VALUES ('p', 'p', 'o', '曾明', '', 5, {found}1)",
            "INSERT INTO cameras (id, key, org_id, name, label, url, user, password, transport, audio, search)"
            " VALUES ('c', 'c', 'o', 'C', 'internal', 'rtsp://192.0.2.1/', '', '', 'tcp', 0, 'c')",
            "INSERT INTO consultations (id, code, title, state, label, host_id, org_id, locked, rev, created_at,"
            " recording_wanted, recording_state) VALUES ('n', 'n', 'N', 'live', 'internal', 'p', 'o', 0, 1, 1, 0, 'off')",
            "INSERT INTO consultation_cameras (consultation_id, camera_id, added_at) VALUES ('n', 'c', 1)",
        ):
            connection.execute(sa.text(statement))
        connection.commit()

    async with store._engine.connect() as connection:
        await connection.run_sync(old)
    assert await store.next("epoch") == 1
    await store.open()
    assert await store.next("epoch") == 2
    assert await value(store, sa.text("SELECT version_num FROM alembic_version")) == commhub.store.HEAD
    async with store.reading() as reading:
        camera = await reading.first(sa.select(tables.cameras))
        assert camera is not None
        assert (camera.name, camera.url, camera.protocol, camera.online, camera.gone) == (
            "C",
            "rtsp://192.0.2.1/",
            "rtsp",
            True,
            False,
        )
        assert await reading.value(sa.select(sa.func.count()).select_from(tables.consultation_cameras)) == 1
        org = await reading.first(sa.select(tables.organisations))
        assert org is not None
        assert (org.connectivity, org.listed, org.rev) == ("full", True, 1)
        assert list((await reading.connection.execute(sa.text("PRAGMA foreign_key_check"))).all()) == []
    await store.close()


async def test_opening_again_keeps_what_is_there(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}"
    for expected in (1, 2, 3):
        store = Store(url)
        await store.open()
        assert await store.next("epoch") == expected
        await store.close()


async def test_the_database_is_durable_and_checked(store: Store) -> None:
    assert await value(store, sa.text("PRAGMA journal_mode")) == "wal"
    assert await value(store, sa.text("PRAGMA synchronous")) == 2  # FULL: an audit row survives a power cut
    assert await value(store, sa.text("PRAGMA foreign_keys")) == 1
    grant = {"person_id": "nobody", "role": "admin", "org_id": "nowhere"}
    async with store.transaction() as transaction:
        with pytest.raises(sa.exc.IntegrityError):
            await transaction.insert(tables.grants, grant)


async def test_a_failing_transaction_leaves_neither_record_nor_audit_nor_event(store: Store) -> None:
    events = Events(store)
    published: list[object] = []
    events.listen(published.append)

    async def act(fails: bool) -> None:
        async with store.transaction() as transaction:
            org = {"id": "o", "key": "o", "name": "O", "name_en": "O", "short": "O", "kind": "city", "position": 0}
            await transaction.insert(tables.organisations, org)
            await audit.record(transaction, HUB, "directory.edit", "o")
            await events.emit(transaction, "camera.state", subject="o", org="o", label="public", data={})
            assert published == []  # not before it is on disk
            if fails:
                raise RuntimeError("the last step fails")

    with pytest.raises(RuntimeError):
        await act(fails=True)
    for table in (tables.organisations, tables.audit, tables.events, tables.counters):
        assert await value(store, sa.select(sa.func.count()).select_from(table)) == 0
    assert published == []
    await act(fails=False)
    for table in (tables.organisations, tables.audit, tables.events):
        assert await value(store, sa.select(sa.func.count()).select_from(table)) == 1
    assert len(published) == 1


async def test_a_cancelled_transaction_is_undone_and_blocks_nobody(store: Store) -> None:
    inside = asyncio.Event()

    async def hang() -> None:
        async with store.transaction() as transaction:
            await transaction.next("x")
            inside.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(hang())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.wait_for(store.next("x"), 5) == 1


async def test_numbers_are_given_once_in_the_order_of_commits(store: Store) -> None:
    order: list[int] = []

    async def one() -> None:
        async with store.transaction() as transaction:
            number = await transaction.next("n")
            transaction.after(lambda: order.append(number))

    await asyncio.gather(*(one() for _ in range(25)))
    assert order == list(range(1, 26))
    assert await store.counter("n") == 25
    assert await store.counter("never") == 0


async def test_two_processes_write_at_the_same_time(tmp_path: Path) -> None:
    """An import while the hub runs: the second writer waits instead of failing."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}"
    hub, importer = Store(url), Store(url)
    await hub.open()
    await asyncio.gather(*(store.next("n") for store in (hub, importer) for _ in range(10)))
    assert await hub.counter("n") == 20
    await hub.close()
    await importer.close()


async def test_readers_do_not_wait_for_a_writer(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.next("n")
        assert await asyncio.wait_for(store.counter("n"), 5) == 0
    assert await store.counter("n") == 1
