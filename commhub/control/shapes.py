"""What pages get of control."""

from __future__ import annotations

from typing import Literal

from commhub.views import Time, View


class HolderView(View):
    id: str
    name: str
    org_name: str
    level: int


class LockView(View):
    """Who has a camera. ``mine``: the reader does."""

    camera_id: str
    holder: HolderView
    since: Time
    until: Time
    mine: bool


class Preset(View):
    number: int
    name: str


class Presets(View):
    items: list[Preset]


class Controlled(View):
    done: Literal[True] = True
