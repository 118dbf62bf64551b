"""What is recorded and why, as pages get it."""

from __future__ import annotations

from typing import Literal

from commhub.model import Label
from commhub.recordings.policy import Kind, Layers, Mode, Why
from commhub.views import Time, View

Shown = Literal["off", "recording", "paused", "failed"]


class RecordedRoom(View):
    """``mode`` is what counts, ``why`` by what it does: its label, its own policy, or that of its kind."""

    kind: Kind
    subject: str
    title: str
    state: Shown
    mode: Mode
    why: Why
    recording_id: str | None
    incident: str | None
    since: Time | None


class RecordedRooms(View):
    items: list[RecordedRoom]


class RecordingPolicy(View):
    """``mode`` and ``layers`` are its own (null and '': those of its kind), ``effective`` what they come to."""

    kind: Kind
    subject: str
    title: str
    label: Label
    mode: Mode | None
    layers: Layers
    effective: Mode
    why: Why
    rev: int


class RecordingRules(View):
    """What counts of rooms about which nobody said anything, by kind; ``labels`` are always recorded (not of cameras). The hub's
    settings say it, and they alone."""

    labels: list[Label]
    kinds: dict[Kind, Mode]
    layers: Literal["best", "watched"]


class RecordingPolicies(View):
    items: list[RecordingPolicy]
    rules: RecordingRules
