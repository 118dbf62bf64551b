"""Where a peer receives: the sections of a session description that carry something to it, and what is in each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from commhub.media import negotiation
from commhub.media.ladder import ALL
from commhub.media.plane import Plane, RouteSpec
from commhub.media.room import Encoding, Peer, Subscription
from commhub.media.transport import Transport
from commhub.wire import sdp

KINDS = ("audio", "video")
SLOTS = 120  # sections that carry something to one peer


class Routing(Protocol):
    """What slots need of their engine."""

    plane: Plane

    def number(self) -> int:
        """A number no receiver or route has had."""

    def routed(self, subscription: Subscription) -> None:
        """A route for it exists: gates and layer are to be set."""


@dataclass(slots=True, eq=False)
class Slot:
    """A section in which the peer can receive. ``section`` is the peer's word about it; ``dirty`` while the peer still
    takes it for a track that is gone: it must be told (by ``inactive``) before another track may come in."""

    mid: str
    kind: str
    section: sdp.Section | None = None
    subscription: Subscription | None = None
    spec: RouteSpec | None = None
    dirty: bool = False
    dead: bool = False
    ssrc: int = 0
    rtx_ssrc: int = 0

    @property
    def free(self) -> bool:
        return self.subscription is None and not self.dirty and not self.dead


class Slots:
    """All of one peer. ``listening`` is the transport that it receives over, while there is one. Those of a fixed peer keep
    their streams whatever track is put into them."""

    def __init__(self, peer: Peer, engine: Routing, listening: Callable[[], Transport | None]) -> None:
        self._peer, self._engine, self._listening = peer, engine, listening
        self._slots: dict[str, Slot] = {}
        self._next_mid = 1

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots.values())

    @property
    def dirty(self) -> bool:
        return any(slot.dirty for slot in self)

    def of(self, subscription: Subscription) -> Slot | None:
        slot = self._slots.get(subscription.mid)
        return slot if slot is not None and slot.subscription is subscription else None

    def sections(self, kind: str) -> list[sdp.Section]:
        """The client's words about where it receives."""
        return [slot.section for slot in self if slot.section is not None and slot.kind == kind]

    def free(self, kind: str) -> list[Slot]:
        return [slot for slot in self if slot.kind == kind and slot.free]

    def room(self, kind: str) -> int:
        """How many more of a kind there may be."""
        return SLOTS - sum(slot.kind == kind for slot in self)

    def waiting(self, kind: str) -> list[Subscription]:
        """Subscriptions to something that flows (or will) and has no section yet, but could have one."""
        if not self._peer.may_subscribe:
            return []
        known = self.sections(kind)
        return [
            one
            for one in self._peer.subscriptions.values()
            if not one.mid
            and one.track.kind == kind
            and one.track.encodings
            # A client that decodes none of its codecs is not asked for sections in vain.
            and (not known or any(one.track.takes(section) for section in known))
        ]

    # ---- as descriptions say

    def offered(self, offer: sdp.Description) -> list[Slot]:
        """The client's offer says which there are; those that are new."""
        usable = {section.mid: section for section in offer.sections if negotiation.is_slot(section)}
        for mid in [mid for mid in self._slots if mid not in usable]:
            self.release(self._slots.pop(mid))
        new = []
        for mid, section in usable.items():
            slot = self._slots.get(mid)
            if slot is None:
                slot = self._slots[mid] = Slot(mid, section.kind)
                if self._peer.fixed:
                    slot.ssrc, slot.rtx_ssrc = _ssrcs()
                new.append(slot)
            slot.section = section
            if slot.subscription is not None and slot.subscription.track.takes(section) is None:
                self.release(slot)  # the client has struck its codec out
        return new

    def grow(self) -> None:
        """As many as are needed, in the next offer of ours."""
        for kind in KINDS:
            for _ in range(min(len(self.waiting(kind)) - len(self.free(kind)), SLOTS - len(self._slots))):
                mid = str(self._next_mid)
                self._next_mid += 1
                self._slots[mid] = Slot(mid, kind)

    def answered(self, answer: sdp.Description) -> None:
        """The client's answer to our offer says what it takes of them."""
        sections = {section.mid: section for section in answer.sections}
        for slot in self:
            section = sections.get(slot.mid)
            if section is None:
                continue
            if not section.port:
                self.release(slot)
                slot.dead = True
            elif section.receives:
                slot.section = section

    # ---- what is in them

    def assign(self) -> None:
        """Put waiting subscriptions into free slots that can carry them. This description tells the peer of every slot
        that became empty, so those are free for the next one."""
        emptied = [slot for slot in self if slot.dirty]
        for kind in KINDS:
            free = self.free(kind)
            for subscription in self.waiting(kind):
                slot = next((one for one in free if one.section is None or subscription.track.takes(one.section)), None)
                if slot is not None:
                    free.remove(slot)
                    self._occupy(slot, subscription)
        for slot in emptied:
            slot.dirty = False

    def _occupy(self, slot: Slot, subscription: Subscription) -> None:
        slot.subscription, subscription.mid = subscription, slot.mid
        if not self._peer.fixed:
            slot.ssrc, slot.rtx_ssrc = _ssrcs()

    def release(self, slot: Slot) -> None:
        subscription = slot.subscription
        if subscription is None:
            return
        if subscription.route:
            self._engine.plane.remove_route(subscription.route)
        subscription.mid, subscription.route, subscription.encoding = "", 0, None
        subscription.cap, subscription.temporal, subscription.starved = None, ALL, False
        slot.subscription, slot.spec, slot.dirty = None, None, not self._peer.fixed

    def clear(self) -> None:
        """The transport is over, and all of them with it."""
        for slot in list(self):
            self.release(slot)
        self._slots.clear()

    def unroute(self, subscription: Subscription) -> None:
        """What it carried is about to come in another shape: its section stays, :meth:`reroute` follows."""
        slot = self.of(subscription)
        if slot is not None and subscription.route:
            self._engine.plane.remove_route(subscription.route)
            subscription.route, slot.spec = 0, None

    def reroute(self, subscription: Subscription) -> None:
        if (slot := self.of(subscription)) is None or slot.section is None:
            return
        if subscription.takes(slot.section) is None:
            self.release(slot)
        else:
            self.route(slot)

    def sending(self, slot: Slot) -> negotiation.Sending | None:
        """What a description of ours says that it carries."""
        if self._peer.fixed:
            return self._standing(slot)
        subscription = slot.subscription
        if subscription is None:
            return None
        track = subscription.track
        taken = subscription.takes(slot.section) if slot.section is not None else None
        if slot.section is not None and taken is None:
            return None
        encoding = taken[0] if taken else track.primary
        if encoding is None:
            return None
        repairs = slot.section is None or taken is None or negotiation.rtx_of(slot.section, taken[1].payload_type)
        rtx = slot.rtx_ssrc if track.kind == "video" and repairs else 0
        # Clients split the stream at "|": the first part says whose track it is.
        return negotiation.Sending(
            f"{track.peer.id}|{track.id}", track.id, encoding.codec, slot.ssrc, rtx, self._redundant(encoding)
        )

    def _redundant(self, encoding: Encoding) -> bool:
        return encoding.redundant and self._peer.takes_red and not self._peer.fixed

    def _standing(self, slot: Slot) -> negotiation.Sending:
        """What a section of a fixed client says for good, whatever comes into it: one stream, so that its sound and picture
        are played together."""
        section = slot.section
        repairs = section is not None and any(codec.name.lower() == "rtx" for codec in section.codecs.values())
        rtx = slot.rtx_ssrc if slot.kind == "video" and repairs else 0
        taken = slot.subscription.takes(section) if slot.subscription is not None and section is not None else None
        codec = taken[0].codec if taken is not None else None
        return negotiation.Sending(self._peer.id, f"{self._peer.id}-{slot.mid}", codec, slot.ssrc, rtx)

    def route_all(self) -> None:
        for slot in self:
            self.route(slot)

    def route(self, slot: Slot) -> None:
        """What is in it flows as its section takes it, from now on; nothing when it does already."""
        subscription, section, transport = slot.subscription, slot.section, self._listening()
        if subscription is None or section is None or transport is None or (taken := subscription.takes(section)) is None:
            return
        encoding, codec = taken
        rtx = negotiation.rtx_of(section, codec.payload_type) if subscription.track.kind == "video" else 0
        red = negotiation.red_of(section, codec.payload_type) if self._redundant(encoding) else 0
        spec = RouteSpec(
            receiver=encoding.receiver,
            transport=transport.number,
            ssrc=slot.ssrc,
            payload_type=red or codec.payload_type,
            red=codec.payload_type if red else 0,
            mid=slot.mid,
            extensions=negotiation.sent_extensions(section),
            rtx_ssrc=slot.rtx_ssrc if rtx else 0,
            rtx_payload_type=rtx,
        )
        if spec == slot.spec:
            return
        if subscription.route:
            self._engine.plane.remove_route(subscription.route)
        slot.spec, subscription.encoding = spec, encoding
        subscription.route = self._engine.number()
        self._engine.plane.add_route(subscription.route, spec)
        self._engine.routed(subscription)


def _ssrcs() -> tuple[int, int]:
    """Of media and of what is sent again."""
    return secrets.randbits(32) or 1, secrets.randbits(32) or 2
