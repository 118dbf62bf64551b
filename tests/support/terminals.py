"""Terminals that are no browsers: hundreds of them in one process, each with a person of its own, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import sqlalchemy as sa

from commhub.model import new_id, utc_ns
from commhub.store import Store, tables


@dataclass(frozen=True, slots=True)
class Seated:
    """A person made for a test, signed in without a password."""

    id: str
    org: str
    token: str


async def seat(url: str, count: int, org_key: str) -> list[Seated]:
    """``count`` new people of an organisation, participants there, each signed in. ``url`` is the database's."""
    store = Store(url)
    await store.open()
    o = tables.organisations.c
    async with store.reading() as reading:
        org = await reading.value(sa.select(o.id).where(o.key == org_key))
    assert org is not None, org_key
    now, people = utc_ns(), [Seated(new_id(), org, secrets.token_urlsafe(32)) for _ in range(count)]
    async with store.transaction() as transaction:
        rows: dict[sa.Table, list[dict[str, Any]]] = {
            table: [] for table in (tables.people, tables.accounts, tables.grants, tables.sign_ins)
        }
        for number, one in enumerate(people):
            about = {"name": f"终端{number}", "post": "", "level": 5, "active": True}
            rows[tables.people].append({"id": one.id, "key": f"terminal-{one.id.lower()}", "org_id": org, **about})
            account = {"account": f"t-{one.id.lower()}", "password_hash": "", "failures": 0, "locked_until": 0, "sample": False}
            rows[tables.accounts].append({"person_id": one.id, **account})
            rows[tables.grants].append({"person_id": one.id, "role": "participant", "org_id": org})
            digest = hashlib.sha256(one.token.encode()).hexdigest()
            rows[tables.sign_ins].append({"token_hash": digest, "person_id": one.id, "created_at": now, "seen_at": now})
        for table, made in rows.items():
            await transaction.insert(table, *made)
    await store.close()
    return people


@dataclass
class Terminal:
    """Keeps a socket, resumes at the door, acknowledges; writes down what came and when (``time.monotonic``)."""

    base: str
    person: Seated
    watch: Sequence[str] = ()
    acknowledges: bool = True
    id: str = field(default_factory=new_id)
    seq: int | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    presence: dict[str, str] = field(default_factory=dict)
    told: list[tuple[float, dict[str, str]]] = field(default_factory=list)
    instructions: list[dict[str, Any]] = field(default_factory=list)
    resyncs: int = 0
    connected: int = 0
    up: asyncio.Event = field(default_factory=asyncio.Event)
    socket: aiohttp.ClientWebSocketResponse | None = None

    async def run(self, session: aiohttp.ClientSession) -> None:
        """For ever: whatever ends the socket, it comes back after a moment."""
        while True:
            with contextlib.suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                await self._connect(session)
            self.up.clear()
            self.socket = None
            await asyncio.sleep(random.uniform(0.05, 0.5))

    async def _connect(self, session: aiohttp.ClientSession) -> None:
        query = "" if self.seq is None else f"?after={self.seq}"
        headers = {"Origin": self.base, "Cookie": f"__Host-commhub={self.person.token}"}
        async with session.ws_connect(f"{self.base}/events{query}", headers=headers) as socket:
            self.socket = socket
            async for message in socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return
                await self._receive(socket, json.loads(message.data))

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse, said: dict[str, Any]) -> None:
        match said["type"]:
            case "hello":
                self.seq = said["seq"] if self.seq is None else self.seq
                await socket.send_json({"type": "terminal", "id": self.id, "kind": "console", "name": "test"})
                if self.watch:
                    await socket.send_json({"type": "watch", "orgs": list(self.watch)})
            case "terminal":
                self.connected += 1
                self.up.set()
            case "event":
                self.events.append(said["event"])
                self.at.append(time.monotonic())
                self.seq = said["event"]["seq"]
            case "resumed":
                self.seq = max(self.seq or 0, said["seq"])
            case "resync":
                self.resyncs += 1
            case "presence":
                self.presence = dict(said["people"]) if said.get("whole") else self.presence | said["people"]
                self.told.append((time.monotonic(), said["people"]))
            case "instruction":
                self.instructions.append(said)
                if self.acknowledges:
                    await socket.send_json({"type": "ack", "id": said["id"], "ok": True})

    def cut(self) -> None:
        """As a network does: without a good-bye."""
        if self.socket is not None and (transport := self.socket._response.connection) is not None:
            assert transport.transport is not None
            transport.transport.abort()

    def seqs(self, type: str) -> list[int]:
        return [one["seq"] for one in self.events if one["type"] == type]


@asynccontextmanager
async def running(terminals: Sequence[Terminal], within: float = 60.0) -> AsyncIterator[None]:
    """All of them, once every one has registered."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        tasks = [asyncio.create_task(one.run(session)) for one in terminals]
        try:
            await asyncio.wait_for(asyncio.gather(*(one.up.wait() for one in terminals)), within)
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
