from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from commhub.devices.branches import Branches
from commhub.devices.codes import kind_of, named, root_kind
from tests.support.catalogues import PLATFORM, RECORDER, camera, node

GROUP, ORG, SUB = "34020000002150000001", "34020000002160000001", "34020000002160000002"
SYSTEM = "34020000002000000009"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("33", "region"),
        ("33010601", "region"),
        ("330", "other"),
        (PLATFORM, "system"),
        (GROUP, "group"),
        (ORG, "virtual"),
        (RECORDER, "device"),
        ("34020000001320000001", "camera"),
        ("34020000001340000001", "other"),
        ("１２", "other"),
        ("", "other"),
        ("x" * 20, "other"),
    ],
)
def test_kinds_of_codes(code: str, kind: str) -> None:
    assert kind_of(code) == kind


def test_names_for_those_nobody_has_named() -> None:
    assert (named("330106"), named(GROUP)) == ("行政区 330106", GROUP)
    assert [root_kind(code) for code in (PLATFORM, RECORDER, "34020000001320000001")] == ["platform", "device", "camera"]


TREE = [
    node("3301", "region", "云江市"),
    node("330106", "region", "滨江区"),
    node(SYSTEM, "system", "下级"),
    node(GROUP, "group", "汛期", SYSTEM),
    node(ORG, "virtual", "临江大堤", group=GROUP),
    node(SUB, "virtual", "K10 段", ORG, group=GROUP),
]


def above(tree: Branches, code: str) -> list[str]:
    by_id = {one.id: one for one in tree.known.values()}
    way, at = [], tree.known[code]
    while at.parent is not None:
        at = by_id[at.parent]
        way.append(at.code)
    return way


def test_entries_hang_where_they_say_in_whatever_order_they_come() -> None:
    for order in itertools.permutations(TREE):
        tree = Branches(PLATFORM, "雪亮工程")
        place(tree, order)
        assert above(tree, SUB) == [ORG, GROUP, SYSTEM, PLATFORM]
        assert tree.place(camera(1, parents=[SUB, PLATFORM], group=GROUP)).code == SUB
        assert tree.place(camera(2, region="330106")).code == "330106"
        assert tree.place(camera(3, parents=[RECORDER], region="330106")).code == RECORDER
        assert not tree.known[RECORDER].said
        assert tree.place(camera(4)).code == PLATFORM


def place(tree: Branches, entries: Iterable[object]) -> None:
    for entry in entries:
        tree.entry(entry, entry.name)  # type: ignore[arg-type, attr-defined]


def test_a_region_under_a_region() -> None:
    tree = Branches(PLATFORM, "")
    place(tree, TREE[:2])
    assert above(tree, "330106") == ["3301", PLATFORM]


def test_a_recorder_s_channels_hang_under_it_whatever_region_they_name() -> None:
    tree = Branches(RECORDER, "")
    assert tree.place(camera(1, region="330106", parents=[RECORDER])).code == RECORDER


def test_loops_and_selves_hang_under_the_device() -> None:
    tree = Branches(PLATFORM, "")
    place(tree, [node(ORG, "virtual", "A", SUB), node(SUB, "virtual", "B", ORG), node(GROUP, "group", "C", GROUP)])
    assert above(tree, GROUP) == [PLATFORM]
    assert len(above(tree, ORG)) < 4
    place(tree, [node(PLATFORM, "system", "itself"), node("!?", "virtual", "x"), node("1" * 20, "camera", "x")])
    assert tree.root.parent is None
    assert set(tree.known) == {PLATFORM, ORG, SUB, GROUP}


def test_only_what_changes_is_written() -> None:
    tree = Branches(PLATFORM, "")
    place(tree, TREE)
    assert len(tree.new) == 7
    tree.written()
    place(tree, TREE)
    assert (tree.new, tree.changed, tree.moved) == ({}, {}, False)
    place(tree, [node(ORG, "virtual", "临江大堤", SYSTEM)])
    assert [one.code for one in tree.changed.values()] == [ORG]
    assert tree.moved


def test_a_part_given_away_belongs_with_all_below_to_somebody_else() -> None:
    tree = Branches(PLATFORM, "")
    place(tree, TREE)
    tree.known[ORG].org = "water"
    assert tree.org_of(tree.known[SUB], "city") == "water"
    assert tree.org_of(tree.known[GROUP], "city") == "city"
    assert {tree_node.code: tree.orgs("city")[tree_node.id] for tree_node in tree.known.values()} == {
        PLATFORM: "city",
        "3301": "city",
        "330106": "city",
        SYSTEM: "city",
        GROUP: "city",
        ORG: "water",
        SUB: "water",
    }
