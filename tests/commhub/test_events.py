from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from commhub import events as module
from commhub.events import Audience, Event, Events, Published
from commhub.model import Actor, Grant, Role, Tree
from commhub.store import Store

TREE = Tree({"city": None, "water": "city", "police": "city"})


@pytest.fixture
async def events(tmp_path: Path) -> AsyncIterator[Events]:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}")
    await store.open()
    yield Events(store)
    await store.close()


async def emit(events: Events, *subjects: str, type: str = "consultation.changed", **more: Any) -> list[Event]:
    made = []
    for subject in subjects:
        async with events._store.transaction() as transaction:
            about = {"org": "water", "label": "internal", "data": {"n": subject}} | more
            made.append(await events.emit(transaction, type, subject=subject, **about))
    return made


async def test_events_are_numbered_published_and_kept(events: Events) -> None:
    heard: list[Published] = []
    stop = events.listen(heard.append)
    made = await emit(events, "a", "b")
    assert [one.event for one in heard] == made
    assert [one.seq for one in made] == [1, 2]
    assert await events.last() == 2
    message = json.loads(heard[0].wire)
    assert message["type"] == "event"
    assert set(message["event"]) == {
        "id", "seq", "type", "version", "at", "actor", "org", "label", "subject", "rev", "data",
    }  # fmt: skip
    kept = await events.since(0)
    assert kept == heard
    stop()
    await emit(events, "c")
    assert len(heard) == 2


async def test_a_listener_that_fails_costs_no_other_its_events(events: Events) -> None:
    heard: list[Published] = []

    def broken(_: Published) -> None:
        raise RuntimeError("broken")

    events.listen(broken)
    events.listen(heard.append)
    await emit(events, "a")
    assert len(heard) == 1


async def test_resume(events: Events) -> None:
    await emit(events, *"abcde")
    missed = await events.since(3)
    assert missed is not None
    assert [one.event.subject for one in missed] == ["d", "e"]
    assert await events.since(5) == []
    assert await events.since(6) is None  # from a future this database does not know
    assert await events.since(1, limit=3) is None  # too much to send one by one
    assert await events.since(2, limit=3) is not None


async def test_old_history_is_dropped_and_then_not_resumed(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 5)
    monkeypatch.setattr(module, "_BATCH", 10)
    await emit(events, *(str(number) for number in range(20)))
    assert await events.since(14) is None
    missed = await events.since(15)
    assert missed is not None
    assert len(missed) == 5


async def test_unknown_types_are_refused(events: Events) -> None:
    with pytest.raises(ValueError, match=r"consultation\.exploded is no event type"):
        await emit(events, "a", type="consultation.exploded")


def person(id: str, org: str, *grants: tuple[Role, str]) -> Actor:
    return Actor(id, "", "", "", 5, org, "", tuple(Grant(role, at) for role, at in grants), tree=TREE)


@pytest.mark.parametrize(
    ("reader", "type", "label", "concerned"),
    [
        (person("invited", "police", (Role.PARTICIPANT, "police")), "consultation.changed", "sensitive", True),
        (person("x", "fire", (Role.PARTICIPANT, "fire")), "consultation.changed", "sensitive", True),  # his organisation is
        (person("x", "water", (Role.PARTICIPANT, "water")), "consultation.changed", "public", False),
        (person("x", "city", (Role.DISPATCHER, "city")), "consultation.changed", "sensitive", True),
        (person("x", "police", (Role.DISPATCHER, "police")), "consultation.changed", "public", False),
        (person("x", "city", (Role.REVIEWER, "city")), "consultation.changed", "sensitive", True),
        (person("x", "water", (Role.PARTICIPANT, "water")), "camera.state", "internal", True),
        (person("x", "water", (Role.PARTICIPANT, "water")), "camera.state", "sensitive", False),
        (person("x", "city", (Role.DISPATCHER, "city")), "recording.listed", "public", False),
        (person("x", "city", (Role.REVIEWER, "water")), "recording.listed", "sensitive", True),
    ],
)
async def test_who_may_see_an_event(events: Events, reader: Actor, type: str, label: str, concerned: bool) -> None:
    heard: list[Published] = []
    events.listen(heard.append)
    await emit(events, "a", type=type, label=label, audience=Audience(["invited"], ["fire"]))
    assert heard[0].concerns(reader) is concerned
    kept = await events.since(0)
    assert kept is not None
    assert kept[0].concerns(reader) is concerned
