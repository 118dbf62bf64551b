"""Reading what the recorder wrote: its manifest, its files, and nothing else of the disk."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from commhub.archive import Archive
from commhub.errors import NotFound, Unavailable
from commhub.model import Label, new_id, utc_ns
from commhub.recordings.review import Review
from commhub.store import tables
from tests.support.hubs import Hub, running

MANIFEST: dict[str, Any] = {
    "version": 1,
    "duration_ms": 9000,
    "tracks": [
        {
            "id": "0001", "identity": "ID:TERM", "name": "李思涵", "org_name": "水务局", "kind": "audio", "source": "microphone",
            "ordinal": 0, "codec": "opus", "width": 0, "height": 0,
            "segments": [
                {"file": "0001.webm", "mime": "audio/webm; codecs=opus", "start_ms": 0, "duration_ms": 5000, "bytes": 7},
                {"file": "0002.webm.part", "mime": "audio/webm; codecs=opus", "start_ms": 5000, "duration_ms": 900, "bytes": 3},
            ],
        },
        {
            "id": "0002", "identity": "CAM:bridge", "name": "", "org_name": "", "kind": "video", "source": "", "codec": "avc1",
            "segments": [{"file": "0001.mp4", "mime": "video/mp4", "start_ms": 10, "duration_ms": 5000, "bytes": 9}],
        },
    ],
    "speakers": [{"identity": "ID:TERM", "name": "", "org_name": "", "spans": [[100, 900]]}],
    "events": [{"at_ms": 3000, "type": "chat", "identity": "ID:TERM", "name": "", "text": "水位 3.2 米", "data": {"id": "x"}}],
    "gaps": [{"track": "0001", "start_ms": 5900, "end_ms": 9000, "reason": "worker"}],
}  # fmt: skip


class Shelf:
    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub, self.folder = hub, folder
        self.review = Review(hub.parts.store, Archive(folder))
        self.id = new_id()

    @property
    def session(self) -> Path:
        return self.folder / self.id

    async def put(self, org: str = "ops", label: Label = Label.INTERNAL, title: str = "内涝处置") -> str:
        self.id = new_id()
        row = {
            "id": self.id, "consultation_id": new_id(), "org_id": self.hub.ids[org], "label": str(label), "title": title,
            "code": "HS-1122-001", "started_at": utc_ns(), "duration_ms": 0, "state": "complete", "tracks": 2, "bytes": 0,
            "people": json.dumps(["李思涵"], ensure_ascii=False),
        }  # fmt: skip
        async with self.hub.parts.store.transaction() as transaction:
            await transaction.insert(tables.recordings, row)
        return self.id

    def write(self, manifest: object) -> None:
        self.session.mkdir(parents=True, exist_ok=True)
        (self.session / "manifest.json").write_text(manifest if isinstance(manifest, str) else json.dumps(manifest), "utf-8")
        for name in ("0001/0001.webm", "0001/0002.webm.part", "0002/0001.mp4", "0002/0002.mp4"):
            file = self.session / "tracks" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(name.encode())

    async def detail(self, account: str = "reviewer") -> dict[str, Any]:
        shown = await self.review.detail(await self.hub.person(account), self.id, "/media")
        return shown.model_dump()

    async def file(self, track: str, file: str, account: str = "reviewer") -> tuple[bytes, str]:
        reader, mime = await self.review.file(await self.hub.person(account), self.id, track, file)
        with reader:
            return reader.read(), mime


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    async with running(tmp_path) as hub:
        shelf = Shelf(hub, tmp_path / "recordings")
        await shelf.put()
        shelf.write(MANIFEST)
        yield shelf


async def test_a_manifest_becomes_what_the_player_needs(shelf: Shelf) -> None:
    shown = await shelf.detail()
    audio, video = shown["tracks"]
    assert [segment["url"] for segment in audio["segments"]] == ["/media/0001/0001.webm", "/media/0001/0002.webm.part"]
    assert audio["segments"][0]["mime"] == "audio/webm; codecs=opus"
    assert (audio["name"], audio["org_name"], audio["source"]) == ("李思涵", "水务局", "microphone")
    assert video["source"] == "camera"  # a source with no name of its own
    assert shown["speakers"] == [{"identity": "ID:TERM", "name": "", "org_name": "", "spans": [(100, 900)]}]
    assert shown["events"][0]["text"] == "水位 3.2 米"
    assert shown["gaps"] == [{"track": "0001", "start_ms": 5900, "end_ms": 9000, "reason": "worker"}]
    assert (shown["title"], shown["track_count"], shown["state"]) == ("内涝处置", 2, "complete")


async def test_names_the_recorder_did_not_know_come_from_the_attendance(shelf: Shelf) -> None:
    async with shelf.hub.parts.store.transaction() as transaction:
        room = await transaction.value(sa.select(tables.recordings.c.consultation_id))
        made = {
            "id": room, "code": "", "title": "", "state": "ended", "label": "internal", "host_id": shelf.hub.ids["li-sihan"],
            "org_id": shelf.hub.ids["ops"], "locked": False, "rev": 1, "created_at": 1, "recording_wanted": False,
            "recording_state": "off",
        }  # fmt: skip
        await transaction.insert(tables.consultations, made)
        there = {
            "id": new_id(), "consultation_id": room, "identity": "ID:TERM", "name": "李思涵", "org_name": "水务局",
            "kind": "person", "joined_at": 1,
        }  # fmt: skip
        await transaction.insert(tables.attendance, there)
    shown = await shelf.detail()
    assert (shown["speakers"][0]["name"], shown["speakers"][0]["org_name"]) == ("李思涵", "水务局")
    assert shown["events"][0]["name"] == "李思涵"


async def test_a_changed_manifest_is_read_again(shelf: Shelf) -> None:
    await shelf.detail()
    shelf.write({**MANIFEST, "tracks": MANIFEST["tracks"][:1], "more": "so that the size differs"})
    assert len((await shelf.detail())["tracks"]) == 1


async def test_a_session_that_has_just_begun_is_empty(shelf: Shelf) -> None:
    await shelf.put()
    shown = await shelf.detail()
    assert (shown["tracks"], shown["events"], shown["gaps"], shown["speakers"]) == ([], [], [], [])


@pytest.mark.parametrize(
    "manifest", ["{", "[]", '{"tracks": 5}', '{"tracks": [{"id": "1"}]}', '{"tracks": [{}]}', '{"speakers": [7]}', "[" * 100_000]
)
async def test_a_broken_manifest_is_said_to_be_broken(shelf: Shelf, manifest: str) -> None:
    shelf.write(manifest)
    with pytest.raises(Unavailable) as raised:
        await shelf.detail()
    assert raised.value.code == "unreadable"


async def test_files(shelf: Shelf) -> None:
    assert await shelf.file("0001", "0001.webm") == (b"0001/0001.webm", "audio/webm")
    assert await shelf.file("0001", "0002.webm.part") == (b"0001/0002.webm.part", "audio/webm")
    assert await shelf.file("0002", "0002.mp4") == (b"0002/0002.mp4", "video/mp4")  # newer than the manifest
    part = shelf.session / "tracks" / "0001" / "0002.webm.part"
    part.rename(part.with_suffix(""))
    assert await shelf.file("0001", "0002.webm.part") == (b"0001/0002.webm.part", "audio/webm")


@pytest.mark.parametrize(
    ("track", "file"),
    [
        ("..", "manifest.json"),
        ("0001", "../../manifest.json"),
        ("0001", "..%2fmanifest.json"),
        ("0001", "0009.webm"),
        ("0001", ""),
        ("0001", "."),
        ("", "0001.webm"),
        ("0001\0", "0001.webm"),
        ("0001", "0001.webm\n"),
        ("0001", "secret.webm"),  # a link out of the folder
        ("0001", "notes.txt"),
        ("0001", "/etc/passwd"),
        ("0001" * 100, "0001.webm"),
    ],
)
async def test_nothing_else_of_the_disk_is_served(shelf: Shelf, track: str, file: str) -> None:
    (shelf.folder / "secret").write_text("secret")
    os.symlink(shelf.folder / "secret", shelf.session / "tracks" / "0001" / "secret.webm")
    (shelf.session / "tracks" / "0001" / "notes.txt").write_text("notes")
    with pytest.raises(NotFound):
        await shelf.file(track, file)


async def test_who_sees_which(shelf: Shelf) -> None:
    mine = shelf.id
    other = await shelf.put(org="street" if "street" in shelf.hub.ids else "qingshiqiao", label=Label.SENSITIVE)
    listed = {one.id for one in (await shelf.review.listed(await shelf.hub.person("reviewer"))).items}
    assert listed == {mine, other}
    for account in ("dispatcher", "water", "emergency", "binjiang"):
        person = await shelf.hub.person(account)
        assert (await shelf.review.listed(person)).items == []
        with pytest.raises(NotFound):
            await shelf.review.detail(person, mine, "")
        with pytest.raises(NotFound):
            await shelf.review.file(person, mine, "0001", "0001.webm")
    with pytest.raises(NotFound):
        await shelf.review.detail(await shelf.hub.person("reviewer"), "../" + mine, "")


async def test_search_and_pages(shelf: Shelf) -> None:
    for title in ("甲", "乙", "丙"):
        await shelf.put(title=title)
    reviewer = await shelf.hub.person("reviewer")
    page = await shelf.review.listed(reviewer, limit=3)
    assert [one.title for one in page.items] == ["丙", "乙", "甲"]
    rest = await shelf.review.listed(reviewer, before=page.next)
    assert [one.title for one in rest.items] == ["内涝处置"]
    assert [one.title for one in (await shelf.review.listed(reviewer, q="思涵 乙")).items] == ["乙"]
    assert [one.title for one in (await shelf.review.listed(reviewer, consultation=rest.items[0].consultation_id)).items] == [
        "内涝处置"
    ]


async def test_looking_is_audited_once_for_a_player_that_asks_again(shelf: Shelf) -> None:
    for _ in range(3):
        await shelf.detail()
        await shelf.file("0001", "0001.webm")
    async with shelf.hub.parts.store.reading() as reading:
        rows = await reading.all(sa.select(tables.audit).where(tables.audit.c.action == "recording.view"))
    assert [(row.actor_name, row.subject) for row in rows] == [("何若兰", shelf.id)]


async def test_who_follows_asks_for_what_is_new(shelf: Shelf) -> None:
    events = [{"at_ms": n, "type": "chat", "text": str(n)} for n in range(3000)]
    shelf.write({**MANIFEST, "events": events})
    reviewer = await shelf.hub.person("reviewer")
    whole = await shelf.review.detail(reviewer, shelf.id, "/media")
    assert [one.at_ms for one in whole.events] == list(range(2000))  # lanes have them all
    part = await shelf.review.detail(reviewer, shelf.id, "/media", since_ms=5500)
    assert [[segment.start_ms for segment in track.segments] for track in part.tracks] == [[5000], []]
    assert part.speakers[0].spans == []
    assert part.events == []
    assert len(part.gaps) == 1
    assert (await shelf.review.detail(reviewer, shelf.id, "/media", since_ms=9001)).gaps == []
