"""What stands above cameras, as people see it: organisations, below them devices and platforms with their own trees.

A part of a tree that was given to another organisation hangs under that one. So all cameras below a node belong to one
organisation, and what a reader may see of it depends on that and on labels alone. The whole is held in memory: nodes and
counts, not cameras; it is read again when something has changed, at most once in a while.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from commhub.devices.codes import kind_of
from commhub.devices.words import words
from commhub.model import Actor
from commhub.store import Reading, Store, tables
from commhub.tasks import Tasks

NAMED_LIMIT = 10_000  # nodes that one word finds; databases take no more than some 30,000 values
STALE = 1.0  # seconds a tree may be behind while catalogues come in,
SHARE = 10  # or this many times what it takes to read it: a large one is not read all the time
Counts = dict[str, tuple[int, int]]  # label → (online, all)
_c, _d, _n, _o = tables.cameras.c, tables.devices.c, tables.camera_nodes.c, tables.organisations.c


@dataclass(slots=True)
class Place:
    """An organisation or a node. ``home`` is the organisation its cameras belong to, ``above`` what it hangs under."""

    id: str
    kind: str
    name: str
    home: str
    above: str | None
    device: str = ""
    search: str = ""
    own: Counts = field(default_factory=dict)
    deep: Counts = field(default_factory=dict)  # of a node: with everything below; of an organisation: without others
    below: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sight:
    """A place as one reader sees it."""

    place: Place
    online: int
    total: int
    leaf: bool


class CameraTree:
    """``hidden`` nodes are those that only others have named: what hangs there is shown where they hang."""

    def __init__(self, places: dict[str, Place], shown_as: dict[str, str], version: tuple[int, ...]) -> None:
        self.places, self._shown_as, self.version = places, shown_as, version
        self._hidden: dict[str, list[str]] = defaultdict(list)
        for node, shown in shown_as.items():
            if node != shown:
                self._hidden[shown].append(node)

    # ---- for a reader

    def children(self, reader: Actor, parent: str) -> list[Sight]:
        """In order. ``parent`` "" is the root: the organisations below the only one that has none above, when there is one, then
        what it has itself."""
        labels = _labels(reader)
        if parent:
            found = [self._sight(self.places[one], labels) for one in self._below(parent)]
            return [one for one in found if one.total]
        tops = [one.id for one in self.places.values() if one.kind == "organisation" and one.above is None]
        if len(tops) != 1:
            return [one for one in (self._sight(self.places[top], labels) for top in tops) if one.total]
        top = self.places[tops[0]]
        found = [one for one in (self._sight(self.places[below], labels) for below in self._below(top.id)) if one.total]
        online, total = _visible(top.own, labels.get(top.id))
        return [*found, Sight(top, online, total, True)] if total else found

    def _below(self, place: str) -> list[str]:
        return self.places[place].below if place in self.places else []

    def _sight(self, place: Place, labels: dict[str, frozenset[str]]) -> Sight:
        if place.kind != "organisation":
            online, total = _visible(place.deep, labels.get(place.home))
            return Sight(
                place, online, total, not any(_visible(self.places[b].deep, labels.get(place.home))[1] for b in place.below)
            )
        online = total = 0
        leaf = True
        stack = [place.id]
        while stack:
            at = self.places[stack.pop()]
            here = _visible(at.deep, labels.get(at.id))
            online, total = online + here[0], total + here[1]
            leaf = leaf and (at is place or not here[1])
            for one in at.below:
                if self.places[one].kind == "organisation":
                    stack.append(one)
                elif at is place and leaf and _visible(self.places[one].deep, labels.get(at.id))[1]:
                    leaf = False
        return Sight(place, online, total, leaf)

    def count(self, reader: Actor, place: str = "") -> tuple[int, int]:
        """Cameras online, and all, below a place; without one everywhere."""
        labels = _labels(reader)
        if place and place not in self.places:
            return 0, 0
        if not place:
            tops = [self._sight(one, labels) for one in self.places.values() if one.kind == "organisation" and one.above is None]
            return sum(top.online for top in tops), sum(top.total for top in tops)
        sight = self._sight(self.places[place], labels)
        return sight.online, sight.total

    # ---- for queries

    def path(self, org: str, node: str | None) -> list[str]:
        """Names from the root down to where a camera hangs."""
        names: list[str] = []
        at: str | None = self._shown_as.get(node or "", org)
        while at is not None and at in self.places and len(names) < 64:
            names.append(self.places[at].name)
            at = self.places[at].above
        return names[::-1]

    def shown(self, org: str, node: str | None) -> str:
        """The place under which a camera is shown."""
        return self._shown_as.get(node or "", org)

    def where(self, place: str, *, deep: bool, dense: bool = False) -> sa.ColumnElement[bool]:
        """Of the table of cameras: those that hang there. ``dense``: without an index."""
        here = self.places.get(place)
        if here is None:
            return sa.false()
        org, hangs = (sa.func.coalesce(_c.org_id, ""), sa.func.coalesce(_c.node_id, "")) if dense else (_c.org_id, _c.node_id)
        if here.kind != "organisation":
            nodes = self._subtree(place) if deep else [place]
            return hangs.in_([one for node in nodes for one in (node, *self._hidden.get(node, ()))])
        if deep:
            return org.in_(self._organisations(place))
        direct = _c.node_id.in_(self._hidden[place]) if place in self._hidden else sa.false()
        return sa.and_(_c.org_id == place, sa.or_(_c.node_id.is_(None), direct))

    def named(self, word: str) -> list[sa.ColumnElement[bool]]:
        """Of the table of cameras: those below a place with this word in its name. The root's name finds nothing: it is
        everybody's."""
        orgs: set[str] = set()
        nodes: set[str] = set()
        for place in self.places.values():
            if word in place.search and place.above is not None:
                if place.kind == "organisation":
                    orgs.update(self._organisations(place.id))
                elif place.id not in nodes:
                    nodes.update(self._subtree(place.id))
        if len(nodes) > NAMED_LIMIT:
            nodes = set(sorted(nodes)[:NAMED_LIMIT])
        hidden = [one for node in nodes for one in self._hidden.get(node, ())]
        found: list[sa.ColumnElement[bool]] = [_c.org_id.in_(sorted(orgs))] if orgs else []
        return [*found, _c.node_id.in_(sorted([*nodes, *hidden]))] if nodes else found

    def _organisations(self, place: str) -> list[str]:
        found, stack = [], [place]
        while stack:
            found.append(stack.pop())
            stack += [one for one in self.places[found[-1]].below if self.places[one].kind == "organisation"]
        return found

    def _subtree(self, node: str) -> list[str]:
        found, stack = [], [node]
        while stack:
            found.append(stack.pop())
            stack += self.places[found[-1]].below
        return found


def _labels(reader: Actor) -> dict[str, frozenset[str]]:
    """Organisation → the labels the reader may see cameras of."""
    found: dict[str, frozenset[str]] = {}
    for orgs, labels in reader.scopes("camera.list"):
        names = frozenset(str(label) for label in labels)
        for org in orgs:
            found[org] = found.get(org, frozenset()) | names
    return found


def _visible(counts: Counts, labels: frozenset[str] | None) -> tuple[int, int]:
    if not labels or not counts:
        return 0, 0
    seen = [pair for label, pair in counts.items() if label in labels]
    return sum(pair[0] for pair in seen), sum(pair[1] for pair in seen)


def _added(one: Counts, other: Counts) -> Counts:
    return {
        label: (one.get(label, (0, 0))[0] + other.get(label, (0, 0))[0], one.get(label, (0, 0))[1] + other.get(label, (0, 0))[1])
        for label in one.keys() | other.keys()
    }


# ---- reading


class Trees:
    """The tree as it was a moment ago: who asks does not wait for it to be read again. :meth:`forget` after what people did
    themselves and want to see."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._tree: CameraTree | None = None
        self._due = 0.0
        self._forgotten = True
        self._turn = asyncio.Lock()
        self._tasks = Tasks("camera tree")
        self._reading = False

    async def close(self) -> None:
        await self._tasks.close()

    def forget(self) -> None:
        self._forgotten = True

    async def now(self) -> CameraTree:
        if self._tree is None or self._forgotten:
            async with self._turn:
                if self._tree is None or self._forgotten:
                    self._forgotten = False
                    await self._read(anyway=True)
        elif self._clock() >= self._due and not self._reading:
            self._reading = True
            self._tasks.spawn(self._again(), "read")
        assert self._tree is not None
        return self._tree

    async def _again(self) -> None:
        try:
            await self._read(anyway=False)
        finally:
            self._reading = False

    async def _read(self, *, anyway: bool) -> None:
        began = self._clock()
        counter = tables.counters.c
        async with self._store.reading() as reading:
            versions = await reading.all(
                sa.select(counter.name, counter.value).where(counter.name.in_(("directory", "cameras"))).order_by(counter.name)
            )
            version = tuple(int(row.value) for row in versions)
            if anyway or self._tree is None or self._tree.version != version:
                self._tree = await read(reading, version)
        now = self._clock()
        self._due = now + max(STALE, (now - began) * SHARE)


async def read(reading: Reading, version: tuple[int, ...] = ()) -> CameraTree:
    orgs = await reading.all(sa.select(_o.id, _o.name, _o.short, _o.parent_id).order_by(_o.position, _o.id))
    devices = await reading.all(sa.select(_d.id, _d.code, _d.name, _d.org_id).where(_d.state == "admitted"))
    nodes = await reading.all(sa.select(tables.camera_nodes))
    there = sa.case((sa.and_(_c.online, sa.or_(_c.device_id.is_(None), _d.online)), 1), else_=0)
    counted = await reading.all(
        sa.select(_c.org_id, _c.node_id, _c.label, sa.func.sum(there).label("online"), sa.func.count().label("total"))
        .outerjoin_from(tables.cameras, tables.devices, _d.id == _c.device_id)
        .where(_c.gone.is_(False))
        .group_by(_c.org_id, _c.node_id, _c.label)
    )
    return await asyncio.to_thread(_made, orgs, devices, nodes, counted, version)


Rows = Iterable[sa.Row[Any]]


def _made(orgs: Rows, devices: Rows, nodes: Rows, counted: Rows, version: tuple[int, ...]) -> CameraTree:
    places = {
        row.id: Place(row.id, "organisation", row.name, row.id, row.parent_id, search=words(row.name, row.short)) for row in orgs
    }
    owners = {row.id: row for row in devices if row.org_id in places}
    rows = {row.id: row for row in nodes if row.device_id in owners}
    shown_as: dict[str, str] = {}
    above: dict[str, str] = {}
    for row in rows.values():
        above[row.id] = _above(row, rows, owners)
    for identity, row in rows.items():
        at, seen = identity, {identity}
        while at in rows and not _is_shown(rows[at], owners):
            at = above[at]
            if at in seen:
                at = owners[row.device_id].org_id
            seen.add(at)
        shown_as[identity] = at
    for identity, row in rows.items():
        if shown_as[identity] == identity:
            device = owners[row.device_id]
            root = row.code == device.code
            hangs = above[identity]
            name = device.name if root else row.name
            places[identity] = Place(identity, row.kind, name, "", shown_as.get(hangs, hangs), row.device_id, words(name))
    _hang(places)
    for row in counted:
        place = places.get(shown_as.get(row.node_id or "", row.org_id))
        if place is not None:
            place.own = _added(place.own, {row.label: (int(row.online), int(row.total))})
    _sum(places)
    return CameraTree(places, shown_as, version)


def _above(row: sa.Row[Any], rows: dict[str, sa.Row[Any]], owners: dict[str, sa.Row[Any]]) -> str:
    """What a node hangs under: the organisation it was given to, its parent, its device's organisation."""
    if row.org_id is not None:
        return str(row.org_id)
    if row.parent_id in rows and row.code != owners[row.device_id].code:
        return str(row.parent_id)
    return str(owners[row.device_id].org_id)


def _is_shown(row: sa.Row[Any], owners: dict[str, sa.Row[Any]]) -> bool:
    if row.code == owners[row.device_id].code:
        return kind_of(row.code) != "camera"  # a camera that calls in by itself needs no folder
    return bool(row.said) or row.kind == "region"


def _hang(places: dict[str, Place]) -> None:
    """Fills ``below`` and ``home``. A node whose way up ends nowhere, or in itself, hangs under no one."""
    for place in list(places.values()):
        home: str | None = place.id
        seen: set[str] = set()
        while home is not None and home not in seen and home in places and places[home].kind != "organisation":
            seen.add(home)
            home = places[home].above
        if home is None or home in seen or home not in places:
            place.above = None if place.kind == "organisation" else ""
            continue
        place.home = home
    for place in places.values():
        if place.above in places:
            places[place.above].below.append(place.id)
    for place in places.values():
        ordered = [one for one in place.below if places[one].kind == "organisation"]
        place.below = ordered + sorted(
            (one for one in place.below if places[one].kind != "organisation"), key=lambda one: places[one].name
        )


def _sum(places: dict[str, Place]) -> None:
    """Fills ``deep``, from the leaves up."""
    order: list[Place] = []
    stack = [place for place in places.values() if place.kind == "organisation"]
    while stack:
        place = stack.pop()
        order.append(place)
        stack += [places[one] for one in place.below if places[one].kind != "organisation"]
    for place in reversed(order):
        place.deep = dict(place.own)
        for one in place.below:
            if places[one].kind != "organisation":
                place.deep = _added(place.deep, places[one].deep)
