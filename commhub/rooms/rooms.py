"""Consultations: who is invited, what may be done with them, and what the live side is told.

Every change is one transaction (record, audit row, event). The live side (:class:`~commhub.conference.Conference`) is told
after the commit, never inside: it calls back into the hub. What it holds can always be told again from the records.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa

from commhub import audit
from commhub import log as logs
from commhub.conference import Conference, Presence
from commhub.directory import reach, resolve
from commhub.errors import Conflict, Forbidden, HubError, Invalid, NotFound
from commhub.events import Audience, Events
from commhub.feeds import Feeds, Seats, seat_of
from commhub.model import HUB, Actor, By, Label, new_id, utc_ns
from commhub.rooms import lobby, picture, rules
from commhub.rooms.hearing import Hearing
from commhub.rooms.tickets import InternalKey
from commhub.store import Reading, Store, Transaction, consultations, controls, tables
from commhub.store.consultations import Consultation
from commhub.store.repeats import Once, remember, repeated
from commhub.views import Consultation as ConsultationView
from commhub.views import Joining, May, Page

log = logs.get(__name__)

CAMERAS_LIMIT = 64  # in one consultation
_c = tables.consultations.c
#: What those are told who would have to wait in the lobby, and the parts of it that name nobody.
_OUTSIDE = {f"consultation.{what}" for what in ("invited", "changed", "locked", "lobby", "ended")}
_KNOWN_OUTSIDE = {"people", "locked"}


class Rooms:
    def __init__(
        self, store: Store, events: Events, conference: Conference, hearing: Hearing, feeds: Feeds, key: InternalKey
    ) -> None:
        self._store, self._events, self._conference, self._feeds, self._key = store, events, conference, feeds, key
        self.hearing = hearing
        self._seats = Seats(conference, feeds)
        #: Hears that a consultation is over, before anybody is put out; must not wait.
        self.closed: Callable[[str], None] = lambda consultation: None
        #: Has this person been forced into this consultation? Neither its lock nor its lobby holds them.
        self.forced: Callable[[str, str], bool] = lambda consultation, person: False
        feeds.audience = self._audience_of

    @property
    def key(self) -> InternalKey:
        return self._key

    async def start(self) -> None:
        """Tell the live side what there is: all live consultations with their cameras."""
        async with self._store.reading() as reading:
            live = await consultations.find(reading, _c.state == "live", limit=10_000)
        for record in live:
            try:
                await self._conference.open(record.id, key=self._key.name)
                for camera in record.cameras:
                    await self._seat(record, camera.id)
                self._conference.set_recording(record.id, record.recording_state == "recording")
            except HubError as error:
                log.error("consultation not reopened", room=record.id, reason=error.message)

    async def close_ended(self) -> None:
        """A hub that died while it ended a consultation left the room running: the live side brought it back since."""
        async with self._store.reading() as reading:
            recent = utc_ns() - 24 * 3600 * 1_000_000_000
            over = await consultations.find(reading, _c.state == "ended", _c.ended_at > recent, limit=1000)
        for record in over:
            with contextlib.suppress(HubError):
                await self._conference.close(record.id)

    # ---- seeing

    def present(self, record: Consultation) -> list[Presence]:
        return self._conference.present(record.id) if record.live else []

    def identities(self, consultation: str) -> set[str]:
        """Of everybody in it, also of who only watches."""
        return {one.identity for one in self._conference.present(consultation, unseen=True)}

    def view(self, record: Consultation, reader: Actor) -> ConsultationView:
        return picture.view(record, self.present(record), self._feeds, reader)

    async def listed(
        self, reader: Actor, *, state: str | None = None, q: str = "", before: str | None = None, limit: int = 50
    ) -> Page[ConsultationView]:
        conditions = [consultations.visible_to(reader)]
        if state:
            conditions.append(_c.state == state)
        if before:
            conditions.append(_c.id < before)
        conditions += [
            sa.or_(_c.title.contains(word, autoescape=True), _c.code.contains(word.upper(), autoescape=True))
            for word in q.split()[:8]
        ]
        async with self._store.reading() as reading:
            found = await consultations.find(reading, *conditions, limit=limit + 1)
        items = [self.view(record, reader) for record in found[:limit]]
        return Page(items=items, next=items[-1].id if len(found) > limit else None)

    async def find(self, consultation: str, reader: Actor) -> Consultation:
        async with self._store.reading() as reading:
            return await self.visible(reading, consultation, reader)

    async def visible(self, reading: Reading, consultation: str, reader: Actor) -> Consultation:
        """NotFound for what the reader may not see, too: he may not know that it is there."""
        record = await consultations.one(reading, consultation)
        if record is None or not rules.may_see(record, reader):
            raise NotFound("There is no such consultation.", "没有这个会商。")
        return record

    async def controllable(self, transaction: Reading, consultation: str, actor: Actor, what: May) -> Consultation:
        """A live consultation with which the actor may do this. Forbidden, Conflict or NotFound."""
        record = await self.visible(transaction, consultation, actor)
        if not rules.may_control(record, actor, what):
            raise Forbidden(
                "Only who chairs it, or a dispatcher in charge of it, may do this.",
                "只有主持人、联席主持人或主管调度员可以这样做。",
            )
        return rules.live(record)

    async def in_charge(self, consultation: str, actor: Actor, what: May) -> Consultation:
        """As :meth:`controllable`, for who only looks."""
        async with self._store.reading() as reading:
            return await self.controllable(reading, consultation, actor, what)

    # ---- changing

    async def create(
        self,
        actor: Actor,
        *,
        title: str,
        label: Label,
        organisations: Iterable[str],
        people: Iterable[str],
        record: bool = False,
        once: Once | None = None,
    ) -> ConsultationView:
        if record and not actor.may("recording.control"):
            raise Forbidden("You may not record.", "没有录制权限。")
        if not any(label in labels and actor.org in orgs for orgs, labels in actor.scopes("consultation.create")):
            raise Forbidden(
                "You may not create a consultation of this grade in your organisation.", "没有在本单位发起该密级会商的权限。"
            )
        at = utc_ns()
        async with self._store.transaction() as transaction:
            if made := await repeated(transaction, actor.id, once):
                return self.view(await self.visible(transaction, made, actor), actor)
            room = new_id()
            day = time.localtime(at // 1_000_000_000)
            number = await transaction.next(f"consultation {day.tm_year}-{day.tm_mon:02}-{day.tm_mday:02}")
            await transaction.insert(
                tables.consultations,
                {
                    "id": room, "code": f"HS-{day.tm_mon:02}{day.tm_mday:02}-{number:03}", "title": title, "state": "live",
                    "label": str(label), "host_id": actor.id, "org_id": actor.org, "locked": False, "rev": 1,
                    "created_at": at, "recording_wanted": record, "recording_state": "off",
                },
            )  # fmt: skip
            await remember(transaction, actor.id, once, room)
            ringing = await self._invite(transaction, room, actor, organisations, people)
            made_record = await self.announce(transaction, "consultation.created", room, actor)
            await audit.record(transaction, actor, "consultation.create", room, object=title)
            if ringing:
                await self._ring(transaction, room, actor, ringing)
        await self._conference.open(room, key=self._key.name)
        return self.view(made_record, actor)

    async def invite(
        self, consultation: str, actor: Actor, organisations: Iterable[str], people: Iterable[str], once: Once | None = None
    ) -> ConsultationView:
        async with self._store.transaction() as transaction:
            record = await self.controllable(transaction, consultation, actor, "invite")
            if await repeated(transaction, actor.id, once):
                return self.view(record, actor)
            await remember(transaction, actor.id, once, consultation)
            ringing = await self._invite(transaction, consultation, actor, organisations, people)
            again = lobby.forgive(record.control, [*people, *ringing])
            await self.edit(transaction, consultation, control=controls.written(again))
            await audit.record(
                transaction, actor, "consultation.invite", consultation, object=", ".join([*organisations, *people])
            )
            record = await self._ring(transaction, consultation, actor, ringing)
        return self.view(record, actor)

    async def change(
        self, consultation: str, actor: Actor, rev: int, *, locked: bool | None = None, title: str | None = None
    ) -> ConsultationView:
        """Conflict ``stale`` when it is no longer at ``rev``."""
        async with self._store.transaction() as transaction:
            record = await self.controllable(transaction, consultation, actor, "lock")
            if record.rev != rev:
                raise Conflict("Somebody changed it meanwhile: load it again.", "内容已被他人修改，请刷新后重试。", code="stale")
            if title is not None and title != record.title:
                await self.edit(transaction, consultation, title=title)
                record = await self.announce(transaction, "consultation.changed", consultation, actor)
                await audit.record(transaction, actor, "consultation.change", consultation, object=title)
            if locked is not None and locked != record.locked:
                await self.edit(transaction, consultation, locked=locked)
                record = await self.announce(transaction, "consultation.locked", consultation, actor, {"locked": locked})
                await audit.record(transaction, actor, "consultation.lock", consultation, object="on" if locked else "off")
        return self.view(record, actor)

    async def end(self, consultation: str, actor: Actor) -> ConsultationView:
        async with self._store.transaction() as transaction:
            record = await self.controllable(transaction, consultation, actor, "end")
            ended = await self._end(transaction, record, actor)
        await self._close(record)
        return self.view(ended, actor)

    async def end_empty(self, consultation: str, empty: Callable[[], bool]) -> None:
        """The hub itself ends what everybody has left; unless it is over, or not ``empty`` any more."""
        async with self._store.transaction() as transaction:
            record = await consultations.one(transaction, consultation)
            if record is None or not record.live or not empty():
                return
            await self._end(transaction, record, HUB, {"reason": "empty"})
        await self._close(record)

    async def _end(
        self, transaction: Transaction, record: Consultation, by: Actor | By, data: dict[str, Any] | None = None
    ) -> Consultation:
        values = {"state": "ended", "ended_at": utc_ns(), "recording_state": "off", "recording_since": None}
        await self.edit(transaction, record.id, **values)
        await audit.record(transaction, by, "consultation.end", record.id, object=record.title)
        return await self.announce(transaction, "consultation.ended", record.id, by, data)

    async def _close(self, record: Consultation) -> None:
        for camera in record.cameras:
            self._feeds.detach(camera.id, record.id)
        self.closed(record.id)
        await self._conference.close(record.id)
        self.hearing.forget(record.id)

    async def join(self, consultation: str, actor: Actor, terminal: str, origin: str) -> Joining:
        """A ticket into the room; ``origin`` is the WebSocket origin the page reaches the hub by."""
        async with self._store.transaction() as transaction:
            record = rules.live(await self.visible(transaction, consultation, actor))
            before = self.forced(record.id, actor.id) or await was_present(transaction, record.id, actor.id)
            rules.check_entry(record, actor, before)
            if not self.forced(record.id, actor.id):
                rules.check_lobby(record, actor)
            await audit.record(transaction, actor, "consultation.join", consultation, object=record.title)
        await self._conference.open(consultation, key=self._key.name)
        identity = f"{actor.id}:{terminal}"
        return Joining(
            url=origin,
            token=self._key.ticket(record.id, actor, identity, canPublish=True, canSubscribe=True, canPublishData=True),
            room=record.id,
            identity=identity,
            recording=picture.light(record),
        )

    # ---- people in it

    async def remove(self, consultation: str, actor: Actor, identity: str) -> None:
        """Out, with his tokens, until he is invited again; also who only watches, and is in nobody's list."""
        async with self._store.transaction() as transaction:
            record = await self.controllable(transaction, consultation, actor, "remove")
            there = _named(self._conference.present(record.id, unseen=True), identity)
            if there.kind != "camera":
                if picture.member_of(identity) == record.chair:
                    raise Conflict("Who chairs cannot be removed: hand the chair on first.", "不能移出主持人，请先移交主持。")
                # A person is out on all his terminals; what an API key let in is known by its identity only.
                member = picture.member_of(identity) if there.kind == "person" else identity
                await self._exclude(transaction, consultation, member)
                await audit.record(transaction, actor, "consultation.remove", consultation, object=there.name)
        if there.kind == "camera":
            camera = picture.member_of(identity)
            if identity == seat_of(camera):
                await self.remove_camera(consultation, actor, camera)
            else:  # a recording that is played; whoever plays it sees that it is gone
                await self._conference.remove_camera(consultation, identity)
            return
        for one in {one.identity: one for one in self._conference.present(record.id, unseen=True)}.values():
            if one.identity == identity or (
                one.kind == "person" and picture.member_of(one.identity) == picture.member_of(identity)
            ):
                await self.put_out(consultation, one.identity)

    async def put_out(self, consultation: str, identity: str) -> None:
        with contextlib.suppress(NotFound):  # gone by himself meanwhile
            await self._conference.remove(consultation, identity)

    async def mute(self, consultation: str, actor: Actor, identity: str, source: str) -> None:
        async with self._store.transaction() as transaction:
            record = await self.controllable(transaction, consultation, actor, "mute")
            there = _named(self.present(record), identity)
            await audit.record(transaction, actor, "consultation.mute", consultation, object=f"{there.name} {source}")
        await self._conference.mute(consultation, identity, source, True)

    async def _exclude(self, transaction: Transaction, consultation: str, member: str) -> None:
        e = tables.exclusions.c
        await transaction.run(sa.delete(tables.exclusions).where(e.consultation_id == consultation, e.member == member))
        await transaction.insert(tables.exclusions, {"consultation_id": consultation, "member": member, "at": utc_ns()})

    # ---- cameras

    async def add_camera(self, consultation: str, actor: Actor, camera: str) -> ConsultationView:
        async with self._store.transaction() as transaction:
            record, name = await self.bringing(transaction, consultation, actor, camera)
            if camera in {one.id for one in record.cameras}:
                return self.view(record, actor)
            if len(record.cameras) >= CAMERAS_LIMIT:
                raise Conflict(f"There are {CAMERAS_LIMIT} cameras in it already.", f"最多调入 {CAMERAS_LIMIT} 个摄像机。")
            added = {"consultation_id": consultation, "camera_id": camera, "added_at": utc_ns()}
            await transaction.insert(tables.consultation_cameras, added)
            await self._bump(transaction, consultation)
            await audit.record(transaction, actor, "camera.open", consultation, object=name)
            record = await self.announce(transaction, "consultation.camera_added", consultation, actor, _short(camera, name))
        await self._seat(record, camera)
        return self.view(record, actor)

    async def bringing(self, transaction: Reading, consultation: str, actor: Actor, camera: str) -> tuple[Consultation, str]:
        """A live consultation into which the actor may bring this camera, and its name. NotFound, Forbidden, Conflict."""
        record = rules.live(await self.visible(transaction, consultation, actor))
        if not rules.may_bring_cameras(record, actor):
            raise Forbidden("You may not bring cameras in here.", "没有在该会商中调入摄像机的权限。")
        found = await _camera(transaction, camera)
        if found is None or not actor.may("camera.list", org=found.org_id, label=found.label):
            raise NotFound("There is no such camera.", "没有这个摄像机。")
        if not actor.may("camera.open", org=found.org_id, label=found.label):
            raise Forbidden("You may not open this camera.", "没有打开该摄像机的权限。")
        if Label(found.label).height > record.label.height:
            raise Forbidden(
                "The camera's grade is above that of the consultation.", "摄像机密级高于会商密级。", code="label_too_low"
            )
        return record, found.name

    async def remove_camera(self, consultation: str, actor: Actor, camera: str) -> None:
        async with self._store.transaction() as transaction:
            record = rules.live(await self.visible(transaction, consultation, actor))
            if not rules.may_bring_cameras(record, actor):
                raise Forbidden("You may not take cameras out here.", "没有在该会商中移出摄像机的权限。")
            there = next((one for one in record.cameras if one.id == camera), None)
            if there is None:
                raise NotFound("This camera is not in the consultation.", "会商中没有这个摄像机。")
            k = tables.consultation_cameras.c
            await transaction.run(
                sa.delete(tables.consultation_cameras).where(k.consultation_id == consultation, k.camera_id == camera)
            )
            await self._bump(transaction, consultation)
            await audit.record(transaction, actor, "camera.close", consultation, object=there.name)
            await self.announce(transaction, "consultation.camera_removed", consultation, actor, _short(camera, there.name))
        await self._seats.remove(consultation, camera)

    async def _seat(self, record: Consultation, camera: str) -> None:
        there = next(one for one in record.cameras if one.id == camera)
        await self._seats.add(record.id, camera, name=there.name, org=there.org_name, audio=there.audio)

    # ---- records

    async def announce(
        self, transaction: Transaction, type: str, consultation: str, by: Actor | By | None, data: dict[str, Any] | None = None
    ) -> Consultation:
        """The event of a change, with the consultation as it is now. Returns that."""
        record = await consultations.one(transaction, consultation)
        assert record is not None
        there = picture.news(record, self.present(record), self._feeds)
        outside = rules.outside(record)
        if outside is not None and type in _OUTSIDE:  # first: who oversees it gets both, and keeps what came last
            known = {key: value for key, value in (data or {}).items() if key in _KNOWN_OUTSIDE}
            if "by" in (data or {}):
                known["by"] = {"name": "", "org_name": record.host.org_name}
            await self.tell(transaction, type, record, None, outside, {"consultation": picture.thin(there), **known})
        shown = {"consultation": there.model_dump(mode="json"), **(data or {})}
        await self.tell(transaction, type, record, by, rules.inside(record), shown)
        return record

    async def tell(
        self,
        transaction: Transaction,
        type: str,
        record: Consultation,
        by: Actor | By | None,
        audience: Audience,
        data: dict[str, Any],
    ) -> None:
        """An event about the consultation for those alone, besides who oversees it."""
        await self._events.emit(
            transaction, type, subject=record.id, org=record.org_id, label=record.label, rev=record.rev, by=by,
            audience=audience, data=data,
        )  # fmt: skip

    async def edit(self, transaction: Transaction, consultation: str, **values: Any) -> None:
        """Columns of the row; the revision goes on."""
        await transaction.run(sa.update(tables.consultations).where(_c.id == consultation).values(rev=_c.rev + 1, **values))

    async def _bump(self, transaction: Transaction, consultation: str) -> None:
        await self.edit(transaction, consultation)

    async def _invite(
        self, transaction: Transaction, consultation: str, actor: Actor, orgs: Iterable[str], people: Iterable[str]
    ) -> list[str]:
        """Returns who rings: the people, and those of the organisations."""
        orgs, people = list(dict.fromkeys(orgs)), list(dict.fromkeys(people))
        o, p = tables.organisations.c, tables.people.c
        named_orgs = sa.select(o.id).where(o.id.in_(orgs), reach.knows(actor, o.id))
        named_people = sa.select(p.id).where(p.id.in_(people), p.active, reach.knows(actor, p.org_id))
        known_orgs = {row.id for row in await transaction.all(named_orgs)}
        known = {row.id for row in await transaction.all(named_people)}
        if unknown := [one for one in orgs if one not in known_orgs] + [one for one in people if one not in known]:
            raise Invalid(
                f"There is no organisation or person {unknown[0]}.", f"没有单位或人员 {unknown[0]}。", code="unknown_member"
            )
        # An organisation that cannot connect has somebody at a seat in the hall, who may be anybody's.
        people += [one for one in await resolve.standing_in(transaction, orgs) if one not in people]
        for table, column, ids in (
            (tables.consultation_organisations, "org_id", orgs),
            (tables.consultation_people, "person_id", people),
        ):
            c = table.c
            query = sa.select(c[column]).where(c.consultation_id == consultation)
            there = set((await transaction.connection.scalars(query)).all())
            await transaction.insert(table, *({"consultation_id": consultation, column: one} for one in ids if one not in there))
        a = tables.accounts.c
        members = (
            sa.select(p.id)
            .join_from(tables.people, tables.accounts, a.person_id == p.id)
            .where(p.active, sa.or_(p.id.in_(people), p.org_id.in_(orgs)))
            .order_by(p.level, p.id)
        )
        ringing = [one for one in (await transaction.connection.scalars(members)).all() if one != actor.id]
        e = tables.exclusions.c
        await transaction.run(
            sa.delete(tables.exclusions).where(e.consultation_id == consultation, e.member.in_([*people, *ringing]))
        )
        return ringing

    async def _ring(self, transaction: Transaction, consultation: str, actor: Actor, people: list[str]) -> Consultation:
        data = {"people": people, "by": {"name": actor.name, "org_name": actor.org_name}}
        return await self.announce(transaction, "consultation.invited", consultation, actor, data)

    async def _audience_of(self, rooms: set[str]) -> Audience:
        async with self._store.reading() as reading:
            found = await consultations.find(reading, _c.id.in_(sorted(rooms))) if rooms else []
        audiences = [rules.inside(record) for record in found]
        people = sorted({person for one in audiences for person in one.people})
        return Audience(people, sorted({org for one in audiences for org in one.orgs}))


def _named(people: Iterable[Presence], identity: str) -> Presence:
    for one in people:
        if one.identity == identity:
            return one
    raise NotFound("There is nobody of that identity in the room.", "会商中没有这个成员。")


def _short(camera: str, name: str) -> dict[str, Any]:
    return {"camera": {"id": camera, "name": name, "identity": seat_of(camera)}}


async def _camera(reading: Reading, camera: str) -> sa.Row[Any] | None:
    c = tables.cameras.c
    return await reading.first(sa.select(c.name, c.org_id, c.label).where(c.id == camera))


async def was_present(reading: Reading, consultation: str, person: str) -> bool:
    """Was this person ever let in?"""
    a = tables.attendance.c
    query = sa.select(a.id).where(a.consultation_id == consultation, a.person_id == person).limit(1)
    return await reading.first(query) is not None
