"""Data packets between the members of a room, within what one of them may cause.

What is reliable reaches everybody who stays: who cannot take it (the channel is not open yet, or it reads slowly) is *behind*
from that packet on and gets everything, in order, from the room's history when it can. What a client sends again after a
resume is known by its sequence and not passed on twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from commhub import log as logs
from commhub.media import data, messages
from commhub.media.fanout import FanOut
from commhub.media.history import History, Said
from commhub.media.messages import Message
from commhub.media.room import Peer, Room
from commhub.media.sinks import Sinks
from commhub.media.transport import Transport

log = logs.get(__name__)

TELL_EVERY = 0.5  # seconds between words to the hub about what was received
NOBODY: frozenset[str] = frozenset()


class Home(Protocol):
    fan_out: FanOut
    sinks: Sinks
    rooms: dict[str, Room]
    emit: Callable[[Message], None]

    def now(self) -> float: ...


@dataclass(slots=True)
class _Account:
    """``behind`` is the number of the first packet the peer has not got, None when it has all. ``reached`` is the number
    after the last it got over ``transport``. ``claimed``: what it said it has received, by sender. ``since``: what was said
    before is none of its business, whatever it claims: it was not in the room."""

    since: int
    behind: int | None = None
    reached: int = 0
    transport: int = 0
    claimed: dict[str, int] = field(default_factory=dict)


class Broadcast:
    def __init__(self, home: Home) -> None:
        self._home = home
        self._accounts: dict[Peer, _Account] = {}
        self._histories: dict[str, History] = {}  # by room
        self._untold: dict[Peer, None] = {}
        self._told_at = 0.0

    def forget(self, peer: Peer) -> None:
        self._accounts.pop(peer, None)
        self._home.fan_out.forget(peer)
        self._untold.pop(peer, None)

    def forget_room(self, room: Room) -> None:
        self._histories.pop(room.name, None)

    def _account(self, peer: Peer) -> _Account:
        known = self._accounts.get(peer)
        if known is None:
            history = self._histories.get(peer.room.name)
            known = self._accounts[peer] = _Account(history.next if history is not None else 0)
        return known

    def joined(self, peer: Peer) -> None:
        """It is in its room from now on."""
        self._account(peer)

    # ------------------------------------------------------------------------------------------------- what is said

    def from_server(self, message: messages.SendData) -> None:
        room = self._home.rooms.get(message.room)
        if room is None:
            return
        receivers = [room.peers[name] for name in message.to if name in room.peers] if message.to else list(room.peers.values())
        if message.reliable:
            self._deliver(receivers, self._keep(room, "", 0, message.packet, NOBODY, frozenset(message.to)))
        else:
            self._scatter(receivers, message.packet)
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
        if reliable and stamped.sequence and not self._fresh(sender, stamped.sequence):
            return
        room = sender.room
        if stamped.reply:
            self._home.emit(messages.Replied(room.name, sender.id, stamped.packet))
            transport.session.delay(self._home.fan_out.owe(sender, len(stamped.packet), 1, self._home.now()))
            return
        receivers = [
            peer
            for peer in room.peers.values()
            if peer is not sender
            and peer.may_subscribe
            and (not stamped.directed or peer.identity in stamped.identities or peer.id in stamped.sids)
        ]
        size, count, now = len(stamped.packet), max(1, len(receivers)), self._home.now()
        if reliable:
            said = self._keep(room, sender.id, stamped.sequence, stamped.packet, stamped.identities, stamped.sids)
            self._deliver(receivers, said)
            # A debt slows the sender's own connection down; what is reliable is never dropped here.
            transport.session.delay(self._home.fan_out.owe(sender, size, count, now))
        elif self._home.fan_out.afford(sender, size, count, now):
            self._scatter(receivers, stamped.packet)
        else:
            return
        if not stamped.directed:
            self._home.sinks.data(room, sender.identity, reliable, stamped.packet)

    def _fresh(self, sender: Peer, sequence: int) -> bool:
        if sequence <= sender.received:
            return False
        sender.received = sequence
        self._untold[sender] = None
        return True

    def _keep(
        self, room: Room, sender: str, sequence: int, packet: bytes, identities: frozenset[str], sids: frozenset[str]
    ) -> Said:
        history = self._histories.get(room.name) or self._histories.setdefault(room.name, History())
        return history.add(sender, sequence, packet, identities, sids, self._home.now())

    # ------------------------------------------------------------------------------------------------- who gets it

    def _scatter(self, receivers: list[Peer], packet: bytes) -> None:
        for peer in receivers:
            if peer.connection is not None:
                peer.connection.send(False, packet)

    def _deliver(self, receivers: list[Peer], said: Said) -> None:
        for peer in receivers:
            if peer.connection is None:
                continue
            account = self._account(peer)
            if account.behind is None and peer.connection.takes():
                self._send(peer, account, said)
            elif account.behind is None:
                account.behind = said.number

    def _send(self, peer: Peer, account: _Account, said: Said) -> None:
        connection = peer.connection
        assert connection is not None
        account.transport = connection.listening.number if connection.listening is not None else 0
        account.reached = max(account.reached, said.number + 1)
        connection.send(True, said.packet)

    def resend(self, message: messages.Resend) -> None:
        """Somebody came back and says what it has. What was given to a transport that still lives arrives by itself."""
        room = self._home.rooms.get(message.room)
        peer = room.peers.get(message.peer) if room is not None else None
        if peer is not None:
            self._account(peer).claimed = dict(message.received)
            self.catch_up(peer)

    def catch_up(self, peer: Peer) -> None:
        """Give it what it has not got, as far as it takes it."""
        account, connection = self._account(peer), peer.connection
        history = self._histories.get(peer.room.name)
        if history is None or connection is None or connection.listening is None or not connection.takes():
            return
        first = account.behind
        if account.transport and connection.listening.number != account.transport:
            lost = history.missing(account.claimed)
            if lost is not None:
                first = lost if first is None else min(first, lost)
        if first is None:
            return
        account.behind = None
        for said in history.since(max(first, account.since)):
            again = said.number < account.reached
            if again and said.sequence <= account.claimed.get(said.sender, said.sequence):
                continue  # nobody could tell it from a new one
            if not said.is_for(peer.id, peer.identity) or (said.sender and not peer.may_subscribe):
                continue
            if not connection.takes():
                account.behind = said.number
                return
            self._send(peer, account, said)
        account.transport = connection.listening.number

    # ------------------------------------------------------------------------------------------------- time

    def tick(self) -> None:
        now = self._home.now()
        if now - self._told_at < TELL_EVERY:
            return
        self._told_at = now
        for peer in self._untold:
            self._home.emit(messages.DataReceived(peer.room.name, peer.id, peer.received))
        self._untold.clear()
        for history in self._histories.values():
            history.trim(now)
        for peer, account in self._accounts.items():
            if account.behind is not None:
                self.catch_up(peer)


def _complain(peer: Peer, sentence: str) -> None:
    suppressed = logs.limited(("data", peer.id), 60)
    if suppressed is not None:
        log.info("data packet refused", room=peer.room.name, peer=peer.id, reason=sentence, suppressed=suppressed)
