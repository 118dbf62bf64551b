"""How everybody in a consultation sends and receives, and where it hurts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol, cast

from commhub.conference import Presence
from commhub.diagnosis.verdict import Case, Surroundings, judge
from commhub.errors import Unavailable
from commhub.feeds import Feeds, seat_of
from commhub.media import quality
from commhub.media.messages import DownStats, PeerStats, RoomStats, UpStats
from commhub.media.overload import Level
from commhub.media.workers import WorkerLoad
from commhub.model import Actor, iso, utc_ns
from commhub.rooms import Rooms
from commhub.store.consultations import Consultation
from commhub.views import ConsultationStats, ParticipantStats, Receiving, Sending, VerdictView

AGAIN = 1.0  # seconds between the first two looks: rates need two


class Workers(Protocol):
    def worker_of(self, room: str) -> str: ...
    def loads(self) -> dict[str, WorkerLoad]: ...
    async def stats(self, room: str) -> RoomStats | None: ...


class Diagnosis:
    def __init__(self, rooms: Rooms, feeds: Feeds, workers: Workers, *, utc: Callable[[], int] = utc_ns) -> None:
        self._rooms, self._feeds, self._workers, self._utc = rooms, feeds, workers, utc

    async def look(self, consultation: str, actor: Actor, *, english: bool = False) -> ConsultationStats:
        """Everybody who is in and not hidden. Forbidden, NotFound, Conflict (ended); Unavailable while its worker restarts."""
        record = await self._rooms.in_charge(consultation, actor, "diagnose")
        stats = await self._stats(consultation)
        there = {one.identity: one for one in self._rooms.present(record)}
        load = self._workers.loads().get(self._workers.worker_of(consultation))
        seen = [peer for peer in stats.peers if peer.identity in there]
        publishers = {track.track: peer.identity for peer in seen for track in peer.up}
        return ConsultationStats(
            at=iso(self._utc()),
            seconds=stats.seconds,
            participants=[
                _shown(peer, there[peer.identity], self._around(peer, record, load), publishers, english) for peer in seen
            ],
        )

    async def _stats(self, room: str) -> RoomStats:
        stats = await self._workers.stats(room)
        if stats is not None and not stats.seconds and stats.peers:
            await asyncio.sleep(AGAIN)
            stats = await self._workers.stats(room)
        if stats is None:
            raise Unavailable("The media service is being restarted.", "媒体服务正在重启，请稍候。")
        return stats

    def _around(self, peer: PeerStats, record: Consultation, load: WorkerLoad | None) -> Surroundings:
        late = max(load.lag, load.waited) if load is not None else 0.0
        shed = load is not None and load.level >= Level.SHED
        if peer.kind != "bridge":
            return Surroundings(late, shed)
        found = next((camera for camera in record.cameras if peer.identity == seat_of(camera.id)), None)
        if found is None:
            return Surroundings(late, shed)
        condition = self._feeds.condition(found.id)
        return Surroundings(late, shed, condition.state, (condition.text_zh, condition.text))


Kind = Literal["person", "camera", "service"]
Media = Literal["audio", "video"]


def _shown(peer: PeerStats, who: Presence, around: Surroundings, publishers: dict[str, str], english: bool) -> ParticipantStats:
    verdict, case = judge(peer, around), Case(peer, around)
    says = 1 if english else 0
    score = quality.judge(_observations(case), connected=peer.connected or peer.kind == "bridge")[1]
    return ParticipantStats(
        identity=peer.identity,
        name=who.name,
        org_name=who.org,
        kind=cast(Kind, who.kind),
        verdict=VerdictView(
            fault=verdict.fault.value,
            grade=verdict.grade.value,
            code=verdict.code,
            text=verdict.text[says],
            step=verdict.step[says],
        ),
        connected=peer.connected or peer.kind == "bridge",
        over=cast(Literal["", "udp", "tcp"], peer.over),
        heard=peer.heard if peer.heard >= 0 else None,
        score=score,
        rtt_ms=peer.rtt_ms,
        bitrate_up=sum(one.bitrate for one in peer.up),
        bitrate_down=sum(one.bitrate for one in peer.down),
        loss_up=case.loss_up,
        loss_down=max(0.0, round(case.loss_down, 4)),
        estimate=peer.estimate or None,
        up=[_sending(one) for one in peer.up],
        down=[_receiving(one, publishers) for one in peer.down if one.track in publishers],
    )


def _observations(case: Case) -> list[quality.Observation]:
    up = [quality.Observation(one.gone) for one in case.sending]
    return up + [quality.Observation(one.loss, one.rtt_ms, one.jitter_ms) for one in case.watching if not one.paused]


def _sending(one: UpStats) -> Sending:
    return Sending(
        track=one.track,
        kind=cast(Media, one.kind),
        source=one.source,
        muted=one.muted,
        bitrate=one.bitrate,
        loss=one.loss,
        jitter_ms=one.jitter_ms,
        nacks=one.nacks,
        age=one.age if one.age >= 0 else None,
        layers=one.layers,
        width=one.width,
        height=one.height,
    )


def _receiving(one: DownStats, publishers: dict[str, str]) -> Receiving:
    return Receiving(
        track=one.track,
        identity=publishers[one.track],
        kind=cast(Media, one.kind),
        bitrate=one.bitrate,
        loss=one.loss,
        jitter_ms=one.jitter_ms,
        nacks=one.nacks,
        layer=one.layer if one.layer >= 0 else None,
        wanted=one.wanted,
        paused=one.paused,
        seen=one.seen,
    )
