"""One clock for all tracks, computed when it is read: skew, jitter, loss, reports, clocks that are set."""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass, field

import pytest

from commhub.media.messages import Codec
from commhub.wire.rtp import HEADER
from recorder.manifest import Manifest
from recorder.placing import SECOND, Line, Run
from recorder.timeline import SenderClock
from recorder.track import Anchor, Begin, End, Feed, Limits, Moved, Out
from tests.support.proofs import Figure

MS = SECOND // 1000
START = 1_700_000_000 * SECOND
DELAY = 30 * MS  # of the network at its best


@dataclass
class Track:
    """Somebody's microphone: the clock runs ``skew`` fast; reports come every 5 s, or never."""

    name: str
    skew: float
    reports: bool
    feed: Feed = field(init=False)
    segments: int = 0

    def __post_init__(self) -> None:
        self.feed = Feed(Codec("audio/opus", 48000, 2), SenderClock(), Limits())

    def rtp(self, seconds: float) -> int:
        return 1000 + round(seconds * 48000 * (1 + self.skew))

    def ntp(self, seconds: float) -> int:
        """The sender's own clock is a minute off, and as fast as the one of its sound card."""
        return START + 60 * SECOND + round(seconds * SECOND * (1 + self.skew))


def played(tracks: list[Track], seconds: float, dice: random.Random, jitter: int, loss: float) -> Manifest:
    """Everything they send, as the recorder gets it; what stands in the journal."""
    manifest = Manifest()
    manifest.apply({"type": "opened", "at": START, "session": "S", "room": "R"})
    queue: list[tuple[int, int, Track, bytes | tuple[int, int]]] = []
    count = itertools.count()
    for number, track in enumerate(tracks):
        manifest.apply(
            {"type": "track", "at": START, "track": track.name, "identity": track.name, "source": "microphone", "kind": "audio"}
        )
        for packet in range(round(seconds * 50)):
            if dice.random() < loss:
                continue
            sent = packet / 50 + number / 400
            came = START + round(sent * SECOND) + DELAY + dice.randrange(jitter)
            data = HEADER.pack(0x80, 0x80 | 96, packet & 0xFFFF, track.rtp(sent), 7) + b"\xf8speech"
            heapq.heappush(queue, (came, next(count), track, data))
        if track.reports:
            for at in range(2, round(seconds), 5):
                trembles = track.ntp(at) + dice.randrange(-8 * MS, 8 * MS)
                heapq.heappush(
                    queue, (START + at * SECOND + DELAY + dice.randrange(jitter), next(count), track, (track.rtp(at), trembles))
                )
    ticked = 0.0
    while queue:
        came, _, track, what = heapq.heappop(queue)
        now = (came - START) / SECOND
        if isinstance(what, tuple):
            track.feed.clock(*what)
            continue
        journal(manifest, track, track.feed.receive(what, came, now), came)
        if now - ticked >= 0.1:
            ticked = now
            for one in tracks:
                journal(manifest, one, one.feed.tick(now), came)
    for track in tracks:
        journal(manifest, track, track.feed.close(seconds), START + round(seconds * SECOND))
    return manifest


def journal(manifest: Manifest, track: Track, outs: list[Out], at: int) -> None:
    """As :class:`recorder.reel.Reel` does."""
    for out in outs:
        said: dict[str, object] = {"at": at, "track": track.name, "sequence": track.segments}
        if isinstance(out, Begin):
            track.segments += 1
            said |= {"type": "segment", "sequence": track.segments, "file": f"{track.segments:04d}.webm.part", "mime": out.mime}
            said |= {"start": out.start, "rtp": out.rtp, "rate": 48000, "fresh": out.fresh}
        elif isinstance(out, Anchor):
            said |= {"type": "anchor", "rtp": out.rtp, "ingress": out.at, "ntp": out.ntp, "start": out.start}
        elif isinstance(out, Moved):
            said |= {"type": "moved", "sequence": track.segments - out.back, "start": out.start}
        elif isinstance(out, End):
            said |= {"type": "segment_end", "bytes": 1, "duration_ms": out.duration_ms, "file": f"{track.segments:04d}.webm"}
        else:
            continue
        manifest.apply(said)


def where(manifest: Manifest, track: Track, seconds: float) -> float:
    """Where a player shows what was said at ``seconds``, as ms from the start."""
    media = track.rtp(seconds)
    for segment in manifest.tracks[track.name].segments:
        length = segment.duration_ms * 48
        if segment.rtp <= media <= segment.rtp + length:
            start, end = segment.placed()
            return (start + (end - start) * (media - segment.rtp) / length - START) / MS
    raise AssertionError(f"Nothing at {seconds} s.")


def spread(manifest: Manifest, tracks: list[Track], seconds: float) -> float:
    places = [where(manifest, track, seconds) for track in tracks]
    return max(places) - min(places)


def eight() -> list[Track]:
    skews = (1e-4, -1e-4, 0.0, 5e-5, -5e-5, 1e-4, -1e-4, 2e-5)
    return [Track(f"{number + 1:04d}", skew, number % 2 == 0) for number, skew in enumerate(skews)]


def test_tracks_stay_together() -> None:
    """The short form: two clocks 200 ppm apart, jitter of 200 ms, every twentieth packet lost."""
    tracks = [eight()[number] for number in (0, 1)]
    manifest = played(tracks, 60.0, random.Random(7), 200 * MS, 0.05)
    for seconds in (1.0, 30.0, 58.5):
        assert spread(manifest, tracks, seconds) <= 50


@pytest.mark.prove
def test_eight_tracks_stay_together_for_ten_minutes(figure: Figure) -> None:
    tracks = eight()
    manifest = played(tracks, 600.0, random.Random(11), 200 * MS, 0.05)
    worst = {name: spread(manifest, tracks, at) for name, at in (("start", 1.0), ("middle", 300.0), ("end", 598.0))}
    reached = [
        figure(f"8 tracks, 100 ppm, 200 ms jitter, 5 % loss, 10 min: offset at the {name}", value, "ms", goal="≤ 50")
        for name, value in worst.items()
    ]
    assert all(reached)


def test_ten_minutes_by_anchors_alone() -> None:
    """What a reader has: the least late packet of each 5 s of a track."""
    for seed in range(5):
        dice = random.Random(seed)
        runs = [(Run(48000, Line()), skew, dice.random() < 0.5) for skew in (1e-4, -1e-4, 3e-5, 0.0, -7e-5, 1e-4, -1e-4, 5e-5)]
        for run, skew, reports in runs:
            for anchor in range(120):
                late, sent = min((dice.randrange(200 * MS), anchor * 5 + packet / 50) for packet in range(250))
                rtp = round(sent * 48000 * (1 + skew))
                ntp = START + round(sent * SECOND) + dice.randrange(-5 * MS, 5 * MS) if reports else 0
                run.anchor(rtp, START + round(sent * SECOND) + DELAY + late, ntp)
        for seconds in (0.5, 5.0, 300.0, 590.0, 599.5):
            places = [(run.place(round(seconds * 48000 * (1 + skew))) or 0) - START for run, skew, _ in runs]
            assert max(places) - min(places) <= 50 * MS
            assert places[0] == pytest.approx(seconds * SECOND + DELAY, abs=30 * MS)


def test_a_short_track_has_its_anchor_too() -> None:
    track = Track("0001", 0.0, False)
    manifest = played([track], 1.0, random.Random(1), 5 * MS, 0.0)
    (segment,) = manifest.document(START + SECOND)["tracks"][0]["segments"]
    assert segment["start_ms"] == pytest.approx(DELAY / MS, abs=3)
    assert segment["end_ms"] - segment["start_ms"] == pytest.approx(1000, abs=25)


def test_two_tracks_of_one_sender_stand_as_it_sent_them() -> None:
    """The picture's packets take 150 ms longer; both report."""
    sender = Line()
    sound, picture = Run(48000, sender), Run(90000, sender)
    for second in range(0, 60, 5):
        ntp = START + 9 * SECOND + second * SECOND
        sound.anchor(second * 48000, START + second * SECOND + 4 * MS, ntp)
        picture.anchor(second * 90000, START + second * SECOND + 154 * MS, ntp)
    assert picture.place(90000 * 30) == pytest.approx(sound.place(48000 * 30), abs=MS)
    assert sound.place(48000 * 30) == pytest.approx(START + 30 * SECOND + 4 * MS, abs=MS)


@pytest.mark.parametrize("step", [40 * SECOND, -40 * SECOND, SECOND // 2])
def test_a_sender_that_sets_its_clock_stays_where_it_is(step: int) -> None:
    run = Run(48000, Line())
    for second in range(0, 120, 5):
        ntp = START + second * SECOND + (step if second >= 60 else 0)
        run.anchor(second * 48000, START + second * SECOND + 4 * MS, ntp)
    for second in (80, 100, 115):
        assert run.place(48000 * second) == pytest.approx(START + second * SECOND + 4 * MS, abs=5 * MS)


def test_what_is_settled_stays_and_old_anchors_go() -> None:
    run = Run(48000, Line())
    assert run.place(0) is None
    places: list[int | None] = []
    for second in range(0, 4000, 5):
        run.anchor(second * 48000, START + second * SECOND + 4 * MS, 0)
        if run.settled(48000 * 10) and len(places) < 20:
            places.append(run.place(48000 * 10))
    assert len(set(places)) == 1
    assert len(run._own._points) <= 3 * 300 // 5 + 2


def test_journals_of_before_have_no_anchors_to_compute_from() -> None:
    manifest = Manifest()
    for record in (
        {"type": "opened", "at": START, "session": "S", "room": "R"},
        {"type": "track", "at": START, "track": "0001", "identity": "a", "source": "microphone", "kind": "audio"},
        {"type": "segment", "at": START, "track": "0001", "sequence": 1, "file": "0001.webm.part", "mime": "m", "start": START},
        {"type": "anchor", "at": START, "track": "0001", "sequence": 1, "rtp": 5, "ingress": START, "place": 1,
         "start": START + 40 * MS},
        {"type": "segment_end", "at": START, "track": "0001", "sequence": 1, "bytes": 9, "duration_ms": 700, "file": "0001.webm"},
    ):  # fmt: skip
        manifest.apply(record)
    (segment,) = manifest.document(START)["tracks"][0]["segments"]
    assert (segment["start_ms"], segment["end_ms"]) == (40, 740)
