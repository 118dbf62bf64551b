"""One recording: what a media worker tells of a room becomes a journal, files and a manifest."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from commhub import log as logs
from commhub.media import messages
from commhub.media.messages import SessionState
from commhub.model import utc_ns
from recorder import manifest as manifests
from recorder import space
from recorder.book import Book
from recorder.chain import Chain
from recorder.files import Disk
from recorder.levels import Levels
from recorder.manifest import Manifest
from recorder.notary import Evidence, Open
from recorder.reel import Reel, last_number
from recorder.shelf import TRACKS, Shelf
from recorder.timeline import SenderClock
from recorder.track import Feed, Limits

if TYPE_CHECKING:
    from recorder.chat import Chats

log = logs.get(__name__)
_QUALITY = 10.0  # s between two facts of how tracks come
HIGH, LOW = 2, 0  # layers
_CONFIRM = 15.0  # s in which a worker that is back must name who is there
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

_TEXTS = {
    "disk_full": (
        "The recording was stopped because the disk is full; what was recorded until then can be played.",
        "磁盘空间不足，录制已停止；此前的内容可以回看。",
    ),
    "disk_error": (
        "The recording was stopped because its files cannot be written; what was recorded until then can be played.",
        "录制文件无法写入，录制已停止；此前的内容可以回看。",
    ),
}


@dataclass(slots=True)
class Live:
    """A track that is being received. ``want_key`` asks its worker for a key frame."""

    feed: Feed
    reel: Reel
    identity: str
    peer: str
    want_key: Callable[[], None]
    muted: bool = False
    cap: Callable[[int], None] = lambda most: None  # no better layer than that is wanted
    most: int = HIGH
    out: bool = False  # left out, for the disk gets full


@dataclass(slots=True)
class _Peer:
    identity: str
    clock: SenderClock = field(default_factory=SenderClock)


class Session:
    """``changed`` is called when :meth:`state` has news for the hub. Belongs to one event loop."""

    def __init__(
        self, folder: Path, disk: Disk, limits: Limits, changed: Callable[[Session], None], manifest: Manifest | None = None,
        evidence: Evidence | None = None, chain: Chain | None = None, shelf: Shelf | None = None,
    ) -> None:  # fmt: skip
        self._book = Book(folder, disk, manifest, evidence, chain, self._refused, self._open_files, shelf)
        self._write = self._book.write
        self.manifest = self._book.manifest
        self.folder = folder
        self.worker = ""
        self.only: list[messages.Pick] = []  # the parts of the room that are recorded; empty: all of it
        self.layers = "best"  # or "watched"
        self.off = False  # off the record: no media, no words
        self._disk, self._limits, self._changed = disk, limits, changed
        self._peers: dict[str, _Peer] = {}
        self._lives: dict[str, Live] = {}  # by track sid
        self._opaque: dict[str, str] = {}  # sid → track: encrypted end to end, so nothing of it is kept
        self._reels: dict[str, Reel] = {}
        self._chats: Chats | None = None
        self._speaking: dict[str, bool] = {}
        self._levels = Levels()
        self._unconfirmed: set[str] = set()
        self._confirm_by = 0.0
        self.evidence = False  # it must be recorded
        self._step = space.AMPLE
        self._slow = False
        self._measured = 0.0
        self._counts: dict[str, list[int]] = {}  # track → what came of it since then
        self._ending: asyncio.Task[None] | None = None
        self._again = manifest is not None  # there may be files already
        self._last_track = last_number(folder / TRACKS) if self._again else 0

    # ---------------------------------------------------------------------------------------------------------- life

    @property
    def id(self) -> str:
        return self.manifest.session

    @property
    def running(self) -> bool:
        return self._book.is_open and self._ending is None

    def told(self, witness: Callable[[messages.Checkpoint], None]) -> None:
        """``witness`` hears of checkpoints that are on the disk; before :meth:`start`."""
        self._book.witness = witness

    def start(self, order: messages.Record) -> None:
        """A new recording, or one that goes on after it was interrupted."""
        self._ending = None
        self._book.open(order.session)
        if self._again:
            self._unconfirmed = {identity for identity, person in self.manifest.people.items() if person.present}
            self._write("continued", reason=self.manifest.state)
        else:
            self._write(
                "opened", version=manifests.VERSION, session=order.session, room=order.room, title=order.title, about=order.about
            )
        log.info("recording started", session=self.id, room=self.manifest.room, again=self._again)
        self._book.refresh(0.0)
        self._changed(self)

    async def stop(self, reason: str) -> None:
        """Idempotent; returns when everything is on the disk. What ended by ``shutdown`` may be ordered again."""
        if (ending := self._finish("complete", "shutdown" if reason == "shutdown" else "", reason)) is not None:
            await asyncio.shield(ending)

    async def fail(self, code: str) -> None:
        """End it because the disk does not take more, and say so. ``code``: disk_full, disk_error."""
        if (ending := self._finish("failed", code, code)) is not None:
            await asyncio.shield(ending)

    def _refused(self, error: OSError) -> None:
        if self.running:
            log.error("recording refused by the disk", session=self.id, error=error.strerror)
            code = "disk_full" if error.errno in _FULL else "disk_error"
            self._finish("failed", code, code)

    def _finish(self, state: str, code: str, reason: str) -> asyncio.Task[None] | None:
        """The end, begun once; None when there was no beginning."""
        if self.running:
            self._ending = asyncio.create_task(self._end(state, code, reason), name=f"end of {self.id}")
        return self._ending

    async def _end(self, state: str, code: str, reason: str) -> None:
        now = asyncio.get_running_loop().time()
        ended = utc_ns()
        if state == "failed":
            await self._book.give_way()
        self._hush()
        for sid in list(self._lives):
            self._close(sid, now, "ended")
        self._measure(now)
        while finishing := [future for reel in self._reels.values() for future in reel.finishing]:
            await asyncio.wait(finishing)
            await asyncio.sleep(0)  # their callbacks journal
        text, text_zh = _TEXTS.get(code, ("", ""))
        closed = {"state": state, "code": code, "reason": reason, "ended": ended, "text": text, "text_zh": text_zh}
        await self._book.close(ended, closed)
        log.info("recording ended", session=self.id, state=state, reason=reason, tracks=len(self.manifest.tracks))
        self._changed(self)

    def state(self) -> SessionState:
        manifest = self.manifest
        return SessionState(
            session=self.id, room=manifest.room, state=manifest.state, code=manifest.code, text=manifest.text,
            text_zh=manifest.text_zh, started_at=manifest.started_at, ended_at=manifest.ended_at,
            duration_ms=manifest.duration_ms(utc_ns()), tracks=sum(bool(track.segments) for track in manifest.tracks.values()),
            bytes=manifest.bytes, people=manifest.names(), about=manifest.about,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------------- journal

    def _open_files(self) -> list[Open]:
        return [found for reel in self._reels.values() if (found := reel.open) is not None]

    def mark(self, mark: messages.Mark) -> None:
        if self.running:
            identity = mark.data.get("identity", "")
            self._write("mark", mark.at, event=mark.event, identity=identity if isinstance(identity, str) else "", data=mark.data)

    # ---------------------------------------------------------------------------------------------- the worker's facts

    def linked(self, worker: str, now: float) -> None:
        """The worker is going to tell everything that is there."""
        self._write("worker", worker=worker)
        self.worker = worker
        self._unconfirmed |= {identity for identity, person in self.manifest.people.items() if person.present}
        self._confirm_by = now + _CONFIRM

    def unlinked(self, now: float, reason: str = "worker") -> None:
        """The worker is gone (``worker``), the recording moves to another one (``moved``), or the room is closed (``room``)."""
        if not self.running:
            return
        if self._lives and reason == "worker":
            self._write("worker_lost", worker=self.worker)
        for sid in list(self._lives):
            self._close(sid, now, reason)
        self._peers.clear()
        self._hush()
        if reason == "room":
            self._leave([identity for identity, person in self.manifest.people.items() if person.present], "room")

    def _leave(self, identities: list[str], reason: str) -> None:
        for identity in identities:
            self._unconfirmed.discard(identity)
            self._write("left", identity=identity, reason=reason)

    def peer(self, fact: messages.SinkPeer) -> None:
        if not self.running:
            return
        person = self.manifest.people.get(fact.identity)
        about = fact.about
        if fact.present:
            self._peers.setdefault(fact.peer, _Peer(fact.identity))
            self._unconfirmed.discard(fact.identity)
            told = (about.get("name", ""), about.get("org", ""), about.get("kind", ""))
            if person is None or not person.present or (any(told) and told != (person.name, person.org, person.kind)):
                name, org, kind = told
                self._write("joined", fact.at, identity=fact.identity, name=name, org=org, kind=kind)
                self._changed(self)
            return
        self._peers.pop(fact.peer, None)
        if all(peer.identity != fact.identity for peer in self._peers.values()) and person is not None and person.present:
            if self._chats is not None:
                self._chats.left(fact.identity)
            self._speaking.pop(fact.identity, None)
            self._write("left", fact.at, identity=fact.identity, reason=fact.reason)

    def track(
        self, fact: messages.SinkTrack, now: float, want_key: Callable[[], None], cap: Callable[[int], None] = lambda most: None
    ) -> Live | None:
        """A track begins or ends. What is returned takes its packets."""
        if not self.running:
            return None
        if fact.track in self._lives:
            self._close(fact.track, now, "" if fact.open else "unpublished", fact.at)
        if (name := self._opaque.pop(fact.track, None)) is not None:
            self._write("unpublished", fact.at, identity=fact.identity, track=name, reason="unpublished")
        if not fact.open or fact.codec is None:
            return None
        reel = self._reel(fact)
        peer = self._peers.setdefault(fact.peer, _Peer(fact.identity))
        self._write(
            "published", fact.at, identity=fact.identity, track=reel.track.id, source=reel.track.source, codec=fact.codec.mime,
            sid=fact.track,
        )  # fmt: skip
        if fact.encrypted:  # what is kept would be noise to everybody without the key
            log.info("track not recorded", session=self.id, reason="It is encrypted end to end.")
            self._write("gap", fact.at, track=reel.track.id, start=fact.at, reason="encrypted")
            self._opaque[fact.track] = reel.track.id
            return None
        try:
            feed = Feed(fact.codec, peer.clock, self._limits, muted=fact.muted)
        except ValueError as error:
            log.warning("track not recorded", session=self.id, reason=str(error))
            self._write("gap", fact.at, track=reel.track.id, start=fact.at, reason="codec")
            return None
        if fact.muted != reel.track.muted:
            self._write("muted" if fact.muted else "unmuted", fact.at, identity=fact.identity, track=reel.track.id)
        live = Live(feed, reel, fact.identity, fact.peer, want_key, fact.muted, cap)
        self._lives[fact.track] = live
        self._fit(live, now)
        if self._slow or self.off:
            live.feed.pause(now)
        return live

    def _reel(self, fact: messages.SinkTrack) -> Reel:
        """The logical track: identity, source and the lowest ordinal that is free."""
        person = self.manifest.people.get(fact.identity)
        camera = person is not None and person.kind == "camera" and fact.kind == "video"
        source = "camera_feed" if camera else fact.source
        taken = {live.reel.track.id for live in self._lives.values()} | set(self._opaque.values())
        same = [
            track for track in self.manifest.tracks.values()
            if (track.identity, track.source, track.kind) == (fact.identity, source, fact.kind)
        ]  # fmt: skip
        chosen = next((track for track in same if track.id not in taken), None)
        if chosen is None:
            self._last_track += 1
            name = f"{self._last_track:04d}"
            self._write("track", fact.at, track=name, identity=fact.identity, source=source, kind=fact.kind, ordinal=len(same))
            chosen = self.manifest.tracks[name]
        reel = self._reels.get(chosen.id)
        if reel is None:
            folder = self.folder / TRACKS / chosen.id
            book = self._book
            reel = Reel(chosen, folder, self._disk, self._write, self._refused, self._again, book.noted, book.shelf)
            self._reels[chosen.id] = reel
        return reel

    def _close(self, sid: str, now: float, reason: str, at: int = 0) -> None:
        live = self._lives.pop(sid)
        live.reel.take(live.feed.close(now))
        self._count(live)
        track = live.reel.track
        last = track.segments[-1] if track.segments else None
        if reason in ("worker", "moved") and last is not None and not live.muted:
            end = last.start + last.duration_ms * 1_000_000
            self._write("gap", track=track.id, start=end, reason="worker_lost" if reason == "worker" else "worker_moved")
        if reason:
            self._write("unpublished", at, identity=live.identity, track=track.id, reason=reason)

    def packet(self, live: Live, data: memoryview | bytes, at: int, now: float) -> None:
        if at < self.manifest.started_at or self.off or not self.running:
            return  # from a cache, before the recording; behind its end; or off the record
        outs = live.feed.receive(data, at, now)
        if outs and live.reel.take(outs):
            live.want_key()

    def muted(self, fact: messages.SinkMuted, now: float) -> None:
        live = self._lives.get(fact.track) if self.running else None
        if live is None or live.muted == fact.muted:
            return
        live.muted = fact.muted
        if fact.muted:
            live.reel.take(live.feed.pause(now))
        elif not (self._slow or self.off or live.out):
            live.feed.resume()
        self._write("muted" if fact.muted else "unmuted", fact.at, identity=live.identity, track=live.reel.track.id)

    def hold(self, off: bool, now: float) -> None:
        """Off the record, or on it again: files end, and nothing that is sent or said meanwhile is kept."""
        if off == self.off or not self.running:
            return
        self.off = off
        self._write("off_record" if off else "on_record")
        for live in self._lives.values():
            if off:
                live.reel.take(live.feed.pause(now))
            elif not (live.muted or self._slow or live.out):
                live.feed.resume()
            if off and not live.muted:
                self._write("gap", track=live.reel.track.id, start=utc_ns(), reason="off_record")
        if off:
            self._hush()
        log.info("recording paused" if off else "recording goes on", session=self.id)

    def _hush(self) -> None:
        if (levels := self._levels.flush()) is not None:
            self._write("levels", levels[0], **levels[1])
        for identity in [identity for identity, active in self._speaking.items() if active]:
            self._write("speaking", identity=identity, active=False)
        self._speaking.clear()

    def speakers(self, fact: messages.SinkSpeakers) -> None:
        if not self.running or self.off:
            return
        if (levels := self._levels.hear(fact.at, fact.speakers)) is not None:
            self._write("levels", levels[0], **levels[1])
        for speaker in fact.speakers:
            if self._speaking.get(speaker.identity, False) != speaker.active:
                self._speaking[speaker.identity] = speaker.active
                self._write("speaking", fact.at, identity=speaker.identity, active=speaker.active)

    def data(self, fact: messages.SinkData, now: float) -> None:
        if not self.running or self.off:
            return
        if self._chats is None:
            # LiveKit's messages take long to load, and a recorder that was killed must be back soon.
            from recorder.chat import Chats

            self._chats = Chats()
        try:
            said = self._chats.receive(fact.identity, fact.packet, now)
        except ValueError as error:
            if (suppressed := logs.limited(("data", self.id, str(error)), 60)) is not None:
                log.warning("data packet left out", session=self.id, reason=str(error), suppressed=suppressed)
            return
        if said is not None:
            self._write(said.kind, fact.at, identity=said.identity, text=said.text, data=said.data)

    # ------------------------------------------------------------------------------------------------------------ time

    def tick(self, now: float) -> None:
        """At least every 100 ms."""
        if not self.running:
            return
        if self._disk.slow != self._slow:
            self._hold_off(now)
        for live in self._lives.values():
            outs = live.feed.tick(now)
            if outs and live.reel.take(outs):
                live.want_key()
        if self._unconfirmed and self._lives and now >= self._confirm_by:
            self._leave(sorted(self._unconfirmed), "lost")
        if now - self._measured >= _QUALITY:
            self._measure(now)
        self._book.tick(now)

    def _measure(self, now: float) -> None:
        """How every track has come since the last time: one fact of all of them."""
        span, self._measured = now - self._measured if self._measured else _QUALITY, now
        for live in self._lives.values():
            self._count(live)
        counts, self._counts = self._counts, {}
        if counts and not self.off:
            self._write("quality", span_ms=round(span * 1000), tracks=counts)

    def _count(self, live: Live) -> None:
        found = live.feed.quality()
        if found.packets or found.lost:
            counts = [found.packets, found.octets, found.lost, found.late, found.frames]
            before = self._counts.get(live.reel.track.id, [0] * len(counts))
            self._counts[live.reel.track.id] = [one + other for one, other in zip(before, counts, strict=True)]

    def thin(self, step: space.Step, free: int, total: int, now: float) -> None:
        """The disk has got fuller, or less full: what would be missed least is left out. ``free`` of ``total`` bytes."""
        if step is self._step or not self.running:
            return
        before, self._step = self._step, step
        self._write("thinned", step=step.name, before=before.name, free=free, total=total)
        for live in self._lives.values():
            self._fit(live, now)

    def _fit(self, live: Live, now: float) -> None:
        kind = space.kind(live.reel.track.source, self.evidence)
        most = LOW if kind in self._step.lower else HIGH
        if most != live.most:
            live.most = most
            live.cap(most)
        out = kind in self._step.without
        if out == live.out:
            return
        live.out = out
        if live.muted or self.off or self._slow:
            return
        if out:
            live.reel.take(live.feed.pause(now))
            self._write("gap", track=live.reel.track.id, start=utc_ns(), reason="disk_low")
        else:
            live.feed.resume()

    def _hold_off(self, now: float) -> None:
        """The disk does not keep up (or does again): leave media out rather than run out of memory."""
        self._slow = self._disk.slow
        log.warning("disk too slow" if self._slow else "disk keeps up again", session=self.id)
        for live in self._lives.values():
            if live.muted or self.off or live.out:
                continue
            if self._slow:
                live.reel.take(live.feed.pause(now))
                self._write("gap", track=live.reel.track.id, start=utc_ns(), reason="disk_slow")
            else:
                live.feed.resume()
