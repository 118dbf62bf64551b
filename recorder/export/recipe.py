"""What an export was made of, signed: it stands in the export itself. No I/O, no clock.

The document is ``{recipe, signature, history}``; the signature (hexadecimal digits) is of :func:`said`, by the key that signs
recordings, ``history`` its pedigree. A recipe::

    {version, export, kind, session, title, started_at, from_ms, to_ms, layout, tracks, chat, by, at, running, algorithm, key,
     journal: {until, number, head},
     files: [{name, size, digest}], sources: [{name, offset, size, digest}]}

``files`` are all files of a zip but the document itself; of a film the one file without the document behind it. ``sources``
are the session's files it was made of, ``offset`` where what was digested begins: a file that was still being written gets
another head when it is whole. ``started_at`` and ``at`` are UTC ms, ``running`` says that the session was still being recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from recorder import pedigree, seals
from recorder.pedigree import Entry
from recorder.seals import PrivateKey, PublicKey

VERSION = 1
DOCUMENT = "export.json"
LIMIT = 64 << 20  # bytes of a document
KINDS = ("film", "tracks", "bundle")
Recipe = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A file, or what of it was digested: from ``offset`` on."""

    name: str
    size: int
    digest: str
    offset: int = 0

    def document(self) -> Recipe:
        return {"name": self.name, "size": self.size, "digest": self.digest} | ({"offset": self.offset} if self.offset else {})


def said(recipe: Recipe) -> bytes:
    """What is signed."""
    text = json.dumps(recipe, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return f"CommHub recording export 1\n{text}\n".encode()


def sign(recipe: Recipe, key: PrivateKey, history: Iterable[Entry]) -> bytes:
    """The document; the recipe names the key."""
    recipe = {"version": VERSION, **recipe, "key": key.public.id}
    document = {
        "recipe": recipe, "signature": key.sign(said(recipe)).hex(), "history": [entry.document() for entry in history],
    }  # fmt: skip
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


@dataclass(frozen=True, slots=True)
class Signed:
    """A document as it was found. Nothing in it is believed before :meth:`holds`."""

    recipe: Recipe
    signature: bytes
    history: list[Entry]

    def holds(self, trusted: Iterable[PublicKey]) -> bool | None:
        """None: by a key that is not trusted."""
        key = pedigree.believed(trusted, self.history).get(str(self.recipe["key"]))
        return None if key is None else key.holds(self.signature, said(self.recipe))

    def parts(self, which: str) -> list[Part]:
        """``files`` or ``sources``."""
        return [Part(one["name"], one["size"], one["digest"], one.get("offset", 0)) for one in self.recipe[which]]


def read(data: bytes) -> Signed:
    """ValueError with a sentence."""
    wrong = ValueError("An export's recipe has a wrong form.")
    if len(data) > LIMIT:
        raise ValueError("An export's recipe is larger than the limit.")
    try:
        document = json.loads(data)
        recipe, signature = document["recipe"], bytes.fromhex(document["signature"])
        if not _fits(recipe):
            raise wrong
        return Signed(recipe, signature, pedigree.read(document["history"]))
    except (KeyError, TypeError, ValueError, RecursionError):
        raise wrong from None


def _fits(recipe: Any) -> bool:
    texts = ("export", "kind", "session", "title", "algorithm", "key", "by")
    numbers = ("version", "from_ms", "to_ms", "started_at", "at")
    return (
        isinstance(recipe, dict)
        and all(isinstance(recipe.get(name), str) for name in texts)
        and all(type(recipe.get(name)) is int for name in numbers)
        and recipe["kind"] in KINDS
        and recipe["algorithm"] in seals.DIGESTS
        and isinstance(recipe.get("running"), bool)
        and all(_parts_fit(recipe.get(which)) for which in ("files", "sources"))
    )


def _parts_fit(parts: Any) -> bool:
    return isinstance(parts, list) and all(
        isinstance(one, dict)
        and isinstance(one.get("name"), str)
        and isinstance(one.get("digest"), str)
        and type(one.get("size")) is int
        and type(one.get("offset", 0)) is int
        and min(one["size"], one.get("offset", 0)) >= 0
        for one in parts
    )
