"""/consultations: create, invite, join, lead."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from commhub.api.gate import Gate
from commhub.api.routes import Call, Routes
from commhub.diagnosis import Diagnosis
from commhub.errors import Conflict, Invalid
from commhub.model import ULID_PATTERN, Label
from commhub.recordings import Recordings
from commhub.rooms import Entering, Once, Rooms
from commhub.views import Consultation, ConsultationStats, Joining, Page


def _printable(text: str) -> str:
    text = " ".join(text.split())
    if not text or not text.isprintable():
        raise ValueError("The text is empty or has control characters.")
    return text


Id = Annotated[str, Field(pattern=f"^{ULID_PATTERN}$")]
Ids = Annotated[list[Id], Field(max_length=500)]
Title = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
Query = Annotated[str, Field(max_length=100)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewConsultation(Body):
    title: Title
    label: Label = Label.INTERNAL
    organisations: Ids = []
    people: Ids = []
    record: bool = False


class Change(Body):
    locked: bool | None = None
    title: Title | None = None


class Invitation(Body):
    organisations: Ids = []
    people: Ids = []


class Join(Body):
    """``terminal`` is a ULID the page keeps."""

    terminal: Id


class TrackMuting(Body):
    source: Literal["microphone", "camera", "screen_share", "screen_share_audio"]


class CameraChoice(Body):
    camera_id: Id


class RecordingAction(Body):
    action: Literal["start", "stop", "pause", "resume"]
    incident: Annotated[str, Field(max_length=64, pattern=r"^[\w.:-]*$")] | None = None


class Listing(Body):
    state: Literal["live", "ended"] | None = None
    q: Query = ""
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


_KEY = {"Idempotency-Key": "A repeated request with the same key is answered without doing it twice."}


def once(call: Call, body: BaseModel) -> Once | None:
    key = call.request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not 1 <= len(key) <= 200 or not key.isascii() or not key.isprintable():
        raise Invalid("The Idempotency-Key must be 1 to 200 printable characters.", "幂等键须为 1 到 200 个可见字符。")
    text = f"{call.request.method} {call.request.path} {body.model_dump_json()}"
    return Once(key, hashlib.sha256(text.encode()).hexdigest())


def revision(call: Call) -> int:
    said = call.request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
    if not said:
        raise Invalid("If-Match must carry the revision.", "缺少 If-Match 版本号。", code="if_match", status=428)
    if not said.isascii() or not said.isdigit() or len(said) > 9:
        raise Conflict("Somebody changed it meanwhile: load it again.", "内容已被他人修改，请刷新后重试。", code="stale")
    return int(said)


def routes(gate: Gate, rooms: Rooms, entering: Entering, recordings: Recordings, diagnosis: Diagnosis) -> Routes:
    r = Routes()

    @r.get("/consultations", "consultation.list", "Consultations the reader may see, newest first.")
    async def listing(call: Call, query: Listing) -> Page[Consultation]:
        return await rooms.listed(call.actor, state=query.state, q=query.q, before=query.cursor, limit=query.limit)

    @r.post("/consultations", "consultation.create", "Start a consultation.", status=201, headers=_KEY)
    async def create(call: Call, body: NewConsultation) -> Consultation:
        return await rooms.create(
            call.actor,
            title=body.title,
            label=body.label,
            organisations=body.organisations,
            people=body.people,
            record=body.record,
            once=once(call, body),
        )

    @r.get("/consultations/{id}", "consultation.list", "One consultation.")
    async def get(call: Call) -> Consultation:
        return rooms.view(await rooms.find(call.path("id"), call.actor), call.actor)

    @r.patch(
        "/consultations/{id}",
        "consultation.lead",
        "Lock, unlock or rename it.",
        headers={"If-Match": 'The revision it was read at, as "7".'},
    )
    async def change(call: Call, body: Change) -> Consultation:
        return await rooms.change(call.path("id"), call.actor, revision(call), locked=body.locked, title=body.title)

    @r.post("/consultations/{id}/invitations", "consultation.invite", "Invite; their pages ring.", headers=_KEY)
    async def invite(call: Call, body: Invitation) -> Consultation:
        return await rooms.invite(call.path("id"), call.actor, body.organisations, body.people, once(call, body))

    @r.post("/consultations/{id}/join", "consultation.join", "A ticket into the room, for ten minutes; or a place in the lobby.")
    async def join(call: Call, body: Join) -> Joining:
        scheme = "wss" if gate.scheme(call.request) == "https" else "ws"
        return await entering.join(call.path("id"), call.actor, body.terminal, f"{scheme}://{call.request.host}")

    @r.post("/consultations/{id}/end", "consultation.lead", "End it for everybody.")
    async def end(call: Call) -> Consultation:
        return await rooms.end(call.path("id"), call.actor)

    @r.delete("/consultations/{id}/participants/{identity}", "consultation.lead", "Remove somebody until invited again.")
    async def remove(call: Call) -> None:
        await rooms.remove(call.path("id"), call.actor, call.path("identity"))

    @r.post("/consultations/{id}/participants/{identity}/mute", "consultation.lead", "Mute one of his tracks.", status=204)
    async def mute(call: Call, body: TrackMuting) -> None:
        await rooms.mute(call.path("id"), call.actor, call.path("identity"), body.source)

    @r.post("/consultations/{id}/cameras", "camera.open", "Bring a camera in.", status=201, headers=_KEY)
    async def add_camera(call: Call, body: CameraChoice) -> Consultation:
        return await rooms.add_camera(call.path("id"), call.actor, body.camera_id)

    @r.delete("/consultations/{id}/cameras/{camera_id}", "camera.open", "Take a camera out.")
    async def remove_camera(call: Call) -> None:
        await rooms.remove_camera(call.path("id"), call.actor, call.path("camera_id"))

    @r.get("/consultations/{id}/stats", "consultation.lead", "How everybody in it sends and receives, and where it hurts.")
    async def stats(call: Call) -> ConsultationStats:
        return await diagnosis.look(call.path("id"), call.actor, english=call.english)

    @r.post("/consultations/{id}/recording", "recording.control", "Start, pause, resume or stop recording.")
    async def record(call: Call, body: RecordingAction) -> Consultation:
        if body.action in ("pause", "resume"):
            return await recordings.pause(call.path("id"), call.actor, body.action == "pause")
        if body.action == "start":
            return await recordings.start(call.path("id"), call.actor, body.incident)
        return await recordings.stop(call.path("id"), call.actor)

    return r
