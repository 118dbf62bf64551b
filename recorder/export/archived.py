"""A zip that is written as it is filled (zip64), with the digest of each file in it. Blocking."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import BinaryIO, Self

from recorder import seals
from recorder.export.recipe import Part

_DATE = (1980, 1, 1, 0, 0, 0)
Wrote = Callable[[int], None]  # bytes so far


class Zip:
    """Names are the project's own: letters, digits, ``. _ - /``. Media do not shrink: nothing is compressed but text."""

    def __init__(self, file: BinaryIO, algorithm: str, wrote: Wrote = lambda total: None) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._algorithm, self._wrote = algorithm, wrote
        self.parts: list[Part] = []
        self.total = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._zip.close()

    def add(self, name: str, data: bytes, *, listed: bool = True) -> None:
        """A small file. ``listed``: it is one of :attr:`parts`."""
        info = zipfile.ZipInfo(name, _DATE)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        self._zip.writestr(info, data)
        self._count(len(data))
        if listed:
            self.parts.append(Part(name, len(data), seals.digest(self._algorithm, data).hex()))

    def stream(self, name: str, blocks: Iterable[bytes]) -> Part:
        info = zipfile.ZipInfo(name, _DATE)
        info.external_attr = 0o644 << 16
        digest, size = seals.begin(self._algorithm), 0
        with self._zip.open(info, "w", force_zip64=True) as file:
            for block in blocks:
                file.write(block)
                digest.update(block)
                size += len(block)
                self._count(len(block))
        part = Part(name, size, digest.digest().hex())
        self.parts.append(part)
        return part

    def _count(self, size: int) -> None:
        self.total += size
        self._wrote(self.total)
