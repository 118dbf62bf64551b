"""How loud a track of sound is over time: by what its participant's client measured (facts of the journal), else by the sound."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from commhub.errors import Unavailable
from commhub.recordings.review import ManifestSegment, ManifestTrack
from commhub.review import shapes
from commhub.review.derived import Derived

RECIPE = 1
STEP_MS = 100
MOST = 20_000  # values of an answer
USUAL = 2_000


async def waveform(
    derived: Derived, recording: str, track: ManifestTrack, begin_ms: int, end_ms: int, step_ms: int | None, running: bool
) -> shapes.Waveform:
    """From ``begin_ms`` to ``end_ms``; ``step_ms`` None: such that it is some two thousand values."""
    length = max(0, end_ms - begin_ms)
    step = step_ms or STEP_MS * max(1, -(-length // (STEP_MS * USUAL)))
    step = max(step // STEP_MS * STEP_MS, STEP_MS, STEP_MS * -(-length // (STEP_MS * MOST)))
    peaks = [0] * -(-length // step)
    wanted = [one for one in track.segments if one.start_ms < end_ms and one.start_ms + one.duration_ms > begin_ms]
    for segment, data in zip(
        wanted, await asyncio.gather(*(_sound(derived, recording, track, one) for one in wanted)), strict=True
    ):
        _lay(peaks, begin_ms, step, segment.start_ms, data)
    return shapes.Waveform(track=track.id, start_ms=begin_ms, step_ms=step, peaks=peaks, of="sound", running=running)


def _lay(peaks: list[int], begin_ms: int, step: int, at_ms: int, data: Iterable[int]) -> None:
    """``data`` are values of 100 ms from ``at_ms`` on."""
    for number, value in enumerate(data):
        place = (at_ms + number * STEP_MS - begin_ms) // step
        if 0 <= place < len(peaks) and value > peaks[place]:
            peaks[place] = value


async def _sound(derived: Derived, recording: str, track: ManifestTrack, segment: ManifestSegment) -> bytes:
    source = f"tracks/{track.id}/{segment.file}"
    # One that is written is looked at anew every ten seconds of it.
    much = f"-{segment.duration_ms // 10_000}" if segment.file.endswith(".part") else ""
    kept = f"sound-{RECIPE}/{track.id}/{segment.file.partition('.')[0]}{much}"
    try:
        return await derived.of(recording, source, kept, ("recorder.loudness",))
    except Unavailable:
        return b""  # a file that cannot be decoded is silent here, and said elsewhere
