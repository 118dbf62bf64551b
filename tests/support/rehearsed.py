"""A recorded session made up for tests of the player: pictures that carry their number, in files of the recorder's own making.

A picture's number stands in its top row, sixteen cells of black and white: whoever sees it knows which frame it is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av

from commhub.model import new_id, utc_ns
from commhub.store import tables
from commhub.wire import h264
from recorder.container import Container
from recorder.containers import container
from recorder.frames import Format
from tests.support.hubs import Hub

WIDTH, HEIGHT, FPS = 320, 180, 20
CELLS, CELL = 16, 20
FRAME_MS = 1000 // FPS


@dataclass(frozen=True)
class Piece:
    """A segment: its place on the session's clock and its own length, ms; ``first`` is the number of its first picture."""

    start: int
    length: int
    first: int = 0
    codec: str = "vp8"
    place: int = 0  # its length on the session's clock where the sender's clock ran otherwise

    @property
    def end(self) -> int:
        return self.start + (self.place or self.length)


@dataclass
class Logical:
    """A logical track of one who has sound, a picture, or both."""

    identity: str
    name: str
    pieces: Sequence[Piece]
    kind: str = "video"
    source: str = "camera"
    org: str = "市水务局"
    spans: list[tuple[int, int]] = field(default_factory=list)


@cache
def numbered(count: int, codec: str = "vp8") -> list[tuple[bytes, bool]]:
    """Coded pictures with their numbers, a key frame every two seconds."""
    encoder = av.CodecContext.create({"vp8": "libvpx", "h264": "libx264"}[codec], "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, FPS), Fraction(FPS), 300_000
    fast = (
        {"deadline": "realtime", "cpu-used": "8"} if codec == "vp8" else {"preset": "ultrafast", "tune": "zerolatency", "bf": "0"}
    )
    encoder.options = {"threads": "1", "g": str(2 * FPS), "keyint_min": str(2 * FPS), **fast}
    out = [packet for number in range(count) for packet in encoder.encode(_picture(number))]
    out += encoder.encode(None)
    return [(bytes(packet), packet.is_keyframe) for packet in out]


def _picture(number: int) -> av.VideoFrame:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    row = b"".join((b"\xeb" if number >> bit & 1 else b"\x10") * CELL for bit in range(CELLS))
    ramp = bytes(60 + (x // 2 + number * 2) % 120 for x in range(WIDTH))
    luma, *chroma = frame.planes
    size = luma.line_size
    lines = [(row if y < CELL else ramp).ljust(size, b"\0") for y in range(HEIGHT)]
    luma.update(b"".join(lines))
    for position, plane in enumerate(chroma):
        plane.update(bytes([112 + 24 * position]) * plane.buffer_size)
    frame.pts = number
    return frame


@cache
def _tone(count: int) -> list[bytes]:
    """Opus packets of 20 ms."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48000, "mono", "s16", 24_000
    encoder.time_base = Fraction(1, 48000)
    out: list[bytes] = []
    for number in range(count):
        frame = av.AudioFrame("s16", "mono", 960)
        frame.planes[0].update(bytes((n % 109) * ((number // 25) % 4) // 2 for n in range(frame.planes[0].buffer_size)))
        frame.sample_rate, frame.pts, frame.time_base = 48000, number * 960, Fraction(1, 48000)
        out += [bytes(packet) for packet in encoder.encode(frame)]
    return out


def _box(codec: str, first: bytes) -> Container:
    if codec == "opus":
        return container(Format("audio", "opus", "opus", 48000, channels=1))
    if codec == "vp8":
        return container(Format("video", "vp8", "vp8", 90000, width=WIDTH, height=HEIGHT))
    sets = [unit for unit in h264.split_annex_b(first) if unit[0] & 31 in (h264.SPS, h264.PPS)]
    sequence = next(unit for unit in sets if unit[0] & 31 == h264.SPS)
    private = b"\x01" + sequence[1:4] + b"\xff"
    for mark, kind in ((0xE0, h264.SPS), (0, h264.PPS)):
        chosen = [unit for unit in sets if unit[0] & 31 == kind]
        private += bytes([mark | len(chosen)]) + b"".join(len(unit).to_bytes(2, "big") + unit for unit in chosen)
    return container(Format("video", "h264", f"avc1.{sequence[1:4].hex()}", 90000, width=WIDTH, height=HEIGHT, private=private))


def write(piece: Piece, kind: str, path: Path, *, sealed: bool = True) -> str:
    """One file; its mime type. The numbers of its pictures begin with ``piece.first``, which begins a group of pictures."""
    codec = "opus" if kind == "audio" else piece.codec
    count = piece.length // (20 if kind == "audio" else FRAME_MS)
    if kind == "audio":
        frames = [(n * 960, data, True, 960) for n, data in enumerate(_tone(count))]
    else:
        chosen = numbered(piece.first + count, codec)[piece.first :]
        frames = [(n * 90 * FRAME_MS, data, key, 90 * FRAME_MS) for n, (data, key) in enumerate(chosen)]
    box = _box(codec, frames[0][1])
    rate = 48000 if kind == "audio" else 90000
    data = bytearray(box.head())
    for time, frame, key, duration in frames:
        if box.pending >= rate // 2 or (key and kind == "video" and box.waiting):
            data += box.cut()
        if codec == "h264":
            frame = b"".join(len(unit).to_bytes(4, "big") + unit for unit in h264.split_annex_b(frame))
        box.add(time, frame, key, duration)
    data += box.cut(last=True)
    if sealed:
        seal = box.seal()
        data += seal.tail
        for offset, patch in seal.patches:
            data[offset : offset + len(patch)] = patch
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return box.mime


async def rehearse(
    hub: Hub, tracks: Sequence[Logical], *, events: Sequence[dict[str, Any]] = (), gaps: Sequence[dict[str, Any]] = (),
    title: str = "长江大道下穿通道内涝处置会商", state: str = "complete",
) -> str:  # fmt: skip
    """Write the session and put it on the list; its id."""
    id, consultation = new_id(), new_id()
    folder = hub.folder / "recordings" / id
    made: dict[tuple[Piece, str], tuple[Path, str]] = {}
    shown: list[dict[str, Any]] = []
    for number, track in enumerate(tracks, 1):
        name = f"{number:04}"
        segments = []
        for sequence, piece in enumerate(track.pieces, 1):
            key = (Piece(0, piece.length, piece.first, piece.codec), track.kind)
            extension = "mp4" if track.kind == "video" and piece.codec == "h264" else "webm"
            path = folder / "tracks" / name / f"{sequence:04}.{extension}"
            path.parent.mkdir(parents=True, exist_ok=True)
            if key in made:
                os.link(made[key][0], path)
            else:
                made[key] = (path, write(piece, track.kind, path))
            segments.append(
                {"file": path.name, "mime": made[key][1], "start_ms": piece.start, "end_ms": piece.end,
                 "duration_ms": piece.length, "bytes": path.stat().st_size, "width": WIDTH, "height": HEIGHT}
            )  # fmt: skip
        codec = track.pieces[-1].codec if track.kind == "video" else "opus"
        shown.append(
            {"id": name, "identity": track.identity, "name": track.name, "org_name": track.org, "kind": track.kind,
             "source": track.source, "ordinal": 0, "codec": codec, "segments": segments}
        )  # fmt: skip
    length = max(piece.end for track in tracks for piece in track.pieces)
    speakers = [
        {"identity": track.identity, "name": track.name, "org_name": track.org, "spans": track.spans}
        for track in tracks if track.spans
    ]  # fmt: skip
    manifest = {"version": 1, "session": id, "tracks": shown, "speakers": speakers, "events": list(events), "gaps": list(gaps)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    started = utc_ns() - (length + 60_000) * 1_000_000
    row = {
        "id": id, "consultation_id": consultation, "org_id": hub.ids["ops"], "label": "internal", "title": title,
        "code": "HS-0713",
        "started_at": started, "ended_at": started + length * 1_000_000, "duration_ms": length, "state": state,
        "tracks": len(tracks), "bytes": 1, "people": json.dumps([track.name for track in tracks], ensure_ascii=False),
    }  # fmt: skip
    async with hub.parts.store.transaction() as transaction:
        await transaction.insert(tables.recordings, row)
    return id
