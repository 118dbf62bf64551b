from __future__ import annotations

import re

import pytest

from commhub.model import PERMISSIONS, ULID_PATTERN, Actor, Grant, Label, Role, Tree, iso, new_id

TREE = Tree({"city": None, "ops": "city", "water": "city", "district": "city", "street": "district"})


def person(*grants: tuple[Role, str], org: str = "ops") -> Actor:
    return Actor("p", "李", "li", "", 5, org, "", tuple(Grant(role, at) for role, at in grants), tree=TREE)


def test_a_scope_is_an_organisation_and_its_subtree() -> None:
    assert TREE.below("district") == {"district", "street"}
    assert TREE.covers("city", "street")
    assert not TREE.covers("street", "district")
    assert not TREE.covers("city", "unknown")
    assert TREE.is_root("city")
    assert not TREE.is_root("ops")
    assert not TREE.is_root("unknown")


def test_a_loop_of_parents_ends() -> None:
    loop = Tree({"a": "b", "b": "a"})
    assert loop.below("a") == {"a", "b"}
    assert not loop.covers("c", "a")


@pytest.mark.parametrize(
    ("grants", "permission", "org", "label", "may"),
    [
        ([(Role.DISPATCHER, "district")], "camera.open", "street", "sensitive", True),
        ([(Role.DISPATCHER, "district")], "camera.open", "water", "public", False),
        ([(Role.PARTICIPANT, "ops")], "camera.list", "ops", "internal", True),
        ([(Role.PARTICIPANT, "ops")], "camera.list", "ops", "sensitive", False),
        ([(Role.PARTICIPANT, "ops")], "camera.open", "ops", "public", False),
        ([(Role.PARTICIPANT, "ops")], "camera.move", "ops", "public", False),
        ([(Role.DISPATCHER, "district")], "camera.move", "street", "sensitive", True),
        ([(Role.REVIEWER, "city")], "alarm.list", "ops", "public", False),
        ([(Role.DISPATCHER, "city")], "device.admit", "ops", "public", False),
        ([(Role.ADMIN, "city")], "device.admit", "ops", "public", True),
        ([(Role.REVIEWER, "city")], "recording.view", "street", "sensitive", True),
        ([(Role.REVIEWER, "city")], "consultation.create", "ops", "public", False),
        ([], "directory.view", "ops", "public", False),
        # Two grants do not add up to more than each has where it has it.
        ([(Role.DISPATCHER, "water"), (Role.PARTICIPANT, "ops")], "camera.open", "ops", "public", False),
    ],
)
def test_may(grants: list[tuple[Role, str]], permission: str, org: str, label: str, may: bool) -> None:
    assert person(*grants).may(permission, org=org, label=label) is may


def test_one_grant_must_hold_all_permissions_asked_together() -> None:
    both = person((Role.REVIEWER, "city"), (Role.PARTICIPANT, "water"))
    assert both.may("consultation.oversee", org="ops")
    assert both.may("consultation.join")
    assert not both.may("consultation.oversee", "consultation.join", org="ops")


def test_scopes_say_for_queries_what_may_says_for_one() -> None:
    who = person((Role.PARTICIPANT, "ops"), (Role.DISPATCHER, "district"))
    for org in ("city", "ops", "water", "district", "street"):
        for label in Label:
            listed = any(org in orgs and label in labels for orgs, labels in who.scopes("camera.list"))
            assert listed is who.may("camera.list", org=org, label=label), (org, label)


def test_permissions_read_noun_verb_and_an_admin_has_them_all() -> None:
    every = frozenset().union(*PERMISSIONS.values())
    assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", one) for one in every)
    assert PERMISSIONS[Role.ADMIN] == every


def test_ids_and_times() -> None:
    ids = [new_id() for _ in range(100)]
    assert all(re.fullmatch(ULID_PATTERN, one) for one in ids)
    assert len(set(ids)) == 100
    assert iso(1_763_802_487_123_456_789) == "2025-11-22T09:08:07.123Z"
    assert [label.height for label in Label] == [0, 1, 2]
    assert Label.INTERNAL.up_to() == [Label.PUBLIC, Label.INTERNAL]
