"""Who is heard in a room, and who reaches whom: several reasons side by side, the engine gets what they come to.

A floor, a chair who has muted everybody, a roll call and a whisper may all be at work in one room, and none of them knows of the
others. Each says its own reason here and takes it back; nobody else touches the engine's two gates (``Conference.govern``,
``Conference.part``). No clock, no records: after a restart whoever has a reason says it again from its own records, before the
workers tell of their people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from commhub.conference import Conference

Apart = Callable[[str, str], bool]


class Hearing:
    """Rooms are named as the conference names them, people by their identities. ``reason`` is a short name that tells apart who
    says it: ``floor``, ``held``, ``mute``, ``broadcast``, ``side``, ``roll``, ``whisper``, …"""

    def __init__(self, conference: Conference) -> None:
        self._conference = conference
        self._only: dict[str, dict[str, frozenset[str]]] = {}
        self._apart: dict[str, dict[str, Apart]] = {}

    def only(self, room: str, reason: str, speakers: Iterable[str] | None) -> None:
        """Only these identities are heard, for this reason; None takes it back. Heard is who is heard by every reason."""
        said = self._only.setdefault(room, {})
        if speakers is None:
            said.pop(reason, None)
        else:
            said[reason] = frozenset(speakers)
        if not said:
            del self._only[room]
        self._conference.govern(room, self.speakers(room))

    def apart(self, room: str, reason: str, apart: Apart | None) -> None:
        """Media of the first identity do not reach the second one where ``apart`` says so; None takes it back. Two are kept apart
        by any reason. It must answer the same until the next word about it."""
        said = self._apart.setdefault(room, {})
        if apart is None:
            said.pop(reason, None)
        else:
            said[reason] = apart
        if not said:
            del self._apart[room]
        self._conference.part(room, _any(tuple(said.values())))

    def speakers(self, room: str) -> frozenset[str] | None:
        """Who is heard by all reasons; None: everybody."""
        said = self._only.get(room)
        return frozenset.intersection(*said.values()) if said else None

    def parted(self, room: str, publisher: str, viewer: str) -> bool:
        return any(apart(publisher, viewer) for apart in self._apart.get(room, {}).values())

    def forget(self, room: str) -> None:
        """The room is over: nobody has a reason there any more."""
        self._only.pop(room, None)
        self._apart.pop(room, None)


def _any(reasons: tuple[Apart, ...]) -> Apart | None:
    if not reasons:
        return None
    if len(reasons) == 1:
        return reasons[0]
    return lambda publisher, viewer: any(apart(publisher, viewer) for apart in reasons)
