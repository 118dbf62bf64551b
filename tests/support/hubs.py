"""A hub's records and interface in a test: a real database, a real HTTP server, and a live side that only writes down."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from aiohttp import ClientResponse, ClientSession, ClientWebSocketResponse, CookieJar, web
from aiohttp.test_utils import TestServer
from argon2 import PasswordHasher

from commhub.agenda import Scheduled
from commhub.api import Api, Parts
from commhub.archive import Archive
from commhub.auth import Auth, Rules
from commhub.calls import Calls, RecordedCalls
from commhub.conference import CameraSeat, Presence, Ticket
from commhub.desk import VIEW, Desk
from commhub.devices import Devices
from commhub.diagnosis import Diagnosis
from commhub.directory import CityData, Directory, read_city
from commhub.dispatch import Dispatch
from commhub.errors import NotFound, Unavailable
from commhub.events import Events
from commhub.feeds import Feeds
from commhub.groups import Groups, RecordedGroups, by_ending_calls
from commhub.groups import Terms as GroupTerms
from commhub.groups import Times as GroupTimes
from commhub.linktests import LinkTests
from commhub.log import Secret
from commhub.media.messages import Answer, Message, Offer, Restart, RoomStats, WorkerSnapshot
from commhub.media.workers import WorkerLoad
from commhub.model import utc_ns
from commhub.recordings import Cameras, Consultations, Recordings, Review, RoomRecordings, Wishes, policy
from commhub.recordings.exports import Exports
from commhub.recordings.exports import Terms as ExportTerms
from commhub.recordings.keeper import Keeper
from commhub.recordings.storage import Storage
from commhub.review import Reviewing
from commhub.rollcalls import RollCalls
from commhub.rooms import Door, Entering, Hearing, InternalKey, Leading, Rooms
from commhub.store import Store
from commhub.terminals import Terminals
from commhub.vault import Vault
from tests.support.postgres import Postgres

SAMPLE = Path(__file__).parents[2] / "configs" / "sample-city"
KEY = InternalKey("hub", Secret("k" * 48))
#: As weak as argon2 goes: tests sign in hundreds of times.
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
TERMINAL = "01K0000000000000000000TERM"


class FakeConference:
    """The live side: remembers rooms and people, and calls the hub back as signalling does."""

    def __init__(self) -> None:
        self.door: Door | None = None
        self.rooms: dict[str, dict[str, Presence]] = {}
        self.owners: dict[str, str] = {}  # the API keys of rooms that are not everybody's
        self.watching: dict[str, dict[str, Presence]] = {}  # whom nobody sees
        self.seats: dict[str, dict[str, CameraSeat]] = {}
        self.settled = True
        self.unheard: set[str] = set()  # who is in a room as far as is known, and whose client says nothing any more
        self.away: set[str] = set()  # whose socket is gone
        self.lights: dict[str, bool] = {}
        self.provided: list[tuple[str, str]] = []
        self.recorders: dict[str, set[str]] = defaultdict(set)
        self.muted: list[tuple[str, str, str]] = []
        self.speakers: dict[str, frozenset[str] | None] = {}
        self.governed: list[tuple[str, frozenset[str] | None]] = []  # in order
        self.forwarded: set[tuple[str, str, str]] = set()  # from, identity, to
        self.spoke: Callable[[str, str, bool], None] = lambda room, identity, speaks: None
        self.apart: dict[str, Callable[[str, str], bool] | None] = {}

    async def open(self, room: str, *, key: str, metadata: str = "") -> None:
        self.rooms.setdefault(room, {})

    async def close(self, room: str) -> None:
        for identity in list(self.rooms.pop(room, {})):
            assert self.door is not None
            await self.door.left(room, Presence(identity, ""), "ROOM_DELETED")

    def named(self, prefix: str) -> list[str]:
        return [name for name in self.rooms if name.startswith(prefix)]

    def present(self, room: str, *, unseen: bool = False, connected: bool = False) -> list[Presence]:
        hidden = self.watching.get(room, {}) if unseen else {}
        here = [*self.rooms.get(room, {}).values(), *hidden.values()]
        return [one for one in here if not connected or one.identity not in self.away]

    async def reached(self, room: str) -> frozenset[str] | None:
        return frozenset(self.rooms.get(room, {})) - self.unheard if self.settled else None

    async def enter(self, room: str, identity: str, name: str, kind: str = "person", org: str = "") -> None:
        presence = Presence(identity, name, kind, org, utc_ns())
        self.rooms[room][identity] = presence
        assert self.door is not None
        await self.door.joined(room, presence)

    async def leave(self, room: str, identity: str, reason: str = "CLIENT_INITIATED") -> None:
        presence = self.rooms[room].pop(identity)
        assert self.door is not None
        await self.door.left(room, presence, reason)

    async def remove(self, room: str, identity: str) -> None:
        if self.watching.get(room, {}).pop(identity, None) is not None:
            return
        if identity not in self.rooms.get(room, {}):
            raise NotFound("Nobody.")
        assert self.door is not None
        held = Ticket(key="", identity=identity, room=room, token_id=f"token of {identity}", expires_at=4e9)
        await self.door.revoke(room, [held], 4e9)
        if identity in self.rooms.get(room, {}):  # two may put somebody out at once; they leave once
            await self.leave(room, identity, "PARTICIPANT_REMOVED")

    async def mute(self, room: str, identity: str, source: str, muted: bool = True) -> None:
        self.muted.append((room, identity, source))

    def part(self, room: str, apart: Callable[[str, str], bool] | None) -> None:
        self.apart[room] = apart

    def govern(self, room: str, speakers: Iterable[str] | None) -> None:
        self.speakers[room] = None if speakers is None else frozenset(speakers)
        self.governed.append((room, self.speakers[room]))

    def forward(self, room: str, identity: str, to: str) -> bool:
        self.forwarded.add((room, identity, to))
        return True

    def unforward(self, room: str, to: str) -> None:
        self.forwarded = {one for one in self.forwarded if (one[0], one[2]) != (room, to)}

    async def provide(self, room: str, *, key: str) -> None:
        self.provided.append((room, key))
        self.rooms.setdefault(room, {})

    def reaches(self, room: str, key: str) -> bool:
        return self.owners.get(room, key) == key

    def camera_seats(self, room: str) -> list[CameraSeat]:
        return list(self.seats.get(room, {}).values())

    async def add_camera(self, room: str, seat: CameraSeat) -> None:
        self.seats.setdefault(room, {})[seat.identity] = seat
        self.rooms[room][seat.identity] = Presence(seat.identity, seat.name, "camera", seat.org, utc_ns())

    async def remove_camera(self, room: str, identity: str) -> None:
        self.seats.get(room, {}).pop(identity, None)
        self.rooms.get(room, {}).pop(identity, None)

    def set_recording(self, room: str, active: bool, *, by: str = "") -> None:
        (self.recorders[room].add if active else self.recorders[room].discard)(by)
        self.lights[room] = bool(self.recorders[room])


async def no_picture(worker: str, room: str, identity: str) -> bytes:
    """Of a test that takes none."""
    raise Unavailable("There is no picture.", "没有画面。", code="no_picture")


class FakeEngine:
    """Every room lies on ``media-0`` unless ``places`` says otherwise."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}
        self.load: dict[str, WorkerLoad] = {}
        self.looks: list[RoomStats | None] = []  # answers of the worker, one after another
        self.listeners: list[Callable[[Message], None]] = []
        self.workers: list[tuple[Callable[[WorkerSnapshot], None], Callable[[str, list[str]], None], Callable[[str], None]]] = []

    def tell(self, message: Message) -> None:
        raise AssertionError(f"no test here expects {message}")

    async def offer(self, offer: Offer | Restart) -> Answer:
        raise AssertionError(f"no test here expects {offer}")

    def worker_of(self, room: str) -> str:
        return self.places.get(room, "media-0")

    def full(self, room: str) -> bool:
        return False

    def loads(self) -> dict[str, WorkerLoad]:
        return self.load

    async def stats(self, room: str) -> RoomStats | None:
        return self.looks.pop(0) if self.looks else None

    def on_event(self, listener: Callable[[Message], None]) -> None:
        self.listeners.append(listener)

    def on_worker(
        self,
        found: Callable[[WorkerSnapshot], None],
        lost: Callable[[str, list[str]], None],
        ready: Callable[[str], None],
    ) -> None:
        self.workers.append((found, lost, ready))

    def say(self, message: Message) -> None:
        for listener in self.listeners:
            listener(message)

    def lose(self, worker: str, *rooms: str) -> None:
        for _, lost, _ in self.workers:
            lost(worker, list(rooms))

    def come_back(self, worker: str) -> None:
        for _, _, ready in self.workers:
            ready(worker)


@dataclass
class Hub:
    parts: Parts
    door: Door
    conference: FakeConference
    engine: FakeEngine
    folder: Path
    passwords: dict[str, str] = field(default_factory=dict)  # by account
    ids: dict[str, str] = field(default_factory=dict)  # by key, of everything imported
    health: dict[str, bool] = field(default_factory=lambda: {"media-0": True})
    api: Api | None = None
    server: TestServer | None = None

    async def person(self, account: str) -> Any:
        actor = await self.parts.auth.actor(self.ids[next(p.key for p in self.city.person if p.account == account)])
        assert actor is not None
        return actor

    city: CityData = field(default_factory=CityData)

    @asynccontextmanager
    async def browser(self, account: str | None = None) -> AsyncIterator[Browser]:
        assert self.server is not None
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            browser = Browser(self, session, str(self.server.make_url("/")).rstrip("/"))
            if account is not None:
                await browser.sign_in(account)
            yield browser

    async def enter(self, joining: dict[str, Any], name: str = "", org: str = "") -> str:
        """Joins the room with a ticket, as signalling does. Returns the identity."""
        ticket = ticket_of(joining["token"])
        await self.door.admit(ticket)
        await self.conference.enter(ticket.room, ticket.identity, ticket.name, "person", ticket.attributes["org"])
        return ticket.identity


def ticket_of(token: str) -> Ticket:
    claims = jwt.decode(token, KEY.secret.reveal(), algorithms=["HS256"], issuer=KEY.name)
    return Ticket(
        key=claims["iss"],
        identity=claims["sub"],
        name=claims["name"],
        room=claims["video"]["room"],
        grants=claims["video"],
        attributes=claims["attributes"],
        token_id=claims["jti"],
        expires_at=claims["exp"],
    )


class Browser:
    """A page: cookies, origin, the token against forgery. ``call`` answers (status, body)."""

    def __init__(self, hub: Hub, session: ClientSession, base: str) -> None:
        self.hub, self.session, self.base = hub, session, base
        self.cookie = ""
        self.csrf = ""
        self.headers: dict[str, str] = {"Origin": base, "Accept-Language": "en"}
        self.me: dict[str, Any] = {}

    async def sign_in(self, account: str) -> None:
        status, body = await self.call("POST", "/session", {"account": account, "password": self.hub.passwords[account]})
        assert status == 200, body
        self.csrf, self.me = body["csrf"], body

    async def raw(self, method: str, path: str, **more: Any) -> ClientResponse:
        headers = {**self.headers, **more.pop("headers", {})}
        if self.cookie:
            headers["Cookie"] = self.cookie
        if method != "GET" and self.csrf:
            headers.setdefault("X-CSRF-Token", self.csrf)
        response = await self.session.request(method, self.base + path, headers=headers, **more)
        # aiohttp's jar keeps a Secure cookie from plain http; browsers take loopback for secure.
        if "__Host-commhub" in response.cookies:
            self.cookie = f"__Host-commhub={response.cookies['__Host-commhub'].value}"
        return response

    async def call(self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        more: dict[str, Any] = {"headers": headers or {}}
        if body is not None:
            more["json"] = body
        async with await self.raw(method, "/api/v1" + path, **more) as response:
            text = await response.text()
            if response.content_type == "text/csv":
                return response.status, text
            assert response.content_type in ("application/json", "application/problem+json") or not text, text
            return response.status, (await response.json(content_type=None) if text else None)

    async def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        status, answer = await self.call(method, path, body, **more)
        assert status < 300, (status, answer)
        return answer

    @asynccontextmanager
    async def events(self, after: object = None) -> AsyncIterator[Stream]:
        headers, query = {**self.headers, "Cookie": self.cookie}, "" if after is None else f"?after={after}"
        async with self.session.ws_connect(f"{self.base}/events{query}", headers=headers) as socket:
            stream = Stream(socket)
            stream.hello = await stream.message()
            yield stream


class Stream:
    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.hello: dict[str, Any] = {}

    async def message(self) -> dict[str, Any]:
        message: dict[str, Any] = await self.socket.receive_json(timeout=5)
        return message

    async def event(self, type: str) -> dict[str, Any]:
        """The next event of this type; others are passed over."""
        while True:
            message = await self.message()
            if message["type"] == "event" and message["event"]["type"] == type:
                event: dict[str, Any] = message["event"]
                return event


@dataclass
class _Template:
    """The sample city's database, made once per process and copied for each test."""

    folder: Path
    city: CityData
    passwords: dict[str, str]
    ids: dict[str, str]
    database: str = ""  # its name at the PostgreSQL of the tests


_templates: dict[bool, _Template] = {}


async def _sample_city(server: Postgres | None) -> _Template:
    if (server is not None) not in _templates:
        folder = Path(tempfile.mkdtemp(prefix="commhub-tests-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        name = await server.create() if server is not None else ""
        store = Store(server.url(name) if server is not None else f"sqlite+aiosqlite:///{folder / 'hub.db'}")
        await store.open()
        auth = Auth(store, hasher=QUICK)
        directory = Directory(store, auth, Vault(folder / "secrets"))
        city = read_city(SAMPLE)
        await directory.take_in(city)
        made = await directory.sample_sign_ins()
        ids = await directory.ids()
        auth.close()
        await store.close()  # and with it the write-ahead log
        passwords = {one.account: one.password for one in made}
        _templates[server is not None] = _Template(folder, city, passwords, ids, name)
    return _templates[server is not None]


@asynccontextmanager
async def running(
    folder: Path,
    *,
    rules: Rules | None = None,
    sample: bool = True,
    server: Postgres | None = None,
    ruled: policy.Rules | None = None,
) -> AsyncIterator[Hub]:
    """The records of a hub with the sample city, without HTTP; in a database of ``server``, or in a file."""
    template = await _sample_city(server) if sample else None
    if template is not None:
        shutil.copytree(template.folder, folder, dirs_exist_ok=True)
    url = f"sqlite+aiosqlite:///{folder / 'hub.db'}"
    if server is not None:
        url = server.url(await server.create(template.database if template is not None else "template0"))
    store = Store(url)
    await store.open()
    auth = Auth(store, rules=rules, hasher=QUICK)
    events = Events(store)
    directory = Directory(store, auth, Vault(folder / "secrets"))
    engine, conference = FakeEngine(), FakeConference()
    hearing = Hearing(conference)
    feeds = Feeds(store, events, directory, engine)
    rooms = Rooms(store, events, conference, hearing, feeds, KEY)
    conference.door = door = Door(store, auth, rooms)
    leading = Leading(store, auth, rooms, conference, hearing)
    entering = Entering(leading, rooms)
    door.changed, door.knocked = leading.gate, entering.knocked
    wishes = Wishes(store, ruled or policy.Rules())
    recordings = Recordings(store, events, rooms, feeds, conference, engine, wishes=wishes)
    archive = Archive(folder / "recordings")
    review = Review(store, archive)
    reviewing = Reviewing(store, events, review, archive, folder / "derived")
    keeper = Keeper(store, events)
    storage = Storage(store, events)
    exports = Exports(store, events, folder / "exports", ExportTerms(), archive)
    wishes.admits = storage.admit
    diagnosis = Diagnosis(rooms, feeds, engine)
    devices = Devices(store, events, Vault(folder / "secrets"), gather=0.01)
    desk = Desk(store, auth, events, directory, feeds, conference, KEY, rooms, folder / "snapshots", no_picture)
    door.others[VIEW] = desk.walls.admit
    terminals = Terminals()
    calls = Calls(store, auth, events, conference, hearing, terminals, KEY)
    door.houses.append(calls.lodging)
    groups = Groups(store, events, conference, hearing, terminals, KEY, GroupTerms(GroupTimes()))
    groups.calling.preempt = by_ending_calls(calls)
    rollcalls = RollCalls(store, events, rooms, hearing, conference, terminals)
    scheduled = Scheduled(store, auth, events, rooms, folder / "materials")
    linktests = LinkTests(store, events, conference, terminals, KEY)
    dispatch = Dispatch(store, auth, events, conference, hearing, KEY, terminals, calls, rooms, groups)
    door.houses += [groups, linktests]
    door.visitors.append(dispatch.listening)
    cameras = Cameras(directory, feeds, conference, KEY)
    door.houses.append(cameras)
    kinds = (Consultations(), RecordedCalls(calls.live), RecordedGroups(groups.live.lines), cameras)
    recorded = RoomRecordings(store, events, conference, engine, wishes, kinds, feeds.rooms)
    recordings.others = recorded.follows
    parts = Parts(
        store, auth, events, directory, feeds, rooms, leading, entering, recordings, review, keeper, storage,
        diagnosis, desk, devices,
        terminals,
        calls, groups, rollcalls, scheduled, linktests, dispatch, recorded, reviewing, exports,
    )  # fmt: skip
    hub = Hub(parts, door, conference, engine, folder)
    if template is not None:
        hub.city, hub.passwords, hub.ids = template.city, dict(template.passwords), dict(template.ids)
    await wishes.open()
    await recordings.open()
    await rooms.start()
    await leading.start()
    await calls.start()
    await groups.start()
    await rollcalls.start()
    await scheduled.start()
    await linktests.start()
    await dispatch.start()
    feeds.start()
    await recorded.open()
    recordings.start_tasks()
    recorded.start_tasks()
    await devices.open()
    devices.start()
    try:
        yield hub
    finally:
        await dispatch.close()
        await linktests.close()
        await scheduled.close()
        await rollcalls.close()
        await groups.close()
        await calls.close()
        await recorded.close()
        await recordings.close()
        await keeper.close()
        await storage.close()
        await devices.close()
        await feeds.close()
        auth.close()
        await store.close()


@asynccontextmanager
async def serving(folder: Path, *, sample: bool = True, server: Postgres | None = None, **more: Any) -> AsyncIterator[Hub]:
    """And its interface on a port of loopback. ``more`` goes to :class:`Api`."""
    async with running(folder, sample=sample, server=server) as hub:
        hub.api = Api(hub.parts, lambda: dict(hub.health), **more)
        app = web.Application()
        hub.api.install(app)
        hub.server = TestServer(app, host="127.0.0.1")
        await hub.server.start_server()
        try:
            yield hub
        finally:
            await hub.server.close()
