"""Tracks and who receives them: announced, bound, muted, gated, subscribed.

The rules between a room's data, the data plane and the sinks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from commhub.media import messages
from commhub.media.messages import Message
from commhub.media.observer import Observer
from commhub.media.plane import Plane
from commhub.media.room import HIGH, LOW, Encoding, Peer, Room, Subscription, Track
from commhub.media.sinks import Sinks
from commhub.media.sources import Sources


class Home(Protocol):
    plane: Plane
    sinks: Sinks
    sources: Sources
    observer: Observer
    rooms: dict[str, Room]
    emit: Callable[[Message], None]

    def peer(self, message: Any) -> Peer | None: ...
    def touch(self, track: Track) -> None:
        """Who receives it, or how, has changed."""

    def unsettle(self, peer: Peer) -> None:
        """Its subscriptions may no longer fit its sections."""

    def forget(self, track: Track) -> None:
        """It is gone."""

    def relay(self, peer: Peer) -> None:
        """Its tracks have other encodings."""


class Stage:
    def __init__(self, home: Home) -> None:
        self._home = home
        self._carried: dict[int, list[Track]] = {}  # receiver → tracks; a Source's is in several rooms

    def tracks_of(self, receiver: int) -> list[Track]:
        return self._carried.get(receiver, [])

    # ---- tracks

    def announce(self, message: messages.Announce) -> None:
        peer = self._home.peer(message)
        if peer is None:
            return
        known = peer.tracks.get(message.track)
        muted = known.muted if known is not None else message.muted
        track = peer.announce(message)
        if track.muted != muted:
            self._set_muted(track)
        if peer.connection is not None:
            peer.connection.announced()
        else:
            self._home.sources.bind(peer)

    def withdraw(self, message: messages.Withdraw) -> None:
        peer = self._home.peer(message)
        track = peer.tracks.get(message.track) if peer is not None else None
        if track is not None:
            self.end(track)

    def end(self, track: Track) -> None:
        for encoding in list(track.encodings):
            self._cut(track, encoding)
        for subscription in list(track.subscriptions.values()):
            self.unsubscribe(subscription)
        track.peer.tracks.pop(track.id, None)
        track.room.tracks.pop(track.id, None)
        track.room.denied = {pair for pair in track.room.denied if pair[1] != track.id}
        self._home.forget(track)

    def bound(self, track: Track, encoding: Encoding) -> None:
        track.encodings.append(encoding)
        self._carried.setdefault(encoding.receiver, []).append(track)
        if not encoding.shared and not track.flows:
            self._home.plane.set_open(encoding.receiver, False)
        self._home.emit(messages.TrackBound(track.room.name, track.peer.id, track.id, encoding.mid, encoding.codec.mime))
        self._home.sinks.track_begins(track)
        for subscription in track.subscriptions.values():
            cut = subscription.encoding is not None and subscription.encoding not in track.encodings
            if cut and subscription.peer.connection is not None:
                subscription.peer.connection.reroute(subscription)
            self.apply(subscription)  # it may be the better one
            self._home.unsettle(subscription.peer)
        self._home.touch(track)
        self._home.relay(track.peer)

    def reshaped(self, track: Track, encoding: Encoding) -> None:
        """Of a Source: other layers come in it than before. What a viewer gets may come in another codec by now."""
        self._home.sinks.track_begins(track)
        for subscription in track.subscriptions.values():
            self.apply(subscription)
        self._home.touch(track)

    def unbound(self, track: Track, encoding: Encoding, *, again: bool = False) -> None:
        """``again``: :meth:`bound` follows at once with another encoding in its place. Nobody is told of an end then: a client
        that hears a track go and come stops what it shows."""
        self._cut(track, encoding, again=again)
        if not track.encodings and not again:
            track.live, track.wanted = False, None
            self._home.emit(messages.TrackEnded(track.room.name, track.peer.id, track.id))

    def _cut(self, track: Track, encoding: Encoding, *, again: bool = False) -> None:
        for subscription in track.subscriptions.values():
            if again:
                if subscription.encoding is encoding and subscription.peer.connection is not None:
                    subscription.peer.connection.unroute(subscription)
            elif subscription.encoding is encoding or (subscription.mid and len(track.encodings) == 1):
                if subscription.peer.connection is not None:
                    subscription.peer.connection.leave(subscription)
                self._home.unsettle(subscription.peer)
        self._home.sinks.track_ends(track, encoding)
        track.encodings.remove(encoding)
        carried = self._carried.get(encoding.receiver, [])
        if track in carried:
            carried.remove(track)
        if not carried:
            self._carried.pop(encoding.receiver, None)
        if not encoding.shared:
            self._home.plane.remove_receiver(encoding.receiver)
        if track.encodings:
            self._home.sinks.track_begins(track)
        self._home.relay(track.peer)

    def mute(self, message: messages.Mute) -> None:
        room = self._home.rooms.get(message.room)
        track = room.tracks.get(message.track) if room is not None else None
        if track is not None and track.muted != message.muted:
            track.muted = message.muted
            self._set_muted(track)

    def _set_muted(self, track: Track) -> None:
        self._flow(track)
        self._home.sinks.muted(track)
        if track.muted and track.kind == "audio":
            self._home.observer.silence(track)

    def open(self, message: messages.Open) -> None:
        room = self._home.rooms.get(message.room)
        track = room.tracks.get(message.track) if room is not None else None
        if track is not None and track.open != message.open:
            track.open = message.open
            self._flow(track)
            if not track.open and track.kind == "audio":
                self._home.observer.silence(track)

    def _flow(self, track: Track) -> None:
        """Gate one or mute has moved."""
        for encoding in track.encodings:
            if not encoding.shared:
                self._home.plane.set_open(encoding.receiver, track.flows)
        if any(encoding.shared for encoding in track.encodings):
            for subscription in track.subscriptions.values():
                self.gate(subscription)
            self._home.sinks.gate(track)
        if track.flows and track.kind == "video" and track.encodings:
            self._home.plane.request_key_frame(track.encodings[0].receiver)

    # ---- subscriptions

    def subscribe(self, message: messages.Subscribe) -> None:
        peer = self._home.peer(message)
        if peer is None:
            return
        for name in message.tracks:
            track = peer.room.tracks.get(name)
            known = peer.subscriptions.get(name)
            if message.on and track is not None and known is None and track.peer is not peer:
                peer.subscriptions[name] = track.subscriptions[peer.id] = self._subscription(peer, track)
                self._home.touch(track)
            elif not message.on and known is not None:
                self.unsubscribe(known)
        self._home.unsettle(peer)

    @staticmethod
    def _subscription(peer: Peer, track: Track) -> Subscription:
        # One who says what its views need has not said it yet: what it gets first is small.
        return Subscription(peer, track, quality=LOW if peer.adaptive else HIGH)

    def unsubscribe(self, subscription: Subscription) -> None:
        peer, track = subscription.peer, subscription.track
        if peer.connection is not None:
            peer.connection.leave(subscription)
        peer.subscriptions.pop(track.id, None)
        track.subscriptions.pop(peer.id, None)
        self._home.touch(track)
        self._home.unsettle(peer)

    def routed(self, subscription: Subscription) -> None:
        self.gate(subscription)
        self.apply(subscription)
        track = subscription.track
        if not track.received:
            track.received = True
            self._home.emit(messages.TrackSubscribed(track.room.name, track.peer.id, track.id, subscription.peer.id))
        self._home.touch(track)

    def gate(self, subscription: Subscription) -> None:
        encoding = subscription.encoding
        if subscription.route and encoding is not None:
            shut = encoding.shared and not subscription.track.flows
            self._home.plane.set_allowed(subscription.route, subscription.allowed and not shut)

    def apply(self, subscription: Subscription) -> None:
        """Layer and pause of a route, from what its viewer needs and what the bandwidth allows."""
        if subscription.route and len(subscription.track.encodings) > 1 and subscription.peer.connection is not None:
            subscription.peer.connection.refit(subscription)
        if subscription.route:
            narrow = subscription.cap is not None
            self._home.plane.set_layer(subscription.route, subscription.layer(), subscription.temporal, narrow)
            self._home.plane.set_paused(subscription.route, not subscription.enabled or subscription.starved)

    def shape(self, message: messages.Shape) -> None:
        peer = self._home.peer(message)
        for name in message.tracks if peer is not None else []:
            subscription = peer.subscriptions.get(name) if peer is not None else None
            if subscription is not None:
                subscription.enabled, subscription.priority, subscription.fps = message.enabled, message.priority, message.fps
                subscription.quality = max(0, min(2, message.quality))
                self.apply(subscription)
                self._home.touch(subscription.track)

    def allow(self, message: messages.Allow) -> None:
        room = self._home.rooms.get(message.room)
        if room is None:
            return
        pair = (message.subscriber, message.track)
        (room.denied.discard if message.allowed else room.denied.add)(pair)
        track = room.tracks.get(message.track)
        if track is None:
            return
        subscription = track.subscriptions.get(message.subscriber)
        if subscription is not None:
            self.gate(subscription)
            self._home.touch(track)
        self._home.sinks.gate(track)
