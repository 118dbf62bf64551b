"""The keys that sign recordings, from the first one on: every later key is signed by the one before. No I/O, no clock.

Who knows one key of the line, the first one or any other, believes those that come after it, and no others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from recorder.seals import PrivateKey, PublicKey

LIMIT = 1000  # keys


@dataclass(frozen=True, slots=True)
class Entry:
    """``made_at`` is UTC ns; ``before`` the id of the key that signed this one, '' for the first."""

    key: PublicKey
    made_at: int
    before: str = ""
    signature: bytes = b""

    def said(self) -> bytes:
        """What the key before signs."""
        return endorsed(self.key, self.made_at, self.before)

    def document(self) -> dict[str, Any]:
        return {
            "id": self.key.id, "algorithm": self.key.algorithm, "public": self.key.data.hex(), "made_at": self.made_at,
            "before": self.before, "signature": self.signature.hex(),
        }  # fmt: skip

    @staticmethod
    def read(document: Any) -> Entry:
        """ValueError with a sentence."""
        try:
            key = PublicKey(str(document["algorithm"]), bytes.fromhex(document["public"]))
            entry = Entry(key, int(document["made_at"]), str(document["before"]), bytes.fromhex(document["signature"]))
        except (KeyError, TypeError, ValueError):
            raise ValueError("A key of the history has a wrong form.") from None
        if document.get("id") != key.id:
            raise ValueError("A key of the history has another key's name.")
        return entry


def endorsed(key: PublicKey, made_at: int, before: str) -> bytes:
    return f"CommHub recording key 1\n{key.algorithm}\n{key.data.hex()}\n{made_at}\n{before}\n".encode()


def following(before: PrivateKey | None, key: PublicKey, made_at: int) -> Entry:
    """The entry of a new key, signed by the one before."""
    if before is None:
        return Entry(key, made_at)
    name = before.public.id
    return Entry(key, made_at, name, before.sign(endorsed(key, made_at, name)))


def read(documents: Any) -> list[Entry]:
    """Of a history, in its order. ValueError with a sentence."""
    if not isinstance(documents, list) or len(documents) > LIMIT:
        raise ValueError("A history of keys has a wrong form.")
    return [Entry.read(document) for document in documents]


def believed(trusted: Iterable[PublicKey], history: Iterable[Entry]) -> dict[str, PublicKey]:
    """By id: the trusted keys, and those of the history that descend from them."""
    keys = {key.id: key for key in trusted}
    for entry in history:
        before = keys.get(entry.before)
        if entry.key.id not in keys and before is not None and before.holds(entry.signature, entry.said()):
            keys[entry.key.id] = entry.key
    return keys
