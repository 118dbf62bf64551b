"""What is done to the hub's records without a hub: importing, the sample city, proving the audit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub.auth import Auth
from commhub.devices import Registry
from commhub.directory import CameraEntry, Directory, Exchange, NewSignIn, WrongRows, new_password, read_city
from commhub.errors import Invalid
from commhub.model import HUB
from commhub.settings import Settings
from commhub.store import Store, tables
from commhub.vault import Vault

PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Records:
    """What stands on the database alone."""

    store: Store
    auth: Auth
    vault: Vault
    directory: Directory


@asynccontextmanager
async def records(settings: Settings) -> AsyncIterator[Records]:
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = Store(settings.database_url)
    await store.open()
    auth, vault = Auth(store), Vault(settings.data_dir / "keys")
    directory = Directory(store, auth, vault)
    await directory.open()
    try:
        yield Records(store, auth, vault, directory)
    finally:
        auth.close()
        await store.close()


async def import_city(settings: Settings, source: Path) -> str:
    """The sentence to print, with the sign-ins of accounts that are new. ``source``: a folder of TOML, or a CSV or JSON file."""
    if source.suffix in (".csv", ".json"):
        return await _import_file(settings, source)
    async with records(settings) as base:
        city = read_city(source)
        fresh = await base.directory.take_in(city)
    lines = [
        f"已导入 / imported: {len(city.organisation)} 单位, {len(city.person)} 人员, {len(city.camera)} 摄像机",
        *(f"{one.account}\t{one.password}\t{one.name}\t{', '.join(one.roles)}" for one in fresh),
    ]
    return "\n".join(lines)


async def verify_audit(settings: Settings) -> tuple[int, list[str]]:
    """Rows looked at, and what is wrong with the chain. Invalid: there is nothing to look at, or the heads cannot be read."""
    database = sa.make_url(settings.database_url)
    there = await asyncio.to_thread(Path(database.database or "").is_file)
    if database.get_backend_name() == "sqlite" and not there:
        raise Invalid(f"There is no database at {database.database}.", f"{database.database} 处没有数据库。")
    try:
        heads = await asyncio.to_thread(audit.read_heads, heads_file(settings))
    except OSError as error:
        raise Invalid(f"The heads cannot be read: {error}.", f"无法读取链首文件：{error}。") from None
    store = Store(settings.database_url)  # not opened: what is to be proved is not changed, nor brought up to date
    try:
        async with store.reading() as reading:
            return await audit.verify(reading, heads)
    except SQLAlchemyError as error:
        said = str(error).splitlines()[0]
        raise Invalid(f"The database cannot be read: {said}", f"无法读取数据库：{said}") from None
    finally:
        await store.close()


def heads_file(settings: Settings) -> Path:
    return settings.audit.heads or settings.data_dir / "audit-heads"


async def _import_file(settings: Settings, file: Path) -> str:
    try:
        data = await asyncio.to_thread(file.read_bytes)
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error}.", f"无法读取 {file}：{error}。") from None
    async with records(settings) as base:
        exchange = Exchange(base.store, base.vault)
        try:
            done = await exchange.take(HUB, data, "csv" if file.suffix == ".csv" else "json")
        except WrongRows as wrong:
            raise Invalid(*wrong.listed()) from None
    counts = [f"{type} +{one.created} ~{one.changed}" for type, one in done.entries.items() if one.created or one.changed]
    return f"已导入 / imported: {', '.join(counts) or '无变化 / nothing new'}"


def sample_city(package: Path = PACKAGE) -> Path:
    """Its folder: a wheel carries it in the package, a checkout has it beside."""
    inside = package / "sample-city"
    return inside if inside.is_dir() else package.parent / "configs" / "sample-city"


@dataclass(frozen=True, slots=True)
class SampleDevice:
    """A device that the sample city has when GB/T 28181 is on. ``kind`` is what simulates it, ``org`` a key of the city."""

    kind: str
    code: str
    name: str
    org: str


SAMPLE_DEVICES = (
    SampleDevice("gb28181", "99010200001180000001", "青石桥下穿录像机", "binjiang"),
    SampleDevice("platform", "99010300002000000001", "滨江区雪亮工程平台", "police"),
)


async def sample(settings: Settings, camera_port: int) -> dict[str, Any]:
    """The sample city with fresh sign-ins, its simulated camera at ``camera_port`` and its devices:
    ``{"sign_ins": […], "camera": {…}, "devices": [{kind, code, name, password}]}``."""
    city = read_city(sample_city())
    played = {"url": f"rtsp://127.0.0.1:{camera_port}/camera", "password": new_password()}
    cameras = [camera.model_copy(update=played) if _simulated(camera) else camera for camera in city.camera]
    simulated = next(camera for camera in cameras if _simulated(camera))
    async with records(settings) as base:
        await base.directory.take_in(city.model_copy(update={"camera": cameras}))
        sign_ins = await base.directory.sample_sign_ins()
        async with base.store.reading() as reading:
            key = tables.cameras.c.key
            identity = await reading.value(sa.select(tables.cameras.c.id).where(key == simulated.key))
        devices = await _sample_devices(base) if settings.gb28181.enabled else []
    return {
        "sign_ins": [_shown(one) for one in sign_ins],
        "devices": devices,
        "camera": {"id": identity, "name": simulated.name, "user": simulated.user, "password": simulated.password},
    }


async def _sample_devices(base: Records) -> list[dict[str, str]]:
    """Admitted, each with a new password."""
    registry, found = Registry(base.store, base.vault), []
    await registry.open()
    for one in SAMPLE_DEVICES:
        async with base.store.reading() as reading:
            organisations = tables.organisations.c
            org = await reading.value(sa.select(organisations.id).where(organisations.key == one.org))
        if known := registry.by_code.get(one.code):
            password = await registry.admit(HUB, known.id, org, one.name)
        else:
            _, password = await registry.create(HUB, one.code, one.name, org)
        found.append({"kind": one.kind, "code": one.code, "name": one.name, "password": password})
    return found


def _simulated(camera: CameraEntry) -> bool:
    return camera.key.startswith("simulated-")


def _shown(one: NewSignIn) -> dict[str, str]:
    order = ("admin", "dispatcher", "reviewer", "participant")
    role = min(one.roles, key=order.index, default="participant")
    return {"account": one.account, "password": one.password, "name": one.name, "role": role}
