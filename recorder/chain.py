"""A journal's lines as a chain that is signed every some seconds. No I/O, no clock.

A *block* is the lines from one checkpoint (its own line first) up to the next. A checkpoint is a line of the journal::

    {type: checkpoint, at, number, until, algorithm, head, tags, manifest, key, signature}

``number`` counts from 1, ``until`` is the block's end in the file (bytes), ``head`` the digest of the head before (hexadecimal
digits; none for the first) and of the block's bytes, ``tags`` (base64) the first six bytes of each line's digest, by which a
reader says which line is another one, ``manifest`` the digest of manifest.json in the last checkpoint of a session that
is closed, ``signature`` is over :func:`said`.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from commhub.wire import journal
from recorder import seals
from recorder.seals import PrivateKey

TAG = 6  # bytes


def said(session: str, record: dict[str, Any]) -> bytes:
    """What is signed of a checkpoint. KeyError when something is missing."""
    names = ("number", "at", "until", "algorithm", "head", "tags", "manifest", "key")
    return "\n".join(["CommHub recording checkpoint 1", session, *(str(record[name]) for name in names), ""]).encode()


def joined(algorithm: str, before: str, block: bytes) -> str:
    """A checkpoint's head, of the head before and the digest of the block."""
    return seals.digest(algorithm, f"{before}\n{block.hex()}\n".encode()).hex()


def tag(algorithm: str, line: bytes) -> bytes:
    return seals.digest(algorithm, line)[:TAG]


def lines(data: bytes) -> list[bytes]:
    """With their line breaks; a torn one last."""
    return [line + b"\n" for line in data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]] + (
        [data[data.rfind(b"\n") + 1 :]] if data and not data.endswith(b"\n") else []
    )


@dataclass(slots=True)
class Last:
    """The newest checkpoint: what it is written behind."""

    number: int = 0
    head: str = ""
    manifest: str = ""


class Chain:
    """``feed`` every line in the order of the file; ``checkpoint`` is then fed as a line, too."""

    def __init__(self, session: str, algorithm: str = "sha256") -> None:
        self.session, self.algorithm = session, algorithm
        self.last = Last()
        self.until = 0  # bytes
        self._begin()

    def _begin(self) -> None:
        self._block = seals.begin(self.algorithm)
        self._tags = bytearray()

    @property
    def pending(self) -> int:
        """Lines since the newest checkpoint, its own counted."""
        return len(self._tags) // TAG

    def feed(self, line: bytes) -> None:
        self._block.update(line)
        self._tags += tag(self.algorithm, line)
        self.until += len(line)

    def resume(self, data: bytes) -> None:
        """A journal that was written before. What it says is believed: whoever verifies it compares."""
        for line in lines(data):
            if b'"checkpoint"' in line and (record := _checkpoint(line)) is not None:
                self.last = Last(int(record["number"]), str(record["head"]), str(record.get("manifest", "")))
                self._begin()
            self.feed(line)

    def checkpoint(self, at: int, key: PrivateKey, manifest: str = "") -> dict[str, Any]:
        """Of all lines fed so far; ``at`` is UTC ns."""
        head = joined(self.algorithm, self.last.head, self._block.digest())
        record: dict[str, Any] = {
            "type": "checkpoint", "at": at, "number": self.last.number + 1, "until": self.until, "algorithm": self.algorithm,
            "head": head, "tags": base64.b64encode(self._tags).decode(), "manifest": manifest, "key": key.public.id,
        }  # fmt: skip
        record["signature"] = key.sign(said(self.session, record)).hex()
        self.last = Last(record["number"], head, manifest)
        self._begin()
        return record


def _checkpoint(line: bytes) -> dict[str, Any] | None:
    try:
        record, _ = journal.decode(line)
        if record.get("type") != "checkpoint" or len(bytes.fromhex(str(record["head"]))) != seals.SIZE:
            return None
        int(record["number"])
    except (KeyError, TypeError, ValueError):
        return None
    return record
