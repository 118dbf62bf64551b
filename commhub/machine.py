"""What this machine is called in a network."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import ifaddr

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def addresses() -> list[Address]:
    """Every address of this machine that another one, or itself, can connect to: the loopback ones last.

    Without link-local ones, which mean nothing without an interface.
    """
    texts = (ip.ip if isinstance(ip.ip, str) else ip.ip[0] for card in ifaddr.get_adapters() for ip in card.ips)
    return arranged(ipaddress.ip_address(text.partition("%")[0]) for text in texts)


def arranged(given: Iterable[Address]) -> list[Address]:
    """The usable ones of `addresses`, each once: IPv4 before IPv6, loopback last."""
    usable = {each for each in given if not (each.is_link_local or each.is_multicast or each.is_unspecified)}
    return sorted(usable, key=lambda each: (each.is_loopback, each.version, int(each)))
