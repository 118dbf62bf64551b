from __future__ import annotations

import pytest

from bridges.gb28181.ports import Ports


def test_each_even_port_is_given_once_and_rests() -> None:
    ports = Ports(30_001, 30_008, rest=30)
    *taken, last = [ports.take(0) for _ in range(4)]
    assert sorted([*taken, last]) == [30_002, 30_004, 30_006, 30_008]
    with pytest.raises(ValueError, match=r"^All media ports are in use\.$"):
        ports.take(0)
    ports.give(taken[0], 10)
    ports.give(taken[1], 11)
    assert (ports.used, len(ports)) == (2, 2)
    assert ports.take(12) == taken[0]  # it still rests, but there is no other
    ports.give(last, 13)
    assert ports.take(50) == taken[1]
    assert ports.take(50) == last


def test_a_rested_port_comes_behind_the_others() -> None:
    ports = Ports(100, 104, rest=5)
    first = ports.take(0)
    ports.give(first, 0)
    assert first not in {ports.take(1), ports.take(1)}
    assert ports.take(9) == first


def test_the_system_may_choose() -> None:
    ports = Ports(0, 0)
    assert [ports.take(0) for _ in range(5)] == [0] * 5
    ports.give(0, 0)
    assert ports.used == 4


def test_a_range_without_an_even_port_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^The range of media ports has no even port\.$"):
        Ports(30_001, 30_001)
