"""Ranges of several files of a recording in one answer."""

from __future__ import annotations

import struct
from pathlib import Path

import sqlalchemy as sa

from commhub.store import tables
from tests.api.test_pages import recorded
from tests.support.hubs import serving


def taken_apart(body: bytes) -> list[tuple[int, int, bytes]]:
    found, at = [], 0
    while at < len(body):
        status, length, size = struct.unpack_from(">IIQ", body, at)
        found.append((status, size, body[at + 16 : at + 16 + length]))
        at += 16 + length
    return found


async def test_several_ranges_in_one_answer(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    async with serving(tmp_path) as hub, hub.browser("reviewer") as page, hub.browser("dispatcher") as other:
        id = await recorded(hub, data)
        base = f"/api/v1/recordings/{id}/pieces?of="
        of = f"0001/0001.webm:0-1000,0001/0001.webm:5-6,0001/0002.webm:0-9,0001/0001.webm:{len(data)}-{len(data) + 9}"
        async with await page.raw("GET", base + of) as answer:
            assert answer.status == 200
            assert taken_apart(await answer.read()) == [
                (206, len(data), data[:1000]),
                (206, len(data), data[5:6]),
                (404, 0, b""),
                (416, len(data), b""),
            ]
        many = ",".join(["0001/0001.webm:0-9"] * 65)
        large = ",".join([f"0001/0001.webm:0-{2 << 20}"] * 17)
        for wrong in ("", "x", "0001/0001.webm:9-9", f"0001/0001.webm:0-{(2 << 20) + 1}", "0001/../0001.webm:0-9", many, large):
            async with await page.raw("GET", base + wrong) as answer:
                assert answer.status == 400, wrong[:60]
        async with await page.raw("GET", base + "0001/nothing.webm:0-9") as answer:
            assert answer.status == 404
        async with await other.raw("GET", base + of) as answer:
            assert answer.status == 403
        async with hub.parts.store.transaction() as transaction:
            await transaction.run(sa.delete(tables.grants).where(tables.grants.c.person_id == hub.ids["he-ruolan"]))
        async with await page.raw("GET", base + of) as answer:
            assert answer.status == 403
