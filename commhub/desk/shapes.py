"""What pages get of walls."""

from __future__ import annotations

from commhub.views import CameraState, Reason, View


class WallJoining(View):
    """How to enter the terminal's own room."""

    url: str
    token: str
    room: str
    identity: str


class Tile(View):
    """A camera of a wall. ``identity`` is its participant's; ``reason`` says why it is not there, or has no picture."""

    camera_id: str
    identity: str
    state: CameraState
    reason: Reason | None


class Tiles(View):
    items: list[Tile]


class Viewer(View):
    """Somebody who watches, or a consultation that does: then ``where`` is its number."""

    name: str
    org_name: str
    where: str
