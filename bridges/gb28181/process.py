"""The process ``commhub bridge --kind gb28181``: signalling and media of its devices together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bridges.gb28181 import server
from bridges.gb28181.calls import Calls, Place
from bridges.gb28181.seam import Devices, Media
from bridges.transcode import Transcoder
from commhub.media.messages import Message
from commhub.media.outlet import Outlets


async def run(run_dir: Path, options: server.Options, place: Place, name: str = server.NAME) -> None:
    """Serves until it is cancelled. OSError when SIP's port is taken."""
    outlets, transcoder = Outlets(run_dir, name), Transcoder()

    def media(devices: Devices, tell: Callable[[Message], None]) -> Media:
        return Calls(devices, outlets, transcoder, tell, run_dir, place)

    try:
        await server.run(run_dir, options, media, name)
    finally:
        await outlets.close()
        transcoder.close()
