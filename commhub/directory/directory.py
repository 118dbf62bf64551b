"""Organisations, places, people and cameras: search, and what an import of a city does."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from commhub import audit
from commhub.auth import Auth, fold
from commhub.directory import indexing, writing
from commhub.directory.address_book import AddressBook
from commhub.directory.cameras import CameraAddress, CameraRecord, camera_query, camera_record
from commhub.directory.city import CityData, PersonEntry
from commhub.directory.exchange import COUNTER, WrongRows, everything
from commhub.directory.index import named
from commhub.directory.plan import plan
from commhub.directory.reach import knows
from commhub.directory.words import search_text
from commhub.errors import NotFound
from commhub.events import Events
from commhub.model import HUB, Actor, new_id
from commhub.store import Store, Transaction, tables
from commhub.vault import Vault
from commhub.views import City, Org, Organisation, Page, Person


@dataclass(frozen=True, slots=True)
class NewSignIn:
    """Shown once: the database keeps the hash only."""

    account: str
    password: str
    name: str
    org_name: str
    roles: tuple[str, ...]


_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def new_password() -> str:
    """Four groups that can be read aloud and typed: 78 bits."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


class Directory:
    def __init__(self, store: Store, auth: Auth, vault: Vault) -> None:
        self._store, self._auth, self._vault = store, auth, vault

    async def open(self) -> None:
        """The index of a database that was written before there was one, or by a hub that made other words."""
        await indexing.ensure(self._store, self._vault)

    async def city(self) -> City:
        o = tables.organisations.c
        async with self._store.reading() as reading:
            row = await reading.first(sa.select(o.name, o.name_en).where(o.parent_id.is_(None)).order_by(o.position).limit(1))
        return City(name=row.name, name_en=row.name_en) if row else City(name="", name_en="")

    async def ids(self) -> dict[str, str]:
        """Key → id of everything that was imported; keys of cameras begin with ``camera ``, of places with ``place ``."""
        found: dict[str, str] = {}
        async with self._store.reading() as reading:
            for table, prefix in (
                (tables.organisations, ""),
                (tables.people, ""),
                (tables.places, "place "),
                (tables.cameras, "camera "),
            ):
                found |= {prefix + row.key: row.id for row in await reading.all(sa.select(table.c.key, table.c.id))}
        return found

    def address_book(self, events: Events) -> AddressBook:
        return AddressBook(self._store, events, self._vault)

    async def organisations(self, reader: Actor | None = None) -> Page[Organisation]:
        """Those that the reader knows; None is the hub itself."""
        o = tables.organisations.c
        query = sa.select(tables.organisations).where(knows(reader, o.id)).order_by(o.position, o.id)
        async with self._store.reading() as reading:
            rows = await reading.all(query)
        names = ("id", "name", "name_en", "short", "kind", "parent_id", "connectivity")
        return Page(items=[Organisation(**{name: getattr(row, name) for name in names}) for row in rows])

    async def people(
        self,
        q: str,
        online: Iterable[str],
        *,
        org: str | None = None,
        reader: Actor | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[Person]:
        """``org``: those of this organisation alone, without what stands below it; nobody when the reader does not know it."""
        p, o, there = tables.people.c, tables.organisations.c, set(online)
        query = (
            sa.select(tables.people, o.name.label("org_name"), o.short)
            .join_from(tables.people, tables.organisations)
            .where(p.active, knows(reader, p.org_id), named(q, p.id, p.org_id), p.id > (after or ""))
            .order_by(p.id)
            .limit(limit + 1)
        )
        if org is not None:
            query = query.where(p.org_id == org)
        async with self._store.reading() as reading:
            rows = await reading.all(query)
        items = [
            Person(
                id=row.id,
                name=row.name,
                post=row.post,
                level=row.level,
                org=Org(id=row.org_id, name=row.org_name, short=row.short),
                online=row.id in there,
            )
            for row in rows[:limit]
        ]
        return Page(items=items, next=items[-1].id if len(rows) > limit else None)

    async def camera(self, camera: str) -> CameraRecord:
        """NotFound when there is none."""
        async with self._store.reading() as reading:
            row = await reading.first(camera_query().where(tables.cameras.c.id == camera))
        if row is None:
            raise NotFound("There is no such camera.", "没有这个摄像机。")
        return camera_record(row)

    async def cameras_to_open(self, cameras: Collection[str]) -> dict[str, tuple[CameraRecord, CameraAddress | None]]:
        """Many at once, with where each is opened (None: its password was sealed with a key that is gone); who is not there is
        left out."""
        async with self._store.reading() as reading:
            rows = await reading.all(camera_query().where(tables.cameras.c.id.in_(cameras)))
        found: dict[str, tuple[CameraRecord, CameraAddress | None]] = {}
        for row in rows:
            address = None
            with contextlib.suppress(ValueError):
                address = self._address(row)
            found[row.id] = camera_record(row), address
        return found

    async def address(self, camera: str) -> CameraAddress:
        """Where it is opened. ValueError when its password was sealed with a key that is gone."""
        async with self._store.reading() as reading:
            row = await reading.first(camera_query().where(tables.cameras.c.id == camera))
        if row is None:
            raise NotFound("There is no such camera.", "没有这个摄像机。")
        return self._address(row)

    def _address(self, row: Any) -> CameraAddress:
        if row.protocol == "gb28181":
            return CameraAddress(f"gb28181://{row.device_code or ''}/{row.channel}", "", "", row.transport)
        password = self._vault.unseal(row.password, row.id) if row.password else ""
        return CameraAddress(row.url, row.user, password, row.transport, row.sub_url)

    # ---- import

    async def take_in(self, data: CityData) -> list[NewSignIn]:
        """Idempotent: entries known by their key are updated. Returns the sign-ins of accounts that are new; those of a
        sample have no password before :meth:`sample_sign_ins`."""
        async with self._store.reading() as reading:
            known = set((await reading.connection.scalars(sa.select(tables.accounts.c.account))).all())
        new = [person for person in data.person if person.account and person.account not in known]
        passwords = {person.account: new_password() for person in new if not person.sample}
        fresh = {person.account: "" for person in new if person.account}
        fresh |= {account: await self._auth.hash(word) for account, word in passwords.items() if account}
        async with self._store.transaction() as transaction:
            orgs, places, people = await self._entries(transaction, data)
            names = {row.key: row.name for row in await transaction.all(sa.select(tables.organisations))}
            at = {place.key: place.name for place in data.place}
            cameras = await _upsert(
                transaction, tables.cameras, data.camera, lambda entry, position, ids: {
                    "org_id": orgs[entry.org], "place_id": places[entry.place] if entry.place else None,
                    "name": entry.name, "label": str(entry.label), "url": entry.url, "user": entry.user,
                    "transport": entry.transport, "audio": entry.audio, "password": b"",
                    "sub_url": entry.sub_url, "sub": bool(entry.sub_url),
                    "search": search_text(entry.name, at.get(entry.place or "", ""), names[entry.org]),
                },
            )  # fmt: skip
            for camera in data.camera:
                if camera.password:
                    sealed = self._vault.seal(camera.password, cameras[camera.key])
                    this = tables.cameras.c.id == cameras[camera.key]
                    await transaction.run(sa.update(tables.cameras).where(this).values(password=sealed))
            for person in data.person:
                await _grant(transaction, person, people[person.key], orgs, fresh)
            await transaction.next("directory")
            await transaction.next(COUNTER)
            await audit.record(transaction, HUB, "directory.edit", "", object=f"{len(orgs)}/{len(people)}/{len(cameras)}")
        return [
            NewSignIn(
                person.account, passwords[person.account], person.name, names[person.org], tuple(r.role for r in person.roles)
            )
            for person in data.person
            if person.account in passwords and person.account
        ]

    async def _entries(self, transaction: Transaction, data: CityData) -> tuple[dict[str, str], ...]:
        """Key → id of organisations, places and people after what the import says of them."""
        made = plan(data.rows(), await everything(transaction), None, self._vault)
        if made.mistakes:
            raise WrongRows(made.mistakes)
        await asyncio.to_thread(writing.prepare, self._vault, made.changes)
        await writing.write(transaction, made.changes)
        kinds = (tables.organisations, tables.places, tables.people)
        return tuple([{row.key: row.id for row in await transaction.all(sa.select(one.c.key, one.c.id))} for one in kinds])

    async def sample_sign_ins(self) -> list[NewSignIn]:
        """New passwords for the accounts of the sample city; the old ones and their sign-ins end."""
        a, p, o, g = tables.accounts.c, tables.people.c, tables.organisations.c, tables.grants.c
        async with self._store.reading() as reading:
            rows = await reading.all(
                sa.select(a.person_id, a.account, p.name, o.name.label("org_name"))
                .join_from(tables.accounts, tables.people)
                .join(tables.organisations, o.id == p.org_id)
                .where(a.sample)
                .order_by(p.level, a.account)
            )
            held = await reading.all(sa.select(g.person_id, g.role).order_by(g.role))
        words = {row.person_id: new_password() for row in rows}
        hashes = {person: await self._auth.hash(word) for person, word in words.items()}
        async with self._store.transaction() as transaction:
            for person, hashed in hashes.items():
                await transaction.run(
                    sa.update(tables.accounts)
                    .where(a.person_id == person)
                    .values(password_hash=hashed, failures=0, locked_until=0)
                )
                await transaction.run(sa.delete(tables.sign_ins).where(tables.sign_ins.c.person_id == person))
            await audit.record(transaction, HUB, "directory.edit", "", object="sample sign-ins")
        roles = {row.person_id: tuple(grant.role for grant in held if grant.person_id == row.person_id) for row in rows}
        return [NewSignIn(row.account, words[row.person_id], row.name, row.org_name, roles[row.person_id]) for row in rows]


async def _upsert(transaction: Transaction, table: sa.Table, entries: Sequence[Any], values: Any) -> dict[str, str]:
    """Key → id of everything in the table; ``values(entry, position, ids so far)`` are the columns of one entry."""
    ids = {row.key: row.id for row in await transaction.all(sa.select(table.c.key, table.c.id))}
    for position, entry in enumerate(entries):
        row = values(entry, position, ids)
        if entry.key in ids:
            await transaction.run(sa.update(table).where(table.c.id == ids[entry.key]).values(row))
        else:
            ids[entry.key] = new_id()
            await transaction.insert(table, {"id": ids[entry.key], "key": entry.key, **row})
    return ids


async def _grant(
    transaction: Transaction, person: PersonEntry, person_id: str, orgs: dict[str, str], fresh: dict[str, str]
) -> None:
    if person.account in fresh:
        await transaction.insert(
            tables.accounts,
            {
                "person_id": person_id,
                "account": fold(person.account),
                "password_hash": fresh[person.account],
                "failures": 0,
                "locked_until": 0,
                "sample": person.sample,
            },
        )
    await transaction.run(sa.delete(tables.grants).where(tables.grants.c.person_id == person_id))
    held = {(str(one.role), orgs[one.org]) for one in person.roles}
    await transaction.insert(
        tables.grants, *({"person_id": person_id, "role": role, "org_id": org} for role, org in sorted(held))
    )
