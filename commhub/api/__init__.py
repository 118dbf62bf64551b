"""The hub's HTTP interface: ``/api/v1``, ``/events``, ``/healthz``, ``/ca`` and the browser client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from commhub.agenda import Scheduled
from commhub.api import (
    agenda,
    alarms,
    calls,
    cameras,
    cards,
    conference,
    consultations,
    control,
    devices,
    directory,
    dispatch,
    downloads,
    exports,
    groups,
    keeping,
    linktests,
    openapi,
    pages,
    pieces,
    playbacks,
    recorded,
    recordings,
    records,
    review,
    rollcalls,
    rounds,
    session,
    snapshots,
    storage,
    voices,
    walls,
)
from commhub.api.gate import BODY_LIMIT, Buckets, Gate, guarded
from commhub.api.metrics import Readers, metrics
from commhub.api.routes import Route
from commhub.api.stream import Streams, Word
from commhub.auth import Auth
from commhub.calls import Calls
from commhub.desk import Desk
from commhub.devices import Devices
from commhub.diagnosis import Diagnosis
from commhub.directory import Directory
from commhub.dispatch import Dispatch
from commhub.errors import HubError, NotFound
from commhub.events import Events
from commhub.feeds import Feeds
from commhub.groups import Groups, Pictures
from commhub.guard import Network
from commhub.linktests import LinkTests
from commhub.recordings import Recordings, Review, RoomRecordings
from commhub.recordings.exports import Exports
from commhub.recordings.keeper import Keeper
from commhub.recordings.storage import Storage
from commhub.review import Reviewing
from commhub.rollcalls import RollCalls
from commhub.rooms import Entering, Leading, Rooms
from commhub.store import Store
from commhub.terminals import Terminals

#: Parts of the hub and whether they work: ``{"media-0": True, …}``.
Health = Callable[[], dict[str, bool]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the interface stands on."""

    store: Store
    auth: Auth
    events: Events
    directory: Directory
    feeds: Feeds
    rooms: Rooms
    leading: Leading
    entering: Entering
    recordings: Recordings
    review: Review
    keeper: Keeper
    storage: Storage
    diagnosis: Diagnosis
    desk: Desk
    devices: Devices
    terminals: Terminals
    calls: Calls
    groups: Groups
    rollcalls: RollCalls
    scheduled: Scheduled
    linktests: LinkTests
    dispatch: Dispatch
    recorded: RoomRecordings
    reviewing: Reviewing
    exports: Exports


class Api:
    """``ca`` is the hub's own CA certificate with its fingerprint, when it has one. ``readers`` may read ``/metrics``."""

    def __init__(
        self,
        parts: Parts,
        health: Health,
        *,
        proxies: list[Network] | None = None,
        ca: tuple[Path, str] | None = None,
        attempts: Buckets | None = None,
        static: Path = pages.STATIC,
        readers: Readers | None = None,
    ) -> None:
        self._readers = readers
        self._parts, self._health, self._ca, self._static = parts, health, ca, static
        self.gate = Gate(parts.store, parts.auth, proxies)
        heard = {"move": Word("camera.move", parts.desk.control, checked=True)}
        heard["floor"] = Word("group.talk", parts.groups)
        heard |= {name: Word(permission, parts.terminals) for name, permission in parts.terminals.WORDS.items()}
        self.streams = Streams(self.gate, parts.auth, parts.events, heard)
        book = parts.directory.address_book(parts.events)
        parts.auth.gone.append(book.seats.went_home)
        # Thirty mistyped passwords from one address at once, then one every two seconds.
        attempts = attempts or Buckets(30, 2.0)
        self.routes: list[Route] = [
            *session.routes(parts.auth, parts.directory, attempts).all,
            *directory.routes(parts.store, parts.directory, book, self.streams).all,
            *records.routes(book).all,
            *cameras.routes(parts.devices, parts.feeds, parts.desk).all,
            *devices.routes(parts.store, parts.devices).all,
            *alarms.routes(parts.devices).all,
            *consultations.routes(self.gate, parts.rooms, parts.entering, parts.recordings, parts.diagnosis).all,
            *conference.routes(parts.leading, parts.entering).all,
            *calls.routes(self.gate, parts.calls).all,
            *groups.routes(self.gate, parts.groups, Pictures(parts.store, parts.groups)).all,
            *rollcalls.routes(parts.rollcalls).all,
            *linktests.routes(parts.linktests).all,
            *agenda.routes(self.gate, parts.scheduled).all,
            *dispatch.routes(self.gate, parts.dispatch).all,
            *recorded.routes(parts.recorded).all,
            *review.routes(parts.reviewing).all,
            *recordings.routes(parts.review, parts.reviewing).all,
            *pieces.routes(parts.review, parts.reviewing).all,
            *keeping.routes(parts.keeper).all,
            *exports.routes(parts.exports).all,
            *storage.routes(parts.storage).all,
            *cards.routes(parts.desk.cards).all,
            *control.routes(parts.desk.control).all,
            *playbacks.routes(parts.desk.playbacks).all,
            *downloads.routes(parts.desk.downloads).all,
            *voices.routes(parts.desk.voices).all,
            *snapshots.routes(parts.desk.snapshots).all,
            *rounds.routes(parts.desk.rounds).all,
            *walls.routes(self.gate, parts.desk.walls).all,
        ]

    def install(self, app: web.Application) -> None:
        """Adds everything to ``app``. Last: what no route takes is a page of the browser client."""
        for route in self.routes:
            app.router.add_route(route.method, openapi.PREFIX + route.path, self.gate.handler(route))
        app.router.add_get("/events", self.streams.handler())
        app.router.add_get("/healthz", self._healthz)
        if self._readers is not None:
            app.router.add_get("/metrics", metrics(self.gate, self._readers))
        app.router.add_get("/api/openapi.json", _document(self.routes))
        app.router.add_route("*", "/api/{path:.*}", guarded(_nothing))
        if self._ca is not None:
            certificate, fingerprint = self._ca
            app.router.add_get("/ca", pages.ca_page(fingerprint, self._origin))
            app.router.add_get("/ca.crt", pages.ca_file(certificate))
        app.router.add_get("/{path:.*}", pages.client(self._static))
        app.on_response_prepare.append(pages.harden)
        app.on_shutdown.append(self._shut_down)

    def _origin(self, request: web.Request) -> str:
        return f"{self.gate.scheme(request)}://{request.host}"

    async def _healthz(self, _: web.Request) -> web.Response:
        parts = self._health()
        well = all(parts.values())
        body: dict[str, Any] = {"status": "ok" if well else "unavailable", "parts": parts}
        if (disk := self._parts.storage.disk) is not None and disk.level != "ample":
            body["disk"] = disk.level  # an alarm, and no reason to take the hub away from anybody
        if (uploads := self._parts.storage.uploads.state) is not None and uploads.failing:
            body["uploads"] = "failing"  # likewise: nothing is lost
        return web.json_response(body, status=200 if well else 503, headers={"Cache-Control": "no-store"})

    async def _shut_down(self, _: web.Application) -> None:
        await self.streams.close()


def _document(routes: list[Route]) -> Callable[[web.Request], Awaitable[Any]]:
    """Made for the first who asks: that takes half a second of a processor, which a start has not."""
    made: asyncio.Task[str] | None = None

    async def serve(_: web.Request) -> web.Response:
        nonlocal made
        if made is None:
            made = asyncio.ensure_future(asyncio.to_thread(lambda: json.dumps(openapi.document(routes), ensure_ascii=False)))
        return web.Response(text=await asyncio.shield(made), content_type="application/json", charset="utf-8")

    return serve


async def _nothing(request: web.Request) -> web.StreamResponse:
    path = request.path.removeprefix(openapi.PREFIX)
    if any(resource.canonical.removeprefix(openapi.PREFIX) == path for resource in request.app.router.resources()):
        raise HubError("This address does not take this method.", "此地址不接受该方法。", code="method", status=405)
    raise NotFound("There is nothing at this address.", "此地址没有内容。")


__all__ = ["BODY_LIMIT", "Api", "Health", "Parts"]
