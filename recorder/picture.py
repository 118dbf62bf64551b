"""One picture of one participant, as a JPEG: a receiver for a moment, in a process of its own.

What it decodes comes from a stranger's camera, so it has its own memory, little of it, and a short life. Run by the hub as
``python -m recorder.picture``: JSON over stdin (``run_dir``, ``worker``, ``room``, ``identity``, ``seconds``), the JPEG over
stdout; else one sentence over stderr, and an exit that is not 0.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from pathlib import Path

import av

from commhub.errors import HubError, PeerError
from commhub.media import messages
from commhub.media.link import Link, dial, records
from commhub.media.messages import Message
from recorder.bounds import answer
from recorder.depacketise import Depacketiser, depacketiser
from recorder.frames import Frame
from recorder.reorder import Reorder, parse

CPU = 15  # seconds
JPEG_LIMIT = 8 << 20
FRESH = 0.5  # seconds: a picture that is no older is of now
CATCH_UP = 1.5  # seconds of decoding from an old key frame to now
DECODERS = {"h264": "h264", "h265": "hevc", "vp8": "vp8", "vp9": "vp9", "av1": "libdav1d"}
QUALITY = {"qmin": "2", "qmax": "4"}
SINK = "picture"


class Darkroom:
    """Frames in the order of decoding become the newest picture."""

    def __init__(self) -> None:
        self._decoder: av.VideoCodecContext | None = None
        self.picture: av.VideoFrame | None = None

    def feed(self, frame: Frame) -> bool:
        """Is there a picture of it? What cannot be decoded gives none; so does everything before a key frame."""
        if frame.format is not None:
            decoder = av.CodecContext.create(DECODERS[frame.format.codec], "r")
            assert isinstance(decoder, av.VideoCodecContext)
            decoder.thread_count = 1
            decoder.extradata = frame.format.private or None
            self._decoder = decoder
        if self._decoder is None:
            return False
        try:
            # A decoder may keep a picture back for the order of showing: asked to end, it gives what it has.
            pictures = self._decoder.decode(av.Packet(frame.data)) or (self._flushed() if frame.key else [])
        except av.FFmpegError:
            return False
        if pictures:
            self.picture = pictures[-1]
        return bool(pictures)

    def _flushed(self) -> list[av.VideoFrame]:
        assert self._decoder is not None
        pictures = self._decoder.decode(None)
        self._decoder.flush_buffers()
        return pictures


def jpeg(picture: av.VideoFrame) -> bytes:
    """ValueError when it is beyond all bounds."""
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    width, height = picture.width & ~1, picture.height & ~1
    if not 0 < width <= 8192 or not 0 < height <= 8192:
        raise ValueError("The picture's size is impossible.")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.options = QUALITY
    shown = picture.reformat(width=width, height=height, format="yuvj420p")
    shown.pts = None
    data = b"".join(bytes(packet) for packet in [*encoder.encode(shown), *encoder.encode(None)])
    if not data or len(data) > JPEG_LIMIT:
        raise ValueError("The picture is too large.")
    return data


class Camera:
    """The receiver: ``done`` is set when the newest picture is good enough."""

    def __init__(self) -> None:
        self.darkroom = Darkroom()
        self.done = asyncio.Event()
        self.wrong = ""
        self._links: tuple[int, Depacketiser, Reorder] | None = None
        self._early: list[tuple[int, int, bytes]] = []
        self._first = 0.0

    def receive(self, link: Link, message: Message) -> None:
        if not isinstance(message, messages.SinkTrack) or message.kind != "video":
            return
        if not message.open or message.codec is None:
            self._links = None
            return
        if message.encrypted:
            self._fail("The picture is encrypted end to end.")
            return
        try:
            taken = depacketiser(message.codec)
        except ValueError:
            self._fail(f"No picture can be taken of {message.codec.mime}.")
            return
        self._links = (message.handle, taken, Reorder())
        link.tell(messages.KeyFrameWanted(handle=message.handle))
        early, self._early = self._early, []
        for handle, at, data in early:
            self._packet(handle, at, data)

    def _fail(self, sentence: str) -> None:
        self.wrong = sentence
        self.done.set()

    def batch(self, batch: bytes) -> None:
        with contextlib.suppress(ValueError):
            for handle, at, data in records(batch):
                if self._links is None:
                    self._early = [*self._early[-2047:], (handle, at, bytes(data))]
                else:
                    self._packet(handle, at, bytes(data))

    def _packet(self, handle: int, at: int, data: bytes) -> None:
        if self._links is None or handle != self._links[0] or self.done.is_set():
            return
        _, taken, order = self._links
        try:
            packet = parse(data, at)
        except ValueError:
            return
        for one in order.receive(packet, time.monotonic()):
            for frame in taken.receive(one):
                self._frame(frame)

    def _frame(self, frame: Frame) -> None:
        if not self.darkroom.feed(frame):
            return
        now = time.monotonic()
        self._first = self._first or now
        if time.time_ns() - frame.at < FRESH * 1e9 or now - self._first > CATCH_UP:
            self.done.set()


async def take(run_dir: Path, worker: str, room: str, identity: str, seconds: float) -> bytes:
    """The JPEG. ValueError with a sentence."""
    camera = Camera()
    end = asyncio.get_running_loop().time() + seconds
    while True:  # the room may be a moment younger than we are
        try:
            link, reading = await dial(run_dir, worker, camera.receive, packets=True)
            break
        except OSError:
            if asyncio.get_running_loop().time() > end:
                raise ValueError("The media worker is not there.") from None
            await asyncio.sleep(0.1)
    assert link.packets is not None
    link.packets.on_batch = camera.batch
    try:
        await link.ask(messages.Hello(role="record", name=f"picture-{os.getpid()}"))
        only = [messages.Pick(identity=identity, kind="video")]
        await link.ask(messages.OpenSink(room, f"{SINK}-{os.getpid()}", only))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                await camera.done.wait()
    except (HubError, PeerError) as error:
        raise ValueError(str(error)) from None
    finally:
        link.close()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    if camera.wrong:
        raise ValueError(camera.wrong)
    if camera.darkroom.picture is None:
        raise ValueError("No picture came in time.")
    return jpeg(camera.darkroom.picture)


def _asked() -> bytes:
    said = json.loads(sys.stdin.buffer.read(8192))
    return asyncio.run(take(Path(said["run_dir"]), said["worker"], said["room"], said["identity"], said["seconds"]))


def main() -> int:
    return answer(_asked, CPU)


if __name__ == "__main__":
    sys.exit(main())
