"""The manifest is the fold of the journal: spans, gaps, events, places; strange records are left out."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.manifest import Manifest

START = 1_700_000_000_000_000_000
MS = 1_000_000


def fold(*records: dict[str, Any]) -> Manifest:
    manifest = Manifest()
    manifest.apply({"type": "opened", "at": START, "session": "S1", "room": "R1", "title": "会商", "about": {"code": "HS-1"}})
    for record in records:
        manifest.apply({**record, "at": START + record.get("at", 0) * MS})
    return manifest


def document(manifest: Manifest, ms: int = 60_000) -> dict[str, Any]:
    return manifest.document(START + ms * MS)


def joined(at: int = 0, identity: str = "p1:t1", kind: str = "person") -> dict[str, Any]:
    return {"type": "joined", "at": at, "identity": identity, "name": "林晓", "org": "应急管理局", "kind": kind}


TRACK = {"type": "track", "track": "0001", "identity": "p1:t1", "source": "camera", "kind": "video"}


def segment(sequence: int, start: int, **more: Any) -> dict[str, Any]:
    return {"type": "segment", "track": "0001", "sequence": sequence, "file": f"{sequence:04d}.webm.part", "at": start,
            "mime": 'video/webm; codecs="vp8"', "start": START + start * MS, "codec": "vp8", "width": 640, "height": 360,
            **more}  # fmt: skip


def ended(sequence: int, start: int, duration: int, at: int = 0) -> dict[str, Any]:
    return {"type": "segment_end", "track": "0001", "sequence": sequence, "start": START + start * MS, "at": at,
            "duration_ms": duration, "bytes": 1000, "file": f"{sequence:04d}.webm"}  # fmt: skip


def test_an_empty_recording() -> None:
    found = document(fold())
    assert (found["session"], found["state"], found["started_at"], found["ended_at"]) == ("S1", "recording", START // MS, None)
    assert (found["duration_ms"], found["tracks"], found["events"], found["about"]) == (60_000, [], [], {"code": "HS-1"})


def test_segments_stand_where_the_last_anchor_says() -> None:
    manifest = fold(joined(), TRACK, segment(1, 1000))
    manifest.segment("0001", 1).duration_ms = 4000
    assert document(manifest)["tracks"][0]["segments"][0]["file"] == "0001.webm.part"
    manifest.apply({"type": "anchor", "at": START, "track": "0001", "sequence": 1, "start": START + 980 * MS})
    assert document(manifest)["tracks"][0]["segments"][0]["start_ms"] == 980
    manifest.apply({**ended(1, 985, 5000), "at": START})
    (track,) = document(manifest)["tracks"]
    assert track["segments"] == [
        {"file": "0001.webm", "mime": 'video/webm; codecs="vp8"', "start_ms": 985, "end_ms": 5985, "duration_ms": 5000,
         "bytes": 1000, "width": 640, "height": 360}
    ]  # fmt: skip
    assert (track["name"], track["org_name"], track["codec"], track["width"]) == ("林晓", "应急管理局", "vp8", 640)


def test_speech_has_no_flicker() -> None:
    def speaking(at: int, active: bool) -> dict[str, Any]:
        return {"type": "speaking", "at": at, "identity": "p1:t1", "active": active}

    manifest = fold(
        joined(), speaking(1000, True), speaking(2000, False), speaking(2500, True), speaking(4000, False),  # a breath
        speaking(9000, True), speaking(9100, False),  # a cough
        speaking(20_000, True), {"type": "left", "at": 23_000, "identity": "p1:t1", "reason": ""}, speaking(30_000, True),
    )  # fmt: skip
    assert document(manifest, 31_000)["speakers"] == [
        {
            "identity": "p1:t1",
            "name": "林晓",
            "org_name": "应急管理局",
            "spans": [[1000, 4000], [20_000, 23_000], [30_000, 31_000]],
        }
    ]


def test_a_gap_ends_with_the_next_file_or_with_its_owner() -> None:
    def lost(at: int) -> dict[str, Any]:
        return {"type": "gap", "track": "0001", "start": START + at * MS, "reason": "worker_lost", "at": at}

    manifest = fold(joined(), TRACK, segment(1, 0), ended(1, 0, 5000), lost(5000))
    assert document(manifest, 7000)["gaps"] == [{"track": "0001", "start_ms": 5000, "end_ms": 7000, "reason": "worker_lost"}]
    manifest.apply({**segment(2, 8000), "at": START})
    assert document(manifest)["gaps"][0]["end_ms"] == 8000
    manifest.apply({**lost(12_000), "at": START})
    manifest.apply({"type": "left", "at": START + 15_000 * MS, "identity": "p1:t1", "reason": "lost"})
    assert [(gap["start_ms"], gap["end_ms"]) for gap in document(manifest)["gaps"]] == [(5000, 8000), (12_000, 15_000)]


def test_closed_repaired_continued() -> None:
    closed = {"type": "closed", "at": 9000, "state": "repaired", "code": "", "reason": "recovered", "ended": START + 8000 * MS}
    gap = {"type": "gap", "track": "0001", "start": START + 7000 * MS, "reason": "recorder", "at": 9000}
    manifest = fold(joined(), TRACK, segment(1, 0), ended(1, 0, 7000), gap, closed)
    found = document(manifest, 99_000)
    assert (found["state"], found["duration_ms"], found["gaps"][0]["end_ms"]) == ("repaired", 8000, 8000)
    manifest.apply({"type": "continued", "at": START + 20_000 * MS, "reason": "repaired"})
    manifest.apply({**segment(2, 21_000), "at": START})
    found = document(manifest, 30_000)
    assert (found["state"], found["ended_at"], found["duration_ms"], found["gaps"][0]["end_ms"]) == (
        "recording",
        None,
        30_000,
        21_000,
    )
    manifest.apply({**closed, "at": START, "state": "failed", "code": "disk_full", "ended": START + 40_000 * MS})
    assert (manifest.state, manifest.code, document(manifest)["duration_ms"]) == ("failed", "disk_full", 40_000)


def test_people_and_cameras() -> None:
    manifest = fold(joined(), joined(identity="c1:bridge", kind="camera"), joined(identity="p2:t9"))
    assert manifest.names() == ["林晓"]
    chat = {"type": "chat", "at": 5000, "identity": "p1:t1", "text": "收到", "data": {"id": "m1"}}
    mark = {"type": "mark", "at": 6000, "event": "consultation.locked", "identity": "", "data": {"by": "x"}}
    for record in (chat, mark):
        manifest.apply({**record, "at": START + int(record["at"]) * MS})  # type: ignore[call-overload]
    assert document(manifest)["events"][-2:] == [
        {"at_ms": 5000, "type": "chat", "identity": "p1:t1", "name": "林晓", "text": "收到", "data": {"id": "m1"}},
        {"at_ms": 6000, "type": "consultation.locked", "identity": "", "name": "", "text": "", "data": {"by": "x"}},
    ]


def test_names_of_files_and_folders_are_ours_only() -> None:
    manifest = fold(
        {**TRACK, "track": "../../etc"}, TRACK, segment(1, 0, file="../../../etc/passwd"), segment(2, 0, file="0002.sh"),
        {**ended(1, 0, 5), "file": "x"}, segment(3, 0),
    )  # fmt: skip
    assert list(manifest.tracks) == ["0001"]
    assert [one["file"] for one in document(manifest)["tracks"][0]["segments"]] == ["0003.webm.part"]


VALUES = st.one_of(
    st.none(), st.integers(-5, 5), st.text(max_size=5), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)
KINDS = ["opened", "joined", "left", "track", "segment", "segment_end", "segment_lost", "anchor", "muted", "gap", "unpublished",
         "speaking", "continued", "closed", "chat", "mark", "from_the_future"]  # fmt: skip
FIELDS = ["at", "identity", "track", "sequence", "file", "start", "end", "data", "active", "state", "text", "event", "about"]


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6)), max_size=30))
@settings(max_examples=150, deadline=None)
def test_strange_records_are_left_out(records: list[tuple[str, dict[str, Any]]]) -> None:
    manifest = fold(joined(), TRACK)
    for kind, fields in records:
        manifest.apply({"at": START, **fields, "type": kind})
    document(manifest)


def test_what_was_lost_on_the_way_is_an_event_when_somebody_would_have_noticed() -> None:
    manifest = Manifest()
    start = 1_700_000_000_000_000_000
    for record in (
        {"type": "opened", "at": start, "session": "S", "room": "R"},
        {"type": "track", "at": start, "track": "0001", "identity": "a", "source": "camera", "kind": "video"},
        {"type": "quality", "at": start + 10_000_000_000, "span_ms": 10_000,
         "tracks": {"0001": [950, 1_250_000, 50, 3, 300], "0002": [1, 1, 1, 1, 1]}},
        {"type": "quality", "at": start + 20_000_000_000, "span_ms": 10_000, "tracks": {"0001": [995, 1_250_000, 5, 0, 300]}},
        {"type": "quality", "at": start + 30_000_000_000, "span_ms": 0, "tracks": {"0001": "torn"}},
    ):  # fmt: skip
        manifest.apply(record)
    (event,) = manifest.document(start + 30_000_000_000)["events"]
    assert (event["type"], event["identity"], event["at_ms"]) == ("quality", "a", 10_000)
    assert event["data"] == {
        "track": "0001", "source": "camera", "loss_percent": 5.0, "kbit_per_second": 1000, "span_ms": 10_000,
    }  # fmt: skip
