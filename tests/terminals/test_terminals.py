"""What terminals are told, and what is known of them, without sockets."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from commhub.model import Actor
from commhub.terminals import Instruction, Page, Presence, Terminal, Terminals, terminal_id

DESK, PHONE = "01J00000000000000000000001", "01J00000000000000000000002"
_numbers = itertools.count(1)


class Client:
    """A page without a socket."""

    def __init__(self, terminals: Terminals, person: str) -> None:
        self.terminals, self.said = terminals, list[dict[str, Any]]()
        actor = Actor(person, person, person, "", 5, "org", "org")
        self.page = Page(next(_numbers), lambda: actor, self.said.append)

    async def register(self, told: str = DESK, **more: Any) -> str:
        await self.terminals.receive(self.page, {"type": "terminal", "id": told, "kind": "console", "name": "A1", **more})
        return terminal_id(self.page.actor().id, told)

    async def ack(self, id: str, ok: bool = True, reason: str = "") -> None:
        await self.terminals.receive(self.page, {"type": "ack", "id": id, "ok": ok, "reason": reason})

    def instructions(self) -> list[dict[str, Any]]:
        return [one for one in self.said if one["type"] == "instruction"]


async def test_an_instruction_and_its_acknowledgement() -> None:
    terminals = Terminals()
    zhou = Client(terminals, "zhou")
    id = await zhou.register()
    asked = asyncio.create_task(terminals.instruct(id, Instruction("i1", "ring", "call", by={"id": "li"})))
    await asyncio.sleep(0)
    assert [(one["id"], one["verb"], one["subject"]) for one in zhou.instructions()] == [("i1", "ring", "call")]
    await zhou.ack("i1")
    assert (await asked).state == "acknowledged"
    asked = asyncio.create_task(terminals.instruct(id, Instruction("i2", "join", "call")))
    await asyncio.sleep(0)
    await zhou.ack("i2", False, "no microphone")
    assert (await asked).reason == "no microphone"


async def test_who_says_nothing_is_silent_and_his_late_word_is_heard() -> None:
    terminals = Terminals()
    late: list[tuple[str, str]] = []
    terminals.hear_late(lambda terminal, instruction, outcome: late.append((instruction.id, outcome.state)))
    zhou = Client(terminals, "zhou")
    id = await zhou.register()
    assert (await terminals.instruct(id, Instruction("i1", "ring", "call"), within=0.01)).state == "silent"
    await zhou.ack("i1")
    await zhou.ack("i1")
    assert late == [("i1", "acknowledged")]
    assert (await terminals.instruct("nobody", Instruction("i1", "ring", "call"))).state == "gone"


async def test_presence_follows_reasons() -> None:
    terminals = Terminals()
    heard: list[tuple[str, Presence, Presence]] = []

    def listen(terminal: Terminal, before: Presence) -> None:
        heard.append((terminal.person, before, terminal.presence))

    terminals.listen(listen)
    desk, phone = Client(terminals, "zhou"), Client(terminals, "zhou")
    first, second = await desk.register(DESK), await phone.register(PHONE, kind="phone")
    terminals.occupy(first, "call", Presence.RINGING)
    terminals.occupy(second, "call", Presence.RINGING)
    terminals.release(second, "call")
    terminals.occupy(first, "call", Presence.BUSY)
    assert terminals.presence("zhou") is Presence.BUSY
    assert [one.id for one in terminals.of("zhou")] == [second, first]
    terminals.release(first, "call")
    assert terminals.presence("zhou") is Presence.IDLE
    assert [one[1:] for one in heard][-2:] == [
        (Presence.RINGING, Presence.BUSY), (Presence.BUSY, Presence.IDLE),
    ]  # fmt: skip


async def test_what_was_not_acknowledged_comes_once_more_to_the_next_socket() -> None:
    terminals = Terminals()
    before, after, again = (Client(terminals, "zhou") for _ in range(3))
    id = await before.register()
    asked = asyncio.create_task(terminals.instruct(id, Instruction("i1", "ring", "call"), within=5))
    await asyncio.sleep(0)
    terminals.gone(before.page)
    assert terminals.presence("zhou") is Presence.IDLE  # within the grace
    await after.register()
    assert [one["id"] for one in after.instructions()] == ["i1"]
    await again.register()
    assert again.instructions() == []
    await again.ack("i1")
    assert (await asked).ok


@pytest.mark.parametrize(
    "said", [{"id": 1}, {"id": "x"}, {"kind": "rocket"}, {"auto_answer": "yes"}, {"name": "x" * 65}, {"name": 1}]
)
async def test_what_a_terminal_cannot_be(said: dict[str, Any]) -> None:
    terminals = Terminals()
    with pytest.raises(ValueError, match=r"\.$"):
        await Client(terminals, "zhou").register(**({"told": said["id"]} if "id" in said else said))


async def test_what_is_worth_nothing_later_is_told_to_who_is_there() -> None:
    terminals = Terminals()
    zhou = Client(terminals, "zhou")
    assert terminals.at(zhou.page) is None
    id = await zhou.register()
    there = terminals.at(zhou.page)
    assert there is not None
    assert there.id == id
    assert terminals.tell(id, {"type": "floor"})
    assert zhou.said[-1] == {"type": "floor"}
    terminals.occupy(id, "group", Presence.BUSY)
    assert (terminals.occupied(id), terminals.occupied("nobody")) == ({"group"}, set())
    terminals.gone(zhou.page)
    assert not terminals.tell(id, {"type": "floor"})
