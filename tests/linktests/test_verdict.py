"""What a link test says."""

from __future__ import annotations

from typing import Any

import pytest

from commhub.linktests import LinkReport, judged

GOOD: dict[str, Any] = {
    "joined": True,
    "frames_sent": 60,
    "frames_received": 58,
    "sound_received": 250,
    "loss": 0.0,
    "round_trip": 12.0,
    "microphone": 0.1,
}


@pytest.mark.parametrize(
    ("more", "state", "reasons"),
    [
        ({}, "well", []),
        ({"joined": False}, "failed", ["not_joined"]),
        ({"frames_received": 4}, "failed", ["no_video"]),
        ({"sound_received": 0}, "failed", ["no_sound"]),
        ({"loss": 0.04, "frames_received": 30}, "weak", ["loss", "few_frames"]),
        ({"round_trip": 301}, "weak", ["delay"]),
        ({"microphone": None}, "weak", ["no_microphone"]),
        ({"microphone": 0}, "weak", ["microphone_silent"]),
        ({"frames_received": 0, "loss": 0.5}, "failed", ["no_video", "loss"]),
    ],
)
def test_the_verdict(more: dict[str, Any], state: str, reasons: list[str]) -> None:
    assert judged(LinkReport(**{**GOOD, **more})) == (state, reasons)
