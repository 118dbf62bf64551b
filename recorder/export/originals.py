"""Tracks as they were sent: whole files, or cut at key frames by stream copy. Nothing is decoded. Blocking."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol

import av

from commhub.archive import Reader
from recorder.export.archived import Zip
from recorder.export.playing import opened
from recorder.export.taken import Lane, Source, Taken, blocks

_SOURCES = {"microphone", "camera", "screen_share", "screen_share_audio"}

README = """原始轨道 / tracks as they were sent

每个文件夹是一路：编号与来源；谁是谁、各文件在会话时间轴上的位置见 contents.json（start_ms、end_ms 从会话开始计）。
媒体未经转码；片段从关键帧起，可能比所选时段早开始。
核验 / verify:  commhub verify 本文件.zip --keys history.json

One folder for each track. Who it is, and where each file stands on the session's clock, is in contents.json. Nothing was
transcoded; a clip begins with a key frame, which may be earlier than what was asked for.
"""


class Scratch(Protocol):
    """A file of the moment: written, then read, then gone."""

    def draft(self) -> BinaryIO: ...
    def read(self) -> Reader: ...
    def drop(self) -> None: ...


def write(taken: Taken, zip: Zip, scratch: Scratch) -> None:
    """``scratch`` is for what is being cut. OSError; whatever the zip's watcher raises."""
    zip.add("README.txt", README.encode())
    contents: list[dict[str, Any]] = []
    for lane in taken.lanes:
        folder = f"tracks/{lane.id}-{lane.source if lane.source in _SOURCES else lane.kind}"
        files = []
        for source in lane.sources:
            name = f"{folder}/{source.name.rpartition('/')[2]}"
            inside = source.start >= taken.from_ms and source.end <= taken.to_ms
            found = _whole(taken, source, name, zip) if inside else _cut(taken, lane, source, name, zip, scratch)
            if found is not None:
                files.append({"file": name, "mime": source.mime, "start_ms": found[0], "end_ms": found[1]})
        person, org = taken.name(lane.identity)
        contents.append(
            {"track": lane.id, "identity": lane.identity, "name": person, "org_name": org, "source": lane.source,
             "codec": lane.codec, "files": files}
        )  # fmt: skip
    document = {"session": taken.session, "title": taken.manifest.title, "started_at": taken.manifest.started_at // 1_000_000,
                "from_ms": taken.from_ms, "to_ms": taken.to_ms, "tracks": contents}  # fmt: skip
    zip.add("contents.json", json.dumps(document, ensure_ascii=False, indent=1).encode())


def _whole(taken: Taken, source: Source, name: str, zip: Zip) -> tuple[int, int]:
    with taken.open(source) as reader:
        zip.stream(name, blocks(reader, 0, source.size if source.size >= 0 else reader.size))
    return source.start, source.end


def _cut(taken: Taken, lane: Lane, source: Source, name: str, zip: Zip, scratch: Scratch) -> tuple[int, int] | None:
    """None when nothing of it is in the clip, or the file is none."""
    try:
        with scratch.draft() as draft:
            placed = _copied(taken, lane, source, draft)
        if placed is None:
            return None
        with scratch.read() as reader:
            zip.stream(name, blocks(reader, 0, reader.size))
        return placed
    except av.FFmpegError:
        return None
    finally:
        scratch.drop()


def _copied(taken: Taken, lane: Lane, source: Source, file: BinaryIO) -> tuple[int, int] | None:
    begin, end = source.inside(taken.from_ms), source.inside(taken.to_ms)
    first: float | None = None
    last = 0.0
    mp4 = source.name.endswith(".mp4")
    with contextlib.closing(opened(taken, source)) as given:
        stream = given.streams[0]
        with av.open(file, "w", format="mp4" if mp4 else "webm") as out:
            copy = out.add_stream_from_template(stream)
            for packet in _wanted(given, stream, begin, end):
                place = float(min(packet.pts, packet.dts) * packet.time_base * 1000)
                if first is None:
                    first = place
                shift = int(first / 1000 / packet.time_base)
                last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base * 1000))
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                out.mux(packet)
    return None if first is None else (round(source.outside(first)), round(source.outside(last)))


def _wanted(given: Any, stream: Any, begin: float, end: float) -> Iterator[Any]:
    """Packets from the last key frame before ``begin`` up to ``end`` (ms in the file)."""
    run: list[Any] = []  # since the last key frame, as long as the clip has not begun
    begun = False
    if begin > 0:
        with contextlib.suppress(av.FFmpegError):
            given.seek(int(begin / 1000 / stream.time_base), stream=stream, backward=True)
    for packet in given.demux(stream):
        if packet.pts is None or packet.dts is None or packet.size == 0:
            continue
        place = float(packet.pts * packet.time_base * 1000)
        if float(packet.dts * packet.time_base * 1000) >= end:
            break
        if begun:
            yield packet
            continue
        if packet.is_keyframe:
            run.clear()
        run.append(packet)
        if place >= begin or (stream.type == "audio" and place + 60 >= begin):
            begun = True
            yield from run
            run.clear()
    if not begun and run and run[0].is_keyframe:
        yield from run
