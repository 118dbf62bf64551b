"""A recording of four tracks that exports are made of, and a film's pictures and sound as numbers."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from commhub.media import messages
from commhub.media.messages.exports import Export
from recorder.export.work import Made, Maker, Work
from recorder.keys import HISTORY, load
from recorder.seals import PublicKey
from tests.support import sink_feed
from tests.support.hub_of_recorder import recorder
from tests.support.sink_feed import SECOND, SinkFeed

AT = 1_764_000_000_000_000_000  # UTC ns: when exports are asked for
HOSTILE = '内涝</title><script>alert(1)</script>"\n../../etc'


@dataclass
class Recording:
    """a (VP8, Opus) and b (H.264, Opus) for 12 s, files of 3 s."""

    base: Path
    session: str = "S1"

    @property
    def folder(self) -> Path:
        return self.base / "recordings" / self.session

    @property
    def history(self) -> Path:
        return self.base / "evidence" / HISTORY

    @property
    def trusted(self) -> list[PublicKey]:
        return [load(self.history)[0].key]

    def work(self, out: Path, kind: str, **order: Any) -> Work:
        order = {"from_ms": 4000, "to_ms": 8000, "by": "陈峰 市城运中心", "at": AT, "limit": 1 << 30, **order}
        return Work(
            Export(export="X1", session=self.session, kind=kind, **order), str(out), str(self.base / "recordings"),
            str(self.base / "evidence"),
        )  # fmt: skip

    def make(self, out: Path, kind: str, **order: Any) -> tuple[Path, Made]:
        told: list[float] = []
        made = Maker(self.work(out, kind, **order), told.append).make()
        assert told == sorted(told)
        return out / made.file, made


async def record(
    base: Path,
    run_dir: Path,
    seconds: int = 12,
    size: tuple[int, int] = (320, 180),
    session: str = "S1",
    title: str = HOSTILE,
    **settings: Any,
) -> Recording:
    """``settings`` of the recorder; faster than it would be by the clock."""
    settings = {"checkpoint_seconds": 0.1, "segment_minutes": 0.05, **settings}
    feed = await SinkFeed(run_dir).start()
    async with recorder(run_dir, base / "recordings", **settings) as hub:
        assert hub.link is not None
        hub.link.tell(messages.Record(session, "R1", "media-0", title, {}))
        await feed.opened(session)
        zero = (await hub.state(session, "recording")).started_at
        feed.peer(session, "a", name="王建国</script>")
        feed.peer(session, "b", name="李敏")
        clips = [
            sink_feed.video(sink_feed.VP8, *size),
            sink_feed.video(sink_feed.H264, *size),
            sink_feed.opus(),
            sink_feed.opus(),
        ]
        senders = [feed.track(session, who, clip) for who, clip in zip("abab", clips, strict=True)]
        for second in range(seconds):
            await feed.play(session, senders, 1.0, zero + second * SECOND)
            await asyncio.sleep(0.05)
        await hub.stop(session)
    await feed.stop()
    return Recording(base, session)


def copied(recording: Recording, to: Path) -> Recording:
    """Another one that may be changed."""
    shutil.copytree(recording.base, to)
    return Recording(to, recording.session)


@dataclass
class Seen:
    """``lumas``: a picture's brightness, one a second. ``sound``: samples from -1 to 1, mono."""

    seconds: float
    width: int
    height: int
    lumas: list[np.ndarray[Any, Any]]
    sound: np.ndarray[Any, Any]
    rate: int


def seen(path: Path) -> Seen:
    lumas: list[np.ndarray[Any, Any]] = []
    sound: list[np.ndarray[Any, Any]] = []
    with av.open(str(path)) as film:
        video, audio = film.streams.video[0], film.streams.audio[0]
        seconds = float(film.duration or 0) / 1e6
        for number, frame in enumerate(film.decode(video)):
            if number % 25 == 12:
                lumas.append(frame.to_ndarray()[: frame.height].astype(int))
        film.seek(0)
        for heard in film.decode(audio):
            sound.append(heard.to_ndarray()[0])
        return Seen(seconds, video.width, video.height, lumas, np.concatenate(sound), audio.rate)
