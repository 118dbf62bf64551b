"""Frames and bodies beyond every limit: refused before they are kept, in one piece, in many, and packed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.product.test_hostile_network import memory, token
from tests.support.installation import Installation, Person
from tests.support.proofs import Figure

pytestmark = [pytest.mark.peer, pytest.mark.timeout(180)]
PIECE = 64 << 10
MB = 1_000_000


async def _upgraded(hub: Installation, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket of somebody who has joined, as bare bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
    writer.write(
        f"GET /rtc?access_token={token(f'p{number}')}&protocol=15 HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pieces: list[bytes], size: int) -> None:
    """Sends until the hub ends the connection, which it has to."""
    sent = 0
    ended = asyncio.ensure_future(reader.read())
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20):
            while sent < size and not ended.done():
                piece = pieces[min(sent // PIECE, len(pieces) - 1)]
                writer.write(piece)
                await writer.drain()
                sent += len(piece)
            await ended
    writer.close()


async def frames(hub: Installation, size: int) -> None:
    mask, part = bytes(4), bytes(PIECE)
    whole = b"\x82\xff" + struct.pack("!Q", size) + mask
    first = b"\x02\xff" + struct.pack("!Q", PIECE) + mask + part
    more = b"\x00\xff" + struct.pack("!Q", PIECE) + mask + part
    packed = b"\xc2\xff" + struct.pack("!Q", size) + mask
    for number, pieces in enumerate(([whole + part, part], [first, more], [packed + part, part])):
        reader, writer = await _upgraded(hub, number)
        await _pour(reader, writer, pieces, size)


async def bomb(hub: Installation, person: Person) -> None:
    """The page's socket unpacks what it gets, so far and no further."""
    headers = {"Origin": person.base}
    async with person.session.ws_connect(f"{person.base}/events", headers=headers, compress=15) as ws:
        assert (await ws.receive_json(timeout=10))["type"] == "hello"
        await ws.send_str("0" * (3 << 20))
        while (message := await ws.receive(timeout=10)).type is aiohttp.WSMsgType.TEXT:
            pass
        assert message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
        assert ws.close_code in (aiohttp.WSCloseCode.MESSAGE_TOO_BIG, aiohttp.WSCloseCode.ABNORMAL_CLOSURE)


async def bodies(hub: Installation, person: Person, size: int) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(size // PIECE):
            yield bytes(PIECE)

    json = {"Content-Type": "application/json", "Origin": person.base}
    signed_in = {**json, "X-CSRF-Token": person.me["csrf"]}
    twirp = {"Content-Type": "application/protobuf", "Authorization": f"Bearer {token('admin')}"}
    for path, headers in (
        ("/api/v1/session", json),
        ("/api/v1/consultations", signed_in),
        ("/twirp/livekit.RoomService/ListRooms", twirp),
    ):
        for length in ({}, {"Content-Length": str(size // PIECE * PIECE)}):
            try:
                async with person.session.post(person.base + path, data=parts(), headers={**headers, **length}) as answer:
                    assert answer.status == 413, await answer.text()
            except aiohttp.ClientConnectionError:
                pass  # refused while it was still being sent


@pytest.mark.parametrize("size", [4 * MB, pytest.param(64 << 20, marks=pytest.mark.prove)])
async def test_what_is_too_long_is_not_kept(tmp_path: Path, size: int, figure: Figure) -> None:
    async with Installation(tmp_path) as hub:
        person = await hub.sign_in(hub.who("dispatcher"))
        await frames(hub, 1 << 20)  # what is loaded at first use is loaded
        pid, most = hub.pids()["hub"], 0.0
        before = memory(pid)

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, memory(pid) - before)
                await asyncio.sleep(0.005)

        watching = asyncio.create_task(watch())
        await frames(hub, size)
        in_frames, most = most, 0.0
        await bodies(hub, person, size * 50 // 64)
        watching.cancel()
        await bomb(hub, person)
        os.kill(pid, 0)  # the same hub still
        assert (await person.call("GET", "/session"))["person"]["id"]
        name = "64 MiB frame: whole, in pieces, packed" if size > 50 * MB else "4 MB frame"
        assert figure(f"{name}: memory of the hub meanwhile", round(in_frames, 1), "MB", goal="≤ 8 MB")
        name = "50 MiB body: with its length, chunked" if size > 50 * MB else "3 MB body"
        assert figure(f"{name}: memory of the hub meanwhile", round(most, 1), "MB", goal="≤ 8 MB")
