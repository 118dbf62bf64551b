"""Answering with a recording's file or a piece of it, in whatever form it lies (RFC 9110 §13, §14)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from types import MappingProxyType

from aiohttp import hdrs, web

from commhub.archive import Reader

_NONE: Mapping[str, str] = MappingProxyType({})
_CHUNK = 256 << 10  # bytes that are read at once


async def answer(request: web.Request, reader: Reader, mime: str, more: Mapping[str, str] = _NONE) -> web.StreamResponse:
    """With ``more`` headers. ``Range``, ``If-Range``, ``If-None-Match``, ``If-Modified-Since`` and ``HEAD`` are honoured, and
    ``reader`` is closed. It is read in a thread; only what has been read is waited for, so that a player that seeks costs no more
    than it takes."""
    try:
        return await _answer(request, reader, mime, more)
    finally:
        reader.close()


def asked(request: web.Request) -> tuple[int, int | None]:
    """Where the range that is asked for begins and ends; from 0 on when none is, or none that can be understood."""
    try:
        found = request.http_range
    except ValueError:
        return 0, None
    return max(0, found.start or 0), found.stop


async def _answer(request: web.Request, reader: Reader, mime: str, more: Mapping[str, str]) -> web.StreamResponse:
    changed = datetime.fromtimestamp(reader.modified // 1_000_000_000, UTC)
    tag = f"{reader.modified:x}-{reader.size:x}"
    headers = {
        hdrs.ETAG: f'"{tag}"',
        hdrs.LAST_MODIFIED: format_datetime(changed, usegmt=True),
        hdrs.ACCEPT_RANGES: "bytes",
        # A segment may still grow, and the right to see it may end: the browser asks each time.
        hdrs.CACHE_CONTROL: "private, no-cache",
        **more,
    }
    if _known(request, tag, changed):
        return web.Response(status=304, headers=headers)
    begin, end, status = 0, reader.size, 200
    if request.headers.get(hdrs.RANGE) and _still(request, tag, changed):
        found = _range(request, reader.size)
        if found is None:
            return web.Response(status=416, headers=headers | {hdrs.CONTENT_RANGE: f"bytes */{reader.size}"})
        begin, end = found
        status = 206
        headers[hdrs.CONTENT_RANGE] = f"bytes {begin}-{end - 1}/{reader.size}"
    # The first piece before the head is sent: what cannot be read is still answered by an error.
    first = await asyncio.to_thread(reader.read_at, begin, min(_CHUNK, end - begin)) if request.method != hdrs.METH_HEAD else b""
    response = web.StreamResponse(status=status, headers=headers)
    response.content_type = mime
    response.content_length = end - begin
    await response.prepare(request)
    if request.method != hdrs.METH_HEAD:
        # Who seeks elsewhere hangs up in the middle.
        with contextlib.suppress(ConnectionError):
            await _send(response, reader, first, begin, end)
    return response


async def _send(response: web.StreamResponse, reader: Reader, piece: bytes, at: int, end: int) -> None:
    while piece:
        await response.write(piece)
        at += len(piece)
        piece = await asyncio.to_thread(reader.read_at, at, min(_CHUNK, end - at)) if at < end else b""
    await response.write_eof()


def _range(request: web.Request, size: int) -> tuple[int, int] | None:
    """Beginning and end of what is asked for; None when there is nothing of it. Of several ranges one is answered: the whole."""
    try:
        asked = request.http_range
    except ValueError:
        return None
    if asked.start is None and asked.stop is None:
        return (0, size) if size else None
    start = 0 if asked.start is None else asked.start
    begin = max(0, size + start) if start < 0 else start
    end = size if asked.stop is None else min(size, asked.stop)
    return (begin, end) if begin < end else None


def _known(request: web.Request, tag: str, changed: datetime) -> bool:
    """Has the client got it already?"""
    if request.if_none_match is not None:
        return any(one.value in (tag, "*") for one in request.if_none_match)
    since = request.if_modified_since
    return since is not None and changed <= since


def _still(request: web.Request, tag: str, changed: datetime) -> bool:
    """Is it still what the client has a part of? ``If-Range`` wants it to be the same, to the byte."""
    said = request.headers.get(hdrs.IF_RANGE)
    if not said:
        return True
    if said.startswith(('"', "W/")):
        return said == f'"{tag}"'
    return request.if_range is not None and changed <= request.if_range
