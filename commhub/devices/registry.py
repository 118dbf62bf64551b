"""Devices as records: who may call in, whose they are, how they are spoken to, and how they were last seen.

A device nobody knows waits in quarantine until an administrator admits it into an organisation or refuses it. Each has a
password of its own, made here, sealed in the database, shown once.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec
import sqlalchemy as sa

from commhub import audit
from commhub import log as logs
from commhub.devices.codes import DEVICE, clean
from commhub.devices.owners import settle
from commhub.devices.words import asked, words
from commhub.errors import Conflict, Forbidden, Invalid, NotFound
from commhub.media.messages import DeviceSeen, Terms
from commhub.model import HUB, Actor, By, Label, new_id, utc_ns
from commhub.store import Reading, Store, Transaction, tables
from commhub.vault import Vault

log = logs.get(__name__)

QUARANTINE_LIMIT = 500  # devices that wait; whoever has not called for longest goes first
PASSWORD_LENGTH = 16  # of 31 signs: 79 bits; devices cut longer ones
WAYS = ("", "udp", "tcp-passive", "tcp-active")
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_d = tables.devices.c


class Options(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a device has to be spoken to: as ``Terms`` has them."""

    algorithm: str = "MD5"
    date: bool = True
    local_times: bool = False
    gcj02: bool = False
    reset: bool = True
    guard: bool = False
    positions: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A device as the hub has it at hand."""

    id: str
    code: str
    name: str
    org: str | None
    label: str
    state: str
    online: bool


def new_password() -> str:
    """For a device: people type it into a form with few signs."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(PASSWORD_LENGTH))


class Registry:
    def __init__(self, store: Store, vault: Vault) -> None:
        self._store, self._vault = store, vault
        self.by_code: dict[str, Known] = {}
        self.by_id: dict[str, Known] = {}
        #: Hears of every device that was changed by people, once that is on disk.
        self.changed: list[Callable[[Known], None]] = []

    async def open(self) -> None:
        async with self._store.reading() as reading:
            for row in await reading.all(sa.select(tables.devices)):
                self._keep(_known(row))

    def _keep(self, device: Known) -> None:
        self.by_code[device.code] = self.by_id[device.id] = device

    def turned(self, device: str, online: bool) -> None:
        """It is there, or not; the row says so already."""
        if (known := self.by_id.get(device)) is not None:
            self._keep(replace(known, online=online))

    # ---- reading

    async def row(self, reading: Reading, device: str, by: Actor | By | None = None) -> sa.Row[Any]:
        """NotFound; also of one that ``by`` may not know of. Who waits for admission belongs to nobody yet."""
        row = await reading.first(query().where(_d.id == device))
        stranger = (
            isinstance(by, Actor)
            and row is not None
            and row.org_id is not None
            and not by.may("device.list", org=row.org_id, label=row.label)
        )
        if row is None or stranger:
            raise NotFound("There is no such device.", "没有这个设备。")
        return row

    async def listed(
        self, reader: Actor, *, state: str = "", q: str = "", after: str | None = None, limit: int = 50
    ) -> tuple[list[sa.Row[Any]], str | None]:
        """Those of organisations the reader may ``device.list``; who waits or was refused belongs to nobody yet, and is shown to
        who may admit somebody, and to whose scope is the city."""
        scopes = [sa.and_(_d.org_id.in_(sorted(orgs))) for orgs, _ in reader.scopes("device.list")]
        if reader.may("device.admit") or any(
            reader.tree.is_root(org) for orgs, _ in reader.scopes("device.list") for org in orgs
        ):
            scopes.append(_d.org_id.is_(None))
        conditions: list[sa.ColumnElement[bool]] = [sa.or_(sa.false(), *scopes), _d.id > (after or "")]
        conditions += [_d.search.contains(word, autoescape=True) for word in asked(q)]
        if state:
            conditions.append(_d.state == state)
        async with self._store.reading() as reading:
            rows = list(await reading.all(query().where(*conditions).order_by(_d.id).limit(limit + 1)))
        return rows[:limit], rows[limit - 1].id if len(rows) > limit else None

    async def terms(self) -> list[Terms]:
        """Of all that are admitted. Those whose password does not open any more are left out: they wait outside."""
        async with self._store.reading() as reading:
            rows = await reading.all(sa.select(tables.devices).where(_d.state == "admitted").order_by(_d.code))
        return await asyncio.to_thread(lambda: [terms for row in rows if (terms := self._spoken(row)) is not None])

    def _spoken(self, row: sa.Row[Any]) -> Terms | None:
        try:
            password = self._vault.unseal(row.password, row.id)
        except ValueError:
            log.error("password of a device does not open", device=row.code)
            return None
        options = msgspec.structs.asdict(msgspec.json.decode(row.options, type=Options))
        return Terms(device=row.code, password=password, way=row.way, worked=row.worked, **options)

    # ---- by people

    async def create(
        self,
        by: Actor | By,
        code: str,
        name: str,
        org: str,
        *,
        label: Label = Label.INTERNAL,
        way: str = "",
        options: Options | None = None,
        password: str = "",
    ) -> tuple[str, str]:
        """A device that has not called yet, admitted. Returns its id and its password."""
        if DEVICE.fullmatch(code) is None:
            raise Invalid("The code of a device has 20 digits.", "设备编码须为 20 位数字。", code="code")
        search = await asyncio.to_thread(words, name, code)
        async with self._store.transaction() as transaction:
            known = await transaction.first(sa.select(tables.devices).where(_d.code == code))
            if known is not None and known.state == "admitted":
                raise Conflict("There is a device with this code.", "已有相同编码的设备。", code="known")
            device = known.id if known is not None else new_id()
            if known is None:
                await transaction.insert(tables.devices, blank(device, code))
            values = {"name": name, "org_id": org, "label": str(label), "way": way, "search": search}
            values["options"] = msgspec.json.encode(options or Options()).decode()
            return device, await self._admit(transaction, by, device, code, values, password)

    async def admit(self, by: Actor | By, device: str, org: str, name: str = "", label: Label | None = None) -> str:
        """Returns the new password: of one that is admitted already, too, whose old one is void."""
        async with self._store.reading() as reading:
            before = await self.row(reading, device, by)
        name = name or before.name or before.code
        search = await asyncio.to_thread(words, name, before.code)
        async with self._store.transaction() as transaction:
            row = await self.row(transaction, device, by)
            _may(by, row.org_id, row.label)
            values = {"name": name, "org_id": org, "label": str(label or row.label), "search": search}
            return await self._admit(transaction, by, device, row.code, values, "")

    async def _admit(
        self, transaction: Transaction, by: Actor | By, device: str, code: str, values: dict[str, Any], password: str
    ) -> str:
        await _organisation(transaction, values["org_id"])
        _may(by, values["org_id"], values["label"])
        password = password or new_password()
        sealed = self._vault.seal(password, device)
        said = {"state": "admitted", "password": sealed, "reason_code": "", "reason": "", "reason_en": ""}
        await self._write(transaction, device, **values, **said)
        await settle(transaction, device)
        await audit.record(transaction, by, "device.admit", device, object=f"{code} {values['name']}")
        return password

    async def refuse(self, by: Actor, device: str) -> None:
        """It is not let in any more; its cameras are shown no more, and keep their ids."""
        async with self._store.transaction() as transaction:
            row = await self.row(transaction, device, by)
            _may(by, row.org_id, row.label)
            await self._write(transaction, device, state="refused", online=False, password=b"")
            await _hide(transaction, device)
            await audit.record(transaction, by, "device.admit", device, object=f"refused {row.code} {row.name}")

    async def change(
        self,
        by: Actor,
        device: str,
        *,
        name: str | None = None,
        org: str | None = None,
        label: Label | None = None,
        way: str | None = None,
        options: Options | None = None,
    ) -> None:
        search = await asyncio.to_thread(words, name) if name is not None else ""
        async with self._store.transaction() as transaction:
            row = await self.row(transaction, device, by)
            _may(by, row.org_id, row.label)
            values: dict[str, Any] = {}
            if name is not None:
                values |= {"name": name, "search": f"{search} {row.code}"}
            if org is not None:
                await _organisation(transaction, org)
                values["org_id"] = org
            if label is not None:
                values["label"] = str(label)
            if way is not None:
                values["way"] = way
            if options is not None:
                values["options"] = msgspec.json.encode(options).decode()
            _may(by, values.get("org_id", row.org_id), values.get("label", row.label))
            if values:
                await self._write(transaction, device, **values)
            if "org_id" in values or "label" in values:
                await settle(transaction, device)
            said = " ".join(f"{key}={values[key]}" for key in ("org_id", "label", "way") if key in values)
            await audit.record(transaction, by, "device.admit", device, object=f"changed {row.code} {row.name} {said}".strip())

    async def delete(self, by: Actor, device: str) -> None:
        """Its cameras keep their ids: they are there again when a device with its code is."""
        async with self._store.transaction() as transaction:
            row = await self.row(transaction, device, by)
            _may(by, row.org_id, row.label)
            await _hide(transaction, device)
            await transaction.run(sa.delete(tables.camera_nodes).where(tables.camera_nodes.c.device_id == device))
            await transaction.run(sa.delete(tables.devices).where(_d.id == device))
            await audit.record(transaction, by, "device.admit", device, object=f"deleted {row.code} {row.name}")
            gone = replace(_known(row), state="deleted", online=False)
            transaction.after(lambda: self._drop(device))
            transaction.after(lambda: self._tell(gone))

    def _drop(self, device: str) -> None:
        if (known := self.by_id.pop(device, None)) is not None:
            del self.by_code[known.code]

    def _tell(self, device: Known) -> None:
        for hear in self.changed:
            hear(device)

    async def _write(self, transaction: Transaction, device: str, **values: Any) -> None:
        await transaction.run(sa.update(tables.devices).where(_d.id == device).values(**values))
        known = _known(await self.row(transaction, device))

        def done() -> None:
            self._keep(known)
            self._tell(known)

        transaction.after(done)

    # ---- by itself

    async def seen(self, transaction: Transaction, message: DeviceSeen) -> Known | None:
        """Somebody who is not admitted calls. What is new waits in quarantine; None when it is known already."""
        if DEVICE.fullmatch(message.device) is None:
            return None
        facts = {
            "address": clean(message.address, 100),
            "transport": clean(message.transport, 8),
            "version": clean(message.version, 16),
            "seen_at": utc_ns(),
        }
        row = await transaction.first(sa.select(tables.devices).where(_d.code == message.device))
        if row is not None:
            await transaction.run(sa.update(tables.devices).where(_d.id == row.id).values(**facts))
            return None
        waiting = sa.select(_d.id).where(_d.state == "quarantine").order_by(_d.seen_at.desc()).offset(QUARANTINE_LIMIT - 1)
        for old in await transaction.all(waiting):
            await transaction.run(sa.delete(tables.devices).where(_d.id == old.id))
            transaction.after(partial(self._drop, old.id))
        row_id = new_id()
        agent = {"manufacturer": clean(message.agent, 100)}
        await transaction.insert(tables.devices, {**blank(row_id, message.device), **facts, **agent})
        known = _known(await self.row(transaction, row_id))
        await audit.record(transaction, HUB, "device.admit", row_id, object=f"quarantine {message.device} {facts['address']}")
        transaction.after(lambda: self._keep(known))
        return known


def query() -> sa.Select[Any]:
    """Rows of devices, with the names of their organisations."""
    o = tables.organisations.c
    return sa.select(tables.devices, o.name.label("org_name")).outerjoin_from(
        tables.devices, tables.organisations, o.id == _d.org_id
    )


def blank(device: str, code: str) -> dict[str, Any]:
    """A row in quarantine that has said nothing."""
    texts = ("name", "way", "worked", "address", "transport", "version", "manufacturer", "model", "firmware")
    reasons = ("reason_code", "reason", "reason_en")
    return {
        "id": device,
        "code": code,
        "org_id": None,
        "label": str(Label.INTERNAL),
        "state": "quarantine",
        "password": b"",
        "options": "{}",
        "search": code,
        "online": False,
        "heartbeat": 0.0,
        "seen_at": None,
        "catalogue_state": "idle",
        "catalogue_received": 0,
        "catalogue_total": 0,
        "catalogue_at": None,
        "created_at": utc_ns(),
        **dict.fromkeys((*texts, *reasons), ""),
    }


def _known(row: sa.Row[Any]) -> Known:
    return Known(row.id, row.code, row.name, row.org_id, row.label, row.state, row.online)


def _may(by: Actor | By, org: str | None, label: str) -> None:
    if isinstance(by, Actor) and org is not None and not by.may("device.admit", org=org, label=label):
        raise Forbidden("The device belongs to an organisation you do not administer.", "该设备所属单位不在你的管理范围内。")


async def _organisation(transaction: Transaction, org: str) -> None:
    if await transaction.value(sa.select(tables.organisations.c.id).where(tables.organisations.c.id == org)) is None:
        raise NotFound("There is no such organisation.", "没有这个单位。")


async def _hide(transaction: Transaction, device: str) -> None:
    mine = tables.cameras.c.device_id == device
    await transaction.run(sa.update(tables.cameras).where(mine).values(gone=True, fingerprint=""))
    await transaction.next("cameras")
