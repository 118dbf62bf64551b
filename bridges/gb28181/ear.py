"""The sound of one participant for loudspeakers: a sink of a media worker, Opus → G.711 A-law, 8 kHz."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import av

from bridges.timeline import Sequence
from bridges.transcode import Feed, Transcoder
from commhub import log as logs
from commhub.errors import HubError, PeerError
from commhub.media.link import Link, dial, records
from commhub.media.messages import CloseSink, Hello, Message, OpenSink, Pick, SinkTrack
from commhub.tasks import Tasks

log = logs.get(__name__)

REDIAL_SECONDS = 0.25
RATE = 8000


class Alaw:
    """``feed`` takes Opus packets in order. Not for the event loop."""

    def __init__(self) -> None:
        decoder = av.CodecContext.create("libopus", "r")
        encoder = av.CodecContext.create("pcm_alaw", "w")
        assert isinstance(decoder, av.AudioCodecContext)
        assert isinstance(encoder, av.AudioCodecContext)
        decoder.sample_rate, decoder.layout = 48_000, "stereo"
        encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", av.AudioFormat("s16")
        self._decoder, self._encoder = decoder, encoder
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)

    def feed(self, payload: bytes, timestamp: int) -> list[tuple[bytes, int]]:
        out: list[tuple[bytes, int]] = []
        for frame in self._decoder.decode(av.Packet(payload)):
            frame.pts = None
            for resampled in self._resampler.resample(frame):
                resampled.pts = None
                out += [(bytes(packet), timestamp) for packet in self._encoder.encode(resampled)]
        return out

    def translate(self, timestamp: int) -> int | None:
        return None


class Ear:
    """``heard`` gets A-law as it is spoken. Goes on when the worker is replaced; ``close`` ends it."""

    def __init__(self, run_dir: Path, transcoder: Transcoder, worker: str, room: str, identity: str, sink: str,
                 heard: Callable[[bytes], None]) -> None:  # fmt: skip
        self.worker, self.room, self.identity = worker, room, identity
        self._run_dir, self._sink, self._heard = run_dir, sink, heard
        self._feed: Feed = transcoder.through(Alaw(), self._out)
        self._handles: dict[int, Sequence] = {}
        self._tasks = Tasks(f"voice {sink}")
        self._tasks.spawn(self._run(), "sink")

    async def close(self) -> None:
        self._feed.close()
        await self._tasks.close()

    async def _run(self) -> None:
        while True:
            reading: asyncio.Task[None] | None = None
            try:
                link, reading = await dial(self._run_dir, self.worker, self._receive, packets=True)
                try:
                    await self._serve(link)
                finally:
                    link.tell(CloseSink(room=self.room, sink=self._sink))
                    link.close()
            except (OSError, HubError, PeerError, TimeoutError) as error:
                if logs.limited(("voice", self.worker), 60) is not None:
                    log.info("no voice yet", worker=self.worker, error=str(error))
            finally:
                if reading is not None:
                    reading.cancel()
            self._handles.clear()
            await asyncio.sleep(REDIAL_SECONDS)

    async def _serve(self, link: Link) -> None:
        if link.packets is not None:
            link.packets.on_batch = self._batch
            link.packets.on_end = link.close
        await link.ask(Hello(role="record", name=f"voice-{self._sink}"), 5.0)
        only = [Pick(identity=self.identity, kind="audio", source="microphone")]
        await link.ask(OpenSink(room=self.room, sink=self._sink, only=only), 5.0)
        await link.closed.wait()

    def _receive(self, link: Link, message: Message) -> None:
        if isinstance(message, SinkTrack):
            opus = message.codec is not None and message.codec.mime.lower() == "audio/opus"
            if message.open and opus and not message.encrypted:
                self._handles[message.handle] = Sequence()
            else:
                self._handles.pop(message.handle, None)

    def _batch(self, batch: bytes) -> None:
        for handle, _, packet in records(batch):
            order = self._handles.get(handle)
            if order is None:
                continue
            taken = order.take(bytes(packet))
            if taken is not None and taken[0].payload:
                self._feed.put(taken[0].payload, taken[0].timestamp)

    def _out(self, out: list[tuple[bytes, int]]) -> None:
        for data, _ in out:
            self._heard(data)
