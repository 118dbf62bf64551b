"""Ranges of several files of a recording in one answer."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import sqlalchemy as sa

from commhub.api import pieces
from commhub.model import Actor
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


async def test_a_right_that_ends_in_the_middle_ends_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(range(256)) * 5000
    async with serving(tmp_path) as hub, hub.browser("reviewer") as page:
        id = await recorded(hub, data)
        monkeypatch.setattr(pieces, "FRESH", 0.0)
        asked, require = [], hub.parts.review.require

        async def until_the_third(reader: Actor, recording: str) -> None:
            asked.append(recording)
            if len(asked) == 3:
                async with hub.parts.store.transaction() as transaction:
                    await transaction.run(sa.delete(tables.grants).where(tables.grants.c.person_id == hub.ids["he-ruolan"]))
                reader = await hub.person("reviewer")
            await require(reader, recording)

        monkeypatch.setattr(hub.parts.review, "require", until_the_third)
        of = ",".join(f"0001/0001.webm:{n}-{n + 100}" for n in range(4))
        async with await page.raw("GET", f"/api/v1/recordings/{id}/pieces?of={of}") as answer:
            assert answer.status == 200
            found = taken_apart(await answer.read())
        assert [status for status, _, _ in found] == [206, 404, 404, 404]  # of no organisation it is as if it were not there
        assert found[0][2] == data[:100]
        assert asked == [id] * 3  # before anything, and before each piece until it was refused


async def test_the_right_is_asked_for_once_in_a_quick_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(tmp_path) as hub, hub.browser("reviewer") as page:
        id = await recorded(hub, bytes(5000))
        monkeypatch.setattr(pieces, "FRESH", 60.0)
        asked, require = [], hub.parts.review.require

        async def counted(reader: Actor, recording: str) -> None:
            asked.append(recording)
            await require(reader, recording)

        monkeypatch.setattr(hub.parts.review, "require", counted)
        of = ",".join(f"0001/0001.webm:{n}-{n + 100}" for n in range(24))
        async with await page.raw("GET", f"/api/v1/recordings/{id}/pieces?of={of}") as answer:
            assert len(taken_apart(await answer.read())) == 24
        assert len(asked) == 1
