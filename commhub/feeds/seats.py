"""Cameras as participants: the seat in a room, and the feed behind it."""

from __future__ import annotations

import contextlib

from commhub import log as logs
from commhub.conference import CameraSeat, Conference
from commhub.directory import CameraAddress, CameraRecord
from commhub.errors import HubError, NotFound
from commhub.feeds.feeds import Feeds
from commhub.feeds.taken import MAIN

log = logs.get(__name__)


def seat_of(camera: str) -> str:
    """The identity of a camera's participant."""
    return f"{camera}:bridge"


class Seats:
    """The one way for a camera into a room, whoever's room it is."""

    def __init__(self, conference: Conference, feeds: Feeds) -> None:
        self._conference, self._feeds = conference, feeds

    async def add(self, room: str, camera: str, *, name: str, org: str, audio: bool, layers: tuple[str, ...] = (MAIN,),
                  known: tuple[CameraRecord, CameraAddress] | None = None) -> None:  # fmt: skip
        """Idempotent. NotFound when there is no such room; a camera that cannot be opened sits there without a picture. ``known``
        as in :meth:`Feeds.attach`."""
        seat = CameraSeat(source=camera, identity=seat_of(camera), name=name, org=org, audio=audio)
        await self._conference.add_camera(room, seat)
        try:
            await self._feeds.attach(camera, room, layers, known)
        except (HubError, ValueError) as error:
            log.error("camera not opened", camera=camera, reason=str(error))

    async def remove(self, room: str, camera: str) -> None:
        self._feeds.detach(camera, room)
        with contextlib.suppress(NotFound):
            await self._conference.remove_camera(room, seat_of(camera))
