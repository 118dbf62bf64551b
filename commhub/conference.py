"""Where the hub's records and the live signalling meet.

The hub's domain code (``rooms``) does not know LiveKit's messages, and the signalling does not know accounts. Each sees the
other through one protocol of this page; ``commhub.app`` joins the two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

#: A client without media checks its path every 2.5 s (RFC 7675: 5 s at most), and workers look about once a second.
HEARD_SECONDS = 3.0


#: The identity of whatever records a room, where viewers are asked about: nobody else has it.
RECORDER = ""


@dataclass(frozen=True, slots=True)
class Presence:
    """Somebody in a room. ``kind``: person, camera, service (made by an API key). ``forwarded``: really in another room."""

    identity: str
    name: str
    kind: str = "person"
    org: str = ""
    joined_at: int = 0  # UTC ns
    forwarded: bool = False


@dataclass(frozen=True, slots=True)
class CameraSeat:
    """A camera's participant in a room: its tracks come from the Source with the same id."""

    source: str
    identity: str
    name: str
    org: str
    audio: bool = False
    kind: str = "camera"  # or ingress: a stream that an API key brought in
    metadata: str = ""
    record: str = ""  # whoever made it gets it back from the worker after a restart; no participant sees it


class Conference(Protocol):
    """The live side, implemented by ``signaling``. Rooms are named by consultation id."""

    async def open(self, room: str, *, key: str, metadata: str = "") -> None:
        """Make the room (idempotent) under the API key ``key``; it exists until closed, also when empty."""

    async def close(self, room: str) -> None:
        """Disconnect everybody (ROOM_DELETED)."""

    def named(self, prefix: str) -> list[str]:
        """Rooms whose names begin so."""

    def present(self, room: str, *, unseen: bool = False, connected: bool = False) -> list[Presence]:
        """``unseen``: also those whom nobody sees; of who only watches it is the identity of whose token that is.
        ``connected``: not those whose connection is gone and who may come back."""

    async def reached(self, room: str) -> frozenset[str] | None:
        """Whose clients are there now: their socket is, or their media were heard a moment ago (:data:`HEARD_SECONDS`). None:
        not known, because workers have not told a restarted hub yet what they carry, or do not answer."""

    async def remove(self, room: str, identity: str) -> None:
        """NotFound when nobody of that identity is there. The token used is dead from now on."""

    async def mute(self, room: str, identity: str, source: str, muted: bool = True) -> None:
        """``source``: microphone, camera, screen_share, screen_share_audio."""

    async def provide(self, room: str, *, key: str) -> None:
        """A plain room of this API key, when there is none. Forbidden when it is another key's."""

    def reaches(self, room: str, key: str) -> bool:
        """May this API key touch the room, or make it when there is none?"""

    def camera_seats(self, room: str) -> list[CameraSeat]:
        """Of all cameras in it."""

    async def add_camera(self, room: str, seat: CameraSeat) -> None:
        """A participant of kind BRIDGE whose tracks are announced; idempotent, survives workers."""

    async def remove_camera(self, room: str, identity: str) -> None: ...

    #: Who begins and ceases to speak (True, False) in a room that is governed: room, identity. Must not wait.
    spoke: Callable[[str, str, bool], None]

    def govern(self, room: str, speakers: Iterable[str] | None) -> None:
        """Only these identities are heard in the room, whatever the others publish and unmute; None: everybody. Before the
        room's first participant comes, nobody slips through; a restarted hub finds a governed room with nobody to be heard."""

    def part(self, room: str, apart: Callable[[str, str], bool] | None) -> None:
        """Media of the first identity do not reach the second one where ``apart`` says so, by gate two: whoever publishes anew or
        comes later, too. It must say the same until the next word about it; None: nobody is kept apart. Before the room's first
        participant comes, and before workers tell a restarted hub of theirs, nothing slips through. Whatever records the room
        is asked about as :data:`RECORDER`."""

    def forward(self, room: str, identity: str, to: str) -> bool:
        """Somebody of a room of the hub's is seen and heard in another one too, until they leave or :meth:`unforward`;
        idempotent. False when they are not there, or somebody of that identity is in the other one."""

    def unforward(self, room: str, to: str) -> None:
        """Nobody of ``room`` is seen in ``to`` any more."""

    def set_recording(self, room: str, active: bool, *, by: str = "") -> None:
        """``by`` tells apart who records it: it is on while anybody does. LiveKit's Room.active_recording, pushed by room_update:
        everybody sees the light."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a token says, verified: signature, exp, key, grants. ``grants`` is the ``video`` claim as the JWT has it."""

    key: str
    identity: str
    name: str = ""
    room: str = ""
    grants: dict[str, object] = field(default_factory=dict)
    metadata: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    kind: str = ""
    token_id: str = ""  # jti, else a hash of the token
    expires_at: float = 0.0  # unix seconds
    room_config: dict[str, object] = field(default_factory=dict)
    issued_at: float = 0.0  # unix seconds, whole ones if somebody else made the token; 0 when it does not say

    def issued_before(self, moment: float) -> bool:
        """False when it does not say. Of whole seconds the one of ``moment`` itself is not before: an invitation that follows
        a removal at once is not to be refused."""
        exact = self.issued_at != int(self.issued_at)
        return 0 < self.issued_at < (moment if exact else int(moment))


@dataclass(frozen=True, slots=True)
class Part:
    """Part of a room: tracks of this identity, from this source, of this kind, or this very one; '' is any."""

    identity: str = ""
    source: str = ""
    kind: str = ""
    track: str = ""


@dataclass(frozen=True, slots=True)
class EgressFile:
    """``name`` is its place below the folder of recordings. Times are UTC ns, ``duration`` ns."""

    name: str
    started_at: int
    duration: int
    size: int


EGRESS_OVER = ("complete", "failed", "aborted", "limit_reached")


@dataclass(frozen=True, slots=True)
class EgressOrder:
    """A recording that an API key ordered (LiveKit's Egress). ``kind`` and ``request`` are the signalling's own, kept for it;
    ``parts`` empty is the whole room. ``state``: starting, active, ending, complete, failed, aborted, limit_reached. Times are
    UTC ns, 0 when not yet."""

    key: str
    room: str
    room_sid: str
    kind: str
    request: bytes
    parts: tuple[Part, ...] = ()
    details: str = ""
    id: str = ""
    state: str = "starting"
    error: str = ""
    started_at: int = 0
    ended_at: int = 0
    updated_at: int = 0
    files: tuple[EgressFile, ...] = ()

    @property
    def over(self) -> bool:
        return self.state in EGRESS_OVER


class Egresses(Protocol):
    """What API keys order to be recorded; implemented by ``recordings``."""

    #: Hears every change of state.
    changed: Callable[[EgressOrder], None]

    async def start(self, order: EgressOrder) -> EgressOrder:
        """Unavailable while the recorder is not there."""

    async def stop(self, id: str) -> EgressOrder:
        """Idempotent. NotFound."""

    async def find(self, *, id: str = "", room: str = "", active: bool = False) -> list[EgressOrder]:
        """Newest first."""

    def room_ended(self, room: str) -> None: ...


INGRESS = "IN_"  # begins LiveKit's ids of ingresses, and the names of the Sources that are pulled for them


@dataclass(frozen=True, slots=True)
class IngressWay:
    """A way into a room (LiveKit's Ingress). ``kind``: whip (by stream key), url (pulled). ``url`` has no user in it;
    ``options`` is the signalling's own, kept for it. ``stream_key``, ``user`` and ``password`` are secrets."""

    key: str
    kind: str
    room: str
    identity: str
    title: str = ""
    name: str = ""
    metadata: str = ""
    enabled: bool = True
    url: str = ""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    stream_key: str = field(default="", repr=False)
    options: bytes = b""
    id: str = ""
    updated_at: int = 0  # UTC ns


@dataclass(frozen=True, slots=True)
class IngressState:
    """Of a pulled one: inactive, buffering, publishing, error, complete. ``since`` is UTC ns."""

    state: str = "inactive"
    error: str = ""
    audio: bool = False
    since: int = 0


class Ingresses(Protocol):
    """Ways that API keys made; implemented by ``commhub.ingress``."""

    #: Hears every change of a pulled one's state.
    changed: Callable[[IngressWay, IngressState], None]

    async def create(self, way: IngressWay) -> IngressWay:
        """With its id and its stream key."""

    async def update(self, way: IngressWay) -> IngressWay: ...
    async def delete(self, way: IngressWay) -> None: ...
    async def find(self, *, id: str = "", room: str = "") -> list[IngressWay]: ...
    async def by_stream_key(self, stream_key: str) -> IngressWay | None: ...
    def state(self, way: IngressWay) -> IngressState: ...
    async def end(self, room: str, identity: str = "") -> None:
        """The room is over, or this participant was removed."""


class Host(Protocol):
    """The hub's side, implemented by ``rooms``: who may, and who wants to know."""

    async def admit(self, ticket: Ticket, *, resuming: bool = False) -> None:
        """May this ticket enter (or come back into) this room now? Forbidden, NotFound (“requested room does not exist”),
        Conflict (locked), Unauthenticated (revoked)."""

    async def check(self, ticket: Ticket) -> None:
        """Is this ticket still good for anything? Unauthenticated (revoked)."""

    async def revoke(self, room: str, tickets: Sequence[Ticket], before: float) -> None:
        """Somebody was removed: these tickets are dead from now on, also after a restart, and so is every other one of their
        identities for this room that was issued before (unix seconds)."""

    # Both are called after ``Conference.present`` shows the change, also for rooms that are no consultation; neither raises.
    async def joined(self, room: str, presence: Presence) -> None: ...
    async def left(self, room: str, presence: Presence, reason: str) -> None: ...
    async def used_key(self, key: str, room: str, action: str) -> None:
        """An API key acted on a consultation: an audit row."""
