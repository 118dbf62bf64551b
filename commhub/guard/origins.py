"""Where a request comes from."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable

from aiohttp import web

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HEADER_LIMIT = 500  # octets of X-Forwarded-For that are looked at
TEXT_LIMIT = 64


class Origins:
    """``proxies`` are networks whose ``X-Forwarded-For`` is believed; whoever else sends it, does so in vain."""

    def __init__(self, proxies: Iterable[Network] = ()) -> None:
        self._proxies = list(proxies)

    def trusted(self, address: str) -> bool:
        if not self._proxies:
            return False
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._proxies if network.version == ip.version)

    def address(self, request: web.BaseRequest) -> str:
        """The client's: of the connection, or the last one of the header that is no proxy of ours."""
        address = request.remote or ""
        # Each proxy appends whom it heard, to the line that is there or (HAProxy) as another one after it: what comes first
        # was written by anybody.
        said = ",".join(request.headers.getall("X-Forwarded-For", []))[-HEADER_LIMIT:]
        forwarded = [one.strip() for one in said.split(",") if one.strip()]
        while forwarded and self.trusted(address):
            address = forwarded.pop()
        return address[:TEXT_LIMIT]


@functools.lru_cache(maxsize=4096)
def group(address: str) -> str:
    """What counts as one address: of IPv6 the /64 that one subscriber has (RFC 6177), IPv4 inside of IPv6 as itself."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:TEXT_LIMIT]
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip) >> 64 << 64, 64)))
