"""One export, from its order to the signed file. Blocking: in a process of its own."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from msgspec import Struct

from commhub.archive import PART, Archive, Reader, of_export
from commhub.archive.archive import RemoteFiles
from commhub.archive.keys import OneKey
from commhub.archive.sealed import SessionKey
from commhub.media.messages.exports import Export
from recorder import exported, seals
from recorder.export import bundle, fonts, originals, recipe, report
from recorder.export.archived import Zip
from recorder.export.film import Film
from recorder.export.fronting import fronted
from recorder.export.recipe import Part
from recorder.export.taken import Taken, Trouble, blocks, clock
from recorder.keys import Keys
from recorder.shelf import sync_folder

CHECKED = 0.5  # s between two looks at the disk
DRAWN = "drawn"  # a film whose index is last
NAMES = {"film": "film.mp4", "tracks": "tracks.zip", "bundle": "bundle.zip"}

TOO_LARGE = Trouble("too_large", "The export would be larger than it may be.", "导出内容超过大小上限。")
DISK_FULL = Trouble("disk_full", "The disk is nearly full.", "磁盘空间不足。")


class Work(Struct, frozen=True):
    """``folder`` is the export's own: whatever is in it goes. ``recordings`` and ``keys`` as the recorder has them."""

    order: Export
    folder: str
    recordings: str
    keys: str
    signature: str = "ed25519"
    digest: str = "sha256"
    secret: tuple[str, str] | None = None  # of an encrypted session: algorithm, key (hexadecimal digits)
    store: dict[str, Any] | None = None  # commhub.archive.s3.Terms


class Made(Struct, frozen=True):
    """``size`` and ``sha256`` are of what was made, ``lies`` bytes of it lie on the disk: more when it is encrypted. ``text``:
    what is less than it might be."""

    file: str
    size: int
    sha256: str
    lies: int
    text: str = ""
    text_zh: str = ""


class Drafts:
    """What is in an export's folder while it is made: nothing that is plain where its session is encrypted."""

    def __init__(self, archive: Archive, order: Export, folder: Path) -> None:
        self._archive, self._order, self._folder = archive, order, folder

    def path(self, name: str) -> Path:
        return self._folder / f"{name}{PART}"

    def write(self, name: str) -> BinaryIO:
        return self._archive.draft(self._order.session, of_export(self._order.export, name), self.path(name))

    def read(self, name: str) -> Reader:
        return self._archive.made(self._order.session, of_export(self._order.export, name), self.path(name))

    def drop(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    def clear(self) -> None:
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        for path in self._folder.iterdir():
            path.unlink()

    def settle(self, name: str) -> int:
        """It is whole, and on the disk; its bytes there."""
        path = self.path(name)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
            size = os.fstat(fd).st_size
        finally:
            os.close(fd)
        path.rename(path.with_suffix(""))
        sync_folder(self._folder)
        return size


class Cutting:
    """A file of the moment among them."""

    NAME = "cut"

    def __init__(self, drafts: Drafts) -> None:
        self._drafts = drafts

    def draft(self) -> BinaryIO:
        return self._drafts.write(self.NAME)

    def read(self) -> Reader:
        return self._drafts.read(self.NAME)

    def drop(self) -> None:
        self._drafts.drop(self.NAME)


class Maker:
    """``tell`` hears per cent."""

    def __init__(self, work: Work, tell: Callable[[float], None], archive: Archive | None = None) -> None:
        self._work, self._order, self._tell = work, work.order, tell
        self._archive = archive or _archive(work)
        self._folder = Path(work.folder)
        self._drafts = Drafts(self._archive, work.order, self._folder)
        self._name = NAMES[work.order.kind]
        self._checked = 0.0

    def make(self) -> Made:
        """:class:`Trouble`, OSError; nothing is left behind then."""
        order = self._order
        try:
            self._drafts.clear()
            taken = Taken(self._archive, order.session, order.from_ms, order.to_ms, order.tracks)
            if not taken.lanes and order.kind != "bundle":
                raise Trouble("empty", "Nothing of this time is recorded and signed.", "该时段没有已录制并签名的内容。")
            try:
                self._film(taken) if order.kind == "film" else self._zip(taken)
            except (OSError, ValueError):
                taken.check()  # it was the recording, not the disk
                raise
            taken.check()
            with self._drafts.read(self._name) as made:
                size, digest = made.size, _digest(made, "sha256")
            if size > order.limit:
                raise TOO_LARGE
            lies = self._drafts.settle(self._name)
            text, text_zh = _less(taken, order.kind)
            return Made(self._name, size, digest, lies, text, text_zh)
        except BaseException:
            self._drafts.clear()
            raise

    def _when(self) -> tuple[str, int]:
        """Local time as it is read, and its offset (s)."""
        moment = datetime.fromtimestamp(self._order.at / 1e9).astimezone()
        offset = moment.utcoffset()
        return moment.strftime("%Y-%m-%d %H:%M:%S"), int(offset.total_seconds()) if offset else 0

    def _watch(self, percent: float, name: str = "") -> None:
        now = time.monotonic()
        if now - self._checked < CHECKED:
            return
        self._checked = now
        path = self._drafts.path(name or self._name)
        if path.exists() and path.stat().st_size > self._order.limit:
            raise TOO_LARGE
        if shutil.disk_usage(self._folder).free < self._order.free:
            raise DISK_FULL
        self._tell(min(99.0, percent))

    def _film(self, taken: Taken) -> None:
        """Drawn, then its index put first, then signed."""
        order = self._order
        when, _ = self._when()
        film = Film(taken, order.layout, order.tracks, order.chat, order.by, when)
        with self._drafts.write(DRAWN) as file:
            film.write(file, lambda percent: self._watch(percent * 0.9, DRAWN))
        digest, size = seals.begin(self._work.digest), 0
        with self._drafts.write(self._name) as file:
            with self._drafts.read(DRAWN) as drawn:
                for block in fronted(drawn):
                    file.write(block)
                    digest.update(block)
                    size += len(block)
                    self._watch(90 + 8 * size / max(1, drawn.size))
            self._drafts.drop(DRAWN)
            sources = [taken.part(source, self._work.digest) for source in bundle.sources(taken)]
            document = self._signed(taken, [Part(exported.FILM, size, digest.digest().hex())], sources)
            file.write(exported.behind(document))

    def _zip(self, taken: Taken) -> None:
        total = max(1, bundle.expected(taken))
        algorithm = self._work.digest
        keys = Keys(Path(self._work.keys), self._work.signature)
        with (
            self._drafts.write(self._name) as file,
            Zip(file, algorithm, lambda written: self._watch(100 * written / total)) as zip,
        ):
            if self._order.kind == "bundle":
                when, offset = self._when()
                key = keys.current().public.id
                said = report.Said(self._order.export, self._order.by, when, offset, key, algorithm)
                sources = bundle.write(taken, zip, said, keys.history)
            else:
                originals.write(taken, zip, Cutting(self._drafts))
                sources = [taken.part(source, algorithm) for source in bundle.sources(taken)]
            zip.add(recipe.DOCUMENT, self._signed(taken, list(zip.parts), sources), listed=False)

    def _signed(self, taken: Taken, files: list[Part], sources: list[Part]) -> bytes:
        order = self._order
        keys = Keys(Path(self._work.keys), self._work.signature)
        return recipe.sign(
            {
                "export": order.export, "kind": order.kind, **taken.recipe(),
                "layout": order.layout if order.kind == "film" else "",
                "tracks": [lane.id for lane in taken.lanes], "chat": order.chat, "by": order.by, "at": order.at // 1_000_000,
                "algorithm": self._work.digest, "files": [part.document() for part in files],
                "sources": [part.document() for part in sources],
            },
            keys.current(),
            keys.history,
        )  # fmt: skip


def _less(taken: Taken, kind: str) -> tuple[str, str]:
    """What it has not that it might have."""
    said = [fonts.NO_LETTERS] if kind == "film" and fonts.face() is None else []
    if taken.beyond:
        until = clock(taken.to_ms)
        still = (f"It ends at {until}: the recording still runs.", f"录制仍在进行，本次导出到 {until} 为止。")
        said.append(still if taken.running else (f"It ends at {until}, as the recording does.", f"录制到 {until} 为止。"))
    return " ".join(text for text, _ in said), "".join(text for _, text in said)


def _archive(work: Work) -> Archive:
    key = OneKey(work.order.session, SessionKey(bytes.fromhex(work.secret[1]), work.secret[0])) if work.secret else None
    remote: RemoteFiles | None = None
    if work.store is not None:
        from commhub.archive import s3  # nobody loads it who has none

        remote = s3.Remote(msgspec.convert(work.store, s3.Terms))
    return Archive(Path(work.recordings), key, remote)


def _digest(reader: Reader, algorithm: str) -> str:
    found = seals.begin(algorithm)
    for block in blocks(reader, 0, reader.size):
        found.update(block)
    return found.digest().hex()
