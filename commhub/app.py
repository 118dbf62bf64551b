"""The composition root of the hub: the only module that names everyone. Commands that work on its records alone are ``offline``.

A setting becomes a constructor argument here and, for the processes beside the hub, in ``commhub.children``.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any, cast

from aiohttp import web

from commhub import audit, certificates, machine
from commhub import log as logs
from commhub.addresses import AllowList
from commhub.agenda import Room, Scheduled
from commhub.api import BODY_LIMIT, Api, Parts
from commhub.api.metrics import Readers
from commhub.archive import Archive, SessionKeys, elsewhere
from commhub.calls import Calls, RecordedCalls
from commhub.conference import Host
from commhub.desk import OWN, VIEW, Bounds, Desk, from_the_stream
from commhub.devices import Devices
from commhub.diagnosis import Diagnosis
from commhub.dispatch import Dispatch
from commhub.events import Events
from commhub.feeds import Feeds
from commhub.groups import Groups, RecordedGroups, by_ending_calls
from commhub.groups import Terms as GroupTerms
from commhub.groups import Times as GroupTimes
from commhub.guard import Entrance, Entries, Limits, Origins, bounded
from commhub.ingress import RoomIngress
from commhub.links import ChildLink, Shard, Users
from commhub.linktests import LinkTests
from commhub.log import Secret
from commhub.media.workers import Workers
from commhub.metrics import CONTENT_TYPE, Metrics, Processes, sources
from commhub.offline import Records, heads_file, records
from commhub.recordings import (
    Cameras,
    Consultations,
    Recordings,
    Review,
    RoomEgress,
    RoomRecordings,
    Rules,
    Vacancy,
    Wishes,
    Witness,
    policy,
)
from commhub.recordings.exports import Exports
from commhub.recordings.exports import Terms as ExportTerms
from commhub.recordings.keeper import Keeper, terms_of
from commhub.recordings.storage import OfShard, Storage
from commhub.review import Reviewing
from commhub.rollcalls import RollCalls
from commhub.rooms import Door, Entering, Hearing, InternalKey, Leading, Rooms, Watch
from commhub.settings import Settings
from commhub.store import Store
from commhub.tasks import Lag, Tasks
from commhub.terminals import Terminals
from commhub.turn import Turn
from commhub.webhooks import Receiver, Webhooks
from signaling import rooms as live
from signaling.egress import Egress
from signaling.ingress import Ingress
from signaling.joining import JoinTimes
from signaling.ledger import Ledger
from signaling.outs import Terms, ice_servers
from signaling.room_service import RoomService
from signaling.server import HTTP_LIMITS, Signalling
from signaling.tokens import Key, Keys
from signaling.twirp import Twirp
from signaling.whip import Whip

log = logs.get(__name__)

HUB_KEY = "CommHub"
CERTIFICATE_CHECK_SECONDS = 3600.0
HEAD_SECONDS = 86_400.0  # from one exported hash of the audit to the next
FOUND_SECONDS = 30.0  # after the start, until what goes on has been found
OTHER_FILES = 256  # besides HTTP connections: database, links, files being sent


async def hub(settings: Settings, listeners: Sequence[socket.socket] = ()) -> None:
    """``commhub hub``: people and records. Without ``listeners`` it opens ``settings.http`` itself."""
    async with AsyncExitStack() as stack:
        base = await stack.enter_async_context(records(settings))
        async with base.store.transaction() as transaction:
            epoch = await transaction.next("epoch")
        made = _Hub(settings, base, epoch, stack)
        await made.conduct()
        made.meet()
        made.command()
        made.keep()
        await made.begin()
        links = await made.link()
        metrics = _metered(made, links)
        health = lambda: {**made.workers.health(), **{link.name: link.up for link in links}}  # noqa: E731
        await _serve(settings, stack, made.parts(), made.conference, (made.egress, made.ingress), listeners, health, metrics)
        clock = await stack.enter_async_context(Tasks("hub"))
        clock.spawn(made.lag.run(), "lag")
        clock.spawn(_export_heads(base.store, heads_file(settings)), "heads")
        clock.spawn(_tell_ends(made.webhooks, made.conference), "ends")
        machine.at_work()
        log.info("hub ready", epoch=epoch)
        await asyncio.Event().wait()


class _Hub:
    """The parts, each made of those before it: :meth:`conduct`, :meth:`meet`, :meth:`command`, :meth:`keep` make them, in this
    order; :meth:`begin` and :meth:`link` start them. They end with ``stack``."""

    def __init__(self, settings: Settings, base: Records, epoch: int, stack: AsyncExitStack) -> None:
        self.settings, self.base, self.epoch, self.stack = settings, base, epoch, stack
        names = [f"media-{index}" for index in range(settings.media.workers)]
        self.events, self.terminals = Events(base.store), Terminals()
        self.workers, self.lag = Workers(settings.run_dir, names, epoch), Lag("hub")
        self.internal = InternalKey(HUB_KEY, Secret(base.vault.secret("tokens")))

    async def conduct(self) -> None:
        """The live side, and who hears of it."""
        keys = _keys(self.settings, self.internal)
        self.webhooks = await _webhooks(self.settings, self.base.store, keys, self.stack)
        self.hearing: list[Callable[..., None]] = [self.webhooks.emit] if self.webhooks.wanted else []
        self.conference = _conference(self.settings, self.workers, keys, self.hearing)

    def meet(self) -> None:
        """Consultations, and the cameras in them."""
        settings, base, events, conference = self.settings, self.base, self.events, self.conference
        self.feeds = feeds = Feeds(base.store, events, base.directory, self.workers)
        self.gates = gates = Hearing(conference)
        self.rooms = rooms = Rooms(base.store, events, conference, gates, feeds, self.internal)
        self.door = door = Door(base.store, base.auth, rooms)
        self.leading = Leading(base.store, base.auth, rooms, conference, gates)
        self.entering = Entering(self.leading, rooms)
        self.watch = Watch(self.leading, self.entering)
        door.changed, door.knocked = self.leading.gate, self.entering.knocked
        conference.host = door
        self.devices = Devices(base.store, events, base.vault, ask=feeds.bridge("gb28181").ask)
        shots, taking = settings.data_dir / "snapshots", from_the_stream(settings.run_dir)
        fetched = settings.data_dir / "downloads", _downloads(settings)
        self.desk = Desk(
            base.store, base.auth, events, base.directory, feeds, conference, self.internal, rooms, shots, taking, fetched,
            upload_origin=_upload_origin(settings), snapshot_days=settings.snapshots.keep_days,
        )  # fmt: skip
        door.others[VIEW] = self.desk.walls.admit

    def command(self) -> None:
        """Calls, groups, roll calls, what is planned, what is forced."""
        settings, base, events, conference, rooms = self.settings, self.base, self.events, self.conference, self.rooms
        gates, terminals, internal = self.gates, self.terminals, self.internal
        self.calls = calls = Calls(
            base.store, base.auth, events, conference, gates, terminals, internal,
            ring_seconds=settings.calls.ring_seconds, recall_seconds=settings.calls.recall_seconds,
        )  # fmt: skip
        self.groups = groups = Groups(base.store, events, conference, gates, terminals, internal, _group_terms(settings))
        groups.calling.preempt = by_ending_calls(calls)
        self.rollcalls = RollCalls(base.store, events, rooms, gates, conference, terminals)
        shelf = Room(settings.agenda.material_bytes, settings.agenda.materials_bytes, settings.agenda.materials)
        self.scheduled = Scheduled(base.store, base.auth, events, rooms, settings.data_dir / "materials", shelf)
        self.linktests = LinkTests(base.store, events, conference, terminals, internal, **settings.link_tests.model_dump())
        self.dispatch = Dispatch(base.store, base.auth, events, conference, gates, internal, terminals, calls, rooms, groups)
        self.door.houses += [calls.lodging, groups, self.linktests]
        self.door.visitors.append(self.dispatch.listening)

    def keep(self) -> None:
        """What is recorded, and what becomes of it."""
        settings, base, events, conference, workers = self.settings, self.base, self.events, self.conference, self.workers
        kept = settings.recorder
        self.wishes = wishes = Wishes(base.store, Rules(frozenset(kept.always), _modes(settings), kept.layers))
        self.recordings = Recordings(
            base.store, events, self.rooms, self.feeds, conference, workers, shards=kept.shards, wishes=wishes
        )
        cameras = Cameras(base.directory, self.feeds, conference, self.internal)
        kinds = (Consultations(), RecordedCalls(self.calls.live), RecordedGroups(self.groups.live.lines), cameras)
        self.recorded = RoomRecordings(
            base.store, events, conference, workers, wishes, kinds, self.feeds.rooms, shards=kept.shards
        )
        self.recordings.others = self.recorded.follows
        self.door.houses.append(cameras)
        self.vacancy = Vacancy(base.store, self.rooms, self.recordings, conference)
        archive = Archive(settings.recordings_dir, SessionKeys.of(settings.data_dir), elsewhere(settings.recordings_s3))
        self.ordered = RoomEgress(base.store, events, conference, workers, archive, shards=kept.shards)
        self.egress = Egress(conference, self.ordered, self.webhooks.emit)
        self.entrances = RoomIngress(base.store, base.vault, conference, workers)
        self.ingress = Ingress(conference, self.entrances, f"{_origin(settings)}/w", self.webhooks.emit)
        self.hearing += [self.egress.heard, self.ingress.heard]
        keeping = terms_of(settings.recordings)
        self.witness = Witness(base.store)
        self.keeper = Keeper(base.store, events, keeping, shards=kept.shards)
        self.storage = Storage(base.store, events, settings.recordings.quota_bytes)
        wishes.admits = self.ordered.admits = self.storage.admit
        self.exports = Exports(base.store, events, settings.exports_dir, _exports(settings), archive, shards=kept.shards)
        self.review = Review(base.store, archive, keeping)
        self.reviewing = Reviewing(base.store, events, self.review, archive, settings.data_dir / "derived")

    async def begin(self) -> None:
        """Everything that goes on by itself."""
        for part in (self.witness, self.keeper, self.storage, self.exports, self.reviewing):
            part.start()
            self.stack.push_async_callback(part.close)
        await _begin(
            self.wishes.open, self.recordings.open, self.ordered.open, self.entrances.open, self.rooms.start, self.leading.start,
            self.calls.start, self.groups.start, self.rollcalls.start, self.scheduled.start, self.linktests.start,
            self.dispatch.start, self.feeds.start, self.recorded.open, self.recordings.start_tasks, self.recorded.start_tasks,
            self.ordered.start_tasks, self.entrances.start_tasks, self.conference.start, self.door.start, self.desk.start,
            self.devices.open, self.devices.start, self.watch.start,
        )  # fmt: skip
        for end in (
            self.conference.close_all, self.watch.close, self.door.close, self.dispatch.close, self.scheduled.close,
            self.linktests.close, self.calls.close, self.rollcalls.close, self.groups.close, self.desk.close, self.devices.close,
            self.recorded.close, self.recordings.close, self.ordered.close, self.entrances.close, self.ingress.close,
            self.egress.close, self.feeds.close,
        ):  # fmt: skip
            self.stack.push_async_callback(end)

    async def link(self) -> list[ChildLink]:
        """To the bridges, the recorder and the media workers."""
        feeds, desk = self.feeds, self.desk
        users = {
            "bridge-rtsp": Users(feeds.bridge("rtsp"), self.entrances),
            "bridge-gb28181": Users(self.devices, feeds.bridge("gb28181"), desk.voices, desk.downloads, desk.uploads),
        }
        for shard in range(self.settings.recorder.shards):
            parts = (self.recordings, self.recorded, self.ordered, self.keeper, self.exports)
            of_shard = [Shard(part, shard) for part in parts]
            users[f"record-{shard}"] = Users(*of_shard, self.witness, OfShard(self.storage, shard))
        links = _links(self.settings, self.epoch, feeds, users)
        for link in links:
            link.start()
            self.stack.push_async_callback(link.close)
        await self.workers.start()
        self.stack.push_async_callback(self.workers.close)
        self.vacancy.start()
        self.stack.push_async_callback(self.vacancy.close)
        return links

    def parts(self) -> Parts:
        """What the API is of."""
        return Parts(
            self.base.store, self.base.auth, self.events, self.base.directory, self.feeds, self.rooms, self.leading,
            self.entering, self.recordings, self.review, self.keeper, self.storage,
            Diagnosis(self.rooms, self.feeds, self.workers), self.desk, self.devices, self.terminals, self.calls, self.groups,
            self.rollcalls, self.scheduled, self.linktests, self.dispatch, self.recorded, self.reviewing, self.exports,
        )  # fmt: skip


async def _begin(*starts: Callable[[], Awaitable[None] | None]) -> None:
    for start in starts:
        if (waiting := start()) is not None:
            await waiting


def _exports(settings: Settings) -> ExportTerms:
    said, free = settings.exports, settings.recorder.minimum_free_bytes
    keep, patience = timedelta(days=said.keep_days), timedelta(hours=said.request_hours)
    return ExportTerms(frozenset(settings.recordings.approval), keep, patience, said.limit_bytes, said.total_bytes, free)


def _modes(settings: Settings) -> dict[policy.Kind, policy.Mode]:
    said = settings.recorder
    return {"consultation": said.consultations, "call": said.calls, "group": said.groups}


def _group_terms(settings: Settings) -> GroupTerms:
    said = settings.groups
    times = GroupTimes(limit=said.talk_limit_seconds, silence=said.silence_seconds, hang=said.hang_seconds, queue=said.queue)
    return GroupTerms(times, grace=said.grace_seconds, patience=said.emergency_seconds)


def _links(settings: Settings, epoch: int, feeds: Feeds, users: dict[str, Users]) -> list[ChildLink]:
    """To the bridges and the recorder that there are, by their names. Not started."""
    links = [
        ChildLink(settings.run_dir, name, epoch, linked=part.linked, unlinked=part.unlinked, receive=part.receive)
        for name, part in users.items()
        if name != "bridge-gb28181" or settings.gb28181.enabled
    ]
    for link in links:
        if link.name == "bridge-gb28181":
            feeds.bridge("gb28181").asking = link.ask
    return links


def _upload_origin(settings: Settings) -> str:
    """Where devices bring their pictures, "" where they are not asked to. The bridge fills in what a device knows us as."""
    if not settings.snapshots.upload:
        return ""
    return settings.snapshots.upload_url or f"http{'s' if settings.http.secure else ''}://{{host}}:{settings.http.port}"


def _downloads(settings: Settings) -> Bounds:
    said = settings.downloads
    keep, longest = timedelta(days=said.keep_days), timedelta(hours=said.longest_hours)
    return Bounds(said.at_once, said.speed, keep, longest, said.limit_bytes, said.total_bytes, said.minimum_free_bytes)


def _keys(settings: Settings, internal: InternalKey) -> Keys:
    """Those of the settings, and the hub's own."""
    keys = {name: Key(Secret(key.secret.get_secret_value()), key.scope) for name, key in settings.keys.items()}
    return Keys(keys | {HUB_KEY: Key(internal.secret, "own")})


def _conference(settings: Settings, workers: Workers, keys: Keys, hearing: list[Callable[..., None]]) -> live.Rooms:
    """The live side. ``hearing`` are told its facts; the list may grow until it starts."""
    secret = Secret(settings.turn.secret.get_secret_value())
    turn = Turn(tuple(settings.turn.urls), secret, int(settings.turn.credential_hours * 3600))
    terms = Terms(hub_key=HUB_KEY, ice_servers=ice_servers(turn, time.time), remote_unmute=settings.rooms.remote_unmute)

    def report(kind: str, **what: Any) -> None:
        for hear in hearing:
            hear(kind, **what)

    # Signalling and records know each other by two protocols; one of the two has to be told later.
    nobody, ledger = cast(Host, None), Ledger(settings.run_dir / "people")
    return live.Rooms(workers, nobody, keys, terms, workers=settings.media.workers, report=report, ledger=ledger)


def _metered(made: _Hub, links: list[ChildLink]) -> Metrics:
    metrics = Metrics()
    made.base.store.observe = metrics.observe("database_seconds")
    metrics.source(sources.build)
    metrics.source(sources.workers(made.workers))
    metrics.source(sources.children(links))
    metrics.source(sources.cameras(made.feeds))
    metrics.source(sources.devices(made.devices))
    metrics.source(sources.webhooks(made.webhooks))
    metrics.source(sources.lag(made.lag.take))
    metrics.source(Processes(made.settings.run_dir), apart=True)
    return metrics


def _origin(settings: Settings) -> str:
    """Where other systems find this hub, as far as it knows."""
    http = settings.http
    host = "localhost" if http.host in ("0.0.0.0", "::") else f"[{http.host}]" if ":" in http.host else http.host
    return http.public_url or f"http{'s' if http.secure else ''}://{host}:{http.port}"


async def _webhooks(settings: Settings, store: Store, keys: Keys, stack: AsyncExitStack) -> Webhooks:
    """Started; a receiver hears of the rooms that its key reaches."""
    said = settings.webhooks
    receivers = [Receiver(one.url, one.key, keys[one.key].secret, partial(keys.reaches, one.key)) for one in said.receivers]
    tls = await asyncio.to_thread(ssl.create_default_context, cafile=said.ca) if said.ca is not None else None
    webhooks = Webhooks(
        store, receivers, AllowList(said.allow), tls=tls, give_up_after=said.retry_hours * 3600,
        secret=lambda room, key: key == HUB_KEY and room.startswith(OWN),
    )  # fmt: skip
    await webhooks.start()
    stack.push_async_callback(webhooks.close)
    return webhooks


async def _tell_ends(webhooks: Webhooks, conference: live.Rooms) -> None:
    """Of what this hub has not found again, once everything had time to be found."""
    await asyncio.sleep(FOUND_SECONDS)
    await webhooks.ends(conference.witnesses.going_on())


async def _serve(
    settings: Settings,
    stack: AsyncExitStack,
    parts: Parts,
    conference: live.Rooms,
    ways: tuple[Egress, Ingress],
    listeners: Sequence[socket.socket],
    health: Any,
    metrics: Metrics,
) -> None:
    """The one HTTP port: API, pages, signalling, Twirp."""
    now = datetime.now(UTC)
    tls = await asyncio.to_thread(certificates.prepare, settings.http, settings.data_dir, now)
    authority = tls.authority if tls else None
    proxies = [ip_network(network) for network in settings.http.trusted_proxies]
    bounds, origins = Limits(**settings.limits.model_dump()), Origins(proxies)
    entries = Entries(bounds, origins)
    signalling = Signalling(conference, entries, bounds.requests_per_second)
    application = web.Application(client_max_size=BODY_LIMIT, middlewares=[bounded(bounds.body_seconds), entries.middleware])
    signalling.joins = JoinTimes(metrics.observe("join_seconds"), conference.now)
    conference.engine.on_event(signalling.joins.heard)
    application.add_routes(signalling.routes())
    application.add_routes(Whip(conference, entries, ways[1]).routes())
    application.add_routes(Twirp(conference, [*RoomService(conference).services(), *(way.service() for way in ways)]).routes())
    ca = (settings.data_dir / "tls" / "ca.crt", authority.fingerprint) if authority else None
    readers = Readers(
        metrics.text,
        CONTENT_TYPE,
        tuple(ip_network(network) for network in settings.metrics.allow),
        Secret(settings.metrics.token.get_secret_value()),
    )
    Api(parts, health, proxies=proxies, ca=ca, readers=readers).install(application)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=3.0)
    await runner.setup()
    assert runner.server is not None
    files = machine.allow_files(bounds.connections + OTHER_FILES)
    bounds = replace(bounds, connections=max(1, min(bounds.connections, files - OTHER_FILES)))
    entrance = Entrance(runner.server, bounds, origins, **HTTP_LIMITS)
    metrics.source(sources.rooms(conference))
    metrics.source(
        sources.http(
            lambda: signalling.malformed,
            entrance.given_up,
        )
    )
    stack.push_async_callback(runner.cleanup)
    stack.push_async_callback(signalling.close)
    entrance.open(listeners or machine.listen(settings.http.host, settings.http.port), tls.context if tls else None)
    stack.push_async_callback(entrance.close)
    if tls is not None:
        tasks = await stack.enter_async_context(Tasks("certificates"))
        tasks.spawn(_renew(tls), "renew")


async def _renew(tls: certificates.Tls) -> None:
    while True:
        await asyncio.sleep(CERTIFICATE_CHECK_SECONDS)
        await asyncio.to_thread(tls.refresh, datetime.now(UTC))


async def _export_heads(store: Store, file: Path) -> None:
    """The newest hash of the audit, now and every day."""
    while True:
        try:
            async with store.reading() as reading:
                await audit.export_head(reading, file)
        except OSError as error:
            log.error("the head of the audit is not written", file=str(file), error=error.strerror)
        await asyncio.sleep(HEAD_SECONDS)
