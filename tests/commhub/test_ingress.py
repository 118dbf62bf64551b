"""Ways into rooms that API keys made, against a bridge that says what a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commhub.conference import IngressState, IngressWay
from commhub.errors import Forbidden
from commhub.ingress import RoomIngress
from commhub.media.messages import BridgeSnapshot, Codec, Demand, Message, Pull, SourceState, SourceStream
from commhub.model import Label
from commhub.store import tables
from commhub.vault import Vault
from tests.support import hubs, until
from tests.support.hubs import Hub

CAMERA = IngressWay(
    "own", "url", "r", "camera", title="gate", name="Gate", url="rtsp://192.0.2.1/a", user="admin", password="secret-pass"
)
ENCODER = IngressWay("own", "whip", "r", "encoder", metadata="m", options=b"opaque")


class Gate:
    def __init__(self, hub: Hub) -> None:
        self.hub, self.now = hub, 1000.0
        self.told: list[Message] = []
        self.changes: list[tuple[str, str]] = []
        self.ways = self.another()
        hub.engine.places["r"] = ""

    def another(self) -> RoomIngress:
        parts = (self.hub.parts.store, Vault(self.hub.folder / "secrets"), self.hub.conference, self.hub.engine)
        ways = RoomIngress(*parts, clock=lambda: self.now)
        ways.changed = lambda way, state: self.changes.append((way.identity, state.state))
        return ways

    def link(self, *sources: SourceState) -> None:
        self.told.clear()
        self.ways.linked(BridgeSnapshot(list(sources)), self.told.append)

    def pulls(self) -> list[tuple[str, str, list[str]]]:
        return [(one.source, one.url, one.workers) for one in self.told if isinstance(one, Pull)]

    def say(self, way: IngressWay, state: str, **more: Any) -> None:
        streams = [SourceStream(1, "video", Codec("video/H264", 90_000))] if state == "live" else []
        self.ways.receive(SourceState(f"IN_{way.id}", state, streams=streams, **more))

    def place(self) -> None:
        self.hub.conference.rooms.setdefault("r", {})
        self.hub.engine.places["r"] = "media-0"

    def seated(self) -> list[str]:
        return list(self.hub.conference.seats.get("r", {}))


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    async with hubs.running(tmp_path) as hub:
        gate = Gate(hub)
        await gate.ways.open()
        gate.ways.start_tasks()
        yield gate
        await gate.ways.close()


async def test_a_stream_key_finds_its_way(gate: Gate) -> None:
    made = await gate.ways.create(ENCODER)
    assert len(made.stream_key) == 32
    assert await gate.ways.by_stream_key(made.stream_key) == made
    assert await gate.ways.by_stream_key("another") is None
    assert (made.metadata, made.options, gate.ways.state(made)) == ("m", b"opaque", IngressState())
    changed = await gate.ways.update(replace(made, title="obs", enabled=False))
    assert await gate.ways.find(id=made.id) == [changed]
    await gate.ways.delete(changed)
    assert await gate.ways.find() == []


async def test_no_secret_is_readable_at_rest(gate: Gate) -> None:
    encoder, camera = await gate.ways.create(ENCODER), await gate.ways.create(CAMERA)
    async with gate.hub.parts.store.reading() as reading:
        rows = await reading.all(sa.select(tables.ingresses))
    said = repr([tuple(row) for row in rows])
    assert encoder.stream_key not in said
    assert "secret-pass" not in said
    assert "secret-pass" not in repr(camera)
    assert encoder.stream_key not in repr(encoder)


async def test_a_camera_is_pulled_and_seated(gate: Gate) -> None:
    gate.link()
    made = await gate.ways.create(CAMERA)
    await until(lambda: ("r", "own") in gate.hub.conference.provided)
    gate.place()
    await until(gate.pulls)
    assert gate.pulls() == [(f"IN_{made.id}", "rtsp://192.0.2.1/a", ["media-0"])]
    assert gate.seated() == []
    gate.say(made, "live")
    await until(gate.seated)
    seat = gate.hub.conference.seats["r"]["camera"]
    assert (seat.source, seat.name, seat.kind, seat.audio) == (f"IN_{made.id}", "Gate", "ingress", False)
    assert gate.ways.state(made).state == "publishing"
    gate.say(made, "connecting", text="It was lost.")
    assert gate.ways.state(made).error == "It was lost."
    await _watched(gate, made)
    assert gate.seated() == ["camera"]  # for a while
    gate.now += 11
    await until(lambda: not gate.seated())
    gate.say(made, "live")
    await until(gate.seated)
    await gate.ways.delete(made)
    assert gate.seated() == []
    assert gate.pulls()[-1] == (f"IN_{made.id}", "", [])
    assert gate.changes == [
        ("camera", "buffering"), ("camera", "publishing"), ("camera", "buffering"), ("camera", "publishing"),
        ("camera", "inactive"),
    ]  # fmt: skip


async def _watched(gate: Gate, way: IngressWay) -> None:
    """The watch has seen the present state."""
    pulled = gate.ways._pulled[way.id]
    await until(lambda: pulled.silent_since is not None)


async def test_what_is_to_be_made_of_it_is_told(gate: Gate) -> None:
    way = await gate.ways.create(CAMERA)
    gate.link()
    gate.place()
    gate.ways.start_tasks()
    await until(lambda: len(gate.pulls()) == 1)

    def layers() -> tuple[str, ...]:
        return [one.layers for one in gate.told if isinstance(one, Pull)][-1]

    gate.hub.engine.say(Demand(f"IN_{way.id}", True, "media-0", ("main", "main/H264")))
    await until(lambda: layers() == ("main", "main/H264"))
    gate.hub.engine.say(Demand(f"IN_{way.id}", True, "media-0"))
    await until(lambda: layers() == ("main",))


async def test_what_the_bridge_says_is_told(gate: Gate) -> None:
    gate.link()
    gate.place()
    made = await gate.ways.create(CAMERA)
    gate.say(made, "failed", code="not_allowed", text="The address is not allowed.")
    assert gate.ways.state(made).state == "error"
    assert gate.ways.state(made).error == "The address is not allowed."
    gate.ways.unlinked()
    assert gate.ways.state(made).state == "buffering"


async def test_a_restarted_hub_and_bridge(gate: Gate) -> None:
    gate.link()
    gate.place()
    made = await gate.ways.create(CAMERA)
    await until(gate.pulls)
    await gate.ways.close()
    gate.ways = gate.another()
    await gate.ways.open()
    gate.ways.start_tasks()
    live = SourceState(f"IN_{made.id}", "live", streams=[SourceStream(1, "video", Codec("video/H264", 90_000))])
    strange = SourceState("IN_01K00000000000000000000000", "live")
    gate.link(live, strange, SourceState("01K0000000000000000CAMERA0", "live"))
    assert gate.pulls() == [(strange.source, "", [])]  # a camera of the city is none of ours
    await until(gate.seated)
    assert (f"IN_{made.id}", "rtsp://192.0.2.1/a", ["media-0"]) in gate.pulls()


async def test_who_is_removed_does_not_come_back(gate: Gate) -> None:
    gate.link()
    gate.place()
    made = await gate.ways.create(CAMERA)
    gate.say(made, "live")
    await until(gate.seated)
    await gate.ways.end("r", "somebody")
    assert gate.ways.state(made).state == "publishing"
    await gate.ways.end("r", "camera")
    (kept,) = await gate.ways.find(id=made.id)
    assert not kept.enabled
    assert gate.ways.state(kept) == IngressState("complete", "The participant was removed.")
    again = await gate.ways.update(replace(kept, enabled=True))
    await until(lambda: gate.pulls()[-1][1] == again.url)


async def test_another_key_s_room(gate: Gate) -> None:
    async def provide(room: str, *, key: str) -> None:
        raise Forbidden("The API key does not reach this room.")

    gate.hub.conference.provide = provide  # type: ignore[method-assign]
    gate.link()
    made = await gate.ways.create(CAMERA)
    await until(lambda: gate.ways.state(made).state == "error")
    assert gate.ways.state(made).error == "The API key does not reach this room."


async def test_a_room_that_another_key_made_since(gate: Gate) -> None:
    """The name was free when the ingress was made; whoever has it now gets neither its picture nor a place less."""
    gate.link()
    gate.place()
    gate.hub.conference.owners["r"] = "other"
    made = await gate.ways.create(CAMERA)
    gate.say(made, "live")
    await until(lambda: gate.ways.state(made).state == "error")
    assert gate.ways.state(made).error == "The API key does not reach this room."
    assert (gate.pulls(), gate.seated()) == ([], [])
    del gate.hub.conference.owners["r"]
    await until(gate.pulls)
    gate.say(made, "live")
    await until(gate.seated)
    gate.hub.conference.owners["r"] = "other"
    await until(lambda: not gate.seated())
    assert gate.pulls()[-1] == (f"IN_{made.id}", "", [])


async def test_a_consultation(gate: Gate) -> None:
    hub = gate.hub
    host = await hub.parts.auth.actor(hub.ids["zhou-mingyuan"])
    assert host is not None
    room = (await hub.parts.rooms.create(host, title="防汛", label=Label.INTERNAL, organisations=[], people=[])).id
    gate.link()
    made = await gate.ways.create(replace(CAMERA, room=room))
    async with hub.parts.store.reading() as reading:
        (act,) = await reading.all(sa.select(tables.audit).where(tables.audit.c.action == "ingress.create"))
    assert (act.actor_name, act.subject, act.object) == ("API key own", room, "url gate → 防汛")
    await hub.parts.rooms.end(room, host)
    hub.engine.places[room] = ""
    await until(lambda: gate.ways.state(made).state == "complete")
    assert gate.ways.state(made).error == "The consultation is over."
    assert hub.conference.provided == []
