"""Debian's coturn with the configuration this project ships, and a TURN client of a few requests to ask it things."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path

from aioice import stun

from commhub.hidden import Secret
from commhub.turn import Turn

# RFC 8656 §18.6; aioice relays IPv4 only.
_FAMILY = (0x0017, "REQUESTED-ADDRESS-FAMILY", stun.pack_unsigned, stun.unpack_unsigned)
stun.ATTRIBUTES_BY_TYPE[_FAMILY[0]] = stun.ATTRIBUTES_BY_NAME[_FAMILY[1]] = _FAMILY

SHIPPED = Path(__file__).parents[2] / "configs" / "coturn.conf"
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Relay:
    host: str
    port: int
    tls_port: int

    def turn(self, *urls: str, seconds: int = 3600) -> Turn:
        return Turn(urls or (f"turn:{self.host}:{self.port}?transport=udp",), Secret(SECRET), seconds)


def configuration(host: str, port: int, tls_port: int, *allowed: str, certificate: tuple[Path, Path] | None = None) -> str:
    """The shipped file with its marked lines filled in; AssertionError when one of them is no longer there."""
    text = SHIPPED.read_text("utf-8")
    cert, key = certificate or ("", "")
    changes = {
        r"^listening-port=\d+": f"listening-port={port}",
        r"^tls-listening-port=\d+": f"tls-listening-port={tls_port}",
        r"^#listening-ip=.*": f"listening-ip={host}",
        r"^#relay-ip=.*": f"relay-ip={host}\nrelay-ip=::1",
        r"^static-auth-secret=.*": f"static-auth-secret={SECRET}",
        r"^#allowed-peer-ip=.*": "\n".join(f"allowed-peer-ip={one}" for one in allowed),
        r"^#cert=.*": f"cert={cert}" if certificate else "no-tls",
        r"^#pkey=.*": f"pkey={key}" if certificate else "no-dtls",
        r"^syslog": "log-file=stdout\nsimple-log",
    }
    for pattern, line in changes.items():
        text, count = re.subn(pattern, line, text, flags=re.MULTILINE)
        assert count == 1, pattern
    return text


@asynccontextmanager
async def coturn(
    folder: Path,
    host: str,
    port: int,
    tls_port: int,
    *allowed: str,
    certificate: tuple[Path, Path] | None = None,
    prefix: tuple[str, ...] = (),
) -> AsyncIterator[Relay]:
    """Runs while the context lasts; ``allowed`` are the hub's media addresses, ``prefix`` e.g. ``ip netns exec x``."""
    file = folder / "turnserver.conf"
    file.write_text(configuration(host, port, tls_port, *allowed, certificate=certificate), "utf-8")
    words = (*prefix, "turnserver", "-c", str(file), "--pidfile", str(folder / "turn.pid"), "--db", str(folder / "turn.db"))
    with (folder / "turn.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*words, stdout=log, stderr=log)
    try:
        for _ in range(200):
            assert process.returncode is None, (folder / "turn.log").read_text()
            if b"listener" in (folder / "turn.log").read_bytes() and await _answers(host, port, bool(prefix)):
                break
            await asyncio.sleep(0.05)
        yield Relay(host, port, tls_port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _answers(host: str, port: int, elsewhere: bool) -> bool:
    if elsewhere:
        return True
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


class Client(asyncio.DatagramProtocol):
    """Allocates a relay and asks for permissions (RFC 8656): what coturn answers is what counts."""

    def __init__(self, relay: Relay, username: str, password: str) -> None:
        self.relay, self.username, self.password = relay, username, password
        self._answers: dict[bytes, asyncio.Future[stun.Message]] = {}
        self._nonce, self._realm = b"", ""

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, remote_addr=(self.relay.host, self.relay.port), family=socket.AF_INET
        )

    def close(self) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, address: object) -> None:
        with contextlib.suppress(ValueError):
            message = stun.parse_message(data)
            if (waiting := self._answers.pop(message.transaction_id, None)) is not None and not waiting.done():
                waiting.set_result(message)

    async def ask(self, method: stun.Method, attributes: dict[str, object]) -> int:
        """0 for success, else the error code."""
        for _ in range(3):
            request = stun.Message(method, stun.Class.REQUEST)
            request.attributes.update(attributes)
            if self._nonce:
                request.attributes.update(USERNAME=self.username, REALM=self._realm, NONCE=self._nonce)
                key = md5(f"{self.username}:{self._realm}:{self.password}".encode(), usedforsecurity=False).digest()
                request.add_message_integrity(key)
            waiting: asyncio.Future[stun.Message] = asyncio.get_running_loop().create_future()
            self._answers[request.transaction_id] = waiting
            self._transport.sendto(bytes(request))
            answer = await asyncio.wait_for(waiting, 5)
            if answer.message_class != stun.Class.ERROR:
                return 0
            code: int = answer.attributes["ERROR-CODE"][0]
            if code not in (401, 438) or "NONCE" not in answer.attributes or (code == 401 and self._nonce):
                return code
            self._nonce, self._realm = answer.attributes["NONCE"], answer.attributes["REALM"]
        return code

    async def allocate(self, family: int = 4) -> int:
        wide = {"REQUESTED-ADDRESS-FAMILY": 0x02000000} if family == 6 else {}
        return await self.ask(stun.Method.ALLOCATE, {"LIFETIME": 600, "REQUESTED-TRANSPORT": 0x11000000, **wide})

    async def permit(self, host: str, port: int = 9) -> int:
        return await self.ask(stun.Method.CREATE_PERMISSION, {"XOR-PEER-ADDRESS": (host, port)})

    async def bind(self, host: str, port: int = 9, channel: int = 0x4000) -> int:
        return await self.ask(stun.Method.CHANNEL_BIND, {"CHANNEL-NUMBER": channel, "XOR-PEER-ADDRESS": (host, port)})
