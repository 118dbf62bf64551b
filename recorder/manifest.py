"""What a recording holds, folded from its journal: the running session, the repair and a reader get the same.

Every journal record has ``type`` and ``at`` (UTC ns, server time). ``manifest.json`` in the session's folder::

    {version, session, room, title, about, started_at, ended_at (UTC ms; null while it runs), duration_ms,
     state, code, reason, text, text_zh, bytes, people: [name],
     tracks: [{id, identity, name, org_name, kind, source, ordinal, codec, width, height,
               segments: [{file, mime, start_ms, end_ms, duration_ms, bytes, width, height}]}],
     speakers: [{identity, name, org_name, spans: [[start_ms, end_ms]]}],
     events: [{at_ms, type, identity, name, text, data}],
     gaps: [{track, start_ms, end_ms, reason}]}

All ``_ms`` but the two dates count from ``started_at``. A segment's file is ``tracks/<track id>/<file>``; its name ends
in ``.part`` while it is written (it can be played then, too); ``start_ms`` and ``end_ms`` are its place, by all anchors: where
the sender's clock runs fast or slow they are not quite ``duration_ms`` apart. ``state``: recording, complete, repaired, failed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

from recorder.placing import Line, Run

VERSION = 1
Record = dict[str, Any]

_MERGE_MS = 800  # pauses of a speaker that are not shown
_SHORTEST_MS = 200  # what is shown as speech
_EVENTS = {"joined", "left", "muted", "unmuted", "published", "unpublished", "chat", "continued", "recovered", "worker_lost",
           "off_record", "on_record", "thinned"}  # fmt: skip
_POOR = 0.02  # of a track's packets that never came in ten seconds: worth an event
_TRACK = re.compile(r"[0-9]{4,9}")
_FILE = re.compile(r"[0-9]{4,9}\.(webm|mp4)(\.part)?")


@dataclass(slots=True)
class Segment:
    sequence: int
    file: str
    mime: str
    start: int
    codec: str = ""
    width: int = 0
    height: int = 0
    duration_ms: int = 0
    bytes: int = 0
    open: bool = True
    rtp: int = 0  # of its first frame
    rate: int = 90000
    run: Run | None = None  # None: a journal of an earlier version, which only says where it starts
    span: tuple[int, int] | None = None  # its place (UTC ns), once nothing can move it any more

    def placed(self) -> tuple[int, int]:
        """Where it stands on the session's clock (UTC ns), by all that is known."""
        if self.span is not None:
            return self.span
        behind = self.rtp + self.duration_ms * self.rate // 1000
        start = self.run.place(self.rtp) if self.run is not None else None
        end = self.run.place(behind) if self.run is not None else None
        if start is None or end is None:
            return self.start, self.start + self.duration_ms * 1_000_000
        if self.run is not None and not self.open and self.run.settled(behind):
            self.span = (start, end)
        return start, end


@dataclass(slots=True)
class Track:
    """A logical track: (identity, source, ordinal)."""

    id: str
    identity: str
    source: str
    kind: str
    ordinal: int = 0
    segments: list[Segment] = field(default_factory=list)
    muted: bool = False
    run: Run | None = None


@dataclass(slots=True)
class Person:
    name: str = ""
    org: str = ""
    kind: str = ""
    present: bool = False


@dataclass(slots=True)
class Gap:
    track: str
    start: int
    end: int | None
    reason: str


@dataclass(slots=True)
class _Speech:
    spans: list[list[int]] = field(default_factory=list)
    since: int | None = None


class Manifest:
    """``apply`` each record in order; ``document`` any time."""

    def __init__(self) -> None:
        self.session = self.room = self.title = ""
        self.about: dict[str, str] = {}
        self.started_at = self.ended_at = self.last_at = 0  # UTC ns; ended_at 0 while it runs
        self.state, self.code, self.reason = "recording", "", ""
        self.text = self.text_zh = ""
        self.tracks: dict[str, Track] = {}
        self.people: dict[str, Person] = {}
        self.gaps: list[Gap] = []
        self._senders: dict[str, Line] = {}
        self._events: list[Record] = []
        self._speech: dict[str, _Speech] = {}

    # ----------------------------------------------------------------------------------------------------------- folding

    def apply(self, record: Record) -> None:
        """A record that is not understood (of a later version, or damaged) is left out."""
        try:
            kind, at = str(record["type"]), int(record["at"])
            step = getattr(self, f"_on_{kind}", None)
            if step is not None:
                step(record, at)
            if kind in _EVENTS or kind == "mark":
                self._event(kind, record, at)
        except (KeyError, TypeError, ValueError):
            return
        self.last_at = max(self.last_at, at)

    def _event(self, kind: str, record: Record, at: int) -> None:
        known = ("type", "at", "identity", "text", "event", "data")
        data = {**{name: value for name, value in record.items() if name not in known}, **(record.get("data") or {})}
        identity = str(record.get("identity", ""))
        self._events.append(
            {"at_ms": self.ms(at), "type": str(record["event"]) if kind == "mark" else kind, "identity": identity,
             "name": self.name(identity), "text": str(record.get("text", "")), "data": data}
        )  # fmt: skip

    def _on_quality(self, record: Record, at: int) -> None:
        """All of it stays in the journal; what somebody would have noticed is an event."""
        for name, counts in dict(record["tracks"]).items():
            packets, octets, lost = (int(count) for count in list(counts)[:3])
            track = self.tracks.get(str(name))
            if track is None or lost <= 0 or lost < _POOR * (packets + lost):
                continue
            seconds = max(1, int(record["span_ms"])) / 1000
            data = {
                "track": track.id, "source": track.source, "loss_percent": round(100 * lost / (packets + lost), 1),
                "kbit_per_second": round(octets * 8 / 1000 / seconds), "span_ms": int(record["span_ms"]),
            }  # fmt: skip
            self._event("quality", {"identity": track.identity, "data": data}, at)

    def _on_opened(self, record: Record, at: int) -> None:
        self.session, self.room, self.title = str(record["session"]), str(record["room"]), str(record.get("title", ""))
        self.about = {str(key): str(value) for key, value in dict(record.get("about", {})).items()}
        self.started_at = at

    def _on_joined(self, record: Record, at: int) -> None:
        person = self.people.setdefault(str(record["identity"]), Person())
        person.name = str(record.get("name", "")) or person.name
        person.org = str(record.get("org", "")) or person.org
        person.kind = str(record.get("kind", "")) or person.kind
        person.present = True

    def _on_left(self, record: Record, at: int) -> None:
        identity = str(record["identity"])
        self.people.setdefault(identity, Person()).present = False
        self._silent(identity, at)
        for track in self.tracks.values():
            if track.identity == identity:
                self.end_gap(track.id, at)

    def _on_track(self, record: Record, at: int) -> None:
        name = str(record["track"])
        if not _TRACK.fullmatch(name):
            raise ValueError("A track's folder has a strange name.")
        self.tracks[name] = Track(
            name, str(record["identity"]), str(record["source"]), str(record["kind"]), int(record.get("ordinal", 0))
        )

    def _on_segment(self, record: Record, at: int) -> None:
        if not _FILE.fullmatch(str(record["file"])):
            raise ValueError("A segment's file has a strange name.")
        track = self.tracks[str(record["track"])]
        track.segments.append(
            Segment(
                int(record["sequence"]),
                str(record["file"]),
                str(record["mime"]),
                int(record["start"]),
                str(record.get("codec", "")),
                int(record.get("width", 0)),
                int(record.get("height", 0)),
            )
        )
        self.end_gap(track.id, int(record["start"]))
        if "rtp" in record:
            segment = track.segments[-1]
            segment.rtp, segment.rate = int(record["rtp"]), max(1, int(record["rate"]))
            if record.get("fresh") or track.run is None:
                track.run = Run(segment.rate, self._senders.setdefault(track.identity, Line()))
            segment.run = track.run

    def segment(self, track: str, sequence: int) -> Segment:
        """KeyError when there is none."""
        for segment in reversed(self.tracks[track].segments):
            if segment.sequence == sequence:
                return segment
        raise KeyError(sequence)

    def _on_anchor(self, record: Record, at: int) -> None:
        self._on_moved(record, at)
        track = self.tracks[str(record["track"])]
        if track.run is not None and "ingress" in record:
            track.run.anchor(int(record["rtp"]), int(record["ingress"]), int(record.get("ntp", 0)))
            for segment in track.segments[-3:]:
                segment.placed()  # what is sure by now is kept: its anchors are not, for ever

    def _on_moved(self, record: Record, at: int) -> None:
        self.segment(str(record["track"]), int(record["sequence"])).start = int(record["start"])

    def _on_segment_end(self, record: Record, at: int) -> None:
        segment = self.segment(str(record["track"]), int(record["sequence"]))
        segment.start = int(record.get("start", segment.start))
        segment.duration_ms, segment.bytes = int(record["duration_ms"]), int(record["bytes"])
        segment.file, segment.open = str(record.get("file", segment.file)), False
        if not _FILE.fullmatch(segment.file):
            raise ValueError("A segment's file has a strange name.")

    def _on_segment_lost(self, record: Record, at: int) -> None:
        """Nothing of its file can be played."""
        track = self.tracks[str(record["track"])]
        track.segments.remove(self.segment(track.id, int(record["sequence"])))

    def _on_muted(self, record: Record, at: int) -> None:
        self.tracks[str(record["track"])].muted = True

    def _on_unmuted(self, record: Record, at: int) -> None:
        self.tracks[str(record["track"])].muted = False

    def _on_gap(self, record: Record, at: int) -> None:
        end = record.get("end")
        self.gaps.append(
            Gap(str(record["track"]), int(record["start"]), None if end is None else int(end), str(record["reason"]))
        )

    def open_gap(self, track: str) -> Gap | None:
        return next((gap for gap in reversed(self.gaps) if gap.track == track and gap.end is None), None)

    def end_gap(self, track: str, at: int) -> None:
        while (gap := self.open_gap(track)) is not None:
            gap.end = max(at, gap.start)

    def _on_unpublished(self, record: Record, at: int) -> None:
        if record.get("reason") not in ("worker", "moved"):
            self.end_gap(str(record["track"]), at)

    def _on_speaking(self, record: Record, at: int) -> None:
        identity = str(record["identity"])
        if not record["active"]:
            self._silent(identity, at)
            return
        speech = self._speech.setdefault(identity, _Speech())
        if speech.since is None:
            speech.since = self.ms(at)

    def _silent(self, identity: str, at: int) -> None:
        speech = self._speech.get(identity)
        if speech is not None and speech.since is not None:
            _span(speech.spans, speech.since, self.ms(at))
            speech.since = None

    def _on_continued(self, record: Record, at: int) -> None:
        self.state, self.code, self.reason, self.ended_at = "recording", "", "", 0
        self.text = self.text_zh = ""

    def _on_closed(self, record: Record, at: int) -> None:
        self.state, self.code, self.reason = str(record["state"]), str(record.get("code", "")), str(record.get("reason", ""))
        self.text, self.text_zh = str(record.get("text", "")), str(record.get("text_zh", ""))
        self.ended_at = int(record.get("ended", at))
        for identity in self._speech:
            self._silent(identity, self.ended_at)
        for gap in self.gaps:
            if gap.end is None and self.state != "repaired":
                gap.end = max(self.ended_at, gap.start)

    # ----------------------------------------------------------------------------------------------------------- reading

    def ms(self, at: int) -> int:
        """On the session's clock, never before its start."""
        return max(0, (at - self.started_at) // 1_000_000)

    def name(self, identity: str) -> str:
        person = self.people.get(identity)
        return person.name if person is not None else ""

    @property
    def bytes(self) -> int:
        return sum(segment.bytes for track in self.tracks.values() for segment in track.segments)

    def duration_ms(self, now: int) -> int:
        return self.ms(self.ended_at or now)

    def names(self) -> list[str]:
        """Of the people who were there, cameras left out."""
        return sorted({person.name or identity for identity, person in self.people.items() if person.kind != "camera"})

    def document(self, now: int) -> Record:
        """The manifest at UTC ns ``now``."""
        return {
            "version": VERSION,
            "session": self.session,
            "room": self.room,
            "title": self.title,
            "about": self.about,
            "started_at": self.started_at // 1_000_000,
            "ended_at": self.ended_at // 1_000_000 if self.ended_at else None,
            "duration_ms": self.duration_ms(now),
            "state": self.state,
            "code": self.code,
            "reason": self.reason,
            "text": self.text,
            "text_zh": self.text_zh,
            "bytes": self.bytes,
            "people": self.names(),
            "tracks": [self._track(track) for track in self.tracks.values() if track.segments],
            "speakers": self._speakers(now),
            "events": self._events,
            "gaps": [
                {"track": gap.track, "start_ms": self.ms(gap.start), "end_ms": self.ms(gap.end or self.ended_at or now),
                 "reason": gap.reason}
                for gap in self.gaps
            ],
        }  # fmt: skip

    def _track(self, track: Track) -> Record:
        person = self.people.get(track.identity, Person())
        last = track.segments[-1]
        return {
            "id": track.id,
            "identity": track.identity,
            "name": person.name,
            "org_name": person.org,
            "kind": track.kind,
            "source": track.source,
            "ordinal": track.ordinal,
            "codec": last.codec,
            "width": max(segment.width for segment in track.segments),
            "height": max(segment.height for segment in track.segments),
            "segments": [
                {"file": segment.file, "mime": segment.mime, "start_ms": self.ms(start), "end_ms": self.ms(end),
                 "duration_ms": segment.duration_ms, "bytes": segment.bytes, "width": segment.width, "height": segment.height}
                for (start, end), segment in sorted(
                    ((segment.placed(), segment) for segment in track.segments), key=lambda one: one[0]
                )
            ],
        }  # fmt: skip

    def _speakers(self, now: int) -> list[Record]:
        out = []
        for identity, speech in self._speech.items():
            spans = [list(span) for span in speech.spans]
            if speech.since is not None:
                _span(spans, speech.since, self.ms(self.ended_at or now))
            spans = [span for span in spans if span[1] - span[0] >= _SHORTEST_MS]
            person = self.people.get(identity, Person())
            if spans:
                out.append({"identity": identity, "name": person.name, "org_name": person.org, "spans": spans})
        return out


def _span(spans: list[list[int]], start: int, end: int) -> None:
    """Add a span behind the others; what is nearly one becomes one."""
    if spans and start - spans[-1][1] <= _MERGE_MS:
        spans[-1][1] = max(spans[-1][1], end)
    else:
        spans.append([start, max(start, end)])


_encoder = msgspec.json.Encoder()


def encode(document: Record) -> bytes:
    return _encoder.encode(document)
