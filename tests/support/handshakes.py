"""DTLS clients in a process of their own: many at once against one media port.

    python -m tests.support.handshakes PORT

Prints its certificate's fingerprint, reads a line of JSON ``[[ufrag, password], …]``, then joins with all of them at once and
prints ``[seconds until the last one was connected, how many were]``.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import time
from typing import Any, cast

from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport

from commhub.wire import stun


class _Wire:
    """What aiortc takes for its ICE transport: a UDP socket that has been checked."""

    role, state = "controlling", "completed"

    def __init__(self, port: int, ufrag: str, password: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.setblocking(False)
        self._check = (f"{ufrag}:them", password.encode())

    async def checked(self) -> None:
        while True:
            name, key = self._check
            self._socket.send(stun.binding_request(os.urandom(12), name, key, controlling=1, use_candidate=True))
            try:
                async with asyncio.timeout(0.5):
                    if (await self._loop.sock_recv(self._socket, 2048))[0] < 4:
                        return
            except TimeoutError:
                continue

    async def _send(self, data: bytes) -> None:
        self._socket.send(data)

    async def _recv(self) -> bytes:
        while True:
            data = await self._loop.sock_recv(self._socket, 2048)
            if data[0] > 3:
                return data


async def _join(port: int, ufrag: str, password: str, certificate: RTCCertificate, theirs: list[list[str]]) -> float:
    wire = _Wire(port, ufrag, password)
    dtls = RTCDtlsTransport(cast(Any, wire), [certificate])
    dtls._set_role("server")
    await wire.checked()
    await dtls.start(RTCDtlsParameters([RTCDtlsFingerprint(*one) for one in theirs]))
    return time.monotonic()


async def main(port: int) -> None:
    certificate = RTCCertificate.generateCertificate()
    ours = [[one.algorithm, one.value] for one in certificate.getFingerprints() if one.algorithm == "sha-256"]
    sys.stdout.write(json.dumps(ours) + "\n")
    sys.stdout.flush()
    said = json.loads(sys.stdin.readline())
    began = time.monotonic()
    work = [_join(port, ufrag, password, certificate, said["fingerprints"]) for ufrag, password in said["transports"]]
    ended = await asyncio.wait_for(asyncio.gather(*work, return_exceptions=True), 60)
    good = [one - began for one in ended if isinstance(one, float)]
    sys.stdout.write(json.dumps([max(good, default=0.0), len(good)]) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
