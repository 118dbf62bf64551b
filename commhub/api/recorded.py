"""What is recorded: by hand in calls, groups and of cameras; by policy, whoever wants it or not."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from pydantic import Field

from commhub.api.consultations import Body, revision
from commhub.api.routes import Call, Routes
from commhub.errors import NotFound
from commhub.recordings import RoomRecordings, policy
from commhub.recordings.shapes import RecordedRoom, RecordedRooms, RecordingPolicies, RecordingPolicy

Incident = Annotated[str, Field(max_length=64, pattern=r"^[\w.:-]*$")]


class RecordingOrder(Body):
    """``incident`` is the id of what happened, by which several recordings are found together; '' takes it away."""

    action: Literal["start", "stop", "pause", "resume"]
    incident: Incident | None = None


class PolicyChoice(Body):
    """``mode`` null: that of its kind."""

    mode: policy.Mode | None
    layers: policy.Layers = ""


class IncidentChoice(Body):
    incident: Incident


_REV = {"If-Match": 'The revision that was seen, as "7"; without it, whatever it is now.'}
_KINDS: dict[str, tuple[policy.Kind, str]] = {
    "calls": ("call", "call.list"),
    "groups": ("group", "group.list"),
    "cameras": ("camera", "camera.list"),
}


def _kind(call: Call) -> policy.Kind:
    kind = call.path("kind")
    if kind not in policy.KINDS:
        raise NotFound("There is nothing of this kind to be recorded.", "没有这个可录制的对象。")
    return cast(policy.Kind, kind)


def routes(recorded: RoomRecordings) -> Routes:
    r = Routes()

    def by_hand(plural: str, kind: policy.Kind, seen: str) -> None:
        async def act(call: Call, body: RecordingOrder) -> RecordedRoom:
            return await recorded.act(kind, call.path("id"), call.actor, body.action, body.incident)

        async def get(call: Call) -> RecordedRoom:
            return await recorded.find(kind, call.path("id"), call.actor)

        r.post(f"/{plural}/{{id}}/recording", "recording.control", f"Start, pause, resume or stop recording a {kind}.")(act)
        r.get(f"/{plural}/{{id}}/recording", seen, f"Is this {kind} being recorded, and why?")(get)

    for plural, (kind, seen) in _KINDS.items():
        by_hand(plural, kind, seen)

    @r.get("/recorded", "camera.list", "Calls, groups and cameras that are being recorded now, as far as the reader may know.")
    async def listing(call: Call) -> RecordedRooms:
        return RecordedRooms(items=await recorded.listed(call.actor))

    @r.get("/recording-policies", "recording.policy", "Rooms that have a policy of their own, and the rules of all others.")
    async def policies(call: Call) -> RecordingPolicies:
        return await recorded.policies(call.actor)

    @r.get("/recording-policies/{kind}/{id}", "recording.policy", "What counts of one room.")
    async def one(call: Call) -> RecordingPolicy:
        return await recorded.counts(_kind(call), call.path("id"), call.actor)

    @r.put(
        "/recording-policies/{kind}/{id}",
        "recording.policy",
        "Is it always recorded, from its beginning, by hand, or never? kind: consultation, call, group, camera.",
        headers=_REV,
    )
    async def rule(call: Call, body: PolicyChoice) -> RecordingPolicy:
        rev = revision(call) if "If-Match" in call.request.headers else None
        return await recorded.rule(_kind(call), call.path("id"), call.actor, rev, body.mode, body.layers)

    @r.put("/recordings/{id}/incident", "recording.control", "Say to which incident a recording belongs.")
    async def tie(call: Call, body: IncidentChoice) -> None:
        await recorded.tie(call.actor, call.path("id"), body.incident)

    return r
