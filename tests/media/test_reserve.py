from __future__ import annotations

import asyncio
import socket
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from commhub.media import outlet
from commhub.media.link import RECORD, PacketSocket, records
from commhub.media.outlet import Outlet
from commhub.media.reserve import Reserve
from commhub.wire import rtp
from tests.support import until


def batch(*packets: tuple[int, int, bool], size: int = 100) -> bytes:
    """Records of ``(handle, number, whether it is the last one of a picture)``."""
    out = b""
    for handle, number, last in packets:
        packet = rtp.build(bytes(size), ssrc=handle, sequence=number, timestamp=0, payload_type=96, marker=last)
        out += RECORD.pack(handle, number, len(packet)) + packet
    return out


def drained(reserve: Reserve) -> list[tuple[int, int, bool]]:
    out = []
    while reserve:
        out += [(handle, at, bool(packet[1] & 0x80)) for handle, at, packet in records(reserve.first())]
        reserve.sent()
    return out


def test_what_waits_keeps_its_order() -> None:
    reserve = Reserve()
    sent = [(1 + number % 2, number, number % 3 == 0) for number in range(60)]
    for number in range(0, 60, 5):
        reserve.put(batch(*sent[number : number + 5]))
    assert drained(reserve) == sent
    assert (reserve.left_out, reserve.quiet) == (0, True)


def test_only_whole_pictures_are_left_out() -> None:
    """Two cameras, four packets a picture, batches that end anywhere."""
    reserve = Reserve(limit=200_000)
    sent = [(handle, number, number % 4 == 3) for number in range(1200) for handle in (1, 2)]
    taken: list[tuple[int, int, bool]] = []
    for at in range(0, len(sent), 7):
        reserve.put(batch(*sent[at : at + 7]))
        if at == 1750:
            taken += drained(reserve)
    taken += drained(reserve)
    missing = [one for one in sent if one not in set(taken)]
    assert missing
    assert taken == [one for one in sent if one in set(taken)]
    for handle in (1, 2):
        numbers = [number for each, number, _ in missing if each == handle]
        pictures = [list(group) for _, group in groupby(numbers, lambda number: number // 4)]
        assert all(len(picture) == 4 for picture in pictures)
    assert reserve.left_out == len(missing) // 4
    reserve.put(batch((1, 5000, True)))
    assert drained(reserve) == [(1, 5000, True)]


def test_it_has_its_bound() -> None:
    """A picture without end."""
    reserve = Reserve(limit=50_000)
    reserve._most = 100_000
    for number in range(2000):
        reserve.put(batch((1, number, False)))
    assert 90_000 < reserve._octets <= 100_000
    reserve.clear()
    assert reserve.quiet


async def test_an_outlet_waits_for_a_worker_that_does_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet, "REDIAL", 60)
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setblocking(False)
    made = Outlet(tmp_path, "media-0", "bridge")
    packets = PacketSocket(mine)
    await asyncio.sleep(0.05)
    link: Any = SimpleNamespace(packets=packets, tell=lambda message: None)
    made._link = link
    sent = [(1, number, number % 4 == 3) for number in range(8000)]
    for at in range(0, len(sent), 40):
        made.send("cam", batch(*sent[at : at + 40], size=1100))
    made._flush()
    assert made._reserve
    got: list[int] = []

    def read() -> bool:
        while True:
            try:
                got.extend(at for _, at, _ in records(theirs.recv(100_000)))
            except BlockingIOError:
                return len(got) == len(sent)

    await until(read)
    assert got == [number for _, number, _ in sent]
    assert (made.dropped, packets.dropped, made._reserve.quiet) == (0, 0, True)
    made.send("cam", batch((1, 9000, True)))
    await until(lambda: read() or got[-1] == 9000)
    made._link = None
    await made.close()
    packets.close()
    theirs.close()
