"""Files of recordings in an S3-compatible store. Blocking: for threads; loaded by whoever has one configured only.

What is put there are the bytes as they lie on this machine: of an encrypted recording nothing that the store, or whoever reads
it, could open. Where to connect is checked for every connection (:mod:`commhub.archive.gate`): a name has to lead to addresses
that are allowed, and is believed only with a certificate; wherever a store sends its client, it does not go.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from commhub.addresses import AllowList, parse_store
from commhub.archive.gate import Gate, addresses
from commhub.archive.placed import Refused

BLOCK: Final = 1 << 20  # bytes that are read at once
PART: Final = 16 << 20  # bytes of one part of a large object
_KEPT = 8  # blocks of one file
_CONNECT, _WHOLE = timedelta(seconds=5), timedelta(seconds=120)


@dataclass(frozen=True, slots=True, repr=False)
class Terms:
    """``endpoint``: an URL without a path; ``prefix``: before every name; ``allow``: where may be connected to."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"
    prefix: str = ""
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """One object: bytes, what the store calls its contents."""

    size: int
    tag: str


class Remote:
    """One bucket. Every call raises :class:`Refused`; FileNotFoundError for what is not there."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._store: S3Store | None = None
        self._gate: Gate | None = None
        self._lock = threading.Lock()

    @property
    def terms(self) -> Terms:
        """For another process that is to read there. With the secret."""
        return self._terms

    def _client(self) -> S3Store:
        with self._lock:
            if self._store is None:
                said = self._terms
                place, allow = parse_store(said.endpoint), AllowList(said.allow)
                addresses(place, allow)  # said at once, in words
                if self._gate is None:
                    self._gate = Gate(place, said.endpoint.lower().startswith("https://"), allow)
                    weakref.finalize(self, self._gate.close)
                self._store = S3Store(
                    said.bucket, endpoint=said.endpoint, region=said.region, access_key_id=said.access_key,
                    secret_access_key=said.secret_key, virtual_hosted_style_request=False, checksum_algorithm="SHA256",
                    client_options={
                        "allow_http": True, "connect_timeout": _CONNECT, "timeout": _WHOLE, "user_agent": "CommHub",
                        "proxy_url": self._gate.url,
                    },
                    retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=15)},
                )  # fmt: skip
            return self._store

    def forget_client(self) -> str:
        """After a failure: the next one begins anew. Why it was not connected, if that is why."""
        with self._lock:
            self._store = None
            refused = self._gate.refused if self._gate is not None else ""
            if self._gate is not None:
                self._gate.refused = ""
            return refused

    def name(self, session: str, path: str) -> str:
        return f"{self._terms.prefix.strip('/')}/{session}/{path}".lstrip("/")

    def put(self, name: str, file: Path, size: int) -> Kept:
        """The first ``size`` bytes of a file, compared with what is there afterwards: its size, and its bytes by their digest as
        the store tells it, or else read back."""
        client = self._client()
        whole, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        with file.open("rb") as opened:
            parts = _parts(opened, size, whole, md5)
            with _refusing(self):
                obstore.put(client, name, parts, chunk_size=PART, use_multipart=size > PART)
        try:
            found = self.head(name)
        except FileNotFoundError:
            raise Refused("The store has not kept what was put there.") from None
        if found.size != size:
            raise Refused(f"The store has {found.size} bytes of {size}.")
        if found.tag.strip('"') != md5.hexdigest() and self._digest(name, size) != whole.digest():
            raise Refused("The store has other bytes than were put there.")
        return found

    def head(self, name: str) -> Kept:
        with _refusing(self, missing=True):
            found = obstore.head(self._client(), name)
        return Kept(found["size"], found["e_tag"] or "")

    def read(self, name: str, offset: int, count: int) -> bytes:
        with _refusing(self, missing=True):
            return obstore.get_range(self._client(), name, start=offset, length=count).to_bytes()

    def lying(self, session: str, path: str, size: int, modified: int) -> RemoteBytes:
        """A file of so many bytes, to be read; ``modified`` is UTC ns."""
        return RemoteBytes(self, self.name(session, path), size, modified)

    def delete(self, session: str) -> int:
        """All of a session; how many objects there were."""
        names = self.names(session)
        with _refusing(self):
            if names:
                obstore.delete(self._client(), names)
        return len(names)

    def names(self, session: str) -> list[str]:
        """Of all objects of a session."""
        with _refusing(self):
            return [one["path"] for page in obstore.list(self._client(), prefix=self.name(session, "")) for one in page]

    def all(self, session: str) -> dict[str, Kept]:
        """All objects of a session, by the names of its files; whatever somebody else has put there is among them."""
        begin = self.name(session, "").rstrip("/") + "/"
        with _refusing(self):
            pages = obstore.list(self._client(), prefix=begin)
            found = {one["path"]: Kept(one["size"], one["e_tag"] or "") for page in pages for one in page}
        return {name.removeprefix(begin): kept for name, kept in found.items()}

    def _digest(self, name: str, size: int) -> bytes:
        digest = hashlib.sha256()
        for at in range(0, size, PART):
            digest.update(self.read(name, at, min(PART, size - at)))
        return digest.digest()


class RemoteBytes:
    """An object as :class:`commhub.archive.reading.Bytes`. What is read is read in blocks, the last few of which stay."""

    def __init__(self, remote: Remote, name: str, size: int, modified: int) -> None:
        self._remote, self._name = remote, name
        self.size, self.modified = size, modified
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, offset: int, count: int) -> bytes:
        end = min(offset + count, self.size)
        if offset < 0 or offset >= end:
            return b""
        parts = [self._block(number) for number in range(offset // BLOCK, (end - 1) // BLOCK + 1)]
        begin = offset - offset // BLOCK * BLOCK
        return b"".join(parts)[begin : begin + end - offset]

    def _block(self, number: int) -> bytes:
        with self._lock:
            if (known := self._blocks.get(number)) is not None:
                self._blocks.move_to_end(number)
                return known
        found = self._remote.read(self._name, number * BLOCK, min(BLOCK, self.size - number * BLOCK))
        with self._lock:
            self._blocks[number] = found
            while len(self._blocks) > _KEPT:
                self._blocks.popitem(last=False)
        return found

    def close(self) -> None:
        pass


def _parts(file: BinaryIO, size: int, *digests: hashlib._Hash) -> Iterator[bytes]:
    while size and (data := file.read(min(BLOCK, size))):
        for digest in digests:
            digest.update(data)
        size -= len(data)
        yield data


@contextlib.contextmanager
def _refusing(remote: Remote, *, missing: bool = False) -> Iterator[None]:
    """The client's errors as OSError. ``missing``: it may be that there is no such object."""
    try:
        yield
    except (FileNotFoundError, NotFoundError) as error:
        if missing:
            raise FileNotFoundError(2, "The store has no such object") from None
        raise Refused(_short(error)) from None
    except BaseError as error:
        raise Refused(remote.forget_client() or _short(error)) from None


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
