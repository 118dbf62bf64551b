"""The composition roots of the processes beside the hub: media, bridge, record.

Apart from ``commhub.app``, and importing each part only where it runs: what one of these must import is what it takes to be
back after a crash, and none of them needs the hub's database, API or signalling.
"""

from __future__ import annotations

from commhub import machine
from commhub.errors import Invalid
from commhub.settings import Settings


async def media(settings: Settings, index: int) -> None:
    """``commhub media --index n``: packets."""
    from commhub.media import worker

    every = [(str(address), str(address)) for address in machine.addresses()]
    await worker.run(settings.run_dir, index, settings.media.pairs() or every, settings.media.port)


async def bridge(settings: Settings, kind: str) -> None:
    """``commhub bridge --kind rtsp``: a foreign world."""
    from bridges import process

    if kind != "rtsp":
        raise Invalid(f"There is no bridge of the kind {kind}.", f"没有 {kind} 类型的桥接。")
    await process.run(settings.run_dir, f"bridge-{kind}", settings.bridges.allow)


async def record(settings: Settings) -> None:
    """``commhub record``: disk."""
    from recorder import recorder

    await recorder.run(settings.run_dir, "record-0", settings.recordings_dir, **settings.recorder.model_dump())
