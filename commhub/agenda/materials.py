"""Materials of a scheduled consultation: files beside the recordings, for whoever may see it. What a file is says its content."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import sqlalchemy as sa

from commhub import audit
from commhub.agenda import records, rules
from commhub.agenda.agenda import Agenda, materials
from commhub.agenda.shapes import Material
from commhub.errors import Conflict, Invalid, NotFound
from commhub.model import Actor, new_id, utc_ns
from commhub.store import Store, tables

_m = tables.agenda_materials.c
#: Ending → content type, and how such a file begins; text has no beginning, but no zeros either.
TYPES: dict[str, tuple[str, tuple[bytes, ...]]] = {
    ".pdf": ("application/pdf", (b"%PDF-",)),
    ".png": ("image/png", (b"\x89PNG\r\n\x1a\n",)),
    ".jpg": ("image/jpeg", (b"\xff\xd8\xff",)),
    ".jpeg": ("image/jpeg", (b"\xff\xd8\xff",)),
    ".docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", (b"PK\x03\x04",)),
    ".xlsx": ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", (b"PK\x03\x04",)),
    ".pptx": ("application/vnd.openxmlformats-officedocument.presentationml.presentation", (b"PK\x03\x04",)),
    ".ofd": ("application/ofd", (b"PK\x03\x04",)),
    ".txt": ("text/plain", ()),
    ".csv": ("text/csv", ()),
    ".md": ("text/markdown", ()),
}
TEXT = frozenset({".txt", ".csv", ".md"})
HEAD = 512


@dataclass(frozen=True, slots=True)
class Room:
    """Octets of a ``file`` and of a consultation's files in ``total``, and how many there may be."""

    file: int = 32 << 20
    total: int = 256 << 20
    count: int = 50


class Materials:
    """``folder`` is made when the first file comes."""

    def __init__(self, store: Store, agenda: Agenda, folder: Path, room: Room | None = None) -> None:
        self._store, self._agenda, self._folder, self._room = store, agenda, folder, room or Room()

    async def add(self, actor: Actor, item: str, name: str, parts: AsyncIterator[bytes]) -> Material:
        """``parts`` are read up to the limit, and not at all from who may not. Invalid says what is wrong with the file."""
        ending = check_name(name)
        async with self._store.reading() as reading:
            rules.editable(await records.one(reading, item), actor)
            known = await materials(reading, _m.item_id == item)
        if len(known) >= self._room.count:
            text = f"There are {self._room.count} files already."
            raise Conflict(text, f"每场会商最多 {self._room.count} 个材料。", code="too_many")
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        id = new_id()
        passing = self._folder / f".{id}-{secrets.token_hex(8)}"
        left = self._room.total - sum(one.size for one in known)
        try:
            size, digest = await self._take(passing, ending, parts, left)
            async with self._store.transaction() as transaction:
                rules.editable(await records.one(transaction, item), actor)
                row = {"id": id, "item_id": item, "name": name, "type": TYPES[ending][0], "size": size, "digest": digest}
                await transaction.insert(tables.agenda_materials, {**row, "added_by": actor.id, "added_at": utc_ns()})
                (made,) = await materials(transaction, _m.id == id)
                await self._agenda.say(transaction, "agenda.changed", item, actor, {"material": id})
                await audit.record(transaction, actor, rules.EDIT, item, object=f"material {name}")
                await asyncio.to_thread(os.replace, passing, self._folder / id)
        finally:
            await asyncio.to_thread(passing.unlink, missing_ok=True)
        return made

    async def open(self, actor: Actor, item: str, material: str) -> tuple[Path, Material]:
        """Written into the audit before it is given out. NotFound."""
        async with self._store.transaction() as transaction:
            rules.visible(await records.one(transaction, item), actor)
            found = await materials(transaction, _m.id == material, _m.item_id == item)
            if not found:
                raise NotFound("There is no such file.", "没有这个材料。")
            await audit.record(transaction, actor, "agenda.list", item, object=f"material {found[0].name}")
        return self._folder / material, found[0]

    async def remove(self, actor: Actor, item: str, material: str) -> None:
        async with self._store.transaction() as transaction:
            rules.editable(await records.one(transaction, item), actor)
            found = await materials(transaction, _m.id == material, _m.item_id == item)
            if not found:
                raise NotFound("There is no such file.", "没有这个材料。")
            await transaction.run(sa.delete(tables.agenda_materials).where(_m.id == material))
            await self._agenda.say(transaction, "agenda.changed", item, actor, {"material": material})
            await audit.record(transaction, actor, rules.EDIT, item, object=f"remove material {found[0].name}")
        await asyncio.to_thread((self._folder / material).unlink, missing_ok=True)

    def check_size(self, size: int) -> None:
        """Invalid, before anything is read of a file that says it is too large."""
        if size > self._room.file:
            raise self._too_large()

    def _too_large(self) -> Invalid:
        one, together = self._room.file >> 20, self._room.total >> 20
        text = f"Files have at most {one} MB, {together} MB together."
        return Invalid(text, f"单个文件最大 {one} MB，合计最大 {together} MB。", code="too_large", status=413)

    async def _take(self, file: Path, ending: str, parts: AsyncIterator[bytes], left: int) -> tuple[int, str]:
        size, digest, head = 0, hashlib.sha256(), b""
        out = await asyncio.to_thread(file.open, "xb")
        try:
            async for part in parts:
                size += len(part)
                if size > min(self._room.file, left):
                    raise self._too_large()
                if len(head) < HEAD:
                    head += part[: HEAD - len(head)]
                    if len(head) >= HEAD:
                        check_head(ending, head)
                digest.update(part)
                await asyncio.to_thread(out.write, part)
            if not size:
                raise Invalid("The file is empty.", "文件为空。", code="empty")
            check_head(ending, head)
            await asyncio.to_thread(_settle, out)
        finally:
            await asyncio.to_thread(out.close)
        return size, digest.hexdigest()


def check_name(name: str) -> str:
    """Its ending. Invalid."""
    if not 1 <= len(name) <= 200 or not name.isprintable() or "/" in name or "\\" in name or name.startswith("."):
        raise Invalid("The name of the file cannot be used.", "文件名无效。", code="name")
    ending = Path(name).suffix.lower()
    if ending not in TYPES:
        raise Invalid(
            f"Files may be {', '.join(sorted(TYPES))}.", f"支持的文件类型：{'、'.join(sorted(TYPES))}。", code="type", status=415
        )
    return ending


def check_head(ending: str, head: bytes) -> None:
    """Is it what its name says? Invalid."""
    begins = TYPES[ending][1]
    if (begins and not head.startswith(begins)) or (ending in TEXT and b"\0" in head):
        raise Invalid("The file is not what its name says.", "文件内容与扩展名不符。", code="type", status=415)


def _settle(out: BinaryIO) -> None:
    """The transaction that follows names the file: it must not name one that a power cut takes away."""
    out.flush()
    os.fsync(out.fileno())


__all__ = ["TYPES", "Materials", "Room"]
