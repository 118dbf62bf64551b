"""What a link test says of an organisation's line: a table. No I/O, no clock."""

from __future__ import annotations

from typing import Literal, Protocol

State = Literal["running", "well", "weak", "failed", "offline", "busy", "untestable"]
Reason = Literal[
    "no_terminal", "silent", "refused", "no_result", "not_joined", "no_video", "no_sound", "loss", "delay", "few_frames",
    "no_microphone", "microphone_silent", "cameras_offline", "telephone_only", "restarted",
]  # fmt: skip

FRAMES_LEAST = 5  # of a picture that is sent for some seconds
FRAMES_GOOD = 0.6  # of those that were sent
LOSS_GOOD = 0.03
DELAY_GOOD = 300.0  # ms, there and back


class Measured(Protocol):
    """What the terminal has measured: a picture and a tone that it sent to the hub, and the hub back to it."""

    @property
    def joined(self) -> bool: ...
    @property
    def frames_sent(self) -> int: ...
    @property
    def frames_received(self) -> int: ...
    @property
    def sound_received(self) -> int: ...
    @property
    def loss(self) -> float: ...
    @property
    def round_trip(self) -> float: ...
    @property
    def microphone(self) -> float | None: ...


def judged(report: Measured) -> tuple[State, list[Reason]]:
    """All that is wrong; the gravest says the state."""
    if not report.joined:
        return "failed", ["not_joined"]
    broken: list[Reason] = []
    if report.frames_received < FRAMES_LEAST:
        broken.append("no_video")
    if not report.sound_received:
        broken.append("no_sound")
    weak: list[Reason] = []
    if report.loss > LOSS_GOOD:
        weak.append("loss")
    if report.round_trip > DELAY_GOOD:
        weak.append("delay")
    if not broken and report.frames_received < FRAMES_GOOD * report.frames_sent:
        weak.append("few_frames")
    if report.microphone is None:
        weak.append("no_microphone")
    elif report.microphone == 0:
        weak.append("microphone_silent")
    return "failed" if broken else "weak" if weak else "well", broken + weak
