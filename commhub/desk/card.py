"""The card of a camera that shows nothing: what was tried, where it stopped, what works beside it, and whom to ask."""

from __future__ import annotations

from typing import Any, Literal
from urllib.parse import urlsplit

import sqlalchemy as sa

from commhub.directory import CameraRecord, Directory, camera_query, camera_record
from commhub.errors import Conflict, Forbidden, NotFound
from commhub.feeds import Condition, Feeds
from commhub.media.messages import PlayReport
from commhub.media.messages import Step as SaidStep
from commhub.model import Actor, iso, utc_ns
from commhub.store import Store, tables
from commhub.views import CameraState, Time, View

NEIGHBOURS = 4
LOOKED_AT = 12  # that worked last, of which the reader may see some
StepState = Literal["done", "failed", "waiting", "skipped"]

#: What opening a camera by RTSP consists of, in order, and the codes that end there (:mod:`bridges.faults`).
RTSP_STEPS: tuple[tuple[str, str, str, frozenset[str]], ...] = (
    ("address", "地址可用", "The address may be used", frozenset({"not_allowed", "bad_address", "name_not_found"})),
    ("connected", "已连接", "Connected", frozenset({"refused", "timeout", "closed", "bridge_down"})),
    ("signed_in", "已登录", "Signed in", frozenset({"unauthorized"})),
    ("described", "找到画面", "The picture was found", frozenset({"not_found", "busy", "no_video", "protocol"})),
    ("received", "收到视频数据", "Media arrives", frozenset({"no_media"})),
    ("picture", "解析画面", "The picture can be shown", frozenset()),
)


class Step(View):
    """``seconds`` from the click."""

    name: str
    state: StepState
    text: str
    seconds: float


class Attempt(View):
    """One way that was tried; ``code`` is empty when it worked."""

    way: str
    port: int
    seconds: float
    packets: int
    code: str
    sender: str
    ssrc: int


class Neighbour(View):
    """A camera of the same device; ``at`` is when it last worked."""

    id: str
    name: str
    state: CameraState
    at: Time | None


class Owner(View):
    org_name: str


class Card(View):
    camera_id: str
    at: Time
    code: str
    text: str
    advice: str
    steps: list[Step]
    attempts: list[Attempt]
    neighbours: list[Neighbour]
    last_success: Time | None
    owner: Owner


class Retrying(View):
    camera_id: str
    state: CameraState


class Cards:
    def __init__(self, store: Store, directory: Directory, feeds: Feeds) -> None:
        self._store, self._directory, self._feeds = store, directory, feeds

    async def card(self, camera: str, reader: Actor, *, english: bool = False) -> Card:
        """NotFound, Forbidden."""
        record = await self._openable(camera, reader)
        condition, report = self._feeds.condition(camera), self._feeds.plays.report(camera)
        rows = await self._beside(record, reader)
        last = await self._feeds.plays.last([camera, *(one.id for one in rows)])
        text, advice = _words(condition, report, english)
        return Card(
            camera_id=camera,
            at=iso(report.at if report is not None else utc_ns()),
            code=report.code if report is not None else condition.code,
            text=text,
            advice=advice,
            steps=_steps(condition, report, record, english),
            attempts=_attempts(report),
            neighbours=[
                Neighbour.model_validate(
                    {
                        "id": one.id,
                        "name": one.name,
                        "state": self._feeds.condition(one.id).state,
                        "at": iso(last[one.id]) if one.id in last else None,
                    }
                )
                for one in rows
            ],
            last_success=iso(last[camera]) if camera in last else None,
            owner=Owner(org_name=record.org.name),
        )

    async def retry(self, camera: str, reader: Actor) -> Retrying:
        """Conflict when nobody has it open."""
        await self._openable(camera, reader)
        if not self._feeds.retry(camera):
            raise Conflict("Nobody has this camera open: open it first.", "该摄像机当前未打开，请先打开。", code="not_open")
        return Retrying.model_validate({"camera_id": camera, "state": self._feeds.condition(camera).state})

    async def _openable(self, camera: str, reader: Actor) -> CameraRecord:
        record = await self._directory.camera(camera)
        if not reader.may("camera.list", org=record.org.id, label=record.label):
            raise NotFound("There is no such camera.", "没有这个摄像机。")
        if not reader.may("camera.open", org=record.org.id, label=record.label):
            raise Forbidden("You may not open this camera.", "没有打开该摄像机的权限。")
        return record

    async def _beside(self, record: CameraRecord, reader: Actor) -> list[CameraRecord]:
        """Those of the same device that worked last."""
        c, p = tables.cameras.c, tables.camera_plays.c
        if record.device_id:
            same: sa.ColumnElement[bool] = c.device_id == record.device_id
        else:
            url = urlsplit((await self._directory.address(record.id)).url)
            same = c.url.startswith(f"{url.scheme}://{url.netloc}/", autoescape=True)
        query: sa.Select[Any] = (
            camera_query()
            .join(tables.camera_plays, p.camera_id == c.id)
            .where(same, c.id != record.id)
            .order_by(p.succeeded_at.desc())
            .limit(LOOKED_AT)
        )
        async with self._store.reading() as reading:
            found = [camera_record(row) for row in await reading.all(query)]
        seen = [one for one in found if reader.may("camera.list", org=one.org.id, label=one.label)]
        return seen[:NEIGHBOURS]


def _words(condition: Condition, report: PlayReport | None, english: bool) -> tuple[str, str]:
    """What happened, and what to do."""
    if report is not None:
        return (report.text, report.advice) if english else (report.text_zh, report.advice_zh)
    if english:
        what, dot, then = condition.text.partition(". ")
        return what + dot.strip(), then
    what, dot, then = condition.text_zh.partition("。")
    return what + dot, then


def _steps(condition: Condition, report: PlayReport | None, record: CameraRecord, english: bool) -> list[Step]:
    if report is not None and report.steps:
        return [_step(one, english) for one in report.steps]
    if record.protocol == "gb28181" or condition.state == "idle":
        return []
    ends = next((number for number, step in enumerate(RTSP_STEPS) if condition.code in step[3]), len(RTSP_STEPS) - 1)
    failed: StepState = "failed" if condition.state == "failed" else "waiting"
    live = condition.state == "live"
    states: list[StepState] = [
        "done" if live or number < ends else failed if number == ends else "skipped" for number in range(len(RTSP_STEPS))
    ]
    return [
        Step(name=name, state=state, text=text_en if english else text, seconds=0.0)
        for (name, text, text_en, _), state in zip(RTSP_STEPS, states, strict=True)
    ]


def _step(one: SaidStep, english: bool) -> Step:
    text = one.text if english else one.text_zh
    return Step.model_validate({"name": one.name, "state": one.state, "text": text, "seconds": one.seconds})


def _attempts(report: PlayReport | None) -> list[Attempt]:
    return [
        Attempt(
            way=one.way,
            port=one.port,
            seconds=one.seconds,
            packets=one.packets,
            code=one.code,
            sender=one.sender,
            ssrc=one.ssrc,
        )
        for one in (report.attempts if report is not None else [])
    ]
