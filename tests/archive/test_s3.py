"""An S3 store of somebody else's making: what is put there is compared, what is read there is read by ranges."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest

from commhub.addresses import parse_store
from commhub.archive import s3
from commhub.archive.placed import Refused
from commhub.archive.s3 import PART, Remote, RemoteBytes
from tests.support.s3 import S3, serving


@pytest.fixture(scope="module")
def server() -> Iterator[S3]:
    with serving() as server:
        yield server


def file(tmp_path: Path, size: int) -> Path:
    path = tmp_path / "media"
    path.write_bytes(random.Random(size).randbytes(size))
    return path


@pytest.mark.parametrize("size", [0, 1, 300_000, PART + 5_000_000])
def test_put_and_read(server: S3, tmp_path: Path, size: int) -> None:
    remote, path = server.remote(), file(tmp_path, size)
    name = remote.name("S1", f"tracks/0001/{size}.webm")
    assert name == f"city/hub/S1/tracks/0001/{size}.webm"
    kept = remote.put(name, path, size)
    assert kept.size == size
    assert remote.head(name) == kept
    data = path.read_bytes()
    found = RemoteBytes(remote, name, size, 0)
    assert found.read(0, size) == data
    for at in (0, 1, size // 2, size - 1, size):
        assert found.read(max(0, at), 1000) == data[max(0, at) : max(0, at) + 1000]
    assert name in remote.names("S1")
    assert remote.names("S") == []
    assert remote.delete("S1") == 1
    assert remote.names("S1") == []


def test_no_more_than_was_there_when_it_was_looked_at(server: S3, tmp_path: Path) -> None:
    remote, path = server.remote(), file(tmp_path, 5000)
    assert remote.put("grows", path, 4000).size == 4000
    assert remote.read("grows", 3990, 100) == path.read_bytes()[3990:4000]
    with pytest.raises(Refused, match=r"^The store has 5000 bytes of 6000\.$"):
        remote.put("shorter", path, 6000)


def test_what_is_not_there(server: S3, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        server.remote().head("nothing")
    with pytest.raises(FileNotFoundError):
        server.remote().read("nothing", 0, 1)
    elsewhere = Remote(server.terms(prefix=""))
    assert elsewhere.name("S1", "journal") == "S1/journal"
    with pytest.raises(FileNotFoundError):
        server.remote().put("x", tmp_path / "nothing", 1)


@pytest.mark.parametrize("size", [1000, PART + 1])
def test_other_bytes_are_noticed(server: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    put = obstore.put

    def spoilt(client: Any, name: str, parts: Any, **more: Any) -> Any:
        data = bytearray(b"".join(parts))
        data[size // 2] ^= 1
        return put(client, name, bytes(data), **more)

    monkeypatch.setattr("obstore.put", spoilt)
    with pytest.raises(Refused, match=r"^The store has other bytes than were put there\.$"):
        server.remote().put("spoilt", file(tmp_path, size), size)


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    gone = S3()
    path = file(tmp_path, 10)
    for size in (10, 0):
        with pytest.raises(Refused) as raised:
            gone.remote().put("x", path, size)
        assert "testing-secret" not in str(raised.value)
        assert len(str(raised.value)) <= 200


def test_only_where_it_is_allowed(server: S3, tmp_path: Path) -> None:
    for allow in ((), ("127.0.0.1:1",), ("0.0.0.0/0:*",)):
        with pytest.raises(Refused, match=r"^The address of the store \(127\.0\.0\.1 port \d+\) is not allowed\.$"):
            Remote(server.terms(allow=allow)).head("x")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://store.example:9000", "The address of a store is https and a name, or http and an IP address."),
        ("https://store.example/bucket", "The address has a path."),
        ("https://user:word@store.example", "The address contains a user or a password; they belong into their own fields."),
        ("ftp://10.0.0.1", "The address does not begin with http://."),
    ],
)
def test_endpoints(url: str, sentence: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_store(url)
    assert str(raised.value) == sentence
    assert parse_store("https://store.example").port == 443
    assert parse_store("http://10.0.0.1:9000").shown == "10.0.0.1:9000"


def test_blocks_stay_but_not_all(server: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remote, path = server.remote(), file(tmp_path, 3 * s3.BLOCK)
    remote.put("blocks", path, 3 * s3.BLOCK)
    asked: list[int] = []
    read = remote.read

    def counted(name: str, offset: int, count: int) -> bytes:
        asked.append(offset)
        return read(name, offset, count)

    monkeypatch.setattr(remote, "read", counted)
    found = RemoteBytes(remote, "blocks", 3 * s3.BLOCK, 0)
    for at in range(0, 3 * s3.BLOCK, 50_000):
        assert found.read(at, 100) == path.read_bytes()[at : at + 100]
    assert asked == [0, s3.BLOCK, 2 * s3.BLOCK]
