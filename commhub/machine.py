"""What this machine is called in a network, where it listens, and whose turn it is on it."""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import resource
import socket
from collections.abc import Iterable
from pathlib import Path

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


def listen(host: str, port: int) -> list[socket.socket]:
    """Listening TCP sockets, one for each address of ``host``. OSError when one cannot be had.

    Opened by who outlives the process that accepts: who dials while that one is being started again waits a moment
    instead of being refused, which some LiveKit clients take as the end of their connections.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            one = socket.socket(family, kind, protocol)
            sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
            one.listen(1024)
    except OSError:
        for one in sockets:
            one.close()
        raise
    return sockets


def free_port(host: str, wanted: int) -> int:
    """A port that is free for UDP and TCP at that address now: the wanted one, or another."""
    for port in (wanted, 0):
        for _ in range(32):
            with contextlib.suppress(OSError), socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
                stream.bind((host, port))
                datagrams.bind((host, stream.getsockname()[1]))
                return int(stream.getsockname()[1])
            if port:
                break
    raise OSError(f"There is no free port at {host}.")


def allow_files(count: int) -> int:
    """Raises this process's limit of open files to ``count`` where the system lets it; returns what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft


_turns: list[int] = []  # descriptors of the locks this process holds


def wait_turn(file: Path) -> None:
    """Blocks until no other process has its turn, then keeps it until :func:`end_turn` or until this process ends, however.

    Of two processes of a kind one works and the other one waits here with everything loaded: the kernel gives up a dead
    process's lock at once, which makes a takeover a matter of milliseconds and two at work impossible. ``file`` has the pid of
    who works (and whether it is :func:`at_work`), ``<file>.next`` of who waits.
    """
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        part = file.with_name(f"{file.name}.next.part")
        part.write_text(f"{os.getpid()}\n", "ascii")
        part.replace(file.with_name(f"{file.name}.next"))
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    _turns.append(descriptor)


def at_work() -> None:
    """Says that what this process loaded is started as well. Nothing without a turn."""
    for descriptor in _turns:
        os.pwrite(descriptor, f"{os.getpid()}\nat work\n".encode(), 0)


def end_turn() -> None:
    """Nothing is held any more that the next one needs: it need not wait until this process is gone."""
    while _turns:
        os.close(_turns.pop())
