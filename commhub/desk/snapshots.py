"""Pictures of cameras, kept: taken of the stream in a process of its own, with a hash, a row of audit and an event."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from commhub import audit
from commhub import log as logs
from commhub.conference import Conference
from commhub.desk.album import Album, Snapshot
from commhub.desk.uploads import Uploads
from commhub.directory import CameraRecord, Directory
from commhub.errors import Forbidden, NotFound, Unavailable
from commhub.events import Events
from commhub.feeds import MAIN, Feeds, Seats, seat_of
from commhub.log import Limiter
from commhub.model import Actor, Label, iso, new_id, utc_ns
from commhub.rooms import InternalKey
from commhub.store import Store, tables
from commhub.views import Member

log = logs.get(__name__)

AT_ONCE = 3  # processes
WITHIN = 8.0  # seconds for the picture; a camera that is closed has to be opened first
LIMIT = 8 << 20  # octets
LEAST_FREE = 256 << 20  # octets the disk must keep
ROOM = "snapshot_"  # begins the names of rooms in which a closed camera is opened for its picture
VIEWED = 3600.0  # seconds in which looking again at the same picture is the same act
_s = tables.snapshots.c

#: ``(worker, room, identity)`` → JPEG; Unavailable with a sentence.
Taking = Callable[[str, str, str], Awaitable[bytes]]


class Snapshots:
    def __init__(
        self,
        store: Store,
        events: Events,
        directory: Directory,
        feeds: Feeds,
        conference: Conference,
        key: InternalKey,
        folder: Path,
        taking: Taking,
        uploads: Uploads,
        keep_days: float = 0,
    ) -> None:
        self._store, self._events, self._directory, self._feeds = store, events, directory, feeds
        self._conference, self._key, self._folder, self._taking = conference, key, folder, taking
        self.uploads, self.album = uploads, Album(store, self._path, keep_days)
        self._seats = Seats(conference, feeds)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._viewed = Limiter()
        self._opened: set[str] = set()  # rooms of our own

    async def take(self, actor: Actor, camera: str) -> Snapshot:
        """NotFound, Forbidden; Unavailable when no picture came."""
        record = await self._directory.camera(camera)
        self._check(actor, record.org.id, record.label)
        async with self._turns:
            data = await self.uploads.picture(record) or await self._picture(record)
        made, digest, at = new_id(), hashlib.sha256(data).hexdigest(), utc_ns()
        await asyncio.to_thread(self._keep, made, at, data)
        shown = Snapshot(
            id=made,
            camera_id=camera,
            url=f"/api/v1/snapshots/{made}",
            sha256=digest,
            at=iso(at),
            by=Member(id=actor.id, name=actor.name, org_name=actor.org_name),
        )
        row = {
            "id": made, "camera_id": camera, "org_id": record.org.id, "label": str(record.label), "at": at,
            "person_id": actor.id, "sha256": digest, "bytes": len(data),
        }  # fmt: skip
        async with self._store.transaction() as transaction:
            await transaction.insert(tables.snapshots, row)
            await audit.record(transaction, actor, "camera.snapshot", camera, object=f"{record.name} sha256:{digest}")
            await self._events.emit(
                transaction,
                "camera.snapshot",
                subject=camera,
                org=record.org.id,
                label=record.label,
                by=actor,
                data={"camera": {"id": camera, "name": record.name}, "snapshot": shown.model_dump(mode="json")},
            )
        return shown

    async def file(self, actor: Actor, id: str) -> Path:
        """The JPEG. NotFound, Forbidden."""
        async with self._store.reading() as reading:
            row = await reading.first(sa.select(tables.snapshots).where(_s.id == id))
        if row is None or not actor.may("camera.list", org=row.org_id, label=row.label):
            raise NotFound("There is no such snapshot.", "没有这张抓拍。")
        self._check(actor, row.org_id, row.label)
        path = self._path(row.id, row.at)
        if not path.is_file():
            raise NotFound("The snapshot's file is gone.", "抓拍文件已不存在。")
        if self._viewed((actor.id, id), VIEWED) is not None:
            async with self._store.transaction() as transaction:
                await audit.record(transaction, actor, "camera.download", row.camera_id, object=f"snapshot {id}")
        return path

    def _check(self, actor: Actor, org: str, label: Label | str) -> None:
        if not actor.may("camera.list", org=org, label=label):
            raise NotFound("There is no such camera.", "没有这个摄像机。")
        if not actor.may("camera.snapshot", org=org, label=label):
            raise Forbidden("You may not take pictures of this camera.", "没有抓拍该摄像机的权限。")

    # ---- the picture

    async def _picture(self, record: CameraRecord) -> bytes:
        for room in sorted(self._feeds.rooms(record.id)):
            if worker := self._feeds.worker_of(room):
                return await self._taking(worker, room, seat_of(record.id))
        room = ROOM + new_id()
        self._opened.add(room)
        await self._conference.open(room, key=self._key.name)
        try:
            await self._seats.add(room, record.id, name=record.name, org=record.org.name, audio=False, layers=(MAIN,))
            async with asyncio.timeout(WITHIN):
                while not (worker := self._feeds.worker_of(room)):  # noqa: ASYNC110 (nobody tells)
                    await asyncio.sleep(0.05)
            return await self._taking(worker, room, seat_of(record.id))
        except TimeoutError:
            raise Unavailable("The media service is being restarted.", "媒体服务正在重启，请稍候。") from None
        finally:
            self._opened.discard(room)
            self._feeds.detach(record.id, room)
            await self._conference.close(room)

    async def close_left(self) -> None:
        """Rooms that a hub before this one opened for a picture."""
        for room in set(self._conference.named(ROOM)) - self._opened:
            await self._conference.close(room)

    # ---- the file

    def _path(self, id: str, at: int) -> Path:
        return self._folder / f"{datetime.fromtimestamp(at / 1e9, UTC):%Y-%m}" / f"{id}.jpg"

    def _keep(self, id: str, at: int, data: bytes) -> None:
        path = self._path(id, at)
        try:
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            if shutil.disk_usage(path.parent).free < LEAST_FREE:
                raise Unavailable("The disk is full: the picture was not kept.", "磁盘空间不足，抓拍未保存。", code="disk_full")
            temporary = path.with_suffix(".part")
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        except OSError as error:
            log.error("snapshot not kept", error=error.strerror)
            raise Unavailable("The picture could not be kept.", "抓拍保存失败，请联系管理员。", code="disk") from None


def from_the_stream(run_dir: Path) -> Taking:
    """Takes it with ``python -m recorder.picture``."""

    async def take(worker: str, room: str, identity: str) -> bytes:
        said = {"run_dir": str(run_dir), "worker": worker, "room": room, "identity": identity, "seconds": WITHIN}
        process = await asyncio.create_subprocess_exec(
            "nice", "-n", "5", sys.executable, "-m", "recorder.picture",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(WITHIN + 4):
                data, wrong = await process.communicate(json.dumps(said).encode())
        except TimeoutError:
            data, wrong = b"", b"No picture came in time."
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode != 0 or not data.startswith(b"\xff\xd8") or len(data) > LIMIT:
            sentence = wrong.decode(errors="replace").strip().splitlines()[-1:] or ["No picture came."]
            log.warning("no picture taken", room=room, reason=sentence[0][:200])
            raise Unavailable(
                "No picture could be taken: the camera shows nothing just now.",
                "未能抓拍：摄像机当前没有画面。",
                code="no_picture",
            )
        return data

    return take
