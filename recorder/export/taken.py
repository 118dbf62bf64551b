"""A session as it is taken out: up to its last signature, with whichever of its files a clip needs. Blocking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from commhub.archive import PART, Archive, Reader
from commhub.wire import journal
from recorder import seals
from recorder.chain import lines
from recorder.container import Torn
from recorder.containers import recover
from recorder.export.recipe import Part
from recorder.manifest import Manifest, Segment, Track
from recorder.verify import JOURNAL, MANIFEST, RESERVE, TRACKS

JOURNAL_LIMIT = 1 << 30
BLOCK = 1 << 20
_ROUNDED = 1_000  # ms behind the end of a recording that nobody misses
_OPEN_LIMIT = 1 << 30  # bytes of a file that is still being written: it is looked through


class Trouble(Exception):
    """Why it cannot be made: ``code`` for programs, the texts for people."""

    def __init__(self, code: str, text: str, text_zh: str) -> None:
        super().__init__(text)
        self.code, self.text, self.text_zh = code, text, text_zh


@dataclass(slots=True)
class Source:
    """A segment of a track. ``name`` is its file in the session, ``path`` how it is opened.

    ``start`` and ``end`` are its place on the session's clock (ms), ``duration`` what the media in it last. ``offset`` and
    ``size``: what of it is digested, and played.
    """

    track: str
    name: str
    path: str
    mime: str
    start: int
    end: int
    duration: int
    offset: int = 0
    size: int = -1  # all of it

    def inside(self, ms: float) -> float:
        """The place in the file (ms) of a moment of the session."""
        return (ms - self.start) * self.duration / max(1, self.end - self.start)

    def outside(self, ms: float) -> float:
        """The session's moment of a place in the file."""
        return self.start + ms * (self.end - self.start) / max(1, self.duration)


@dataclass(slots=True)
class Lane:
    """A track, and its files that the clip needs, in order of time."""

    id: str
    identity: str
    kind: str
    source: str
    codec: str
    sources: list[Source] = field(default_factory=list)


class _Noticed(Reader):
    """``failed`` hears of what cannot be read: who decodes takes it for the file's end, and goes on."""

    def __init__(self, reader: Reader, failed: Callable[[OSError | ValueError], None]) -> None:
        self._reader, self._failed = reader, failed
        self.size, self.modified, self.layout = reader.size, reader.modified, reader.layout

    def read_at(self, offset: int, count: int) -> bytes:
        try:
            return self._reader.read_at(offset, count)
        except (OSError, ValueError) as error:
            self._failed(error)
            raise

    def close(self) -> None:
        self._reader.close()


class Taken:
    """``from_ms`` and ``to_ms`` both 0: all of it. ``tracks``: only these. :class:`Trouble` when there is nothing to take.

    ``beyond``: so much was asked for that is not there (yet)."""

    def __init__(self, archive: Archive, session: str, from_ms: int = 0, to_ms: int = 0, tracks: list[str] | None = None) -> None:
        self.archive, self.session = archive, session
        self._unread: tuple[str, OSError | ValueError] | None = None  # the first one, and why
        try:
            paths = archive.paths(session)
            data = archive.read(session, JOURNAL, JOURNAL_LIMIT)
        except (FileNotFoundError, ValueError):
            raise Trouble("gone", "There is no such recording any more.", "录制已不存在。") from None
        except OSError as error:
            raise unreadable(JOURNAL, error) from None
        self.running = RESERVE in paths
        self.journal, self.checkpoint = _signed(data, self.running)
        self.manifest = Manifest()
        for record in journal.scan(self.journal).records:
            self.manifest.apply(record)
        whole = self._until()
        self.whole = from_ms <= 0 and (to_ms <= 0 or to_ms >= whole)
        self.from_ms, self.to_ms = max(0, from_ms), min(to_ms or whole, whole)
        if self.to_ms <= self.from_ms:
            raise self._nothing(whole)
        self.beyond = to_ms > whole + (0 if self.running else _ROUNDED)
        wanted = set(tracks or [])
        everything = [self._lane(track) for track in self.manifest.tracks.values() if not wanted or track.id in wanted]
        self.lanes = [lane for lane in everything if lane.sources]
        self.document = self.manifest.document(self.manifest.started_at + whole * 1_000_000)

    def _nothing(self, whole: int) -> Trouble:
        until = clock(whole)
        if self.running:
            return Trouble(
                "not_yet", f"This time is not recorded and signed yet: up to {until} it is. Ask again later.",
                f"该时段尚未录制并签名，目前可导出到 {until}，请稍后再试。",
            )  # fmt: skip
        return Trouble(
            "beyond", f"The recording ends at {until}, before this time.", f"录制在 {until} 已结束，没有该时段的内容。"
        )

    def _until(self) -> int:
        """The session's length (ms): of one that runs, up to the last signature."""
        if self.running or not self.manifest.ended_at:
            return self.manifest.ms(int(self.checkpoint["at"]) if self.checkpoint else self.manifest.last_at)
        ends = [segment.placed()[1] for track in self.manifest.tracks.values() for segment in track.segments]
        return max(self.manifest.duration_ms(0), *(self.manifest.ms(end) for end in ends), 0)

    def _lane(self, track: Track) -> Lane:
        lane = Lane(track.id, track.identity, track.kind, track.source, track.segments[-1].codec if track.segments else "")
        for segment in track.segments:
            source = self._source(track, segment)
            if source is not None and source.start < self.to_ms and source.end > self.from_ms:
                lane.sources.append(source)
        lane.sources.sort(key=lambda one: one.start)
        return lane

    def _source(self, track: Track, segment: Segment) -> Source | None:
        path = f"{TRACKS}{track.id}/{segment.file}"
        source = Source(track.id, path.removesuffix(PART), path, segment.mime, 0, 0, 0)
        if segment.open and (self.manifest.ms(segment.start) >= self.to_ms or not self._look(source, segment)):
            return None
        start, end = segment.placed()
        zero = self.manifest.started_at
        source.start, source.end = (start - zero) // 1_000_000, (end - zero) // 1_000_000
        source.duration = segment.duration_ms
        return source

    def _look(self, source: Source, segment: Segment) -> bool:
        """How much of a file that is being written can be played."""
        try:
            with self.archive.open(self.session, source.path) as reader:
                if reader.size > _OPEN_LIMIT:
                    return False
                found = recover(source.name.rpartition(".")[2], reader.read())
        except (Torn, OSError, ValueError):
            return False
        segment.duration_ms = found.duration_ms
        source.offset, source.size = found.pieces[0][0], found.end
        return True

    # ---- bytes

    def open(self, source: Source) -> Reader:
        def failed(error: OSError | ValueError) -> None:
            self._unread = self._unread or (source.name, error)

        try:
            return _Noticed(self.archive.open(self.session, source.path), failed)
        except (OSError, ValueError) as error:
            failed(error)
            raise

    def check(self) -> None:
        """:class:`Trouble` when something could not be read: what was made lacks it."""
        if self._unread is not None:
            raise unreadable(*self._unread)

    def file(self, source: Source) -> BinaryIO:
        return self.open(source).file()

    def part(self, source: Source, algorithm: str) -> Part:
        """What the recipe says of a source."""
        found = seals.begin(algorithm)
        with self.open(source) as reader:
            end = source.size if source.size >= 0 else reader.size
            for block in blocks(reader, source.offset, end):
                found.update(block)
        return Part(source.name, end - source.offset, found.digest().hex(), source.offset)

    def name(self, identity: str) -> tuple[str, str]:
        """Name and organisation."""
        person = self.manifest.people.get(identity)
        return (person.name or identity.partition(":")[0], person.org) if person is not None else (identity.partition(":")[0], "")

    def recipe(self) -> dict[str, Any]:
        """What of the recipe the session itself says."""
        last = self.checkpoint or {}
        return {
            "session": self.session, "title": self.manifest.title, "started_at": self.manifest.started_at // 1_000_000,
            "from_ms": self.from_ms, "to_ms": self.to_ms, "running": self.running,
            "journal": {"until": len(self.journal), "number": int(last.get("number", 0)), "head": str(last.get("head", ""))},
        }  # fmt: skip

    def manifest_bytes(self) -> bytes | None:
        """As it is signed; none of a session that runs."""
        if self.running:
            return None
        try:
            return self.archive.read(self.session, MANIFEST, JOURNAL_LIMIT)
        except FileNotFoundError:
            return None


def unreadable(name: str, error: OSError | ValueError) -> Trouble:
    """A file of the session, and why."""
    why = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    why = " ".join(why.split()).rstrip(".")
    return Trouble(
        "unreadable", f"{name} of the recording cannot be read: {why}. Ask again when it can.",
        f"无法读取录制文件 {name}（{why}），恢复后可重新申请。",
    )  # fmt: skip


def clock(ms: int) -> str:
    """On the session's clock: 1:02:03."""
    return f"{ms // 3_600_000}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}"


def blocks(reader: Reader, begin: int, end: int) -> Iterator[bytes]:
    at = begin
    while at < end and (block := reader.read_at(at, min(BLOCK, end - at))):
        yield block
        at += len(block)


def _signed(data: bytes, running: bool) -> tuple[bytes, dict[str, Any] | None]:
    """A journal, of a running session up to its last checkpoint; and that one."""
    end, last, at = 0, None, 0
    for line in lines(data):
        at += len(line)
        if b'"checkpoint"' not in line:
            continue
        try:
            record, _ = journal.decode(line)
        except ValueError:
            continue
        if record.get("type") == "checkpoint":
            end, last = at, record
    if not running:
        return data, last
    if last is None:
        raise Trouble("unsigned", "Nothing of this recording is signed yet: try again in a moment.", "录制尚未签名，请稍后再试。")
    return data[:end], last
