"""A loudspeaker: calls who wants to speak, takes G.711 over UDP or TCP, and counts it."""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from bridges.sip.dialog import Dialog, Dialogs
from bridges.sip.fields import Address
from commhub.wire import rtp

if TYPE_CHECKING:
    from bridges.simulated.device import Device

_SILENCE = (0xD5, 0x55)  # A-law


class Speaker:
    """``packets`` and ``octets`` have come; ``loud`` of them are not silence; ``heard`` keeps the last second."""

    def __init__(self, device: Device, source: str, target: str, ended: Callable[[], object], dialogs: Dialogs) -> None:
        self.packets = self.octets = self.loud = 0
        self.heard = bytearray()
        self.dialog: Dialog | None = None
        self._device, self._source, self._target, self._ended, self._dialogs = device, source, target, ended, dialogs
        self._tcp = "tcp-passive-only" in device.nature.quirks
        self._sockets: list[socket.socket] = []
        self._writer: asyncio.StreamWriter | None = None

    async def call(self) -> None:
        device = self._device
        host = device.account.host
        port = 9
        if not self._tcp:
            listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            listening.bind((host, 0))
            listening.setblocking(False)
            self._sockets.append(listening)
            port = listening.getsockname()[1]
            device.tasks.spawn(self._datagrams(listening), "loudspeaker")
        request = device.agent.request("INVITE", self._offer(host, port), "application/sdp", user=self._target)
        request.uri = f"sip:{self._source}@{device.account.domain}"
        request.headers.set("To", Address(request.uri))
        request.headers.add("Contact", device.agent.contact)
        request.headers.add("Subject", f"{self._source}:0{secrets.randbelow(10**9):09d},{self._target}:1")
        try:
            async with asyncio.timeout(8):
                key, response = await device.agent.ask(request)
        except (OSError, TimeoutError):
            await self.close(bye=False)
            return
        if response.status != 200:
            await self.close(bye=False)
            return
        self.dialog = Dialog.called(request, response)
        self._dialogs.add(self.dialog, time.monotonic())
        device.agent.endpoint.acknowledge(key, self.dialog.ack(response), device.agent.flow)
        device.counts["broadcasts"] += 1
        if self._tcp:
            await self._dial(response.body.decode("utf-8", "replace"))

    def hung_up(self, dialog: Dialog) -> None:
        if dialog is self.dialog:
            self._device.tasks.spawn(self.close(bye=False), "loudspeaker off")

    async def close(self, *, bye: bool) -> None:
        self._ended()
        for one in self._sockets:
            asyncio.get_running_loop().remove_reader(one.fileno())
            one.close()
        self._sockets.clear()
        if self._writer is not None:
            self._writer.transport.abort()
        if self.dialog is not None:
            self._dialogs.remove(self.dialog)
            if bye:
                with suppress(OSError, TimeoutError, ValueError):
                    async with asyncio.timeout(2):
                        await self._device.agent.send(self.dialog.bye())

    def _offer(self, host: str, port: int) -> bytes:
        profile = "TCP/RTP/AVP" if self._tcp else "RTP/AVP"
        lines = ["v=0", f"o={self._target} 0 0 IN IP4 {host}", "s=Play", f"c=IN IP4 {host}", "t=0 0",
                 f"m=audio {port} {profile} 8", "a=recvonly", "a=rtpmap:8 PCMA/8000"]  # fmt: skip
        if self._tcp:
            lines += ["a=setup:active", "a=connection:new"]
        return "\r\n".join([*lines, f"y=0{secrets.randbelow(10**9):09d}", "f=v/////a/1/8/1", ""]).encode()

    async def _datagrams(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                self._take(await loop.sock_recv(listening, 4096))
            except OSError:
                return

    async def _dial(self, answer: str) -> None:
        host, media = re.search(r"^c=IN IP4 (\S+)", answer, re.MULTILINE), re.search(r"^m=audio (\d+)", answer, re.MULTILINE)
        if host is None or media is None:
            return
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, self._writer = await asyncio.open_connection(host[1], int(media[1]))
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                self._take(await reader.readexactly(size))

    def _take(self, packet: bytes) -> None:
        with suppress(ValueError):
            sound = rtp.payload(packet)
            if packet[1] & 0x7F != 8:
                self._device.counts["audio of another type"] += 1
                return
            self.packets += 1
            self.octets += len(sound)
            self.loud += any(octet not in _SILENCE for octet in sound)
            self.heard = (self.heard + sound)[-8000:]
