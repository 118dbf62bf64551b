"""What programs outside see: the JSON shapes of the REST interface and of the events. Times are ISO 8601 UTC."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from commhub.model import Label, Role

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
CameraState = Literal["idle", "connecting", "live", "failed"]
Item = TypeVar("Item")


class View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Page(View, Generic[Item]):
    """``next`` is the cursor of the following page; null on the last."""

    items: list[Item]
    next: str | None = None


# ---- organisations, people, cameras


class Org(View):
    id: str
    name: str
    short: str


class OrgName(View):
    id: str
    name: str


class Organisation(View):
    id: str
    name: str
    name_en: str
    short: str
    kind: Literal["city", "department", "district", "street", "headquarters", "external"]
    parent_id: str | None
    connectivity: Literal["none", "phone", "staffed", "video", "full"] = "full"


class Person(View):
    id: str
    name: str
    post: str
    level: int
    org: Org
    online: bool


class Reason(View):
    """``code`` is stable, ``text`` a sentence for people."""

    code: str
    text: str


class Position(View):
    """WGS-84, degrees."""

    longitude: float
    latitude: float


CameraMay = Literal["open", "move", "control", "playback", "download", "snapshot", "voice"]


class Camera(View):
    """``state`` is of its stream; ``online`` what its device says. ``node_id`` is where it hangs in the tree, ``path`` the names
    from the root down to there. ``sub``: it has a second, smaller stream. ``alarm``: one of it is not confirmed. ``faulty``: its
    device says that it does not work. ``codec``: what it sends now, H.264 or H.265; null while nobody looks. ``may``: what the
    reader may do with it, as far as it can be done."""

    id: str
    name: str
    place: str | None
    org: Org
    label: Label
    state: CameraState
    reason: Reason | None
    protocol: Literal["rtsp", "gb28181"]
    online: bool
    ptz: bool
    sub: bool
    node_id: str | None
    path: list[str]
    position: Position | None
    alarm: bool
    favourite: bool
    faulty: bool
    codec: str | None
    may: list[CameraMay]


# ---- who is signed in


class City(View):
    name: str
    name_en: str


class Self(View):
    id: str
    name: str
    account: str
    post: str
    level: int
    org: OrgName


class Granted(View):
    role: Role
    org_id: str


class Session(View):
    person: Self
    roles: list[Granted]
    permissions: list[str]
    csrf: str
    city: City
    notice_version: str


# ---- consultations

May = Literal["join", "lead", "chair", "lock", "remove", "mute", "record", "camera", "invite", "end", "diagnose"]


class Member(View):
    id: str
    name: str
    org_name: str


class RecordingLight(View):
    """``reason`` is Chinese: an event is the same for everybody, so it says it in both languages."""

    state: Literal["off", "recording", "paused", "failed"]
    since: Time | None
    reason: str | None
    reason_en: str | None


class Present(View):
    identity: str
    name: str
    org_name: str
    kind: Literal["person", "camera"]
    joined_at: Time


class ConsultationCamera(View):
    id: str
    name: str
    org_name: str
    state: CameraState
    identity: str


class HandView(View):
    """``level`` 1 is the highest rank."""

    person: str
    name: str
    org_name: str
    level: int
    at: Time


class SideView(View):
    id: str
    title: str
    people: list[str]
    listen: bool


class WaitingView(View):
    """Somebody at the door, as who chairs sees them. ``returned``: was in, and was sent back."""

    person: str
    name: str
    post: str
    org_name: str
    level: int
    since: Time
    returned: bool
    org_id: str = ""


class WaitingList(View):
    items: list[WaitingView]


class Control(View):
    """How a consultation is led; people by their ids. ``chair`` chairs, ``acting`` is the co-chair who does while he is not there
    ("": nobody has to). ``muted`` without ``unmute``: only chairs and ``speakers`` are heard. ``hands`` stand in ``order``.
    ``layout`` and ``spotlight`` (an identity) are for every page, "" as everybody likes it. Of ``broadcast`` alone something is
    heard. ``rev`` goes into If-Match; ``allowed`` are the steps that are possible."""

    rev: int = 0
    chair: str = ""
    acting: str = ""
    co_chairs: list[str] = []
    muted: bool = False
    unmute: bool = True
    speakers: list[str] = []
    order: Literal["rank", "time"] = "rank"
    hands: list[HandView] = []
    lobby: Literal["off", "outside", "everybody"] = "off"
    layout: Literal["", "grid", "speaker"] = ""
    spotlight: str = ""
    broadcast: str = ""
    ends_at: Time | None = None
    sides: list[SideView] = []
    allowed: list[str] = []


class ConsultationNews(View):
    """A consultation as everybody in it sees it."""

    id: str
    code: str
    title: str
    state: Literal["live", "ended"]
    label: Label
    host: Member
    locked: bool
    control: Control
    recording: RecordingLight
    created_at: Time
    ended_at: Time | None
    rev: int
    organisations: list[Org]
    people: list[Member]
    present: list[Present]
    cameras: list[ConsultationCamera]
    recordings: list[str]


class Consultation(ConsultationNews):
    """And what the reader may do in it."""

    may: list[May]


class VerdictView(View):
    """Where it hurts. ``code`` is stable; ``text`` says what, ``step`` what to do ('' when nothing)."""

    fault: Literal["fine", "client", "network", "network_up", "network_down", "hub", "camera"]
    grade: Literal["fine", "noticed", "bad"]
    code: str
    text: str
    step: str


class Sending(View):
    """A track as it comes in. ``loss`` is on the way, before repair; ``age`` seconds since its last packet, null never."""

    track: str
    kind: Literal["audio", "video"]
    source: str
    muted: bool
    bitrate: int
    loss: float
    jitter_ms: float
    nacks: float
    age: float | None
    layers: list[int]
    width: int
    height: int


class Receiving(View):
    """Somebody's track as it goes out to this participant. ``layer`` is sent, ``wanted`` fits his view; null: nothing yet."""

    track: str
    identity: str
    kind: Literal["audio", "video"]
    bitrate: int
    loss: float
    jitter_ms: float
    nacks: float
    layer: int | None
    wanted: int
    paused: bool
    seen: bool


class ParticipantStats(View):
    """``over``: by which transport media comes. Bit/s, 0 … 1, milliseconds. ``score`` is MOS-like, 1 … 4.5."""

    identity: str
    name: str
    org_name: str
    kind: Literal["person", "camera", "service"]
    verdict: VerdictView
    connected: bool
    over: Literal["", "udp", "tcp"]
    heard: float | None
    score: float
    rtt_ms: float
    bitrate_up: int
    bitrate_down: int
    loss_up: float
    loss_down: float
    estimate: int | None
    up: list[Sending]
    down: list[Receiving]


class ConsultationStats(View):
    """``seconds`` is what rates and losses are of; 0: the worker has looked once only, ask again."""

    at: Time
    seconds: float
    participants: list[ParticipantStats]


class Joining(View):
    """``waiting``: in the lobby; there is no token until the chair lets him in. Asking again every 20 s keeps the place."""

    state: Literal["in", "waiting"] = "in"
    url: str
    token: str
    room: str
    identity: str
    recording: RecordingLight


# ---- recordings


class DeletionRequest(View):
    """Somebody asks that a recording be deleted; nobody else said so by ``lapses_at``: nothing came of it."""

    person_id: str | None
    name: str
    at: Time
    reason: str
    lapses_at: Time


class Tombstone(View):
    """What stays of a deleted recording. ``why``: two people, or its retention. ``head`` is the digest its journal's last
    checkpoint had, of ``checkpoints``: a copy that turns up can still be compared."""

    at: Time
    why: Literal["people", "retention"]
    asked_name: str
    confirmed_name: str
    reason: str
    head: str
    checkpoints: int
    bytes: int
    removed_at: Time | None


class Keeping(View):
    """What becomes of a recording. ``until`` is its retention, null: for ever; ``expires_at`` is announced. ``rev`` grows with
    every change."""

    state: Literal["kept", "expiring", "held", "asked", "deleting", "deleted"] = "kept"
    rev: int = 0
    until: Time | None = None
    expires_at: Time | None = None
    request: DeletionRequest | None = None
    tombstone: Tombstone | None = None


class Recording(View):
    """``kind`` is what was recorded; of all but consultations ``subject`` is its id, and ``consultation_id`` empty. ``incident``:
    what several recordings belong to."""

    id: str
    consultation_id: str
    kind: Literal["consultation", "call", "group", "camera"] = "consultation"
    subject: str = ""
    incident: str = ""
    title: str
    code: str
    label: Label
    started_at: Time
    ended_at: Time | None
    duration_ms: int
    state: Literal["recording", "complete", "repaired", "failed"]
    reason: str | None
    track_count: int
    people: list[str]
    org_name: str
    keeping: Keeping = Keeping()


class Segment(View):
    """From ``start_ms`` to ``end_ms`` on the session's clock; where that is not ``duration_ms``, positions are in proportion."""

    url: str
    mime: str
    start_ms: int
    end_ms: int
    duration_ms: int
    bytes: int


class RecordedTrack(View):
    id: str
    identity: str
    name: str
    org_name: str
    kind: Literal["audio", "video"]
    source: Literal["microphone", "camera", "screen_share", "screen_share_audio", "camera_feed"]
    codec: str
    segments: list[Segment]


class Speaking(View):
    identity: str
    name: str
    org_name: str
    spans: list[tuple[int, int]]


class RecordedEvent(View):
    at_ms: int
    type: str
    identity: str | None = None
    name: str | None = None
    text: str | None = None
    data: Any = None


class Gap(View):
    track: str
    start_ms: int
    end_ms: int
    reason: str | None = None


class Watermark(View):
    """What lies over every picture: who looks, and when (by the hub's clock)."""

    name: str
    post: str
    org_name: str
    at: Time


class RecordingDetail(Recording):
    """Everything to play it: milliseconds count from ``started_at``. Lanes, marks, thumbnails and waveforms are asked for by
    themselves: ``commhub.review.shapes``."""

    tracks: list[RecordedTrack]
    speakers: list[Speaking]
    events: list[RecordedEvent]
    gaps: list[Gap]
    watermark: Watermark


# ---- audit, access


class Access(View):
    """A look at a recording. ``track``, ``at_ms``: where it was gone to. ``detail``: the words searched, the export."""

    id: str
    at: Time
    person_id: str | None
    person_name: str
    org_name: str
    address: str
    kind: Literal["view", "seek", "export", "search"]
    recording_id: str
    title: str
    track: str
    at_ms: int | None
    detail: str


class AuditRow(View):
    id: str
    at: Time
    actor_name: str
    action: str
    subject: str
    object: str
    result: str
    org_name: str
