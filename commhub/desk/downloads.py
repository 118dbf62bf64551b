"""Recordings that lie on devices become files here: asked for, fetched by the bridge, kept for a time.

What is wanted and how far it is stands in the database. The bridge goes on without a hub, and a restarted one of either asks the
other again; a download is never begun twice, for it is known by its id.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub import audit
from commhub import log as logs
from commhub.control import Control, Devices
from commhub.desk.download_views import OPEN, Bounds, DownloadView, percent_of, shown
from commhub.desk.storage import Storage
from commhub.directory import Directory
from commhub.errors import Busy, Conflict, Forbidden, HubError, Invalid, NotFound, Unavailable
from commhub.events import Audience, Events
from commhub.log import Limiter
from commhub.media.messages import Download, DownloadState, Message, StopDownload
from commhub.model import Actor, By, new_id, utc_ns
from commhub.store import Reading, Store, Transaction, tables
from commhub.tasks import Tasks
from commhub.views import Page

log = logs.get(__name__)

PER_PERSON = 8  # that are not over
SEARCH_SECONDS = 20.0
TICK = 2.0
SWEEP = 600.0
STEP = 5  # per cent between two events
FETCHED = 600.0  # seconds in which parts of a file are the same act
_d = tables.downloads.c


class Downloads:
    """``folder`` keeps the files."""

    def __init__(
        self, store: Store, events: Events, directory: Directory, control: Control, devices: Devices, folder: Path, bounds: Bounds
    ) -> None:
        self._store, self._events, self._directory = store, events, directory
        self._control, self._devices = control, devices
        self.storage, self._bounds = Storage(folder), bounds
        self._newest: dict[str, DownloadState] = {}  # of those that are fetched
        self._written: dict[str, DownloadState] = {}
        self._told: dict[str, float] = {}  # per cent
        self._changed = asyncio.Event()
        self._searching: set[str] = set()
        self._fetched = Limiter()
        self._tasks = Tasks("downloads")

    def start(self) -> None:
        self._tasks.spawn(self._run(), "run")
        self._tasks.spawn(self._sweep(), "sweep")

    async def close(self) -> None:
        await self._tasks.close()

    # ---- people

    async def create(self, actor: Actor, camera: str, start: datetime, end: datetime, english: bool = False) -> DownloadView:
        """The same again is the same download; one that has failed goes on. Refused for a camera that has no recordings."""
        begin, until = self._checked(start, end)
        record = await self._control.reachable(actor, camera, "camera.download")
        await self._room()
        async with self._store.transaction() as transaction:
            mine = [_d.person_id == actor.id]
            same = [_d.camera_id == camera, _d.begin == begin, _d.until == until]
            row = await transaction.first(sa.select(tables.downloads).where(*mine, *same).order_by(_d.id.desc()))
            if row is not None and row.state != "failed":
                return shown(await self._with_name(transaction, row), self._newest.get(row.id), self._bounds, english)
            waiting = await transaction.value(sa.select(sa.func.count()).where(*mine, _d.state.in_(OPEN)))
            if (waiting or 0) >= PER_PERSON:
                raise Busy(f"You download {PER_PERSON} recordings already.", f"最多同时下载 {PER_PERSON} 路录像。")
            if row is None:
                made = new_id()
                await transaction.insert(tables.downloads, {
                    "id": made, "camera_id": camera, "org_id": record.org.id, "label": str(record.label), "person_id": actor.id,
                    "name": record.name, "device": record.device, "channel": record.channel, "begin": begin, "until": until,
                    "first": 0, "last": 0, "made_at": utc_ns(), **_blank(),
                })  # fmt: skip
            else:
                made = row.id
                await transaction.run(sa.update(tables.downloads).where(_d.id == made).values(**_blank()))
            about = f"{record.name} {_local(begin)} – {_local(until)} {made}"
            await audit.record(transaction, actor, "camera.download", camera, object=about)
            fresh = await self._row(transaction, made)
            await self._tell(transaction, fresh)
        self._changed.set()
        return shown(fresh, None, self._bounds, english)

    async def listed(
        self, reader: Actor, *, camera: str | None = None, mine: bool = False, before: str | None = None, limit: int = 50,
        english: bool = False,
    ) -> Page[DownloadView]:  # fmt: skip
        """Newest first."""
        conditions = [_visible(reader)]
        if camera:
            conditions.append(_d.camera_id == camera)
        if mine:
            conditions.append(_d.person_id == reader.id)
        if before:
            conditions.append(_d.id < before)
        async with self._store.reading() as reading:
            rows = await reading.all(_query().where(*conditions).order_by(_d.id.desc()).limit(limit + 1))
        items = [shown(row, self._newest.get(row.id), self._bounds, english) for row in rows[:limit]]
        return Page(items=items, next=items[-1].id if len(rows) > limit else None)

    async def one(self, reader: Actor, download: str, english: bool = False) -> DownloadView:
        async with self._store.reading() as reading:
            row = await self._seen(reading, reader, download)
        return shown(row, self._newest.get(row.id), self._bounds, english)

    async def file(self, reader: Actor, download: str, *, whole: bool) -> tuple[Path, str]:
        """The MP4 and what to call it. Each fetch is audited; ``whole``: this begins one."""
        async with self._store.reading() as reading:
            row = await self._seen(reading, reader, download)
        path = self.storage.film(row.id)
        if row.state not in ("done", "failed") or not row.bytes:
            raise Conflict("The download is not finished.", "录像尚未下载完成。", code="not_ready")
        if not await asyncio.to_thread(path.is_file):
            raise NotFound("The file is gone.", "文件已不存在。")
        if self._fetched((reader.id, download), FETCHED) is not None or whole:
            async with self._store.transaction() as transaction:
                about = f"{row.name} {_local(row.begin)} – {_local(row.until)} sha256:{row.sha256}"
                await audit.record(transaction, reader, "camera.download", row.camera_id, object=about)
        return path, f"{row.name} {_local(row.begin)}.mp4"

    async def remove(self, actor: Actor, download: str) -> None:
        """Ends it, takes the file away. By who made it, or who admits devices there."""
        async with self._store.reading() as reading:
            row = await self._seen(reading, actor, download)
        if row.person_id != actor.id and not actor.may("device.admit", org=row.org_id, label=row.label):
            raise Forbidden("This is somebody else's download.", "这是他人的下载。")
        if row.state in OPEN and self._devices.up:
            with contextlib.suppress(Unavailable):
                await self._devices.ask(StopDownload(download))
        async with self._store.transaction() as transaction:
            await transaction.run(sa.delete(tables.downloads).where(_d.id == download))
            about = f"{row.name} {_local(row.begin)} – {_local(row.until)} ×"
            await audit.record(transaction, actor, "camera.download", row.camera_id, object=about)
            await self._tell(transaction, row, gone=True)
        self._forget(download)
        await asyncio.to_thread(self.storage.remove, download)
        self._changed.set()

    def _checked(self, start: datetime, end: datetime) -> tuple[int, int]:
        longest = self._bounds.longest
        hours = longest / timedelta(hours=1)
        if not timedelta(seconds=1) <= end - start <= longest:
            raise Invalid(
                f"The time must end after it begins, within {hours:g} hours.", f"时间段须有先后，且不超过 {hours:g} 小时。"
            )
        if start.timestamp() < 1 or end > datetime.now(UTC) + timedelta(seconds=5):
            raise Invalid("There are no recordings of that time.", "该时间尚无录像。")
        return int(start.timestamp()), -int(-end.timestamp() // 1)

    async def _room(self) -> None:
        used, free = await asyncio.to_thread(lambda: (self.storage.used(), self.storage.free()))
        if free < self._bounds.free:
            raise Unavailable("The disk is full.", "磁盘空间不足，无法下载。", code="disk_full", status=507)
        if used >= self._bounds.total:
            raise Unavailable(
                "There is no more room for downloads: delete old ones.",
                "下载空间已满，请先删除旧的下载。",
                code="full",
                status=507,
            )

    async def _seen(self, reading: Reading, reader: Actor, download: str) -> sa.Row[Any]:
        row = await reading.first(_query().where(_d.id == download, _visible(reader)))
        if row is None:
            raise NotFound("There is no such download.", "没有这个下载。")
        return row

    async def _row(self, reading: Reading, download: str) -> sa.Row[Any]:
        row = await reading.first(_query().where(_d.id == download))
        assert row is not None
        return row

    async def _with_name(self, reading: Reading, row: sa.Row[Any]) -> sa.Row[Any]:
        return await self._row(reading, row.id)

    # ---- the bridge

    def linked(self, snapshot: Message, tell: Callable[[Message], None]) -> None:
        """It may be another one, which knows of nothing."""
        self._newest.clear()
        self._changed.set()

    def unlinked(self) -> None:
        """Whoever looks sees where it stood."""

    def receive(self, message: Message) -> None:
        if isinstance(message, DownloadState):
            self._newest[message.download] = message
            self._changed.set()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self.look()
            except (SQLAlchemyError, HubError):
                log.exception("downloads not seen to")
                await asyncio.sleep(TICK)

    async def look(self) -> None:
        """Once: writes what the bridge has told, begins what can begin."""
        for state in list(self._newest.values()):
            if self._written.get(state.download) != state:
                await self._write(state)
        if not self._devices.up:
            return
        async with self._store.reading() as reading:
            rows = await reading.all(_query().where(_d.state.in_(OPEN)).order_by(_d.id))
        busy = {row.device for row in rows if row.state != "waiting"}
        running = sum(row.state != "waiting" for row in rows)
        for row in rows:
            if row.state != "waiting":
                if row.id not in self._newest and row.id not in self._searching:
                    self._fetch(row)
            elif running < self._bounds.at_once and row.device not in busy:
                running += 1
                busy.add(row.device)
                await self._turn(row.id, state="connecting")
                self._fetch(row)

    def _fetch(self, row: sa.Row[Any]) -> None:
        self._searching.add(row.id)
        self._tasks.spawn(self._search(row), "fetch")

    async def _search(self, row: sa.Row[Any]) -> None:
        """What the device has of that time is asked first: a film begins with its first picture, whenever that was taken."""
        first, last = row.first, row.last
        try:
            if not first:
                found = await self._recorded(row)
                if found == (0, 0):
                    await self._turn(
                        row.id, state="failed", over_at=utc_ns(), code="no_recording",
                        text="The device has no recording of this time.", text_zh="设备没有该时段的录像。",
                    )  # fmt: skip
                    return
                first, last = found
                await self._turn(row.id, first=first, last=last)
            path = str(self.storage.path(row.id))
            bounds = self._bounds
            await self._devices.ask(
                Download(download=row.id, device=row.device, channel=row.channel, begin=first, end=last, path=path,
                         limit=bounds.limit, free=bounds.free, speed=bounds.speed)
            )  # fmt: skip
        except HubError as error:
            log.info("download waits", download=row.id, reason=error.message)
            await asyncio.sleep(TICK)
        finally:
            self._searching.discard(row.id)

    async def _recorded(self, row: sa.Row[Any]) -> tuple[int, int]:
        """``(beginning, end)`` of what there is, (0, 0) for nothing; a device that does not say is believed to have all."""
        try:
            record = await self._directory.camera(row.camera_id)
            values = {"start": str(row.begin * 10**9), "end": str(row.until * 10**9), "kind": "all"}
            answer = await self._control.ask(record, "records", values, SEARCH_SECONDS)
        except HubError:
            return row.begin, row.until
        if not answer.complete:
            return row.begin, row.until
        spans = [(int(one["start"]) // 10**9, int(one["end"]) // 10**9) for one in answer.items if _times(one)]
        inside = [(max(begin, row.begin), min(end, row.until)) for begin, end in spans if begin < row.until and end > row.begin]
        if not inside:
            return (0, 0) if len(spans) == len(answer.items) else (row.begin, row.until)
        return min(begin for begin, _ in inside), max(end for _, end in inside)

    # ---- records

    async def _write(self, state: DownloadState) -> None:
        over = state.state in ("done", "failed")
        values: dict[str, Any] = {
            "state": state.state, "seconds": state.seconds, "received": state.octets, "size": state.size, "lost": state.lost,
            "pictures": state.pictures, "bytes": state.bytes, "sha256": state.sha256, "code": state.code, "text": state.text,
            "text_zh": state.text_zh,
        }  # fmt: skip
        if over:
            values["over_at"] = utc_ns()
        known = await self._turn(state.download, **values)
        self._written[state.download] = state
        if over or not known:
            self._devices.tell(StopDownload(state.download))
            self._forget(state.download)
            if state.state == "done" or not known:
                await asyncio.to_thread(self.storage.settle if known else self.storage.remove, state.download)
            self._changed.set()

    async def _turn(self, download: str, **values: Any) -> bool:
        """False when there is no such download any more."""
        async with self._store.transaction() as transaction:
            before = await transaction.first(_query().where(_d.id == download))
            if before is None:
                return False
            if before.state in ("done", "failed") and values.get("state") not in (None, "waiting"):
                return True  # an old word
            await transaction.run(sa.update(tables.downloads).where(_d.id == download).values(**values))
            row = await self._row(transaction, download)
            percent = percent_of(row)
            if row.state != before.state or abs(percent - self._told.get(download, 0.0)) >= STEP:
                self._told[download] = percent
                await self._tell(transaction, row)
        return True

    def _forget(self, download: str) -> None:
        for kept in (self._newest, self._written, self._told):
            kept.pop(download, None)

    async def _tell(self, transaction: Transaction, row: sa.Row[Any], *, gone: bool = False) -> None:
        about = shown(row, None, self._bounds, False).model_dump(mode="json")
        about["reason"] = {"code": row.code, "text": row.text_zh, "text_en": row.text} if row.code else None
        await self._events.emit(
            transaction, "download.state", subject=row.id, org=row.org_id, label=row.label, audience=Audience([row.person_id]),
            by=By(row.person_name, row.person_id), data={"download": {**about, "gone": gone}},
        )  # fmt: skip

    # ---- keeping

    async def _sweep(self) -> None:
        while True:
            try:
                await self.sweep(utc_ns())
            except SQLAlchemyError:
                log.exception("old downloads not taken away")
            await asyncio.sleep(SWEEP)

    async def sweep(self, now: int) -> None:
        """Takes away what was kept long enough, and files of no download."""
        before = now - int(self._bounds.keep.total_seconds() * 1e9)
        async with self._store.transaction() as transaction:
            rows = await transaction.all(_query().where(_d.over_at > 0, _d.over_at < before).limit(100))
            for row in rows:
                await transaction.run(sa.delete(tables.downloads).where(_d.id == row.id))
                await self._tell(transaction, row, gone=True)
        async with self._store.reading() as reading:
            known = {row.id for row in await reading.all(sa.select(_d.id))}
        for row in rows:
            await asyncio.to_thread(self.storage.remove, row.id)
        gone = await asyncio.to_thread(self.storage.sweep, known)
        if rows or gone:
            log.info("downloads taken away", downloads=len(rows), files=gone)


# ---- shapes


def _blank() -> dict[str, Any]:
    return {
        "state": "waiting", "seconds": 0.0, "received": 0, "size": 0, "pictures": 0, "lost": 0, "bytes": 0, "sha256": "",
        "code": "", "text": "", "text_zh": "", "over_at": 0,
    }  # fmt: skip


def _query() -> sa.Select[Any]:
    people, orgs = tables.people.c, tables.organisations.c
    joined = tables.downloads.join(tables.people, people.id == _d.person_id).join(tables.organisations, orgs.id == people.org_id)
    return sa.select(tables.downloads, people.name.label("person_name"), orgs.name.label("person_org")).select_from(joined)


def _visible(reader: Actor) -> sa.ColumnElement[bool]:
    scopes = [sa.and_(_d.org_id.in_(orgs), _d.label.in_(labels)) for orgs, labels in reader.scopes("camera.download")]
    return sa.or_(sa.false(), *scopes)


def _times(item: dict[str, str]) -> bool:
    return all(item.get(name, "").isascii() and item.get(name, "").isdigit() for name in ("start", "end"))


def _local(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H.%M.%S}"
