"""Allocation of layers against a simulated bottleneck."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from commhub.media.bandwidth import Allocator, Demand, share

SIMULCAST = [150_000, 500_000, 1_700_000]
AUDIO = 40_000


class Link:
    """A subscriber behind ``capacity`` bit/s whose REMB behaves as libwebrtc's: never far above what it receives."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.allocator = Allocator()
        self.demands = [Demand(1, list(SIMULCAST), 2)]
        self.now = 0.0
        self.layers: list[tuple[float, int]] = []

    def run(self, seconds: float) -> list[int]:
        """Layers of the first demand in the order they were sent, twice a second a report."""
        seen: list[int] = []
        for _ in range(int(seconds * 2)):
            self.now += 0.5
            given = self.allocator.decide(self.demands, self.now)
            sent = AUDIO + sum(demand.cost(given[demand.key]) for demand in self.demands)
            received = min(sent, self.capacity)
            self.allocator.report(int(min(self.capacity * 0.95, received * 1.5)), sent, AUDIO, self.now)
            if not seen or seen[-1] != given[1]:
                seen.append(given[1])
                self.layers.append((self.now, given[1]))
        return seen


def test_nothing_limits_until_reports_say_so() -> None:
    assert Link(5_000_000).run(60) == [2]


def test_a_narrow_link_gets_the_layer_that_fits_within_two_seconds() -> None:
    link = Link(400_000)
    assert link.run(5) == [2, 0]
    assert link.layers[-1][0] <= 2.0


def test_two_low_reports_are_not_enough() -> None:
    allocator = Allocator()
    demands = [Demand(1, list(SIMULCAST), 2)]
    for now, estimate in ((1.0, 100_000), (1.5, 100_000), (2.0, 3_000_000), (2.5, 100_000), (3.0, 100_000)):
        allocator.report(estimate, 1_740_000, AUDIO, now)
    assert allocator.decide(demands, 3.0) == {1: 2}
    allocator.report(100_000, 1_740_000, AUDIO, 3.5)
    assert allocator.decide(demands, 3.5) == {1: 0}


def test_a_hiccup_with_many_reports_is_one_hiccup() -> None:
    allocator = Allocator()
    demands = [Demand(1, list(SIMULCAST), 2)]
    for number in range(5):
        allocator.report(100_000, 1_740_000, AUDIO, 1.0 + number * 0.2)
    allocator.report(3_000_000, 1_740_000, AUDIO, 2.0)
    assert allocator.decide(demands, 2.0) == {1: 2}


def test_an_estimate_that_grows_is_no_congestion() -> None:
    """libwebrtc's grows by 8 % a second, a stream that begins much faster."""
    allocator = Allocator()
    demands = [Demand(1, list(SIMULCAST), 2)]
    for number in range(20):
        allocator.report(int(300_000 * 1.08 ** (number / 5)), 1_740_000, 0, 1.0 + number * 0.2)
    assert allocator.decide(demands, 5.0) == {1: 2}


def test_who_sees_nothing_is_tried_first_and_soon() -> None:
    allocator = Allocator()
    demands = [Demand(1, [500_000], 0), Demand(2, [500_000], 0)]
    for number in range(4):
        allocator.report(500_000, 1_040_000, AUDIO, 1.0 + number * 0.5)
    assert allocator.decide(demands, 2.5) == {1: 0, 2: -1}
    assert allocator.decide(demands, 5.4) == {1: 0, 2: -1}
    assert allocator.decide(demands, 5.6) == {1: 0, 2: 0}


def test_tries_back_off() -> None:
    link = Link(400_000)
    link.run(300)
    tries = [at for at, layer in link.layers if layer == 1]
    waits = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert len(tries) >= 3
    assert waits == sorted(waits)
    assert waits[-1] >= 3 * waits[0]
    failed = sum(1 for at, layer in link.layers if layer == 1)
    assert failed <= 7  # of 300 s, a few seconds each


def test_a_link_that_widens_is_used_again() -> None:
    link = Link(400_000)
    link.run(20)
    link.capacity = 5_000_000
    link.run(80)
    assert link.layers[-1][1] == 2
    assert link.allocator.decide(link.demands, link.now) == {1: 2}


def test_priority_keeps_its_picture_and_the_others_share() -> None:
    demands = [Demand(number, list(SIMULCAST), 2) for number in range(6)]
    demands[4].priority = 1
    assert share(demands, 1_300_000) == {0: 0, 1: 0, 2: 0, 3: 0, 4: 1, 5: 0}
    assert share(demands, 500_000) == {0: 0, 1: 0, 2: -1, 3: -1, 4: 0, 5: -1}
    assert share(demands, 0) == {0: -1, 1: -1, 2: -1, 3: -1, 4: 0, 5: -1}
    assert share(demands, None) == dict.fromkeys(range(6), 2)


def test_unknown_layers_are_guessed() -> None:
    assert Demand(1, [100, 0, 0], 2).cost(2) == 900
    assert Demand(1, [0, 300], 2).cost(0) == 100
    assert Demand(1, [0], 0).cost(0) == 0
    assert share([Demand(1, [100_000, 0, 0], 2)], 350_000) == {1: 1}


def test_a_new_demand_is_served_at_once() -> None:
    link = Link(400_000)
    link.run(5)
    link.demands.append(Demand(2, [60_000], 0))
    assert link.allocator.decide(link.demands, link.now) == {1: 0, 2: 0}


@given(
    st.lists(
        st.tuples(st.lists(st.integers(0, 4_000_000), min_size=1, max_size=3), st.integers(0, 2), st.integers(0, 3)), max_size=8
    ),
    st.integers(0, 10_000_000),
)
def test_share_never_spends_more_than_it_has(rows: list[tuple[list[int], int, int]], budget: int) -> None:
    demands = [Demand(number, *row) for number, row in enumerate(rows)]
    given_layers = share(demands, budget)
    assert set(given_layers) == set(range(len(rows)))
    order = sorted(demands, key=lambda demand: -demand.priority)
    spent = sum(demand.cost(given_layers[demand.key]) for demand in order)
    allowed = max(budget, order[0].cost(0)) if order else 0
    cheaper = any(d.cost(n + 1) < d.cost(n) for d in demands for n in range(len(d.bitrates) - 1))
    assert spent <= allowed or cheaper
    assert all(-1 <= layer <= min(d.wanted, len(d.bitrates) - 1) for d in demands for layer in [given_layers[d.key]])
