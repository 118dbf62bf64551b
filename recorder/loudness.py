"""How loud a file of a recording is, or what its journal says about everybody, each 100 ms. In a process of its own: what is
decoded came from strangers.

Run by the hub as ``python -m recorder.loudness sound``: the file is stdin and can be sought, stdout gets an octet for each 100
ms, 0 … 100. As ``python -m recorder.loudness levels <skip>``: a piece of a journal is stdin, the first ``skip`` octets of which
belong to the piece before; stdout gets JSON: ``{from_ms, levels: {identity: base64 of such octets}}``, ``from_ms`` unix. Else
one sentence over stderr, and an exit that is not 0.
"""

from __future__ import annotations

import base64
import os
import sys
from typing import Any, BinaryIO

import av
import msgspec
import numpy as np

from commhub.wire import journal
from recorder.bounds import answer

CPU = 60  # seconds
STEP_MS = 100
LONGEST = 8 * 36_000  # steps of a file, and of a piece of a journal
PEOPLE = 500
_LEVELS = b'"type":"levels"'


def sound(file: BinaryIO) -> bytes:
    """The highest sample of each step. ValueError when there is no sound in the file."""
    peaks = bytearray()
    first: float | None = None
    with av.open(file, "r") as container:
        if not container.streams.audio:
            raise ValueError("There is no sound in the file.")
        stream = container.streams.audio[0]
        stream.codec_context.thread_count = 1
        alike = av.AudioResampler(format="flt", layout="mono")
        for packet in container.demux(stream):
            try:
                frames = [heard for frame in packet.decode() for heard in alike.resample(frame)]
            except av.FFmpegError:
                continue
            for frame in frames:
                if frame.time is None:
                    continue
                first = frame.time if first is None else first
                step = int((frame.time - first) * 1000 / STEP_MS)
                if not 0 <= step < LONGEST:
                    continue
                loud = min(1.0, float(np.max(np.abs(frame.to_ndarray()), initial=0.0)))
                peaks += bytes(step + 1 - len(peaks))
                peaks[step] = max(peaks[step], round(loud * 100))
    if first is None:
        raise ValueError("There is no sound in the file.")
    return bytes(peaks)


def levels(data: bytes, skip: int, behind: int) -> dict[str, Any]:
    """Of the records that begin from the octet ``skip`` on and before ``behind``."""
    heard: list[dict[str, Any]] = []
    at = data.find(b"\n", skip - 1) + 1 if skip else 0
    while at < behind and (at or not skip):
        end = data.find(b"\n", at)
        if end < 0:
            break
        if data.find(_LEVELS, at, end) >= 0:
            try:
                heard.append(journal.decode(data[at : end + 1])[0])
            except ValueError:
                pass
        at = end + 1
    return _laid(heard)


def _laid(heard: list[dict[str, Any]]) -> dict[str, Any]:
    moments = [one["at"] // 1_000_000 for one in heard if isinstance(one.get("at"), int)]
    begin = min(moments, default=0)
    out: dict[str, bytearray] = {}
    for one in heard:
        try:
            first = (int(one["at"]) // 1_000_000 - begin) // STEP_MS
            if one["step_ms"] != STEP_MS or not 0 <= first < LONGEST:
                continue
            for identity, values in one["levels"].items():
                if identity not in out and len(out) >= PEOPLE:
                    continue
                said = bytes(max(0, min(100, int(value))) for value in values[:600])
                line = out.setdefault(identity, bytearray())
                line += bytes(max(0, first + len(said) - len(line)))
                line[first : first + len(said)] = bytes(map(max, said, line[first : first + len(said)]))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return {"from_ms": begin, "levels": {identity: base64.b64encode(line).decode() for identity, line in out.items()}}


def _asked() -> bytes:
    with os.fdopen(0, "rb", closefd=False) as file:
        if sys.argv[1:2] == ["levels"]:
            return msgspec.json.encode(levels(file.read(), int(sys.argv[2]), int(sys.argv[3])))
        return sound(file)


def main() -> int:
    return answer(_asked, CPU, av.FFmpegError, IndexError)


if __name__ == "__main__":
    sys.exit(main())
