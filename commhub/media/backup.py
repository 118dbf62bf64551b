"""Codecs in reserve: who decodes nothing of what is sent, and what its publisher could send instead. Nothing here acts."""

from __future__ import annotations

from commhub.media import negotiation
from commhub.media.messages import Codec
from commhub.media.room import Encoding, Peer, Subscription, Track

H265 = Codec("video/H265", 90_000)


def decodes(peer: Peer, mime: str) -> bool:
    """As far as its descriptions have said."""
    if peer.connection is None:
        return False
    codec = Codec(mime, 90_000)
    return any(negotiation.accept(section, codec) is not None for section in peer.connection.sections(mime.partition("/")[0]))


def judge(peer: Peer) -> list[Subscription]:
    """The subscriptions of which it became known that they can never be answered in what is sent now, or that they can."""
    changed = []
    for subscription in peer.subscriptions.values():
        track, connection = subscription.track, peer.connection
        known = connection.sections(track.kind) if connection is not None and track.encodings else []
        untaken = bool(known) and not any(track.takes(section) for section in known)
        if untaken != subscription.untaken:
            subscription.untaken = untaken
            changed.append(subscription)
    return changed


def plain(subscription: Subscription, layer: str) -> bool:
    """Does its viewer decode a Source's layer only as H.264 made of it? What the layer comes in may not be known yet: who
    decodes no H.265 might need it. Of who has not said what it decodes it is not assumed."""
    track, connection = subscription.track, subscription.peer.connection
    known = connection.sections(track.kind) if connection is not None else []
    if not known:
        return False
    native = track.native(layer)
    if native is not None and native.stored:
        return True
    codec = native.codec if native is not None else H265
    return all(negotiation.accept(section, codec) is None for section in known)


def alternatives(subscription: Subscription) -> list[Encoding]:
    """In which other codecs its viewer could get other layers of the same picture."""
    track, now, connection = subscription.track, subscription.encoding, subscription.peer.connection
    if now is None or connection is None or len(track.encodings) < 2 or now.layers < 2:
        return []
    known = connection.sections(track.kind)
    others = (one for one in track.encodings if one is not now and one.layers == now.layers and not one.stored)
    return [one for one in others if any(negotiation.accept(section, one.codec) for section in known)]


def helped(subscription: Subscription) -> bool:
    """Could its publisher send something that its viewer takes?"""
    return any(decodes(subscription.peer, mime) for mime in subscription.track.codecs)


def helps(track: Track, mime: str) -> bool:
    """Is there somebody who takes nothing of what is sent, and would take this?"""
    return any(one.untaken and one.enabled and one.allowed and decodes(one.peer, mime) for one in track.subscriptions.values())
