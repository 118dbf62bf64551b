"""Pictures that a device takes and brings to an address it was told (GB/T 28181-2022 §9.14)."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from datetime import datetime
from fractions import Fraction
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import av

from bridges.scene import Panorama, Scene, View
from bridges.simulated import xml
from bridges.simulated.film import BEIJING

if TYPE_CHECKING:
    from bridges.simulated.device import Device


def jpeg(frame: av.VideoFrame) -> bytes:
    codec = av.CodecContext.create("mjpeg", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, "yuvj420p"
    codec.time_base = Fraction(1)
    picture = frame.reformat(format="yuvj420p")
    picture.pts = 0
    return b"".join(bytes(packet) for packet in [*codec.encode(picture), *codec.encode(None)])


async def upload(device: Device, code: str, block: str) -> None:
    """What SnapShotConfig asks for, then the notification with the names of those that arrived."""
    cameras = (entry for entry in device.entries.values() if entry.camera)
    channel = device.entries.get(code) or next(cameras, None)  # a camera by itself is asked by its own code
    url, session = xml.said(block, "UploadURL"), xml.said(block, "SessionID")
    count, pause = xml.said(block, "SnapNum", "1"), xml.said(block, "Interval", "1")
    if channel is None or not count.isdigit() or not pause.isdigit():
        return
    look = device.look(channel, sub=False)
    scene = Scene(look.width, look.height, look.name) if not look.movable else Panorama(look.width, look.height, look.name)
    names = []
    for number in range(min(10, int(count))):
        now = datetime.now(BEIJING)
        frame = scene.draw(now, View()) if isinstance(scene, Panorama) else scene.draw(now)
        name = f"{channel.code}02{now:%Y%m%d%H%M%S}{now.microsecond // 1000:03d}{number + 1:02d}"
        with suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(5):
                if await _post(url, f"{name}.jpg", jpeg(frame)):
                    names.append(name)
        if number + 1 < int(count):
            await asyncio.sleep(int(pause))
    listed = "".join(xml.tag("SnapShotFileID", name) for name in names)
    inside = xml.tag("SessionID", session) + f"<SnapShotList>\r\n{listed}</SnapShotList>\r\n"
    await device.say(device.facts.document("Notify", "UploadSnapShotFinished", device.number(), channel.code, inside))


async def _post(url: str, name: str, data: bytes) -> bool:
    where = urlsplit(url)
    if where.scheme not in ("http", "https") or not where.hostname:
        raise ValueError("The upload has no address.")
    context = None
    if where.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # as devices do
    port = where.port or (443 if context else 80)
    reader, writer = await asyncio.open_connection(where.hostname, port, ssl=context)
    try:
        path = (where.path or "/") + (f"?{where.query}" if where.query else "")
        # fmt: off
        head = (f"POST {path} HTTP/1.1\r\nHost: {where.hostname}:{port}\r\nContent-Type: image/jpeg\r\n"
                f'Content-Disposition: attachment; filename="{name}"\r\nContent-Length: {len(data)}\r\n'
                "Connection: close\r\n\r\n")
        # fmt: on
        writer.write(head.encode() + data)
        await writer.drain()
        status = await reader.readline()
        return status[9:10] == b"2"
    finally:
        writer.close()
