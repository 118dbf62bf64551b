"""What terminals are told, and what is known of them, without sockets."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from commhub.errors import Busy
from commhub.model import Actor, Grant, Role, Tree
from commhub.terminals import Instruction, Page, Presence, Terminal, Terminals, presence, terminal_id

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


async def test_reasons_hold_for_a_terminal_that_comes_later() -> None:
    """A hub that has started again knows its calls before their terminals are back."""
    terminals = Terminals()
    terminals.occupy(terminal_id("zhou", DESK), "call", Presence.BUSY)
    zhou = Client(terminals, "zhou")
    id = await zhou.register()
    assert terminals.presence("zhou") is Presence.BUSY
    terminals.release(id, "call")
    assert terminals.presence("zhou") is Presence.IDLE
    terminals.release("nobody", "call")


async def test_a_second_socket_takes_the_place_of_the_first_and_nobody_elses() -> None:
    terminals = Terminals()
    first, second, other = Client(terminals, "zhou"), Client(terminals, "zhou"), Client(terminals, "li")
    id = await first.register()
    await second.register()
    assert await other.register() != id  # the same device, another person
    assert first.said[-1] == {"type": "replaced", "id": DESK}
    terminals.gone(first.page)
    assert terminals.tell(id, {"type": "floor"})
    assert second.said[-1] == {"type": "floor"}
    with pytest.raises(ValueError, match="has not said which terminal it is"):
        await first.ack("i1")


async def test_a_person_has_so_many_terminals() -> None:
    terminals = Terminals()
    clients = [Client(terminals, "zhou") for _ in range(18)]
    names = [f"01J000000000000000000000{number:02}" for number in range(18)]
    for client, name in zip(clients[:16], names, strict=False):
        await client.register(name)
    with pytest.raises(Busy, match="16 terminals"):
        await clients[16].register(names[16])
    terminals.gone(clients[3].page)
    await clients[17].register(names[17])  # in place of the one that is away
    assert terminals.get(terminal_id("zhou", names[3])) is None
    assert len(terminals.of("zhou")) == 16


async def test_who_is_gone_is_told_so_to_whoever_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "GRACE", 0.01)
    terminals = Terminals()
    heard: list[Presence] = []
    terminals.listen(lambda terminal, before: heard.append(terminal.presence))
    zhou = Client(terminals, "zhou")
    id = await zhou.register()
    asked = asyncio.create_task(terminals.instruct(id, Instruction("i1", "ring", "call"), within=30))
    await asyncio.sleep(0)
    terminals.gone(zhou.page)
    assert (await asked).state == "gone"
    assert heard == [Presence.IDLE, Presence.OFFLINE]
    assert terminals.of("zhou") == []


async def test_whose_calls_are_answered_without_asking() -> None:
    terminals = Terminals()
    tree = Tree({"city": None, "org": "city", "other": "city"})
    zhou = Client(terminals, "zhou")
    id = await zhou.register(auto_answer="seat")

    def caller(org: str, level: int = 5, role: Role = Role.DISPATCHER) -> Actor:
        return Actor("x", "x", "x", "", level, "city", "city", (Grant(role, org),), tree=tree)

    assert terminals.auto(id, caller("city"))
    assert not terminals.auto(id, caller("other"))  # not his to command
    assert not terminals.auto(id, caller("city", role=Role.PARTICIPANT))
    assert not terminals.auto(id, caller("city", level=6))  # ranks below
    assert terminals.auto(id, caller("city", level=6), "war")
    assert not terminals.auto("nobody", caller("city"))
    await zhou.register(auto_answer="seat", dnd=True)
    assert not terminals.auto(id, caller("city"))
