"""Who is registered, on disk: a restarted bridge finds its devices again, without waiting for their next heartbeat. Those that
came by TCP lost their connection and register by themselves."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from bridges.gb28181.devices import Device, Entry

LIMIT = 64 << 20  # octets read


class Register:
    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> list[Entry]:
        """Nothing when there is no file, or none that can be read."""
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            if self._path.stat().st_size <= LIMIT:
                found = msgspec.msgpack.decode(self._path.read_bytes(), type=list[Entry])
                return [one for one in found if one.ends > time.time()]
        return []

    def write(self, devices: Iterable[Device], now: float) -> None:
        """``now``: the monotonic seconds in which devices count."""
        ahead = time.time() - now
        entries = [
            Entry(
                one.device, one.flow.host, one.flow.port, one.call_id, one.ends_at + ahead, one.heard_at + ahead,
                one.heart.seconds, one.version, one.agent, one.name, one.manufacturer, one.model, one.firmware,
            )
            for one in devices
            if one.registered and one.flow is not None and not one.flow.reliable
        ]  # fmt: skip
        beside = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):  # a full disk: then they come back with their next heartbeat
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.msgpack.encode(entries))
            beside.replace(self._path)
