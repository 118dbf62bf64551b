"""Acts and their values."""

from __future__ import annotations

import re

import pytest

from commhub.control.verbs import VERBS, checked


@pytest.mark.parametrize(
    ("verb", "values", "given"),
    [
        ("preset_call", {"number": "3"}, {"number": "3"}),
        ("preset_set", {"number": "3", "name": " 水尺  近景 "}, {"number": "3", "name": "水尺 近景"}),
        ("precise", {"pan": "12.5", "tilt": "-10", "zoom": "2"}, {"pan": "12.5000", "tilt": "-10", "zoom": "2"}),
        ("reboot", {}, {}),
        ("home", {"enabled": "1"}, {"enabled": "1"}),
    ],
)
def test_what_a_device_gets(verb: str, values: dict[str, str], given: dict[str, str]) -> None:
    assert checked(verb, values) == given


@pytest.mark.parametrize(
    ("verb", "values", "sentence"),
    [
        ("explode", {}, "There is no act 'explode'."),
        ("reboot", {"now": "1"}, "reboot takes no 'now'."),
        ("preset_call", {}, "preset_call needs 'number'."),
        ("preset_call", {"number": "0"}, "'number' must be a number from 1 to 255."),
        ("preset_call", {"number": "nan"}, "'number' must be a number from 1 to 255."),
        ("preset_call", {"number": "three"}, "'number' must be a number from 1 to 255."),
        ("preset_set", {"number": "1", "name": "\x00"}, "'name' must be at most 60 printable characters."),
        ("preset_set", {"number": "1", "name": "长" * 61}, "'name' must be at most 60 printable characters."),
    ],
)
def test_what_no_device_gets(verb: str, values: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        checked(verb, values)


def test_whatever_turns_a_camera_needs_the_right_to_move_it() -> None:
    assert {name for name, verb in VERBS.items() if verb.moves} == {
        name for name, verb in VERBS.items() if verb.right == "camera.move"
    }
