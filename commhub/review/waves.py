"""How loud a track of sound is over time: by what its participant's client measured (facts of the journal), else by the sound.

What is made of files is kept in pieces that do not change any more: a file of a track, eight megabytes of the journal. Only the
last piece of a recording that runs is made anew, when it has grown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from commhub.archive import Archive
from commhub.errors import HubError
from commhub.recordings.review import ManifestSegment, ManifestTrack
from commhub.review import shapes
from commhub.review.derived import Derived

RECIPE = 1
STEP_MS = 100
MOST = 20_000  # values of an answer
USUAL = 2_000
PIECE = 8 << 20  # bytes of a journal
LINE = 2 << 20  # and as many more as its last record may have
GROWN = 64 << 10  # bytes by which a journal has grown enough to be read again
FILES = 400  # of sound that are decoded for one answer: some thirty hours


class _Heard(Struct, frozen=True):
    """``from_ms`` unix; octets of 100 ms by identity."""

    from_ms: int
    levels: dict[str, bytes]


_decode = msgspec.json.Decoder(_Heard).decode
Curve = list[tuple[int, bytes]]  # from when on (ms of the recording), values of 100 ms


async def waveform(
    derived: Derived,
    archive: Archive,
    recording: str,
    track: ManifestTrack,
    started_ms: int,
    span: tuple[int, int],
    step_ms: int | None,
    running: bool,
) -> shapes.Waveform:
    """``span`` of the recording; ``started_ms`` is when it began, unix. ``step_ms`` None: such that it is some two thousand
    values."""
    begin_ms, end_ms = span
    length = max(0, end_ms - begin_ms)
    step = step_ms or STEP_MS * max(1, -(-length // (STEP_MS * USUAL)))
    step = max(step // STEP_MS * STEP_MS, STEP_MS * max(1, -(-length // (STEP_MS * MOST))))
    peaks = [0] * -(-length // step)
    curve: Curve = []
    if track.source == "microphone":
        curve = await _levels(derived, archive, recording, track.identity, started_ms)
    measured = bool(curve)
    if not measured:
        wanted = [one for one in track.segments if one.start_ms < end_ms and one.start_ms + one.duration_ms > begin_ms]
        heard = await asyncio.gather(*(_sound(derived, recording, track, one) for one in wanted[:FILES]))
        curve = [(segment.start_ms, data) for segment, data in zip(wanted, heard, strict=False)]
    await asyncio.to_thread(_lay, peaks, begin_ms, step, curve)
    of = "levels" if measured else "sound"
    return shapes.Waveform.model_validate(
        {"track": track.id, "start_ms": begin_ms, "step_ms": step, "peaks": peaks, "of": of, "running": running}
    )


def _lay(peaks: list[int], begin_ms: int, step: int, curve: Iterable[tuple[int, bytes]]) -> None:
    for at_ms, data in curve:
        first = max(0, (begin_ms - at_ms) // STEP_MS)
        last = min(len(data), (begin_ms + len(peaks) * step - at_ms) // STEP_MS + 1)
        for number in range(first, last):
            place = (at_ms + number * STEP_MS - begin_ms) // step
            if data[number] and 0 <= place < len(peaks) and data[number] > peaks[place]:
                peaks[place] = data[number]


async def _levels(derived: Derived, archive: Archive, recording: str, identity: str, started_ms: int) -> Curve:
    """Nothing when the journal says nothing of them: a recording of an earlier version, or a participant who was never heard."""
    try:
        size = await asyncio.to_thread(_size, archive, recording)
        pieces = [_piece(derived, recording, number, size) for number in range(-(-size // PIECE))]
        found = [_decode(data) for data in await asyncio.gather(*pieces)]
    except (OSError, ValueError, HubError):
        return []
    return [(one.from_ms - started_ms, one.levels[identity]) for one in found if identity in one.levels]


def _size(archive: Archive, recording: str) -> int:
    with archive.open(recording, "journal") as reader:
        return reader.size


async def _piece(derived: Derived, recording: str, number: int, size: int) -> bytes:
    begin, end = number * PIECE, (number + 1) * PIECE
    whole = end + LINE <= size
    name = f"levels-{RECIPE}/{number}~{'whole' if whole else size // GROWN}"
    # One octet of the piece before says whether a record begins here; records that begin behind the end are the next piece's.
    span = max(0, begin - 1), end + LINE
    command = ("recorder.loudness", "levels", str(begin - span[0]), str(end - span[0]))
    return await derived.of(recording, "journal", name, command, span)


async def _sound(derived: Derived, recording: str, track: ManifestTrack, segment: ManifestSegment) -> bytes:
    source = f"tracks/{track.id}/{segment.file}"
    # One that is written is looked at anew every ten seconds of it.
    much = segment.duration_ms // 10_000 if segment.file.endswith(".part") else "whole"
    kept = f"sound-{RECIPE}/{track.id}/{segment.file.partition('.')[0]}~{much}"
    try:
        return await derived.of(recording, source, kept, ("recorder.loudness", "sound"))
    except HubError:
        return b""  # a file that cannot be decoded is silent here, and said elsewhere
