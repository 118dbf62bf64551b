"""Off the record, as the hub drives it; what it keeps of checkpoints; recorders side by side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commhub.errors import Conflict, Forbidden
from commhub.media.messages import Checkpoint, Message, Record
from commhub.media.messages.recording import shard_of
from commhub.model import Label, new_id
from commhub.recordings import Rules, Witness
from commhub.recordings.following import Following
from commhub.recordings.witness import kept
from commhub.store import Store
from tests.commhub.test_recordings import Bench, playing, until


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with playing(tmp_path) as bench:
        yield bench


async def test_paused_and_on_again(bench: Bench) -> None:
    made = await bench.create()
    bench.link()
    with pytest.raises(Conflict) as caught:
        await bench.recordings.pause(made.id, bench.zhou, True)
    assert caught.value.code == "not_recording"
    await bench.recordings.start(made.id, bench.zhou)
    held = await bench.recordings.pause(made.id, bench.zhou, True)
    assert held.recording.state == "paused"
    assert bench.hub.conference.lights[made.id] is False
    assert [order.paused for order in bench.orders(Record)] == [False, True]
    assert (await bench.recordings.pause(made.id, bench.zhou, True)).rev == held.rev
    assert (await bench.recordings.start(made.id, bench.zhou)).recording.state == "paused"  # asking twice ends no pause
    # A recorder that comes back is told so.
    bench.recordings.unlinked()
    bench.link()
    assert bench.orders(Record)[-1].paused
    assert (await bench.recordings.pause(made.id, bench.zhou, False)).recording.state == "recording"
    assert bench.orders(Record)[-1].paused is False
    assert bench.hub.conference.lights[made.id] is True
    await bench.recordings.pause(made.id, bench.zhou, True)
    assert (await bench.recordings.stop(made.id, bench.zhou)).recording.state == "off"
    assert bench.events("consultation.recording_paused", "consultation.recording_resumed") == [
        "consultation.recording_paused", "consultation.recording_resumed", "consultation.recording_paused",
    ]  # fmt: skip


async def test_who_may_not_record_may_not_pause(bench: Bench) -> None:
    made = await bench.create()
    bench.link()
    await bench.recordings.start(made.id, bench.zhou)
    with pytest.raises(Forbidden):
        await bench.recordings.pause(made.id, await bench.hub.person("reviewer"), True)


async def test_a_restarted_hub_knows_that_it_is_paused(bench: Bench, tmp_path: Path) -> None:
    made = await bench.create()
    bench.link()
    await bench.recordings.start(made.id, bench.zhou)
    await bench.recordings.pause(made.id, bench.zhou, True)
    bench.recordings._sessions.clear()
    await bench.recordings.open()
    (session,) = bench.recordings._sessions.values()
    assert session.record.paused


async def test_labels_that_are_always_recorded(bench: Bench) -> None:
    bench.recordings.wishes.rules = Rules(frozenset({"internal"}))
    made = await bench.create(record=False)
    bench.link()
    await bench.join(made.id)
    await until(lambda: bool(bench.orders(Record)))
    assert (await bench.look(made.id)).recording.state == "recording"
    for act in (bench.recordings.stop(made.id, bench.zhou), bench.recordings.pause(made.id, bench.zhou, True)):
        with pytest.raises(Conflict) as caught:
            await act
        assert caught.value.code == "always_recorded"
    other = await bench.create(label=Label.PUBLIC)
    await bench.join(other.id)
    await asyncio.sleep(0.05)
    assert (await bench.look(other.id)).recording.state == "off"


def told(number: int, head: str = "ab") -> Checkpoint:
    return Checkpoint("S1", number, 1_700_000_000_000_000_000 + number, number * 100, head * 32, "0123456789abcdef", "cd" * 64)


async def test_checkpoints_are_kept_as_they_were_told_first(tmp_path: Path) -> None:
    store = Store(f"sqlite+aiosqlite:///{tmp_path}/hub.db")
    await store.open()
    witness = Witness(store)
    for number in range(1, 451):
        witness.receive(told(number))
    await witness._take()
    witness.receive(told(7, "ff"))
    witness.receive(told(451))
    await witness.close()
    async with store.reading() as reading:
        found = await kept(reading, "S1")
        assert await kept(reading, "S2") == []
    await store.close()
    assert [one.number for one in found] == list(range(1, 452))
    assert found[6].head == "ab" * 32


class _Engine:
    def on_event(self, heard: object) -> None: ...
    def on_worker(self, *about: object) -> None: ...
    def worker_of(self, room: str) -> str:
        return "media-0"


class _One:
    room = "R"

    def __init__(self, session: str) -> None:
        self.session, self.worker = session, ""

    def told(self, worker: str) -> Record:
        return Record(self.session, self.room, worker)


async def test_each_session_belongs_to_one_of_several_recorders() -> None:
    ones = {name: _One(name) for name in (new_id() for _ in range(40))}
    following = Following(_Engine(), ones, 2)  # type: ignore[arg-type]
    heard: list[list[Message]] = [[], []]
    following.linked(heard[0].append, 0)
    following.reconcile()
    assert {message.session for message in heard[0] if isinstance(message, Record)} == {
        name for name in ones if shard_of(name, 2) == 0
    }
    assert heard[1] == []
    following.linked(heard[1].append, 1)
    following.reconcile()
    assert len(heard[0]) + len(heard[1]) == 40
    following.unlinked(0)
    following.linked(heard[0].append, 0)
    following.reconcile()
    assert len(heard[0]) > len(ones) - len(heard[1])
