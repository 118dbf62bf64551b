"""The database: one engine, one kind of transaction.

A change writes its record, its audit row and its event in one :meth:`Store.transaction`; what listeners must learn
(:meth:`Transaction.after`) runs once the commit is on disk, in the order of commits, and never when it fails.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from commhub import log as logs
from commhub.store import tables

log = logs.get(__name__)


HEAD = "0024"  # the newest migration; a hub that restarts need not load Alembic to see that there is nothing to do


# One statement, so that two processes cannot both be the first; it holds the row until the end of the transaction.
_NEXT = sa.text(
    "INSERT INTO counters (name, value) VALUES (:name, 1)"
    " ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value"
)


class Reading:
    """A connection to read with."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection

    async def all(self, query: sa.Select[Any]) -> Sequence[Row[Any]]:
        rows: Sequence[Row[Any]] = (await self.connection.execute(query)).all()
        return rows

    async def first(self, query: sa.Select[Any]) -> Row[Any] | None:
        row: Row[Any] | None = (await self.connection.execute(query)).first()
        return row

    async def value(self, query: sa.Select[Any]) -> Any:
        return (await self.connection.execute(query)).scalar()


class Transaction(Reading):
    """Everything or nothing. One at a time in this process: hold it for records only, never for another process."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__(connection)
        self._after: list[Callable[[], None]] = []

    async def run(self, statement: sa.Executable) -> int:
        """Rows changed."""
        return int((await self.connection.execute(statement)).rowcount)

    async def insert(self, table: sa.Table, *rows: dict[str, Any]) -> None:
        if rows:
            await self.connection.execute(sa.insert(table), list(rows))

    async def next(self, counter: str) -> int:
        """1, 2, 3 … per name."""
        return int((await self.connection.execute(_NEXT, {"name": counter})).scalar_one())

    def after(self, act: Callable[[], None]) -> None:
        """Call this once the commit is done. It must not fail or wait."""
        self._after.append(act)

    def committed(self) -> None:
        for act in self._after:
            act()


class Store:
    """``url`` is SQLAlchemy's (``sqlite+aiosqlite:///…``, ``postgresql://…``)."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._writing = asyncio.Lock()
        #: Hears ``(operation, seconds)``: waiting (for its turn to write), writing, reading.
        self.observe: Callable[[str, float], None] = lambda operation, seconds: None

    async def open(self) -> None:
        """Bring the schema up to date."""
        async with self._engine.connect() as connection:
            if await connection.run_sync(_revision) != HEAD:
                await connection.run_sync(_migrate)

    async def close(self) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reading]:
        began = time.perf_counter()
        async with self._engine.connect() as connection:
            yield Reading(connection)
        self.observe("reading", time.perf_counter() - began)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        # SQLite has one writer anyway; on PostgreSQL the lock keeps `after` in the order of commits.
        asked = time.perf_counter()
        async with self._writing:
            began = time.perf_counter()
            self.observe("waiting", began - asked)
            async with self._engine.connect() as connection:
                await connection.execution_options(commhub_writes=True)
                async with connection.begin():
                    transaction = Transaction(connection)
                    yield transaction
            self.observe("writing", time.perf_counter() - began)
            transaction.committed()

    async def counter(self, name: str) -> int:
        """Its last number; 0 before the first."""
        async with self.reading() as reading:
            value = await reading.value(sa.select(tables.counters.c.value).where(tables.counters.c.name == name))
        return int(value or 0)

    async def next(self, counter: str) -> int:
        async with self.transaction() as transaction:
            return await transaction.next(counter)


def _engine(url: str) -> AsyncEngine:
    target = sa.make_url(url)
    if target.get_backend_name() != "sqlite":
        if target.drivername == "postgresql":
            target = target.set(drivername="postgresql+asyncpg")
        engine = create_async_engine(target, pool_pre_ping=True)
        event.listen(engine.sync_engine, "before_cursor_execute", _without_nul, retval=True)
        return engine
    if target.database:
        Path(target.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = create_async_engine(target, connect_args={"timeout": 30})

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        # The driver's own BEGIN comes too late (before the first write only), so transactions are begun by hand below.
        connection.isolation_level = None
        cursor = connection.cursor()
        # What is deleted is overwritten: words of a deleted recording do not stay in the file's unused parts.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000", "secure_delete=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("commhub_writes")
        # A writer that begins as a reader can lose the race for the lock half-way; IMMEDIATE waits for it instead.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _without_nul(
    connection: sa.Connection, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> tuple[str, Any]:
    """PostgreSQL's text has no NUL; SQLite's has, and what people, devices and keys say may have one anywhere."""

    def without(row: Any) -> Any:
        if not any(isinstance(value, str) and "\0" in value for value in row):
            return row
        return tuple(value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row)

    return statement, [without(row) for row in parameters] if many else without(parameters)


def _revision(connection: sa.Connection) -> str | None:
    found = sa.inspect(connection).has_table("alembic_version")
    revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version")) if found else None
    connection.rollback()
    return revision


def _migrate(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
