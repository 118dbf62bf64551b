"""Data packets between the members of a room, within what one of them may cause."""

from __future__ import annotations

from typing import Protocol

from commhub import log as logs
from commhub.media import data, messages
from commhub.media.dtls import Bucket
from commhub.media.room import Peer, Room
from commhub.media.sinks import Sinks
from commhub.media.transport import Transport

log = logs.get(__name__)

FAN_OUT = 2 << 20  # octets a second that one participant may cause, all receivers together


class Home(Protocol):
    sinks: Sinks
    rooms: dict[str, Room]

    def now(self) -> float: ...


class Broadcast:
    def __init__(self, home: Home) -> None:
        self._home = home
        self._budgets: dict[str, Bucket] = {}  # by peer

    def forget(self, peer: Peer) -> None:
        self._budgets.pop(peer.id, None)

    def from_server(self, message: messages.SendData) -> None:
        room = self._home.rooms.get(message.room)
        if room is None:
            return
        for peer in [room.peers[name] for name in message.to if name in room.peers] if message.to else room.peers.values():
            if peer.connection is not None:
                peer.connection.send(message.reliable, message.packet)
        if not message.to:
            self._home.sinks.data(room, "", message.reliable, message.packet)

    def from_peer(self, transport: Transport, reliable: bool, payload: bytes) -> None:
        sender = transport.owner
        if not isinstance(sender, Peer) or not sender.may_send_data or sender.connection is None:
            return
        try:
            stamped = data.stamp(payload, sender.id, sender.identity, reliable=reliable, hidden=sender.hidden)
        except ValueError as error:
            _complain(sender, str(error))
            return
        room = sender.room
        receivers = [
            peer
            for peer in room.peers.values()
            if peer is not sender
            and peer.connection is not None
            and peer.may_subscribe
            and (not stamped.directed or peer.identity in stamped.identities or peer.id in stamped.sids)
        ]
        bucket = self._budgets.get(sender.id) or self._budgets.setdefault(sender.id, Bucket(FAN_OUT, FAN_OUT))
        # A debt slows the sender's own connection down; what is reliable is never dropped here.
        ahead = bucket.take(len(stamped.packet) * len(receivers), self._home.now())
        if ahead > 0 and not reliable:
            return
        transport.session.delay(ahead)
        for peer in receivers:
            assert peer.connection is not None
            peer.connection.send(reliable, stamped.packet)
        if not stamped.directed:
            self._home.sinks.data(room, sender.identity, reliable, stamped.packet)


def _complain(peer: Peer, sentence: str) -> None:
    suppressed = logs.limited(("data", peer.id), 60)
    if suppressed is not None:
        log.info("data packet refused", room=peer.room.name, peer=peer.id, reason=sentence, suppressed=suppressed)
