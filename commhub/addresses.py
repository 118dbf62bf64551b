"""Where the hub may connect to: one allow list of ``network:port`` for everything it dials on somebody's word.

A name is resolved once, the address that passed is the one that is connected; so no answer of a name server and no way of
writing an address gets around the list. Loopback, link-local, multicast, unspecified and reserved addresses and the hub's
own need an entry of exactly that address and port: ``10.0.0.0/8:*`` or ``0.0.0.0/0:554`` never includes them.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_URL_LIMIT = 2_048
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL)
_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_NUMBERISH = re.compile(r"(0[xX][0-9A-Fa-f]*|[0-9]+)(\.(0[xX][0-9A-Fa-f]*|[0-9]+))*\.?")
# Addresses of IPv6 that carry one of IPv4 inside: what they reach is decided by that one.
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")


@dataclass(frozen=True, slots=True)
class Place:
    """Host and port of a URL, and the URL without anything secret for messages. ``host`` has no brackets."""

    host: str
    port: int
    path: str

    @property
    def shown(self) -> str:
        """For logs: the path and query of cameras often carry a password, so they are left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_url(url: str, scheme: str, default_port: int) -> Place:
    """A URL of one scheme, read strictly: no user, one host, a port from 1 to 65535. ValueError with what is wrong."""
    if len(url) > _URL_LIMIT:
        raise ValueError("The address is too long.")
    if any(ord(letter) <= 0x20 or ord(letter) == 0x7F or letter == "\\" for letter in url):
        raise ValueError("The address contains a space, a backslash or a control character.")
    match = _URL.fullmatch(url)
    if match is None or match["scheme"].lower() != scheme:
        raise ValueError(f"The address does not begin with {scheme}://.")
    authority = match["authority"]
    if "@" in authority:
        raise ValueError("The address contains a user or a password; they belong into their own fields.")
    host, port = _split_port(authority)
    number = default_port if port is None else port
    if not 1 <= number <= 65535:
        raise ValueError("The address has a port outside of 1 to 65535.")
    return Place(check_host(host), number, match["rest"] or "/")


def parse_store(url: str) -> Place:
    """A store's endpoint: ``https`` and any host, or ``http`` and an IP address, for a name is believed with a certificate only;
    nothing behind it. ValueError with what is wrong."""
    secure = url.lower().startswith("https://")
    place = parse_url(url, "https" if secure else "http", 443 if secure else 80)
    if place.path != "/":
        raise ValueError("The address has a path.")
    if not secure:
        try:
            ipaddress.ip_address(place.host)
        except ValueError:
            raise ValueError("The address of a store is https and a name, or http and an IP address.") from None
    return place


def _split_port(authority: str) -> tuple[str, int | None]:
    """``host``, ``host:port``, ``[v6]``, ``[v6]:port``; port None when there is none."""
    match = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?", authority)
    if match is None:
        raise ValueError("The address has no readable host and port.")
    return match[1], int(match[2]) if match[2] is not None else None


def check_host(host: str) -> str:
    """A name, an IPv4 address in four decimal parts, or an IPv6 address in brackets (returned without). ValueError."""
    if host.startswith("["):
        try:
            return str(ipaddress.IPv6Address(host[1:-1].partition("%")[0]))
        except ValueError:
            raise ValueError("The address has no readable IPv6 host.") from None
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        pass
    # 2130706433, 0x7f000001, 127.1 and 0177.0.0.1 are all loopback to a resolver: nobody writes a camera like that.
    if _NUMBERISH.fullmatch(host):
        raise ValueError("The address has a host of digits that is not an IPv4 address in four decimal parts.")
    if len(host) > 253 or not _NAME.fullmatch(host):
        raise ValueError("The address has no readable host.")
    return host


def plain(address: str | IPAddress) -> IPAddress:
    """The address that is really reached: IPv4 inside of IPv6 (mapped, compatible, NAT64, 6to4) taken out, zone removed."""
    if isinstance(address, str):
        address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and any(address in network for network in _NAT64):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is None and address in _COMPATIBLE and int(address) > 1:
        inner = ipaddress.IPv4Address(int(address))
    return inner or ipaddress.IPv6Address(int(address))


def is_special(address: IPAddress) -> bool:
    """Not an ordinary unicast address of somebody else: only an exact entry may name it."""
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
        or (isinstance(address, ipaddress.IPv4Address) and address in _THIS_NETWORK)
        or (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
    )


_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")


def is_own(address: IPAddress) -> bool:
    """Whether this machine has the address now: only then can a socket be bound to it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the list; ``port`` None = every port. ``exact`` = one address and one port, so it may name special ones."""

    network: Network
    port: int | None
    exact: bool


def parse_entry(text: str) -> Entry:
    """``10.0.0.0/8:554``, ``10.1.2.3:*``, ``[fd00::/8]:554``, ``[::1]:8554``. ValueError with what is wrong."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)(/\d{1,3})?\]|([0-9.]+))(/\d{1,3})?:(\*|\d{1,5})", text.strip())
    if match is None or (match[2] and match[4]):
        raise ValueError(f"“{text}” is not network:port, such as 10.0.0.0/8:554, 10.1.2.3:* or [fd00::/8]:554.")
    prefix = match[2] or match[4] or ""
    try:
        network = ipaddress.ip_network((match[1] or match[3]) + prefix)
    except ValueError as error:
        raise ValueError(f"“{text}” has no readable network: {error}.") from None
    port = None if match[5] == "*" else int(match[5])
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"“{text}” has a port outside of 1 to 65535.")
    single = network.num_addresses == 1
    if single:
        network = ipaddress.ip_network(plain(network.network_address))
    return Entry(network, port, single and port is not None)


class AllowList:
    """``permits`` decides for one address and port. An empty list permits nothing. ValueError for an entry that is wrong."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._entries = [parse_entry(entry) for entry in entries]

    def permits(self, address: str | IPAddress, port: int, *, own: bool = False) -> bool:
        """``own``: the address is one of this machine (:func:`is_own`)."""
        try:
            target = plain(address)
        except ValueError:
            return False
        if not 1 <= port <= 65535:
            return False
        must_be_exact = own or is_special(target)
        for entry in self._entries:
            if entry.network.version != target.version or target not in entry.network:
                continue
            if (entry.port is None or entry.port == port) and (entry.exact or not must_be_exact):
                return True
        return False
