"""The composition roots of the processes beside the hub: media, bridge, record.

Apart from ``commhub.app``, and importing each part only where it runs: what one of these must import is what it takes to be
back after a crash, and none of them needs the hub's database, API or signalling. Each loads everything first, then waits
for its turn, so that a spare is at work at once when the other one dies.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from commhub import machine
from commhub.errors import Invalid
from commhub.settings import Settings

MEDIA_FILES = 4096  # above all TCP connections of clients that UDP does not reach

BRIDGE_FILES = 16384  # SIP connections of devices, and two or three sockets for each camera that is watched


def media(settings: Settings, index: int) -> Coroutine[Any, Any, None]:
    """``commhub media --index n``: packets."""
    from commhub.media import overload, worker

    every = [(str(address), str(address)) for address in machine.addresses()]
    machine.allow_files(MEDIA_FILES)
    machine.wait_turn(settings.run_dir / f"media-{index}.turn")
    said = settings.media
    addresses, port, steps = said.pairs() or every, said.port + index, overload.steps(said.shed_above, said.refuse_above)
    return worker.run(settings.run_dir, index, addresses, port, drain=said.drain_seconds, overload=steps)


def bridge(settings: Settings, kind: str) -> Coroutine[Any, Any, None]:
    """``commhub bridge --kind …``: a foreign world."""
    if kind == "gb28181":
        return _gb28181(settings)
    from bridges import process

    if kind != "rtsp":
        raise Invalid(f"There is no bridge of the kind {kind}.", f"没有 {kind} 类型的桥接。")
    machine.wait_turn(settings.run_dir / f"bridge-{kind}.turn")
    return process.run(settings.run_dir, f"bridge-{kind}", settings.bridges.allow, settings.bridges.transcodes)


def _gb28181(settings: Settings) -> Coroutine[Any, Any, None]:
    """Cameras behind devices that call in."""
    from bridges.gb28181 import process
    from bridges.gb28181.calls import Place
    from bridges.gb28181.registrar import Policy
    from bridges.gb28181.server import Options
    from commhub.addresses import AllowList

    said = settings.gb28181
    allow, transcodes = AllowList(settings.bridges.allow), settings.bridges.transcodes
    place = Place(host=said.media_address, ports=said.ports, allow=allow, transcodes=transcodes)
    options = Options(said.id, said.domain, said.hosts, said.port, Policy(said.date, said.redirect))
    machine.allow_files(BRIDGE_FILES)
    machine.wait_turn(settings.run_dir / "bridge-gb28181.turn")
    return process.run(settings.run_dir, options, place)


def record(settings: Settings, index: int = 0) -> Coroutine[Any, Any, None]:
    """``commhub record --index n``: disk."""
    from commhub.archive import SessionKeys, elsewhere
    from recorder import recorder, warm
    from recorder.shelf import Cabinet
    from recorder.uploading import Policy

    warm.begin()
    name = f"record-{index}"
    machine.wait_turn(settings.run_dir / f"{name}.turn")
    said = settings.recorder.model_dump(exclude={"always", "consultations", "calls", "groups", "encryption"})  # the hub's
    cabinet = Cabinet(SessionKeys.of(settings.data_dir), settings.recorder.encryption)
    exports = settings.exports_dir, settings.exports.at_once
    uploads = None
    if (remote := elsewhere(settings.recordings_s3)) is not None:
        policy = Policy(settings.recordings_s3.keep_local_days, settings.recordings_s3.alarm_minutes * 60)
        uploads = remote, policy
    return recorder.run(
        settings.run_dir, name, settings.recordings_dir, **said, index=index, keys=settings.evidence_dir, exports=exports,
        cabinet=cabinet, uploads=uploads, store=remote.terms if remote is not None else None,
    )  # fmt: skip
