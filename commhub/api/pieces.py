"""/recordings/{id}/pieces: ranges of many files in one answer. Who seeks with twenty pictures waits once, not twenty times."""

from __future__ import annotations

import asyncio
import contextlib
import re
import struct
import time
from collections import deque
from itertools import islice
from typing import Annotated

from aiohttp import web
from pydantic import Field

from commhub.api.consultations import Body
from commhub.api.routes import Call, Routes
from commhub.archive import Reader
from commhub.errors import HubError, Invalid
from commhub.model import Actor
from commhub.recordings import Review
from commhub.review import Reviewing

MOST = 64  # files
LONGEST = 2 << 20  # bytes of one
ALTOGETHER = 32 << 20
AHEAD = 6  # pieces that are read at the same time: some wait for the disk, some for another machine
FRESH = 0.25  # seconds; the right is asked for at every request, and again in one that takes longer
_HEAD = struct.Struct(">IIQ")  # status, length, size of the file
_PART = re.compile(r"([A-Za-z0-9_-]{1,128})/([A-Za-z0-9_.-]{1,90}):(\d{1,15})-(\d{1,15})")


class Pieces(Body):
    of: Annotated[str, Field(max_length=8_000)]


def routes(review: Review, reviewing: Reviewing) -> Routes:
    r = Routes()

    @r.get(
        "/recordings/{id}/pieces",
        "recording.view",
        "Ranges of several segments, one behind the other: ``of=track/file:begin-end,…`` (the end not included). Each has a head "
        "of 16 bytes: status (206, 404, 416), length, size of the file (big-endian, 4, 4, 8 bytes).",
        media="application/octet-stream",
    )
    async def pieces(call: Call, query: Pieces) -> web.StreamResponse:
        recording, wanted = call.path("id"), _asked(query.of)
        # Who may not see it, or asks for what is not there, gets a plain refusal: nothing has been sent yet.
        right = _Right(review, call.actor, recording)
        await right.require()
        reader, _ = await asyncio.to_thread(review.opened, recording, *wanted[0][:2])
        reader.close()
        await reviewing.went(call.actor, recording, wanted)
        response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"})
        response.content_type = "application/octet-stream"
        await response.prepare(call.request)
        # Those that follow are fetched while one is sent. Who seeks elsewhere hangs up in the middle.
        ahead = deque[asyncio.Task[bytes]]()
        left = iter(wanted)
        try:
            with contextlib.suppress(ConnectionError):
                while True:
                    for one in islice(left, AHEAD - len(ahead)):
                        ahead.append(asyncio.create_task(asyncio.to_thread(_piece, review, recording, *one)))
                    if not ahead:
                        break
                    piece = await ahead.popleft()
                    refused = await right.lost()
                    await response.write(_HEAD.pack(refused, 0, 0) if refused else piece)
                await response.write_eof()
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)
        return response

    return r


def _asked(of: str) -> list[tuple[str, str, int, int]]:
    found = []
    for part in of.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise Invalid("A piece is asked for as track/file:begin-end.", "片段须写作 track/file:begin-end。")
        begin, end = int(match[3]), int(match[4])
        if not begin < end <= begin + LONGEST:
            raise Invalid(f"A piece has 1 to {LONGEST} bytes.", f"一个片段为 1 到 {LONGEST} 字节。")
        found.append((match[1], match[2], begin, end))
    if len(found) > MOST or sum(end - begin for *_, begin, end in found) > ALTOGETHER:
        raise Invalid(f"At most {MOST} pieces, {ALTOGETHER} bytes.", f"最多 {MOST} 个片段、{ALTOGETHER} 字节。")
    return found


class _Right:
    """The right to see a recording while an answer is given: it may end in the middle."""

    def __init__(self, review: Review, reader: Actor, recording: str) -> None:
        self._review, self._reader, self._recording = review, reader, recording
        self._asked, self._refused = 0.0, 0

    async def require(self) -> None:
        await self._review.require(self._reader, self._recording)
        self._asked = time.monotonic()

    async def lost(self) -> int:
        """HTTP's status of the refusal, 0 while there is none. It is asked anew where the answer takes longer than ``FRESH``."""
        if not self._refused and time.monotonic() - self._asked >= FRESH:
            try:
                await self.require()
            except HubError as error:
                self._refused = error.status
        return self._refused


def _piece(review: Review, recording: str, track: str, file: str, begin: int, end: int) -> bytes:
    """With its head. Blocking."""
    try:
        reader, _ = review.opened(recording, track, file)
    except HubError as error:
        return _HEAD.pack(error.status, 0, 0)
    try:
        data = _read(reader, begin, end)
        return _HEAD.pack(206 if data else 416, len(data), reader.size) + data
    except (OSError, ValueError):
        return _HEAD.pack(503, 0, 0)
    finally:
        reader.close()


def _read(reader: Reader, begin: int, end: int) -> bytes:
    return reader.read_at(begin, min(end, reader.size) - begin) if begin < reader.size else b""
