"""What a recorded file holds, seen by FFmpeg's libraries."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

import av


@dataclass(frozen=True)
class Media:
    """``times`` of all frames that decode (s from the file's begin); ``duration`` as the head says, None when it does not."""

    codec: str
    times: list[float]
    duration: float | None
    width: int = 0
    height: int = 0

    @property
    def length(self) -> float:
        return self.times[-1] - self.times[0] if self.times else 0.0


def read(path: Path) -> Media:
    """Decodes all of it; av's errors when it cannot be opened."""
    # libopus, as in browsers: FFmpeg's own decoder does not know frames of length zero.
    with av.open(str(path), format="mp4" if ".mp4" in path.name else "webm") as file:
        stream = file.streams[0]
        times: list[float] = []
        duration = file.duration / 1_000_000 if file.duration and file.duration > 0 else None
        width = height = 0
        if stream.type == "video":
            with contextlib.suppress(av.error.EOFError):
                for frame in file.decode(stream):
                    assert isinstance(frame, av.VideoFrame)
                    times.append(float(frame.time or 0.0))
                    width, height = frame.width, frame.height
        else:
            for packet in file.demux(stream):
                if packet.pts is not None and packet.time_base is not None:
                    times.append(float(packet.pts * packet.time_base))
        return Media(stream.codec_context.codec.canonical_name, times, duration, width, height)


async def probe(file: Path) -> float:
    """What ffprobe reads: seconds from the first to the end of the last packet."""
    process = await asyncio.create_subprocess_exec(
        "ffprobe", "-v", "error", "-show_entries", "packet=pts_time,duration_time", "-of", "json", str(file),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    packets = json.loads(output)["packets"]
    times = [float(packet["pts_time"]) for packet in packets if "pts_time" in packet]
    assert times, file
    return max(times) - min(times)
