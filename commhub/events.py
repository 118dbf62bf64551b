"""The closed set of events, their history and the bus.

An event is written in the transaction of the change it tells (:meth:`Events.emit`) and published once that is on disk,
in order of ``seq``. Who may see it is decided when it is written: the people and organisations concerned, and whoever's
role reaches its organisation and label with the permission of its type.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct, field

from commhub import log as logs
from commhub.model import Actor, By, iso, new_id, utc_ns
from commhub.store import Store, Transaction, tables

log = logs.get(__name__)

#: Every type there is, and the permission that shows it to people who are not concerned by name.
TYPES: dict[str, str] = {
    "consultation.created": "consultation.oversee",
    "consultation.invited": "consultation.oversee",
    "consultation.changed": "consultation.oversee",
    "consultation.locked": "consultation.oversee",
    "consultation.ended": "consultation.oversee",
    "consultation.joined": "consultation.oversee",
    "consultation.left": "consultation.oversee",
    "consultation.camera_added": "consultation.oversee",
    "consultation.camera_removed": "consultation.oversee",
    "consultation.recording_started": "consultation.oversee",
    "consultation.recording_stopped": "consultation.oversee",
    "consultation.recording_failed": "consultation.oversee",
    "consultation.recording_paused": "consultation.oversee",
    "consultation.recording_resumed": "consultation.oversee",
    **{
        f"consultation.{step}": "consultation.oversee"
        for step in (
            "chair",
            "muted",
            "speaker",
            "hand",
            "lobby",
            "waiting",
            "admitted",
            "refused",
            "returned",
            "stage",
            "broadcast",
            "side",
            "planned_end",
            "ending",
        )
    },
    "camera.state": "camera.list",
    "camera.fault": "camera.list",
    "alarm.raised": "alarm.list",
    "alarm.confirmed": "alarm.list",
    "device.state": "device.list",
    "camera.lock": "camera.list",
    "camera.snapshot": "camera.snapshot",
    "camera.voice": "camera.voice",
    "playback.state": "camera.playback",
    "download.state": "camera.download",
    "recording.listed": "recording.list",
    "recording.policy": "recording.policy",
    "recording.marked": "recording.view",
    "recording.export": "recording.export",
    # Of rooms that are no consultations: people there are told, and so is who may know of the room.
    "call.recording": "call.oversee",
    "group.recording": "group.oversee",
    "camera.recording": "camera.list",
    "camera.act": "camera.list",
    **{
        f"recording.{step}": "recording.list"
        for step in (
            *("held", "released", "expiring", "deleted", "removed"),
            *("deletion_asked", "deletion_refused", "deletion_lapsed"),
        )
    },
    "storage.space": "storage.view",
    "storage.quota": "storage.view",
    "storage.upload": "storage.view",
    "group.created": "group.oversee",
    "group.changed": "group.oversee",
    "group.removed": "group.oversee",
    "group.affiliated": "group.oversee",
    "group.started": "group.oversee",
    "group.ended": "group.oversee",
    "group.unreached": "group.oversee",
    "group.left": "group.oversee",
    "group.emergency": "group.oversee",
    "group.emergency_acknowledged": "group.oversee",
    "group.emergency_escalated": "group.oversee",
    "group.emergency_cancelled": "group.oversee",
    "floor.granted": "group.oversee",
    "floor.queued": "group.oversee",
    "floor.revoked": "group.oversee",
    "floor.idle": "group.oversee",
    **{
        f"call.{step}": "call.oversee"
        for step in (
            *("created", "ringing", "answered", "held", "resumed", "transferred", "recalled"),
            *("added", "left", "changed", "ended"),
        )
    },
    **{
        f"agenda.{step}": "consultation.oversee"
        for step in (
            *("created", "changed", "cancelled", "replied", "reminder"),
            *("opened", "started", "ended", "signed", "minutes"),
        )
    },
    "linktest.started": "link.test",
    "linktest.ended": "link.test",
    "rollcall.started": "roll.post",
    "rollcall.changed": "roll.post",
    "rollcall.ended": "roll.post",
    # Those on the line are concerned by name, unless the act is silent: then it is a matter of the audit.
    "dispatch.began": "audit.view",
    "dispatch.ended": "audit.view",
    "dispatch.done": "audit.view",
    "directory.changed": "directory.view",
    "seat.state": "directory.view",
}
VERSION = 1
KEPT = 100_000  # events in the history; older ones are answered by a resync
RECENT = 2_000  # of them in memory: everybody comes back at once when the hub has started again
MISSED = 20_000  # events that are looked through for a page that comes back
_BATCH = 1_000


class Audience(Struct, frozen=True):
    """Concerned by name: person ids, and organisation ids whose own people are; none of those in ``but``."""

    people: list[str] = field(default_factory=list)
    orgs: list[str] = field(default_factory=list)
    but: list[str] = field(default_factory=list)

    def names(self, person: Actor) -> bool:
        return (person.id in self.people or person.org in self.orgs) and person.id not in self.but


class Event(Struct, frozen=True):
    id: str
    seq: int
    type: str
    version: int
    at: str
    actor: dict[str, str] | None
    org: str
    label: str
    subject: str
    rev: int | None
    data: dict[str, Any]


class Published(Struct, frozen=True):
    """An event with those who may see it; ``wire`` is the message of ``/events``, made once for all."""

    event: Event
    audience: Audience
    at: int  # UTC ns
    wire: str = ""

    def concerns(self, person: Actor) -> bool:
        return self.audience.names(person) or person.may(TYPES[self.event.type], org=self.event.org, label=self.event.label)


class _Body(Struct, frozen=True):
    event: Event
    audience: Audience


_decode = msgspec.json.Decoder(_Body).decode
Listener = Callable[[Published], None]


def _published(body: _Body, at: int) -> Published:
    wire = msgspec.json.encode({"type": "event", "event": body.event}).decode()
    return Published(body.event, body.audience, at, wire)


class Events:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: list[Listener] = []
        self._recent: deque[Published] = deque(maxlen=RECENT)  # without gaps, up to the newest published
        self._warm = False
        self._warming = asyncio.Lock()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """``listener`` gets every event once, in order; it must not wait. Returns what ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def emit(
        self,
        transaction: Transaction,
        type: str,
        *,
        subject: str,
        org: str,
        label: str,
        data: dict[str, Any],
        by: Actor | By | None = None,
        rev: int | None = None,
        audience: Audience | None = None,
    ) -> Event:
        """``data`` must be plain JSON."""
        if type not in TYPES:
            raise ValueError(f"{type} is no event type.")
        at = utc_ns()
        actor = None
        if by is not None and by.id is not None:
            actor = {"id": by.id, "name": by.name, "org_name": by.org_name if isinstance(by, Actor) else ""}
        seq = await transaction.next("event")
        event = Event(new_id(), seq, type, VERSION, iso(at), actor, org, str(label), subject, rev, data)
        body = _Body(event, audience or Audience())
        row = {"seq": seq, "id": event.id, "at": at, "subject": subject, "body": msgspec.json.encode(body).decode()}
        await transaction.insert(tables.events, row)
        if seq % _BATCH == 0:
            await transaction.run(sa.delete(tables.events).where(tables.events.c.seq <= seq - KEPT))
        published = _published(body, at)
        transaction.after(lambda: self._publish(published))
        return event

    def _publish(self, published: Published) -> None:
        self._remember(published)
        for listener in list(self._listeners):
            try:
                listener(published)
            except Exception:  # one listener's fault is not another's loss
                log.exception("event listener failed", type=published.event.type)

    async def last(self) -> int:
        return await self._store.counter("event")

    async def missed(self, seq: int, wanted: Callable[[Published], bool], limit: int = _BATCH) -> list[Published] | None:
        """What came after ``seq`` and is ``wanted``, oldest first; None when that is not known, or more than ``limit``."""
        await self._fill()
        found: list[Published] = []
        at, looked = seq, 0
        while looked < MISSED and len(found) <= limit:
            if (recent := self._after(at)) is not None:
                found += filter(wanted, recent)
                return found if len(found) <= limit else None
            page = await self._page(at)
            if page is None:
                return None
            found += filter(wanted, page)
            if len(page) < _BATCH:
                return found if len(found) <= limit else None
            looked, at = looked + len(page), page[-1].event.seq
        return None

    async def since(self, seq: int, limit: int = _BATCH) -> list[Published] | None:
        """What came after ``seq``, oldest first; None when that is not known (too old, too much, from the future)."""
        found = await self._page(seq, limit + 1)
        return found if found is not None and len(found) <= limit else None

    async def _page(self, seq: int, limit: int = _BATCH) -> list[Published] | None:
        """The first ones after ``seq``; None when they are gone, or ``seq`` is from the future."""
        c = tables.events.c
        async with self._store.reading() as reading:
            rows = await reading.all(sa.select(c.at, c.body).where(c.seq > seq).order_by(c.seq).limit(limit))
            last = await reading.value(sa.select(sa.func.max(c.seq))) or 0
        if seq > last:
            return None
        found = [_published(_decode(row.body), row.at) for row in rows]
        return None if found and found[0].event.seq != seq + 1 else found

    # ---- in memory

    def _remember(self, published: Published) -> None:
        recent, seq = self._recent, published.event.seq
        if recent and seq <= recent[-1].event.seq:
            return
        if recent and seq != recent[-1].event.seq + 1:  # another process has written in between
            recent.clear()
        recent.append(published)

    def _after(self, seq: int) -> list[Published] | None:
        """None when memory does not reach that far, or nothing so new has been published yet."""
        recent = self._recent
        if not recent or not recent[0].event.seq <= seq + 1 <= recent[-1].event.seq:
            return None
        return list(itertools.islice(recent, seq + 1 - recent[0].event.seq, None))

    async def _fill(self) -> None:
        """Once after the start: what a crowd that comes back asks for is read once."""
        async with self._warming:
            if self._warm:
                return
            c = tables.events.c
            async with self._store.reading() as reading:
                rows = await reading.all(sa.select(c.at, c.body).order_by(c.seq.desc()).limit(RECENT))
            newer = list(self._recent)
            self._recent.clear()
            for row in reversed(rows):
                self._remember(_published(_decode(row.body), row.at))
            for one in newer:
                self._remember(one)
            self._warm = True
