"""The simulated RTSP camera's other streams, by the bridge's own client and by ffmpeg's."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import pytest
from av.video.frame import PictureType

from bridges.simulated.rtsp import Camera, Options


def watch(url: str, pictures: int = 8) -> tuple[str, int, list[str]]:
    """Codec, width, kinds of pictures."""
    with av.open(url, options={"rtsp_transport": "tcp", "probesize": "100000"}, timeout=10.0) as container:
        stream = container.streams.video[0]
        kinds = []
        for frame in container.decode(stream):
            kinds.append(PictureType(frame.pict_type).name)
            if len(kinds) >= pictures:
                break
        return stream.codec_context.name, stream.codec_context.width, kinds


@pytest.mark.parametrize(
    ("path", "more", "codec", "width"),
    [("/camera", {}, "h264", 320), ("/camera/sub", {}, "h264", 160), ("/camera", {"codec": "h265"}, "hevc", 320),
     ("/camera", {"b_frames": 2}, "h264", 320)],
)  # fmt: skip
async def test_streams(path: str, more: dict[str, object], codec: str, width: int) -> None:
    options = Options(width=320, height=180, sub_width=160, sub_height=96, fps=Fraction(25), group=12, **more)  # type: ignore[arg-type]
    camera = Camera(options)
    await camera.start()
    try:
        found = await asyncio.to_thread(watch, f"rtsp://127.0.0.1:{camera.port}{path}")
    finally:
        await camera.close()
    assert found[:2] == (codec, width)
    assert ("B" in found[2]) is ("b_frames" in more)
