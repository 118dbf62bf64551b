"""What is recorded: the whole table, and which events are facts of which recording."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from commhub.errors import Conflict
from commhub.events import Audience, Event, Published
from commhub.model import iso, new_id
from commhub.recordings import facts, policy
from commhub.recordings.policy import Rules, check, outcome

ROOM, CAMERA, OTHER = (f"01K0000000000000000000000{letter}" for letter in "RCX")


@pytest.mark.parametrize("mode", policy.MODES)
@pytest.mark.parametrize("said", ["", "on", "off"])
@pytest.mark.parametrize("paused", [False, True])
def test_every_case(mode: policy.Mode, said: policy.Said, paused: bool) -> None:
    found = outcome(mode, said, paused, here=True)
    assert outcome(mode, said, paused, here=False) == "off"
    if mode == "always":
        assert found == "recording"
    elif mode == "never" or said == "off" or (mode == "hand" and said == ""):
        assert found == "off"
    else:
        assert found == ("paused" if paused else "recording")


def test_the_table_has_every_case() -> None:
    assert set(policy.TABLE) == set(product(policy.MODES, ("", "on", "off")))


@pytest.mark.parametrize(("label", "own", "kind", "expected"), [
    ("sensitive", "never", "hand", ("always", "label")),
    ("internal", "never", "always", ("never", "room")),
    ("internal", "always", "never", ("always", "room")),
    ("internal", None, "start", ("start", "kind")),
    ("internal", None, None, ("hand", "kind")),
])  # fmt: skip
def test_what_goes_before_what(label: str, own: policy.Mode | None, kind: policy.Mode | None, expected: tuple[str, str]) -> None:
    rules = Rules(frozenset({"sensitive"}), {"call": kind} if kind is not None else {})
    assert rules.ruling("call", label, own) == expected


def test_of_thousands_of_cameras_only_those_are_always_recorded_of_which_it_is_said() -> None:
    rules = Rules(frozenset({"sensitive"}), {"camera": "always"})
    assert rules.ruling("camera", "sensitive", None) == ("hand", "kind")
    assert rules.ruling("camera", "public", "always") == ("always", "room")


@pytest.mark.parametrize(("mode", "act", "code"), [
    ("always", "stop", "always_recorded"), ("always", "pause", "always_recorded"), ("never", "start", "never_recorded"),
])  # fmt: skip
def test_what_nobody_may(mode: policy.Mode, act: policy.Act, code: str) -> None:
    with pytest.raises(Conflict) as caught:
        check(mode, act)
    assert caught.value.code == code


def test_everything_else_may_be_done() -> None:
    acts: tuple[policy.Act, ...] = ("start", "stop", "pause", "resume")
    for mode, act in product(policy.MODES, acts):
        if (mode, act) not in policy.REFUSED:
            check(mode, act)


# ---- facts


def event(type: str, subject: str, data: dict[str, Any], actor: dict[str, str] | None = None) -> Published:
    at = 1_700_000_000_000_000_000
    return Published(Event(new_id(), 1, type, 1, iso(at), actor, "", "internal", subject, None, data), Audience(), at)


def of_camera(camera: str) -> set[str]:
    return {ROOM} if camera == CAMERA else set()


def deep(levels: int) -> Any:
    return {"next": deep(levels - 1)} if levels else {"room": ROOM}


@pytest.mark.parametrize(("type", "subject", "data", "found"), [
    ("consultation.locked", ROOM, {}, True),
    ("invented.thing", OTHER, {"order": {"consultation": ROOM}}, True),
    ("invented.thing", OTHER, {"where": [{"room": ROOM}]}, True),
    ("invented.thing", OTHER, {"room": OTHER}, False),
    ("camera.lock", CAMERA, {"lock": None}, True),
    ("camera.act", CAMERA, {"act": {"verb": "preset"}}, True),
    ("camera.state", OTHER, {}, False),
    ("alarm.raised", OTHER, {"alarm": {"camera": {"id": CAMERA}}}, True),
    ("rollcall.changed", OTHER, {"consultation": {"id": ROOM}}, True),
    ("consultation.joined", ROOM, {}, False),  # the recorder sees it
    ("recording.listed", OTHER, {"recording": {"consultation_id": ROOM}}, False),
    ("dispatch.began", ROOM, {"act": {"verb": "barge", "silent": False}}, True),
    ("dispatch.began", ROOM, {"act": {"verb": "monitor", "silent": True}}, False),
    ("call.held", OTHER, {"identity": f"{ROOM}:{OTHER}"}, True),
    ("invented.thing", OTHER, deep(20), False),  # somebody's nesting is not followed for ever
])  # fmt: skip
def test_which_events_are_facts_of_the_room(type: str, subject: str, data: dict[str, Any], found: bool) -> None:
    assert (ROOM in facts.rooms(event(type, subject, data), of_camera)) is found


def test_what_is_journalled_is_what_happened_and_by_whom_not_all_there_is() -> None:
    zhou = {"id": OTHER, "name": "周明远", "org_name": ""}
    said = facts.data(event("consultation.locked", ROOM, {"locked": True, "consultation": {"id": ROOM, "people": ["…"]}}, zhou))
    assert said == {"locked": True, "actor": zhou}
    assert facts.data(event("invented.thing", OTHER, {"consultation": {"id": ROOM, "people": ["…"]}})) == {"consultation": ROOM}


def test_an_event_of_a_hundred_thousand_words_is_looked_at_in_no_time() -> None:
    assert facts.rooms(event("invented.thing", OTHER, {"all": [new_id() for _ in range(100_000)]}), lambda _: set())
