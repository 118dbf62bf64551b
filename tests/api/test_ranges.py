"""A recording's bytes over HTTP, as browsers' players and caches ask for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from commhub.api import ranges
from commhub.archive import Archive

DATA = bytes(range(256)) * 3000
Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    (tmp_path / "S1").mkdir()
    (tmp_path / "S1" / "media.webm").write_bytes(DATA)
    (tmp_path / "S1" / "empty.webm").touch()
    archive = Archive(tmp_path)

    async def give(request: web.Request) -> web.StreamResponse:
        return await ranges.answer(request, archive.open("S1", request.match_info["name"]), "video/webm")

    app = web.Application()
    app.router.add_get("/{name}", give)
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        yield client


async def test_the_whole(client: Client) -> None:
    async with client.get("/media.webm") as answer:
        assert (answer.status, answer.content_type, await answer.read()) == (200, "video/webm", DATA)
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert answer.headers["Cache-Control"] == "private, no-cache"
    async with client.head("/media.webm") as answer:
        assert (answer.status, answer.headers["Content-Length"], await answer.read()) == (200, str(len(DATA)), b"")
    async with client.get("/empty.webm") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [
        ("bytes=0-", 0, len(DATA)),
        ("bytes=0-0", 0, 1),
        ("bytes=100-299", 100, 300),
        ("bytes=300000-", 300_000, len(DATA)),
        ("bytes=-500", len(DATA) - 500, len(DATA)),
        ("bytes=-9999999", 0, len(DATA)),
        (f"bytes={len(DATA) - 1}-9999999", len(DATA) - 1, len(DATA)),
    ],
)
async def test_a_range(client: Client, asked: str, begin: int, end: int) -> None:
    async with client.get("/media.webm", headers={"Range": asked}) as answer:
        assert (answer.status, await answer.read()) == (206, DATA[begin:end])
        assert answer.headers["Content-Range"] == f"bytes {begin}-{end - 1}/{len(DATA)}"


@pytest.mark.parametrize("asked", [f"bytes={len(DATA)}-", "bytes=5-2", "bytes=x-", "bytes=0-1,5-9", "lines=0-1", "bytes=-"])
async def test_no_such_range(client: Client, asked: str) -> None:
    async with client.get("/media.webm", headers={"Range": asked}) as answer:
        assert (answer.status, answer.headers["Content-Range"], await answer.read()) == (416, f"bytes */{len(DATA)}", b"")


async def test_a_range_of_nothing(client: Client) -> None:
    async with client.get("/empty.webm", headers={"Range": "bytes=0-"}) as answer:
        assert answer.status == 416


async def test_what_the_client_has_already(client: Client, tmp_path: Path) -> None:
    async with client.get("/media.webm") as answer:
        tag, changed = answer.headers["ETag"], answer.headers["Last-Modified"]
    for asked in ({"If-None-Match": tag}, {"If-None-Match": "*"}, {"If-Modified-Since": changed}):
        async with client.get("/media.webm", headers=asked) as answer:
            assert (answer.status, await answer.read()) == (304, b"")
    for said in (tag, changed):
        async with client.get("/media.webm", headers={"Range": "bytes=1-2", "If-Range": said}) as answer:
            assert (answer.status, await answer.read()) == (206, DATA[1:3])
    for said in ('"other"', "Mon, 01 Jan 2001 00:00:00 GMT"):
        async with client.get("/media.webm", headers={"Range": "bytes=1-2", "If-Range": said}) as answer:
            assert (answer.status, await answer.read()) == (200, DATA)
    (tmp_path / "S1" / "media.webm").write_bytes(DATA + b"it grew")
    async with client.get("/media.webm", headers={"If-None-Match": tag}) as answer:
        assert answer.status == 200
