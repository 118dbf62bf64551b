"""Thumbnails and waveforms: made by children of the files themselves, kept, and never anybody's end."""

from __future__ import annotations

import asyncio
import base64
import io
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import pytest

from commhub.archive import Archive
from commhub.errors import NotFound, Unavailable
from commhub.review.derived import Derived
from commhub.wire import journal
from recorder.loudness import levels, sound
from recorder.thumbnails import sheet
from tests.support.hubs import Hub, serving
from tests.support.rehearsed import Logical, Piece, rehearse, write

TILE = (160, 90)
THUMBNAILS = ("recorder.thumbnails", "10000", "1", "6", "160", "90")


def shades(data: bytes, count: int, columns: int = 6) -> list[int]:
    """Of each tile what its top row's cells say: the number of the picture."""
    with av.open(io.BytesIO(data), "r") as file:
        picture = next(file.decode(video=0)).reformat(format="gray").to_ndarray()
    out = []
    for number in range(count):
        row, column = divmod(number, columns)
        line = picture[row * TILE[1] + 4, column * TILE[0] : (column + 1) * TILE[0]]
        out.append(sum(1 << bit for bit in range(16) if line[bit * 10 + 5] > 128))
    return out


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


def test_tiles_are_of_their_moments(tmp_path: Path) -> None:
    write(Piece(0, 45_000), "video", tmp_path / "a.webm")
    with (tmp_path / "a.webm").open("rb") as file:
        found = shades(sheet(file, 10_000, 5, 6, *TILE), 5)
    # Twenty pictures a second, a key frame every forty: the last one at or before each ten seconds.
    assert found == [0, 200, 400, 600, 800]


def test_a_file_with_its_first_key_frame_only_is_decoded_as_a_whole(tmp_path: Path) -> None:
    out = av.open(str(tmp_path / "a.webm"), "w")
    stream = out.add_stream("libvpx", rate=5, options={"deadline": "realtime", "cpu-used": "8", "g": "10000"})
    stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
    for number in range(5 * 40):
        frame = av.VideoFrame(320, 180, "yuv420p")
        frame.planes[0].update(bytes([40 + number]) * frame.planes[0].buffer_size)
        for plane in frame.planes[1:]:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts = number
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
    out.close()
    with (tmp_path / "a.webm").open("rb") as file:
        data = sheet(file, 10_000, 4, 4, *TILE)
    with av.open(io.BytesIO(data), "r") as jpeg:
        gray = next(jpeg.decode(video=0)).reformat(format="gray").to_ndarray()
    seen = [int(gray[45, column * 160 + 80]) for column in range(4)]
    assert all(later - earlier > 30 for earlier, later in itertools.pairwise(seen)), seen


def test_the_sound_of_a_file_is_its_peaks(tmp_path: Path) -> None:
    write(Piece(0, 6_000), "audio", tmp_path / "a.webm")
    with (tmp_path / "a.webm").open("rb") as file:
        peaks = sound(file)
    assert 58 <= len(peaks) <= 62
    assert max(peaks) > 10
    assert max(peaks) <= 100
    assert min(peaks[1:4]) < max(peaks) // 2  # the tone is quiet for half a second first


def record(at_ms: int, values: dict[str, list[int]]) -> bytes:
    return journal.encode({"type": "levels", "at": at_ms * 1_000_000, "step_ms": 100, "levels": values})


def test_levels_of_a_journal_come_in_pieces_without_a_seam() -> None:
    lines = [record(1000 * n, {"a": [n % 100] * 10, "b": [5]}) for n in range(1, 40)]
    lines.insert(7, journal.encode({"type": "chat", "at": 1, "text": '"type":"levels"'}))
    data = b"".join(lines)
    whole = levels(data, 0, len(data))
    assert whole["from_ms"] == 1000
    for cut in (1, len(lines[0]) - 1, len(lines[0]), len(lines[0]) + 1, 777, len(data) - 5):
        first = levels(data, 0, cut)
        second = levels(data[cut - 1 :], 1, len(data) - cut + 1)
        seconds = sum(len(json.dumps(one["levels"].get("a", ""))) > 2 for one in (first, second))
        assert seconds in (1, 2)
        joined = bytearray(base64.b64decode(whole["levels"]["a"]))
        for one in (first, second):
            said = base64.b64decode(one["levels"].get("a", ""))
            at = (one["from_ms"] - 1000) // 100
            assert joined[at : at + len(said)] == said
        assert len(base64.b64decode(first["levels"].get("a", ""))) + len(base64.b64decode(second["levels"].get("a", ""))) == len(
            joined
        )


def test_levels_that_nobody_could_have_written_are_left_out() -> None:
    odd: list[dict[str, Any]] = [
        {"type": "levels", "at": "x", "step_ms": 100, "levels": {}},
        {"type": "levels", "at": 10**9, "step_ms": 7, "levels": {"a": [1]}},
        {"type": "levels", "at": 10**9, "step_ms": 100, "levels": [1]},
        {"type": "levels", "at": 10**30, "step_ms": 100, "levels": {"a": [1]}},
        {"type": "levels", "at": 10**9, "step_ms": 100, "levels": {"a": [1000, -5]}},
    ]
    data = b"".join(journal.encode(one) for one in odd[:3] + odd[4:]) + b"\xff\xfe\n"
    assert levels(data, 0, len(data))["levels"] == {"a": "ZAA="}


async def test_thumbnails_by_the_interface(hub: Hub) -> None:
    pieces = [Piece(0, 20_000), Piece(25_000, 12_000, codec="h264")]
    id = await rehearse(hub, [Logical("A:T", "李思涵", pieces)])
    async with hub.browser("reviewer") as page:
        shown = await page.ok("GET", f"/recordings/{id}/thumbnails/0001")
        assert [(one["start_ms"], one["until_ms"], one["count"], one["whole"]) for one in shown["sheets"]] == [
            (0, 20_000, 2, True), (25_000, 37_000, 2, True)
        ]  # fmt: skip
        for one in shown["sheets"]:
            async with await page.raw("GET", one["url"]) as response:
                assert (response.status, response.content_type) == (200, "image/jpeg")
                assert shades(await response.read(), 2) == [0, 200]
                tag = response.headers["ETag"]
            async with await page.raw("GET", one["url"], headers={"If-None-Match": tag}) as response:
                assert response.status == 304
        for wrong in ("0003-1.jpg", "0001-3.jpg", "0001-0.jpg", "x.jpg", "0001-2.png", "..%2fmanifest.json"):
            async with await page.raw("GET", f"/api/v1/recordings/{id}/thumbnails/0001/{wrong}") as response:
                assert response.status == 404, wrong
        assert (await page.call("GET", f"/recordings/{id}/thumbnails/0009"))[0] == 404
        assert (await page.call("GET", f"/recordings/{id}/waveforms/0001"))[0] == 404  # has no sound


async def test_waveforms_by_levels_and_by_the_sound_itself(hub: Hub) -> None:
    one = Logical("A:T", "李思涵", [Piece(0, 6_000)], kind="audio", source="microphone")
    other = Logical("B:T", "赵一", [Piece(2_000, 6_000)], kind="audio", source="screen_share_audio")
    id = await rehearse(hub, [one, other])
    async with hub.parts.store.reading() as reading:
        row = await hub.parts.review.found(reading, await hub.person("reviewer"), id)
    begun = row.started_at // 1_000_000
    (hub.folder / "recordings" / id / "journal").write_bytes(record(begun + 1000, {"A:T": [10, 90, 30]}) + b"torn")
    async with hub.browser("reviewer") as page:
        shown = await page.ok("GET", f"/recordings/{id}/waveforms/0001")
        assert (shown["of"], shown["step_ms"], len(shown["peaks"])) == ("levels", 100, 60)
        assert shown["peaks"][9:14] == [0, 10, 90, 30, 0]
        shown = await page.ok("GET", f"/recordings/{id}/waveforms/0001?from_ms=1000&until_ms=2000&step_ms=500")
        assert shown["peaks"] == [90, 0]
        shown = await page.ok("GET", f"/recordings/{id}/waveforms/0002")
        assert shown["of"] == "sound"
        assert len(shown["peaks"]) == 80
        assert max(shown["peaks"][:20]) == 0 < max(shown["peaks"][20:])
        for wrong in ("?step_ms=1", "?from_ms=-1", "?from_ms=x", "?until_ms=99999999999999", "?more=1"):
            assert (await page.call("GET", f"/recordings/{id}/waveforms/0001{wrong}"))[0] == 400, wrong
        assert (await page.ok("GET", f"/recordings/{id}/waveforms/0001?from_ms=9000&until_ms=1000"))["peaks"] == []


async def test_what_is_made_is_made_once_and_kept(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await rehearse(hub, [Logical("A:T", "李思涵", [Piece(0, 11_000)])])
    derived = hub.parts.reviewing.derived
    made = 0
    child = derived._child

    async def counted(fd: int, command: Any) -> bytes:
        nonlocal made
        made += 1
        return await child(fd, command)

    monkeypatch.setattr(derived, "_child", counted)
    reviewer = await hub.person("reviewer")
    got = await asyncio.gather(*(hub.parts.reviewing.sheet(reviewer, id, "0001", "0001-2.jpg") for _ in range(5)))
    assert len(set(got)) == 1
    assert made == 1
    assert await hub.parts.reviewing.sheet(reviewer, id, "0001", "0001-2.jpg") == got[0]
    assert made == 1
    await hub.parts.reviewing.sheet(reviewer, id, "0001", "0001-1.jpg")  # of when it was shorter: only one is kept
    assert len(list((hub.folder / "derived" / id).rglob("*.jpg"))) == 1


@pytest.mark.parametrize("content", [b"", b"not a film", b"\x1aE\xdf\xa3" + bytes(range(256)) * 400])
async def test_hostile_media_end_only_their_child(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "recordings" / "S1" / "tracks" / "0001"
    folder.mkdir(parents=True)
    (folder / "0001.webm").write_bytes(content)
    derived = Derived(Archive(tmp_path / "recordings"), tmp_path / "derived", within=20)
    for _ in range(2):  # and is not tried again
        with pytest.raises(Unavailable):
            await derived.of("S1", "tracks/0001/0001.webm", "t/0001~1.jpg", THUMBNAILS)
    with pytest.raises(NotFound):
        await derived.of("S1", "tracks/0001/0009.webm", "t/0009~1.jpg", THUMBNAILS)
    await derived.close()


async def test_a_child_that_does_not_end_is_ended(tmp_path: Path) -> None:
    (tmp_path / "recordings" / "S1").mkdir(parents=True)
    (tmp_path / "recordings" / "S1" / "journal").write_bytes(b"x")
    derived = Derived(Archive(tmp_path / "recordings"), tmp_path / "derived", within=0.5)
    with pytest.raises(Unavailable):
        await derived.of("S1", "journal", "x", ("timeit", "-n", "1", "-r", "1", "import time; time.sleep(60)"))
    await derived.close()
