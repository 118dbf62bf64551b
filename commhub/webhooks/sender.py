"""One POST to a receiver, with nothing left to it: only addresses on the allow list, no redirects, no cookies, bounded time
and a bounded answer, certificates verified."""

from __future__ import annotations

import ssl
import time
from enum import StrEnum
from ipaddress import ip_address
from socket import SOCK_STREAM, socket

import aiohttp
from aiohttp.connector import AddrInfoType

from commhub import log as logs
from commhub.addresses import AllowList, is_own
from commhub.log import limited
from commhub.webhooks.event import CONTENT_TYPE, Receiver, authorization

log = logs.get(__name__)

ANSWER_LIMIT = 4096  # octets read of what it says
CONNECT_SECONDS, TOTAL_SECONDS = 5.0, 15.0
# The receiver is there but not for work: nobody's event is to blame.
_BUSY = {429, 502, 503, 504}


class Outcome(StrEnum):
    TAKEN = "taken"
    REFUSED = "refused"  # an answer that is not 2xx
    UNANSWERED = "unanswered"  # no connection, no answer, or an overload's


class Sender:
    """To one receiver. ``connections`` at once at most."""

    def __init__(self, receiver: Receiver, allow: AllowList, tls: ssl.SSLContext | None, connections: int) -> None:
        self._receiver, self._allow = receiver, allow
        connector = aiohttp.TCPConnector(
            limit=connections,
            ssl=tls if tls is not None else True,
            socket_factory=self._socket,
            ttl_dns_cache=10,
            keepalive_timeout=15,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS),
            auto_decompress=False,
            headers={"User-Agent": "CommHub"},
            skip_auto_headers=("Accept-Encoding",),
        )

    async def close(self) -> None:
        await self._session.close()

    def _socket(self, address: AddrInfoType) -> socket:
        """Called for the very address that is about to be connected: no answer of a name server gets around this."""
        family, kind, protocol, _, place = address
        host, port = str(place[0]), int(place[1])
        if kind != SOCK_STREAM or not self._permitted(host, port):
            if (suppressed := limited(("webhook address", self._receiver.id), 600)) is not None:
                log.warning("webhook receiver's address is not in webhooks.allow", port=port, suppressed=suppressed)
            raise PermissionError("The receiver's address is not in webhooks.allow.")
        made = socket(family, kind, protocol)
        made.setblocking(False)
        return made

    def _permitted(self, host: str, port: int) -> bool:
        try:
            own = is_own(ip_address(host.partition("%")[0]))
        except ValueError:
            return False
        return self._allow.permits(host, port, own=own)

    async def post(self, body: bytes) -> Outcome:
        """Never raises but for cancellation."""
        headers = {"Content-Type": CONTENT_TYPE, "Authorization": authorization(self._receiver, body, time.time())}
        try:
            async with self._session.post(self._receiver.url, data=body, headers=headers, allow_redirects=False) as answer:
                status = answer.status
                rest = await answer.content.read(ANSWER_LIMIT)
                if len(rest) >= ANSWER_LIMIT or not answer.content.at_eof():
                    answer.close()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return Outcome.UNANSWERED
        if 200 <= status < 300:
            return Outcome.TAKEN
        return Outcome.UNANSWERED if status in _BUSY else Outcome.REFUSED
