from __future__ import annotations

from bridges.sip.sources import Limits, Routes, Sources
from bridges.sip.transaction import Flow

LIMITS = Limits(
    strangers_per_second=1, stranger_burst=3, all_strangers_per_second=10, known_per_second=50, known_seconds=60, peers=3
)


def admitted(sources: Sources, host: str, count: int, now: float = 0.0) -> int:
    return sum(sources.admit(host, now) for _ in range(count))


def test_a_stranger_may_knock() -> None:
    sources = Sources(LIMITS)
    assert admitted(sources, "10.0.0.1", 100) == 3
    assert admitted(sources, "10.0.0.1", 100, 2.0) == 2
    assert admitted(sources, "10.0.0.2", 100, 2.0) == 3


def test_an_ipv6_subscriber_is_one_stranger() -> None:
    sources = Sources(LIMITS)
    assert sum(sources.admit(f"2001:db8::{n:x}", 0.0) for n in range(50)) == 3


def test_all_strangers_together_do_not_touch_the_known() -> None:
    sources = Sources(LIMITS)
    sources.believe("10.9.9.9", 0.0)
    assert sum(sources.admit(f"10.1.{n // 250}.{n % 250}", 0.0) for n in range(1000)) == 10
    assert admitted(sources, "10.9.9.9", 1000) == 100


def test_who_is_silent_becomes_a_stranger() -> None:
    sources = Sources(LIMITS)
    sources.believe("10.0.0.1", 0.0)
    assert sources.known("10.0.0.1", 59.0)
    assert not sources.known("10.0.0.1", 60.0)


def test_the_known_are_bounded() -> None:
    sources = Sources(LIMITS)
    for number in range(10):
        sources.believe(f"10.0.0.{number}", 0.0)
    assert [n for n in range(10) if sources.known(f"10.0.0.{n}", 1.0)] == [7, 8, 9]


def test_a_peer_is_where_it_was_last_believed() -> None:
    routes = Routes(3)
    one, other = Flow("UDP", "1.1.1.1", 5060), Flow("UDP", "1.1.1.1", 40_000)
    routes.learn("cam", one)
    routes.learn("cam", other)
    assert routes.flow("cam") is other
    routes.forget("cam")
    assert routes.flow("cam") is None


def test_peers_go_with_their_connection_and_only_with_theirs() -> None:
    routes = Routes(3)
    old, new = Flow("TCP", "1.1.1.1", 1, connection=1), Flow("TCP", "1.1.1.1", 2, connection=2)
    for peer in ("a", "b"):
        routes.learn(peer, old)
    routes.learn("b", new)
    assert routes.lost(1) == ["a"]
    assert (routes.flow("a"), routes.flow("b")) == (None, new)
    assert (routes.carries(1), routes.carries(2)) == (False, True)


def test_routes_are_bounded() -> None:
    routes = Routes(3)
    for number in range(10):
        routes.learn(str(number), Flow("TCP", "1.1.1.1", number, connection=number + 1))
    assert (len(routes), routes.flow("6"), routes.carries(7)) == (3, None, False)
