"""Which files of a session are in the S3 store: lines that are appended to ``.stored`` in its folder; of a file the last counts.

What is torn or lost of it is put there once more. Blocking.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from msgspec import Struct

STORED = ".stored"


class Refused(OSError):
    """The store did not do it, or could not be reached."""


class Placed(Struct, frozen=True):
    """A file as it was when it was compared with the object: bytes, its mtime (UTC ns), what the store calls its contents.
    ``gone``: it is not there any more."""

    name: str
    size: int
    modified: int
    tag: str
    at: int
    gone: bool = False


_decode = msgspec.json.Decoder(Placed).decode


def load(folder: Path) -> dict[str, Placed]:
    """By their names in the session; none when nothing is there. OSError."""
    try:
        data = (folder / STORED).read_bytes()
    except FileNotFoundError:
        return {}
    out: dict[str, Placed] = {}
    for line in data.split(b"\n"):
        try:
            one = _decode(line)
        except msgspec.DecodeError:
            continue
        out.pop(one.name, None)
        if not one.gone:
            out[one.name] = one
    return out


def add(folder: Path, *placed: Placed) -> None:
    """On the disk when it returns. OSError."""
    fd = os.open(folder / STORED, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        # A line break first: what was torn before stays apart.
        os.write(fd, b"".join(b"\n" + msgspec.json.encode(one) for one in placed) + b"\n")
        os.fdatasync(fd)
    finally:
        os.close(fd)
