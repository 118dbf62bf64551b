"""Catalogues become cameras: in batches, whatever size the messages have that bring them.

Who stands in a catalogue gets an id that stays. What a run lacks is marked gone only when the run is complete, and when this
hub has heard all of it; it comes back with its id. Rows that are as they were are not written again.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import msgspec
import sqlalchemy as sa

from commhub import log as logs
from commhub.devices.branches import Branches
from commhub.devices.codes import CHANNEL, clean
from commhub.devices.owners import branches, settle
from commhub.devices.registry import Known, Registry
from commhub.devices.words import words
from commhub.media.messages import CataloguePart, Channel, ChannelsChanged
from commhub.model import new_id, utc_ns
from commhub.store import Store, Transaction, tables

log = logs.get(__name__)

AT_ONCE = 250  # channels of one transaction
CHANNELS_LIMIT = 200_000  # of one device
FORGET = 60.0  # seconds a device's tree stays at hand after its last message
_SIGNS = {"ON": True, "ADD": True, "UPDATE": True, "OFF": False, "VLOST": False, "DEFECT": False, "DEL": False}
_ABOUT = 2_000  # octets of what else a channel says
_c, _d, _n = tables.cameras.c, tables.devices.c, tables.camera_nodes.c
Part = CataloguePart | ChannelsChanged


@dataclass(slots=True)
class Run:
    """A query of the catalogue that goes on. ``seen`` are the codes of cameras; ``entries`` counts everything."""

    number: int
    seen: set[str] = field(default_factory=set)
    entries: int = 0
    torn: bool = False  # some of it could not be written


@dataclass(slots=True)
class Progress:
    """Of a device's catalogue, to be told to people. ``state`` changed: some of its channels are other than they were."""

    device: Known
    state: str
    received: int
    total: int


class Intake:
    """:meth:`put` takes what the bridge says, :meth:`next` writes some of it."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store, self._registry = store, registry
        self._parts: deque[Part] = deque()
        self._offset = 0  # channels of the first part that are written
        self._runs: dict[str, Run] = {}  # by the device's id
        self._trees: dict[str, tuple[float, Branches]] = {}
        self.refused = 0  # entries whose code nobody could use
        self.waiting = asyncio.Event()

    @property
    def backlog(self) -> int:
        """Channels that wait to be written."""
        return sum(len(part.channels) for part in self._parts) - self._offset

    def put(self, part: Part) -> None:
        self._parts.append(part)
        self.waiting.set()

    def forget(self, device: str) -> None:
        """Its tree, name or owner has been changed by somebody else."""
        self._trees.pop(device, None)

    def broken(self) -> list[Known]:
        """The bridge is gone: what it was about to say will not come. Returns the devices whose run has been cut."""
        cut = [self._registry.by_id[device] for device in self._runs if device in self._registry.by_id]
        self._runs.clear()
        return cut

    async def next(self) -> Progress | None:
        """Writes up to ``AT_ONCE`` channels of one device. None: nobody's catalogue went on."""
        taken = self._take()
        now = time.monotonic()
        self._trees = {key: value for key, value in self._trees.items() if now - value[0] < FORGET}
        if taken is None:
            return None
        first, part, channels, last = taken
        device = self._registry.by_code.get(first.device)
        if device is None or device.state != "admitted" or device.org is None:
            return None
        titles = {channel.channel: _title(channel) for channel in channels}
        fresh = await self._fresh(device, titles)
        found = await asyncio.to_thread(lambda: {name: words(name) for name in fresh})
        try:
            async with self._store.transaction() as transaction:
                return await self._write(transaction, device, (first, part), channels, last, titles, found)
        except Exception:
            if last is not None and channels:
                self.put(CataloguePart(first.device, last.run, [], last=True))  # it has ended, with a part missing
            elif (run := self._runs.get(device.id)) is not None:
                run.torn = True
            raise

    def _take(self) -> tuple[Part, Part, list[Channel], CataloguePart | None] | None:
        """Whole or cut parts of one device and one run, in order: the first and the latest of them, their channels, and the part
        that ends the run."""
        if not self._parts:
            self.waiting.clear()
            return None
        first = latest = self._parts[0]
        channels: list[Channel] = []
        last: CataloguePart | None = None
        while self._parts and last is None and len(channels) < AT_ONCE:
            part = self._parts[0]
            if part.device != first.device or type(part) is not type(first) or _number(part) != _number(first):
                break
            rest = part.channels[self._offset : self._offset + AT_ONCE - len(channels)]
            channels += rest
            self._offset += len(rest)
            latest = part
            if self._offset < len(part.channels):
                break
            self._parts.popleft()
            self._offset = 0
            last = part if isinstance(part, CataloguePart) and part.last else None
        if not self._parts:
            self.waiting.clear()
        return first, latest, channels, last

    async def _fresh(self, device: Known, titles: dict[str, str]) -> set[str]:
        """Names that are not written yet."""
        keys = {_key(device, channel): title for channel, title in titles.items()}
        async with self._store.reading() as reading:
            rows = await reading.all(sa.select(_c.key, _c.name).where(_c.key.in_(keys)))
        for row in rows:
            if keys.get(row.key) == row.name:
                del keys[row.key]
        return set(keys.values())

    # ---- writing

    async def _write(
        self,
        transaction: Transaction,
        device: Known,
        parts: tuple[Part, Part],
        channels: list[Channel],
        last: CataloguePart | None,
        titles: dict[str, str],
        found: dict[str, str],
    ) -> Progress | None:
        row = await transaction.first(sa.select(tables.devices).where(_d.id == device.id))
        if row is None or row.state != "admitted":
            return None
        tree = await self._tree(transaction, row)
        part = parts[1]
        run = self._run(device, parts[0], len(channels))
        before = [channel for channel in channels if channel.kind not in ("camera", "other") and not _sign_only(channel)]
        for channel in before:
            tree.entry(channel, titles[channel.channel])
        cameras = {channel.channel: channel for channel in channels if channel.kind == "camera"}
        self.refused += sum(1 for code in cameras if CHANNEL.fullmatch(code) is None)
        cameras = {code: one for code, one in cameras.items() if CHANNEL.fullmatch(code)}
        if run is not None:
            room = CHANNELS_LIMIT - len(run.seen)
            run.seen.update(list(cameras)[: max(0, room)])
        await self._cameras(transaction, row, tree, cameras, titles, found)
        await self._nodes(transaction, device, tree)
        progress = Progress(device, "changed", 0, 0)
        if isinstance(part, CataloguePart):
            progress = await self._progress(transaction, device, part, last, run)
        await transaction.next("cameras")
        return progress

    async def _tree(self, transaction: Transaction, row: sa.Row[Any]) -> Branches:
        known = self._trees.get(row.id)
        tree = known[1] if known is not None else await branches(transaction, row)
        self._trees[row.id] = (time.monotonic(), tree)
        return tree

    def _run(self, device: Known, part: Part, count: int) -> Run | None:
        if not isinstance(part, CataloguePart):
            return None
        run = self._runs.get(device.id)
        if run is None or run.number != part.run:
            run = self._runs[device.id] = Run(part.run)
        run.entries += count
        return run

    async def _nodes(self, transaction: Transaction, device: Known, tree: Branches) -> None:
        if not (tree.new or tree.changed):
            return
        await transaction.insert(
            tables.camera_nodes,
            *(
                {
                    "id": node.id,
                    "device_id": device.id,
                    "code": node.code,
                    "kind": node.kind,
                    "name": node.name,
                    "parent_id": node.parent,
                    "org_id": node.org,
                    "said": node.said,
                }
                for node in tree.new.values()
            ),
        )
        if changed := [
            {"this": node.id, "kind": node.kind, "name": node.name, "parent_id": node.parent, "said": node.said}
            for node in tree.changed.values()
        ]:
            await transaction.connection.execute(sa.update(tables.camera_nodes).where(_n.id == sa.bindparam("this")), changed)
        if tree.moved and any(node.org for node in tree.known.values()):
            await settle(transaction, device.id)
        transaction.after(tree.written)

    async def _cameras(
        self,
        transaction: Transaction,
        device: sa.Row[Any],
        tree: Branches,
        cameras: dict[str, Channel],
        titles: dict[str, str],
        found: dict[str, str],
    ) -> None:
        keys = [f"{device.code}/{code}" for code in cameras]
        columns = (_c.id, _c.key, _c.name, _c.fingerprint, _c.org_id, _c.label, _c.online, _c.gone, _c.device_id)
        rows = {row.key: row for row in await transaction.all(sa.select(*columns).where(_c.key.in_(keys)))}
        new: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        renamed: list[dict[str, Any]] = []
        signs: list[dict[str, Any]] = []
        for code, channel in cameras.items():
            key = f"{device.code}/{code}"
            known = rows.get(key)
            online, gone = _SIGNS.get(channel.event.upper(), channel.online), channel.event.upper() == "DEL"
            if _sign_only(channel):
                if known is not None and (known.online, known.gone) != (online, gone):
                    signs.append({"this": known.id, "online": online, "gone": gone or (known.gone and not online)})
                continue
            node = tree.place(channel)
            values = _values(channel, titles[code], node.id)
            values |= {"online": online, "gone": False, "label": device.label, "device_id": device.id}
            values["org_id"] = tree.org_of(node, device.org_id)
            if known is None:
                values |= {"key": key, "channel": code, **_NEW}
                values["search"] = f"{found.get(titles[code]) or words(titles[code])} {code}"
                new.append(values)
            elif any(getattr(known, name) != values[name] for name in ("fingerprint", *_COMPARED)):
                changed.append({"this": known.id, **values})
                if known.name != values["name"]:
                    renamed.append({"this": known.id, "search": f"{found.get(titles[code]) or words(titles[code])} {code}"})
        for values, identity in zip(new, sorted(new_id() for _ in new), strict=True):
            values["id"] = identity  # in the order of the catalogue
        await transaction.insert(tables.cameras, *new)
        for some in (changed, renamed, signs):
            if some:
                await transaction.connection.execute(sa.update(tables.cameras).where(_c.id == sa.bindparam("this")), some)

    async def _progress(
        self, transaction: Transaction, device: Known, part: CataloguePart, last: CataloguePart | None, run: Run | None
    ) -> Progress:
        state = "running"
        if last is not None:
            assert run is not None
            # A hub that was restarted meanwhile has missed some.
            state = "complete" if last.complete and run.entries == last.told and not run.torn else "incomplete"
            if state == "complete" and run.entries:  # a device that names nothing is not ready yet
                await self._lose(transaction, device, run.seen)
            self._runs.pop(device.id, None)
        received, total = (last or part).received or (run.entries if run else 0), (last or part).total
        values: dict[str, Any] = {"catalogue_state": state, "catalogue_received": received, "catalogue_total": total}
        if last is not None:
            values["catalogue_at"] = utc_ns()
        await transaction.run(sa.update(tables.devices).where(_d.id == device.id).values(**values))
        return Progress(device, state, received, total)

    async def _lose(self, transaction: Transaction, device: Known, seen: set[str]) -> None:
        """What a complete run has not named any more is gone."""
        after, gone = "", []
        while True:
            page = await transaction.all(
                sa.select(_c.id, _c.channel)
                .where(_c.device_id == device.id, _c.gone.is_(False), _c.id > after)
                .order_by(_c.id)
                .limit(5_000)
            )
            gone += [row.id for row in page if row.channel not in seen]
            if len(page) < 5_000:
                break
            after = page[-1].id
        for start in range(0, len(gone), AT_ONCE):
            here = _c.id.in_(gone[start : start + AT_ONCE])
            await transaction.run(sa.update(tables.cameras).where(here).values(gone=True))
        if gone:
            log.info("channels gone", device=device.code, channels=len(gone))


#: Of a camera behind a device, what a camera with an address has.
_NEW: dict[str, Any] = {
    "place_id": None,
    "url": "",
    "user": "",
    "password": b"",
    "transport": "",
    "audio": True,
    "protocol": "gb28181",
    "sub_url": "",
}
_COMPARED = ("org_id", "label", "online", "gone", "device_id")


def _values(channel: Channel, title: str, node: str) -> dict[str, Any]:
    """What a catalogue says of a camera, and its fingerprint."""
    about = {name: clean(getattr(channel, name), 200) for name in ("manufacturer", "model", "address")}
    said = {key: value for key, value in about.items() if value}
    more = msgspec.json.encode({**said, **channel.more})
    place = _position(channel.longitude, channel.latitude)
    values: dict[str, Any] = {
        "name": title,
        "node_id": node,
        "ptz": channel.ptz if 0 <= channel.ptz <= 99 else 0,
        "sub": channel.streams != 1,
        "longitude": place[0] if place else None,
        "latitude": place[1] if place else None,
        "about": (more if len(more) <= _ABOUT else msgspec.json.encode(said)).decode(),
    }
    values["fingerprint"] = hashlib.blake2b(repr(sorted(values.items())).encode(), digest_size=12).hexdigest()
    return values


def _position(longitude: float | None, latitude: float | None) -> tuple[float, float] | None:
    """None for what devices write that do not know: nothing, 0/0, or nowhere on earth."""
    if longitude is None or latitude is None or (longitude == 0 and latitude == 0):
        return None
    return (longitude, latitude) if -180 <= longitude <= 180 and -90 <= latitude <= 90 else None


def _title(channel: Channel) -> str:
    return clean(channel.name, 200) or channel.channel[:40]


def _sign_only(channel: Channel) -> bool:
    """A notification that says how it is, not what it is."""
    return channel.event.upper() in ("ON", "OFF", "VLOST", "DEFECT", "DEL")


def _key(device: Known, channel: str) -> str:
    return f"{device.code}/{channel}"


def _number(part: Part) -> int:
    return part.run if isinstance(part, CataloguePart) else -1
