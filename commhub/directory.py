"""Organisations, places, people and cameras: search, and import from a folder of TOML files."""

from __future__ import annotations

import itertools
import secrets
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from commhub import audit
from commhub.auth import Auth, fold
from commhub.errors import Invalid, NotFound
from commhub.model import HUB, Label, Role, new_id
from commhub.store import Store, Transaction, tables
from commhub.vault import Vault
from commhub.views import City, Org, Organisation, Page, Person

# ---- searching


def search_text(*texts: str) -> str:
    """What a search looks through: the texts, their pinyin and their initials, lower case.

    >>> search_text("曾明")
    '曾明 cengming cengmeng zengming zengmeng cm zm'
    """
    from pypinyin import Style, pinyin  # half a second of dictionaries, which only an import of the city needs

    words: list[str] = []
    for text in filter(None, texts):
        words.append(text.casefold())
        for style in (Style.NORMAL, Style.FIRST_LETTER):
            readings = pinyin(text, style=style, heteronym=True, errors="default")
            # A name has several readings only by its rare characters: a few combinations find it, all would be thousands.
            words += ["".join(one).casefold() for one in itertools.islice(itertools.product(*readings), 12)]
    return " ".join(sorted(dict.fromkeys(words), key=words.index))


def _matches(column: sa.ColumnElement[str], q: str) -> sa.ColumnElement[bool]:
    """Every word of the query somewhere in the text."""
    return sa.and_(sa.true(), *(column.contains(word, autoescape=True) for word in q.casefold().split()[:8]))


# ---- records


@dataclass(frozen=True, slots=True)
class CameraRecord:
    id: str
    name: str
    place: str | None
    org: Org
    label: Label
    audio: bool
    protocol: str = "rtsp"  # or gb28181
    online: bool = True  # its device says so, and is there itself
    ptz: int = 0  # PTZType of GB/T 28181, 0 not said
    sub: bool = False  # has a second, smaller stream
    node_id: str | None = None
    position: tuple[float, float] | None = None  # longitude, latitude, WGS-84
    device_id: str = ""
    device: str = ""  # the code it signs in with
    channel: str = ""

    @property
    def movable(self) -> bool:
        """It turns, as far as it says: a dome, half dome, or remote gun (A.2.1.9)."""
        return self.ptz in (1, 2, 4, 5)

    def acts(self) -> tuple[str, ...]:
        """What may be done to it at all, by whoever has the right: names of permissions without ``camera.``."""
        if self.protocol != "gb28181":
            return ("open", "snapshot")
        move = () if self.ptz in (3, 6) else ("move",)  # fixed, panorama; one that says nothing may turn
        return ("open", *move, "control", "playback", "download", "snapshot", "voice")


@dataclass(frozen=True, slots=True)
class CameraAddress:
    """How to open it. Never leaves the hub but to the bridge. ``gb28181://<device>/<channel>``: by the device's own call-in."""

    url: str
    user: str
    password: str
    transport: str
    sub_url: str = ""


# ---- what an import brings

Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    key: Key


class OrganisationEntry(_Entry):
    name: Name
    name_en: Name
    short: Annotated[str, Field(min_length=1, max_length=20)]
    kind: Literal["city", "department", "district", "street", "headquarters", "external"]
    parent: Key | None = None


class PlaceEntry(_Entry):
    name: Name
    org: Key
    kind: Literal["hall", "room", "site"] = "site"


class RoleEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    role: Role
    org: Key


class PersonEntry(_Entry):
    name: Name
    org: Key
    post: Annotated[str, Field(max_length=100)] = ""
    level: Annotated[int, Field(ge=1, le=9)] = 9
    account: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,31}$")] | None = None
    roles: list[RoleEntry] = []
    sample: bool = False


class CameraEntry(_Entry):
    name: Name
    org: Key
    place: Key | None = None
    label: Label = Label.INTERNAL
    url: Annotated[str, Field(max_length=500)]
    user: Annotated[str, Field(max_length=100)] = ""
    password: Annotated[str, Field(max_length=100, repr=False)] = ""
    transport: Literal["tcp", "udp"] = "tcp"
    audio: bool = False
    sub_url: Annotated[str, Field(max_length=500)] = ""  # its smaller stream

    @field_validator("url", "sub_url")
    @classmethod
    def _plain(cls, url: str, info: ValidationInfo) -> str:
        if not url and info.field_name == "sub_url":
            return url
        parts = urlsplit(url)
        if parts.scheme not in ("rtsp", "rtsps") or not parts.hostname or parts.username or parts.password:
            raise ValueError("The url must read rtsp://host[:port]/path; user and password have keys of their own.")
        return url


class CityData(BaseModel):
    """Everything of a folder. Keys name entries for good; what is not listed any more stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    organisation: list[OrganisationEntry] = []
    place: list[PlaceEntry] = []
    person: list[PersonEntry] = []
    camera: list[CameraEntry] = []


def read_city(folder: Path) -> CityData:
    """All ``*.toml`` of the folder but ``commhub.toml``, as one. Invalid with every mistake, one a line."""
    merged: dict[str, list[Any]] = {}
    files = sorted(path for path in folder.glob("*.toml") if path.name != "commhub.toml")
    if not files:
        raise Invalid(f"There are no TOML files in {folder}.", f"{folder} 中没有 TOML 文件。")
    for file in files:
        try:
            parsed = tomllib.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise Invalid(f"{file.name} cannot be read: {error}.", f"无法读取 {file.name}：{error}。") from None
        for name, entries in parsed.items():
            merged.setdefault(name, []).extend(entries if isinstance(entries, list) else [entries])
    try:
        data = CityData.model_validate(merged)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)]
        raise Invalid("\n".join(lines)) from None
    if wrong := list(_broken(data)):
        raise Invalid("\n".join(wrong))
    return data


def _broken(data: CityData) -> Iterable[str]:
    """Keys that are there twice, and references to nothing."""
    tables_of: tuple[tuple[str, Sequence[_Entry]], ...] = (
        ("organisation", data.organisation),
        ("place", data.place),
        ("person", data.person),
        ("camera", data.camera),
    )
    for table, entries in tables_of:
        keys = [entry.key for entry in entries]
        yield from (f"{table}: the key {key} is there twice." for key in sorted({key for key in keys if keys.count(key) > 1}))
    accounts = [person.account for person in data.person if person.account]
    yield from (f"person: the account {one} is there twice." for one in sorted({a for a in accounts if accounts.count(a) > 1}))
    orgs = {entry.key for entry in data.organisation}
    places = {entry.key for entry in data.place}
    seen: set[str] = set()
    for org in data.organisation:
        if org.parent is not None and org.parent not in seen:
            yield f"organisation {org.key}: its parent {org.parent} is not above it in the file."
        seen.add(org.key)
    named = [(f"{table} {entry.key}", entry.org) for table, entries in (("place", data.place),) for entry in entries]
    named += [(f"person {entry.key}", entry.org) for entry in data.person]
    named += [(f"person {entry.key}", role.org) for entry in data.person for role in entry.roles]
    named += [(f"camera {entry.key}", entry.org) for entry in data.camera]
    yield from (f"{where}: there is no organisation {org}." for where, org in named if org not in orgs)
    for camera in data.camera:
        if camera.place is not None and camera.place not in places:
            yield f"camera {camera.key}: there is no place {camera.place}."


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


# ---- the directory


class Directory:
    def __init__(self, store: Store, auth: Auth, vault: Vault) -> None:
        self._store, self._auth, self._vault = store, auth, vault

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

    async def organisations(self) -> Page[Organisation]:
        async with self._store.reading() as reading:
            rows = await reading.all(sa.select(tables.organisations).order_by(tables.organisations.c.position))
        names = ("id", "name", "name_en", "short", "kind", "parent_id")
        return Page(items=[Organisation(**{name: getattr(row, name) for name in names}) for row in rows])

    async def people(self, q: str, online: Iterable[str], *, after: str | None = None, limit: int = 50) -> Page[Person]:
        p, o, there = tables.people.c, tables.organisations.c, set(online)
        query = (
            sa.select(tables.people, o.name.label("org_name"), o.short)
            .join_from(tables.people, tables.organisations)
            .where(p.active, _matches(p.search, q), p.id > (after or ""))
            .order_by(p.id)
            .limit(limit + 1)
        )
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

    async def address(self, camera: str) -> CameraAddress:
        """Where it is opened. ValueError when its password was sealed with a key that is gone."""
        async with self._store.reading() as reading:
            row = await reading.first(camera_query().where(tables.cameras.c.id == camera))
        if row is None:
            raise NotFound("There is no such camera.", "没有这个摄像机。")
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
            orgs = await _upsert(
                transaction, tables.organisations, data.organisation, lambda entry, position, ids: {
                    "name": entry.name, "name_en": entry.name_en, "short": entry.short, "kind": entry.kind,
                    "parent_id": ids[entry.parent] if entry.parent else None, "position": position,
                },
            )  # fmt: skip
            places = await _upsert(
                transaction, tables.places, data.place, lambda entry, position, ids: {
                    "org_id": orgs[entry.org], "name": entry.name, "kind": entry.kind,
                },
            )  # fmt: skip
            names = {org.key: org.name for org in data.organisation}
            people = await _upsert(
                transaction, tables.people, data.person, lambda entry, position, ids: {
                    "org_id": orgs[entry.org], "name": entry.name, "post": entry.post, "level": entry.level, "active": True,
                    "search": search_text(entry.name, entry.post, names[entry.org]),
                },
            )  # fmt: skip
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
            await audit.record(transaction, HUB, "directory.edit", "", object=f"{len(orgs)}/{len(people)}/{len(cameras)}")
        return [
            NewSignIn(
                person.account, passwords[person.account], person.name, names[person.org], tuple(r.role for r in person.roles)
            )
            for person in data.person
            if person.account in passwords and person.account
        ]

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


def camera_query() -> sa.Select[Any]:
    """Rows for :func:`camera_record`."""
    o, p, d = tables.organisations.c, tables.places.c, tables.devices.c
    return (
        sa.select(
            tables.cameras,
            o.name.label("org_name"),
            o.short,
            p.name.label("place"),
            d.code.label("device_code"),
            d.online.label("device_online"),
        )
        .join_from(tables.cameras, tables.organisations)
        .outerjoin(tables.places, p.id == tables.cameras.c.place_id)
        .outerjoin(tables.devices, d.id == tables.cameras.c.device_id)
    )


def camera_record(row: sa.Row[Any]) -> CameraRecord:
    return CameraRecord(
        row.id,
        row.name,
        row.place,
        Org(id=row.org_id, name=row.org_name, short=row.short),
        Label(row.label),
        row.audio,
        protocol=row.protocol,
        online=row.online and not row.gone and (row.device_id is None or bool(row.device_online)),
        ptz=row.ptz,
        sub=row.sub,
        node_id=row.node_id,
        position=None if row.longitude is None or row.latitude is None else (row.longitude, row.latitude),
        device_id=row.device_id or "",
        device=row.device_code or "",
        channel=row.channel,
    )
