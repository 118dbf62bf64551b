from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from bridges.gb28181 import datagrams
from bridges.gb28181.datagrams import COUNT, Mail


@pytest.fixture(params=["many", "one"])
def mail(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Mail:
    if request.param == "one":
        monkeypatch.setattr(datagrams, "_receive", None)
    return Mail()


@pytest.fixture(params=["127.0.0.1", "::1"])
def sockets(request: pytest.FixtureRequest) -> Iterator[list[socket.socket]]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    made = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(3)]
    for one in made:
        one.setblocking(False)
        one.bind((request.param, 0))
    yield made
    for one in made:
        one.close()


def drain(mail: Mail, sock: socket.socket) -> list[tuple[tuple[str, int], bytes]]:
    out = []
    with contextlib.suppress(BlockingIOError):
        while True:
            for place, packets in mail.read(sock):
                out += [(place, packet) for packet in packets]
    return out


def test_datagrams_of_several_come_in_order_with_their_senders(mail: Mail, sockets: list[socket.socket]) -> None:
    receiver, *senders = sockets
    expected = []
    for number in range(COUNT + 9):
        sender = senders[number // 7 % 2]
        data = bytes((number,)) * (number * 13 % 1400)
        sender.sendto(data, receiver.getsockname())
        expected.append((sender.getsockname()[:2], data))
    assert drain(mail, receiver) == expected
    assert drain(mail, receiver) == []


def test_the_largest_datagram_and_small_ones_after_it(mail: Mail, sockets: list[socket.socket]) -> None:
    """Nothing of what stood there before is read again."""
    receiver, sender, _ = sockets
    sent = [b"x" * 60_000, b"", b"y"]
    for data in sent:
        sender.sendto(data, receiver.getsockname())
    assert [data for _, data in drain(mail, receiver)] == sent


def test_sockets_of_both_families_share_it(mail: Mail) -> None:
    for host in ("::1", "127.0.0.1", "::1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as receiver, socket.socket(family, socket.SOCK_DGRAM) as sender:
            receiver.setblocking(False)
            receiver.bind((host, 0))
            sender.bind((host, 0))
            for data in (b"one", b"two"):
                sender.sendto(data, receiver.getsockname())
            assert drain(mail, receiver) == [(sender.getsockname()[:2], b"one"), (sender.getsockname()[:2], b"two")]


def test_a_closed_socket_is_an_error(mail: Mail, sockets: list[socket.socket]) -> None:
    sockets[0].close()
    with pytest.raises(OSError, match=r"."):
        mail.read(sockets[0])
