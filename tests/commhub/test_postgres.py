"""The records on PostgreSQL: the same tests as on SQLite, with another ``store`` and ``hub``. One group, about a minute:
``-m postgres``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from commhub import audit
from commhub.events import Events
from commhub.model import HUB
from commhub.store import Store, tables
from tests.api import test_keeping
from tests.calls import test_calls
from tests.commhub import test_audit_chain, test_events, test_store
from tests.directory import test_book, test_exchange, test_records, test_seats
from tests.groups import test_groups
from tests.recordings import test_storage
from tests.review import test_search_at_large
from tests.support.hubs import Browser, Hub, serving
from tests.support.postgres import Postgres, postgres

pytestmark = pytest.mark.postgres

#: What is asked of SQLite alone: its own words, a file of its.
OWN = {
    "test_migrations_are_one_line",
    "test_a_database_of_any_age_is_brought_up_to_date_with_what_is_in_it",
    "test_opening_again_keeps_what_is_there",
    "test_the_database_is_durable_and_checked",
    "test_two_processes_write_at_the_same_time",
    "test_rows_from_before_the_chain_are_linked",
    "test_a_search_reads_a_range_of_an_index",
    "test_numbers_are_readable_nowhere",
}
#: What is about other things than records, and takes its time.
ELSEWHERE = {
    "test_what_is_found_first",  # all of it below, with one hub
    "test_why_nobody_answered",
    "test_a_terminal_that_says_nothing_is_shown_so",
    "test_a_terminal_that_does_not_acknowledge_is_shown_so",
    "test_an_alarm_that_nobody_answers_goes_further_up",
    "test_who_leaves_the_room_or_never_comes",
}

OLD = (
    "INSERT INTO organisations (id, key, name, name_en, short, kind, position) VALUES ('o', 'o', 'O', 'O', 'O', 'a', 0)",
    "INSERT INTO people (id, key, org_id, name, post, level, search, active) VALUES ('p', 'p', 'o', '曾明', '', 5, 'p', true)",
    'INSERT INTO cameras (id, key, org_id, name, label, url, "user", password, transport, audio, search)'
    " VALUES ('c', 'c', 'o', 'C', 'internal', 'rtsp://192.0.2.1/', '', '', 'tcp', false, 'c')",
    "INSERT INTO consultations (id, code, title, state, label, host_id, org_id, locked, rev, created_at,"
    " recording_wanted, recording_state) VALUES ('n', 'n', 'N', 'live', 'internal', 'p', 'o', false, 1, 1, false, 'off')",
    "INSERT INTO consultation_cameras (consultation_id, camera_id, added_at) VALUES ('n', 'c', 1)",
)

for module in (
    test_store,
    test_audit_chain,
    test_events,
    test_book,
    test_exchange,
    test_records,
    test_seats,
    test_calls,
    test_groups,
    test_search_at_large,
    test_keeping,
    test_storage,
):
    for name, function in vars(module).items():
        if not name.startswith("test_") or name in OWN | ELSEWHERE:
            continue
        if any(mark.name == "prove" for mark in getattr(function, "pytestmark", [])):
            continue
        assert name not in globals(), name
        globals()[name] = function


@pytest.fixture
def server() -> Postgres:
    return postgres()


@pytest.fixture
async def store(server: Postgres) -> AsyncIterator[Store]:
    store = Store(server.url(await server.create()))
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def events(store: Store) -> Events:
    return Events(store)


@pytest.fixture
async def hub(tmp_path: Path, server: Postgres) -> AsyncIterator[Hub]:
    async with serving(tmp_path, server=server) as hub:
        yield hub


@pytest.fixture
async def admin(hub: Hub) -> AsyncIterator[Browser]:
    async with hub.browser("admin") as page:
        yield page


@pytest.fixture
async def page(hub: Hub) -> AsyncIterator[Browser]:
    async with hub.browser("dispatcher") as page:
        yield page


async def test_what_is_found_first_whatever_order_text_has(hub: Hub, page: Browser) -> None:
    (cases,) = (mark for mark in test_book.test_what_is_found_first.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    for q, first in cases.args[1]:
        await test_book.test_what_is_found_first(page, q, first)


async def test_lists_are_in_the_order_of_their_pages(hub: Hub, page: Browser) -> None:
    """Ids and cursors are compared by the database, and pages follow each other by them."""
    whole = [one["id"] for one in (await page.ok("GET", "/people?limit=200"))["items"]]
    found, after = list[str](), ""
    while True:
        part = await page.ok("GET", f"/people?limit=7{after}")
        found += [one["id"] for one in part["items"]]
        if part["next"] is None:
            break
        after = f"&cursor={part['next']}"
    assert found == whole
    assert len(set(found)) == len(found) > 10


async def test_each_migration_is_taken_with_what_is_there(server: Postgres) -> None:
    name = await server.create()
    store, config = Store(server.url(name)), Config()
    config.set_main_option("script_location", str(test_store.SCRIPTS))

    def step(connection: sa.Connection, revision: str) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        if revision == test_store.REVISIONS[0]:
            for statement in OLD:
                connection.execute(sa.text(statement))
        connection.commit()

    for revision in test_store.REVISIONS:
        async with store._engine.connect() as connection:
            await connection.run_sync(step, revision)
    async with store.reading() as reading:
        for table in (tables.organisations, tables.people, tables.cameras, tables.consultations, tables.consultation_cameras):
            assert await reading.value(sa.select(sa.func.count()).select_from(table)) == 1, table.name
    await store.close()


async def test_two_processes_are_first_at_the_same_time(server: Postgres) -> None:
    url = server.url(await server.create())
    hub, importer = Store(url), Store(url)
    await hub.open()
    names = [f"n{number}" for number in range(20)]
    found = await asyncio.gather(*(store.next(name) for name in names for store in (hub, importer)))
    assert sorted(found) == [1] * 20 + [2] * 20
    async with hub.transaction() as first:
        await audit.record(first, HUB, "camera.open", "a")
        waiting = asyncio.create_task(_record(importer))
        await asyncio.sleep(0.1)
        assert not waiting.done()  # the chain is one, whoever writes
    await waiting
    async with hub.reading() as reading:
        assert await audit.verify(reading) == (2, [])
    await hub.close()
    await importer.close()


async def _record(store: Store) -> None:
    async with store.transaction() as transaction:
        await audit.record(transaction, HUB, "camera.open", "b")


async def test_what_text_cannot_hold_does_not_fail(hub: Hub, admin: Browser) -> None:
    """PostgreSQL's text has no NUL; one in somebody's word is a wrong name, and no mistake of the hub."""
    org = hub.ids["water"]
    for method, path, body in (
        ("POST", "/people", {"org_id": org, "name": "秦\x00叔宝", "post": "", "level": 7}),
        (
            "POST",
            "/consultations",
            {"title": "演练\x00", "label": "internal", "organisations": [org], "people": [], "record": False},
        ),
        ("POST", "/groups", {"name": "防汛\x00", "kind": "temporary", "members": []}),
        ("GET", "/directory/search?q=%00", None),
        ("GET", "/audit?q=%00", None),
        ("GET", "/people?q=%00", None),
        ("GET", "/people/%00", None),
    ):
        status, answer = await admin.call(method, path, body)
        assert status in (200, 201, 400, 404, 422), (path, status, answer)
    status, answer = await admin.call("POST", "/session", {"account": "a\x00b", "password": "x"})
    assert status in (401, 422), answer
