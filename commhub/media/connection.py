"""The peer connections of one client: one (``/rtc/v1``) or a publisher's and a subscriber's (``/rtc``).

Single: the client offers, always; when a subscription finds no section the client is asked to offer again
(``SectionsWanted``). Fixed (WHEP): it offers once; a section goes on as one stream whatever track is put into it.
Dual: publishing as before; for subscriptions we offer, one offer at a time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from commhub.errors import Conflict
from commhub.media import backup, messages, negotiation
from commhub.media.messages import Answer, SectionsWanted, ServerOffer
from commhub.media.plane import ReceiverSpec
from commhub.media.room import Encoding, Peer, Subscription, Track
from commhub.media.slots import KINDS, Routing, Slots
from commhub.media.transport import Transport, Transports
from commhub.wire import sdp

ASK_AGAIN = 10.0  # seconds until a request for an offer, or for sections, counts as lost


class Home(Routing, Protocol):
    """What a connection needs of its engine."""

    transports: Transports

    def now(self) -> float: ...
    def emit(self, message: messages.Message) -> None: ...
    def bound(self, track: Track, encoding: Encoding) -> None:
        """The negotiation has brought an encoding: a receiver for it exists."""

    def unbound(self, track: Track, encoding: Encoding, *, again: bool = False) -> None:
        """It is sent no longer; the receiver goes. ``again``: it is bound anew, in another shape, before anything else."""

    def untaken(self, subscription: Subscription) -> None:
        """It became known that the client decodes none of the track's codecs, or that it does."""


class Connection:
    def __init__(self, peer: Peer, home: Home) -> None:
        self._peer, self._home = peer, home
        self.publisher: Transport | None = None  # the only one in single mode
        self.subscriber: Transport | None = None
        self._offered: sdp.Description | None = None  # the client's last
        self._publishing: dict[str, sdp.Codec] = {}  # as answered
        self._slots = Slots(peer, home, lambda: self.listening)
        self._asked = dict.fromkeys(KINDS, 0)
        self._sections_at = 0.0  # when sections were asked for last; an offer may come without them
        self._asked_at: float | None = None  # an offer of the client is awaited since
        self._offers = 0  # id of our last offer (dual)
        self._outstanding = False
        self._spent = ""  # ICE ufrag of a transport the client has ended
        self._over = False  # the subscriber connection has ended; only a word of the hub begins another

    # ---- what the engine asks

    @property
    def transports(self) -> list[Transport]:
        return [one for one in (self.publisher, self.subscriber) if one is not None]

    @property
    def connected(self) -> bool:
        return any(transport.connected for transport in self.transports)

    def lost(self, transport: Transport) -> None:
        """A transport is over; the peer may come with a new one."""
        if transport is self.publisher:
            self.publisher = None
            self._spent = transport.remote_ufrag if transport.closed else ""
            self._drop_publications()
        if transport is self.subscriber:
            self.subscriber = None
            self._outstanding = False
            self._over = True
        if transport.purpose != "publish":
            self._slots.clear()

    def close(self) -> None:
        for slot in self._slots:
            self._slots.release(slot)
        self._drop_publications()
        for transport in self.transports:
            self._home.transports.close(transport)
        self.publisher = self.subscriber = None

    @property
    def listening(self) -> Transport | None:
        """The transport on whose data channels the client listens."""
        return self.subscriber if self._peer.dual else self.publisher

    def takes(self) -> bool:
        """Is a reliable message sent now sure to arrive, as long as the transport lives?"""
        return self.listening is not None and self.listening.session.takes()

    def send(self, reliable: bool, data: bytes) -> None:
        """Data channel message to the client."""
        if self.listening is not None:
            self.listening.session.send(reliable, data)

    def send_frame(self, data: bytes) -> None:
        """A frame of a data track."""
        if self.listening is not None:
            self.listening.session.send_frame(data)

    def leave(self, subscription: Subscription) -> None:
        """It ends, or its track has lost the encoding that was sent."""
        if (slot := self._slots.of(subscription)) is not None:
            self._slots.release(slot)

    def unroute(self, subscription: Subscription) -> None:
        """What it carried is about to come in another shape: its section stays, :meth:`reroute` follows."""
        self._slots.unroute(subscription)

    def reroute(self, subscription: Subscription) -> None:
        self._slots.reroute(subscription)

    def refit(self, subscription: Subscription) -> None:
        """What it needs may come in another codec now, under the same SSRC."""
        if subscription.route and (slot := self._slots.of(subscription)) is not None:
            self._slots.route(slot)

    def sections(self, kind: str) -> list[sdp.Section]:
        """The client's words about where it receives."""
        return self._slots.sections(kind)

    # ---- the client's offers

    def offer(self, message: messages.Offer) -> Answer:
        """ValueError with one sentence when the offer cannot be answered, Conflict when it is about a connection that has
        ended; nothing has changed then."""
        offer = sdp.parse(message.sdp)
        for section in offer.sections:
            if section.mid not in offer.bundle:
                section.port = 0  # it would need a transport of its own
        return self._answer(offer, message.id)

    def restart(self, message: messages.Restart) -> Answer:
        """The offer that stands, with the client's new ICE credentials. ValueError when there is none."""
        if self._offered is None or self.publisher is None:
            raise ValueError("There is no connection to restart.")
        sections = [replace(section, ufrag=message.ufrag, password=message.password) for section in self._offered.sections]
        return self._answer(replace(self._offered, sections=sections), 0)

    def _answer(self, offer: sdp.Description, id: int) -> Answer:
        transport = self.publisher
        if transport is None:
            if self._spent and any(section.ufrag == self._spent for section in offer.sections):
                # Asked for before the client went: tracks that came again with it would go again with the client.
                raise Conflict("The connection of this offer has ended.", "该连接已结束。", code="connection_ended")
            transport = self._home.transports.add(self._peer, "publish" if self._peer.dual else "both")
        try:
            restarts = transport.is_restart(offer)
            transport.remote(offer, answered=False)
        except ValueError:
            if self.publisher is None:
                self._home.transports.close(transport)
            raise
        self.publisher = transport
        if restarts:
            transport.restart()
            self._asked = dict.fromkeys(KINDS, 0)  # what was asked before the client came back may not have reached it
        self._offered = offer
        bindings = self._bindings(offer)
        self._publishing = self._choose(offer, bindings)
        self._publish(offer, bindings)
        if not self._peer.dual:
            for slot in self._slots.offered(offer):
                self._asked[slot.kind] = max(0, self._asked[slot.kind] - 1)
            self._slots.assign()
        sending = {slot.mid: one for slot in self._slots if not self._peer.dual and (one := self._slots.sending(slot))}
        redundant = {mid for mid, track in bindings.items() if self._peer.tracks[track].red}
        text = sdp.build(negotiation.answer(offer, transport.local(), self._publishing, sending, redundant))
        self._start_data(transport, offer, opens=False)
        if not self._peer.dual:
            self._slots.route_all()
            self._asked_at = None
        return Answer(text, id, {mid: one.track for mid, one in sending.items()})

    def announced(self) -> None:
        """A track was announced after the offer that has its section."""
        if self._offered is not None and self.publisher is not None:
            self._publish(self._offered, self._bindings(self._offered))

    def _start_data(self, transport: Transport, remote: sdp.Description, *, opens: bool) -> None:
        section = next((one for one in remote.sections if one.kind == "application" and one.port), None)
        if section is not None:
            transport.session.data(section.sctp_port or 5000, section.max_message_size or 65_536, opens)

    # ---- publishing

    def _bindings(self, offer: sdp.Description) -> dict[str, str]:
        if not self._peer.may_publish:
            return {}
        return negotiation.bind(offer.sections, [track.announcement() for track in self._peer.tracks.values()])

    def _choose(self, offer: sdp.Description, bindings: dict[str, str]) -> dict[str, sdp.Codec]:
        chosen: dict[str, sdp.Codec] = {}
        if not self._peer.may_publish:
            return chosen
        for section in offer.sections:
            if negotiation.is_publication(section):
                track = self._peer.tracks.get(bindings.get(section.mid, ""))
                wanted = track.cids.get(section.msid[1] if section.msid else "", "") if track else ""
                codec = negotiation.choose(section, wanted)
                if codec is not None:
                    chosen[section.mid] = codec
        return chosen

    def _publish(self, offer: sdp.Description, bindings: dict[str, str]) -> None:
        """Make receivers what this offer says: first those that go, so that their SSRCs are free."""
        assert self.publisher is not None
        found: list[tuple[Track, sdp.Section, ReceiverSpec, sdp.Codec]] = []
        for section in offer.sections:
            track, codec = self._peer.tracks.get(bindings.get(section.mid, "")), self._publishing.get(section.mid)
            if track is not None and codec is not None:
                spec = negotiation.receiver_spec(self.publisher.number, section, codec, track.announced, track.red)
                found.append((track, section, spec, codec))
        kept = {(track.id, section.mid): spec for track, section, spec, _ in found}
        for track in list(self._peer.tracks.values()):
            for encoding in list(track.encodings):
                if encoding.spec != (wanted := kept.get((track.id, encoding.mid))):
                    self._home.unbound(track, encoding, again=wanted is not None)
        for track, section, spec, codec in found:
            if any(encoding.mid == section.mid for encoding in track.encodings):
                continue
            cid = section.msid[1] if section.msid else ""
            encoding = Encoding(self._home.number(), negotiation.described(section, codec), section.mid, spec.layers, cid, spec)
            self._home.plane.add_receiver(encoding.receiver, spec)
            self._home.bound(track, encoding)

    def _drop_publications(self) -> None:
        self._offered = None
        for track in list(self._peer.tracks.values()):
            for encoding in list(track.encodings):
                self._home.unbound(track, encoding)

    # ---- what changed since the last description

    def settle(self) -> None:
        """Ask the client for an offer, or make one, when subscriptions and sections no longer fit. Idempotent."""
        for subscription in backup.judge(self._peer):
            self._home.untaken(subscription)
        if self._peer.dual:
            self._settle_dual()
        elif self._offered is not None and self.publisher is not None:
            if self._peer.fixed:
                self._slots.assign()
                self._slots.route_all()
            else:
                self._settle_single()

    def _settle_single(self) -> None:
        waiting = {kind: self._slots.waiting(kind) for kind in KINDS}
        dirty = self._slots.dirty
        if not any(waiting.values()) and not dirty:
            return
        now = self._home.now()
        if self._asked_at is not None and now - self._asked_at > ASK_AGAIN:
            self._asked_at = None
        if now - self._sections_at > ASK_AGAIN:
            self._asked = dict.fromkeys(KINDS, 0)
        more, fits = {}, False
        for kind in KINDS:
            free = self._slots.free(kind)
            more[kind] = max(0, min(len(waiting[kind]) - len(free), self._slots.room(kind)) - self._asked[kind])
            self._asked[kind] += more[kind]
            fits = fits or any(slot.section and one.track.takes(slot.section) for slot in free for one in waiting[kind])
        if any(more.values()):
            self._sections_at = now
        elif self._asked_at is not None or not (fits or dirty):
            return  # an offer would change nothing: what was asked for is still to come
        self._asked_at = now
        self._home.emit(SectionsWanted(self._peer.room.name, self._peer.id, more["audio"], more["video"]))

    # ---- dual mode: our offers

    def _settle_dual(self) -> None:
        first = self.subscriber is None
        if self._over:
            return
        if self.subscriber is None:
            self.subscriber = self._home.transports.add(self._peer, "subscribe")
        elif self._outstanding:
            return  # what changed meanwhile goes into the next offer
        dirty = self._slots.dirty
        self._slots.grow()
        before = {slot.mid for slot in self._slots if slot.subscription is not None}
        self._slots.assign()
        after = {slot.mid for slot in self._slots if slot.subscription is not None}
        if first or dirty or after != before:
            self._make_offer(self.subscriber)
        else:  # what was not taken may have come in another codec since
            self._slots.route_all()

    def _make_offer(self, transport: Transport) -> None:
        self._offers += 1
        self._outstanding = True
        sending = {slot.mid: self._slots.sending(slot) for slot in self._slots}
        slots = [negotiation.Slot(slot.mid, slot.kind, sending[slot.mid]) for slot in self._slots]
        text = sdp.build(negotiation.offer(transport.local(), slots))
        mids = {mid: one.track for mid, one in sending.items() if one}
        self._home.emit(ServerOffer(self._peer.room.name, self._peer.id, text, self._offers, mids))

    def reoffer(self, restart: bool) -> None:
        """A new offer at any rate: the last may have been lost with the WebSocket."""
        if not self._peer.dual:
            return
        self._outstanding = self._over = False
        if self.subscriber is None:
            self._settle_dual()
            return
        if restart and self.subscriber.remote_ufrag:
            self.subscriber.restart()
        # As the lost one was: a section it emptied may not carry another track before the client has seen it empty.
        self._make_offer(self.subscriber)

    def answered(self, message: messages.ClientAnswer) -> None:
        """The client's answer to our offer; one to an older offer is ignored. ValueError when it cannot be read."""
        transport = self.subscriber
        if transport is None or not self._outstanding or message.id not in (0, self._offers):
            return
        answer = sdp.parse(message.sdp)
        transport.remote(answer, answered=True)
        self._outstanding = False
        self._start_data(transport, answer, opens=True)
        self._slots.answered(answer)
        self._slots.route_all()
