"""The rooms of a media worker: what the hub commands, what the data plane tells, and the rules between them.

:class:`Engine` is driven by :meth:`command` (one message of the hub), by the data plane's and the transports' events, and by
:meth:`tick`. It answers through ``emit``. Everything runs in one event loop.
"""

from __future__ import annotations

import asyncio
import pathlib
import time
from collections.abc import Callable
from typing import Any

from commhub import log as logs
from commhub.errors import HubError, Invalid, NotFound
from commhub.media import backup, demand, messages, moving, negotiation
from commhub.media.broadcast import Broadcast
from commhub.media.budget import Budgets
from commhub.media.connection import Connection
from commhub.media.dtls import Certificate
from commhub.media.dynacast import Dynacast
from commhub.media.fanout import FanOut
from commhub.media.frames import Frames
from commhub.media.link import Link
from commhub.media.messages import Message
from commhub.media.observer import Observer
from commhub.media.plane import Address, Path, Plane, PlaneEvents
from commhub.media.relay import Relays
from commhub.media.room import Encoding, Peer, Room, Subscription, Track
from commhub.media.sinks import Sinks
from commhub.media.sources import Sources
from commhub.media.stage import Stage
from commhub.media.stats import Stats
from commhub.media.transport import Transport, Transports

log = logs.get(__name__)

TICK = 0.1  # seconds


class Engine:
    """``make_plane`` gets the engine as :class:`PlaneEvents`. Call :meth:`open` before anything else."""

    def __init__(
        self,
        worker: str,
        make_plane: Callable[[PlaneEvents], Plane],
        emit: Callable[[Message], None],
        *,
        silence: float = 20.0,
        certificate: Certificate | None = None,
        now: Callable[[], float] = time.monotonic,
        run_dir: pathlib.Path | None = None,
    ) -> None:
        self.worker, self.emit, self.now = worker, emit, now
        self.rooms: dict[str, Room] = {}
        self.plane = make_plane(self)
        self.transports = Transports(self.plane, self, [], now, silence=silence, certificate=certificate)
        self.sinks = Sinks(self, self.touch)
        self.sources = Sources(self, worker, self._taken)
        self.dynacast = Dynacast(self)
        self.observer = Observer(self)
        self.fan_out = FanOut()
        self.broadcast = Broadcast(self)
        self.frames = Frames(self)
        self.stage = Stage(self)
        self.relays = Relays(self, worker, run_dir)
        self.budgets = Budgets(self)
        self.stats = Stats(self)
        self._numbers = 0
        self._unsettled: dict[Peer, None] = {}
        self._touched: dict[Track, None] = {}
        self._settling = False
        self._shed = False
        self._ticks = 0

    def open(self, addresses: list[Address], port: int) -> list[tuple[str, int]]:
        """Bind; returns what the candidates announce. OSError when an address cannot be bound."""
        announced = self.plane.open(addresses, port)
        self.transports.candidates = negotiation.host_candidates(announced)
        return announced

    def close(self) -> None:
        for room in list(self.rooms.values()):
            self._close_room(room, "worker stops")
        self.plane.close()

    def snapshot(self) -> messages.WorkerSnapshot:
        return messages.WorkerSnapshot(self.worker, [room.state() for room in self.rooms.values()], self.sources.names())

    # ---- services to the parts

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    def now_ns(self) -> int:
        return time.time_ns()

    def touch(self, track: Track) -> None:
        """Who receives it, or how, has changed."""
        self._touched[track] = None
        self._soon()

    def unsettle(self, peer: Peer) -> None:
        """Its subscriptions may no longer fit its sections."""
        if peer.connection is not None:
            self._unsettled[peer] = None
            self._soon()

    def _soon(self) -> None:
        # Together, after everything that has arrived by now has been done: one request to a client, not ten.
        if not self._settling:
            self._settling = True
            asyncio.get_running_loop().call_soon(self._settle)

    def _settle(self) -> None:
        self._settling = False
        peers, self._unsettled = list(self._unsettled), {}
        tracks, self._touched = list(self._touched), {}
        for peer in peers:
            if peer.connection is not None:
                peer.connection.settle()
        for track in tracks:
            self.dynacast.consider(track)
            self.sinks.consider(track)
            self.sources.considered(track.peer)

    def estimate(self, peer: Peer) -> int:
        return self.budgets.estimate(peer)

    def tracks_of(self, receiver: int) -> list[Track]:
        return self.stage.tracks_of(receiver)

    def bound(self, track: Track, encoding: Encoding) -> None:
        self.stage.bound(track, encoding)

    def unbound(self, track: Track, encoding: Encoding, *, again: bool = False) -> None:
        self.stage.unbound(track, encoding, again=again)

    def reshaped(self, track: Track, encoding: Encoding) -> None:
        self.stage.reshaped(track, encoding)

    def routed(self, subscription: Subscription) -> None:
        self.stage.routed(subscription)

    def untaken(self, subscription: Subscription) -> None:
        """Its publisher is told to send another codec, if it can and that helps; else the viewer is told."""
        track = subscription.track
        self.touch(track)
        if subscription.untaken and not any(backup.decodes(subscription.peer, mime) for mime in track.backups):
            self.emit(messages.Untaken(track.room.name, subscription.peer.id, track.id))

    def apply(self, subscription: Subscription) -> None:
        self.stage.apply(subscription)

    def relay(self, peer: Peer) -> None:
        self.relays.refresh(peer)

    def relayed(self, track: Track) -> bool:
        return self.relays.takes(track)

    def forget(self, track: Track) -> None:
        self.dynacast.forget(track)
        self._touched.pop(track, None)

    def shed(self, on: bool) -> None:
        """Too much to do: every viewer gets the lowest layer of every video, and publishers need not send the others."""
        if on == self._shed:
            return
        self._shed = on
        for room in self.rooms.values():
            room.shed = on
            for track in room.tracks.values():
                if track.kind == "video":
                    for subscription in track.subscriptions.values():
                        self.stage.apply(subscription)
                    self.touch(track)

    def _taken(self, peer: Peer) -> set[str]:
        return demand.taken(peer, self.sinks)

    # ---- commands

    def command(self, message: Message) -> Message | None:
        """One message of the hub. The answer of a request, else None. HubError for a request that cannot be done; commands
        about what no longer exists are ignored: ends race with everything."""
        handler = _COMMANDS.get(type(message))
        if handler is None:
            raise Invalid("A media worker does not take this message.", code="unexpected")
        answer: Message | None = handler(self, message)
        return answer

    def _room(self, name: str) -> Room:
        room = self.rooms.get(name)
        if room is None:
            room = self.rooms[name] = Room(name, shed=self._shed)
        return room

    def peer(self, message: Any) -> Peer | None:
        room = self.rooms.get(message.room)
        return room.peers.get(message.peer) if room is not None else None

    def _open_room(self, message: messages.OpenRoom) -> None:
        self._room(message.room)

    def _close_room_(self, message: messages.CloseRoom) -> None:
        room = self.rooms.get(message.room)
        if room is not None:
            self._close_room(room, message.reason)

    def _close_room(self, room: Room, reason: str) -> None:
        for peer in list(room.peers.values()):
            self._remove(peer, reason)
        self.sinks.room_closed(room, reason)
        self.observer.forget_room(room)
        self.broadcast.forget_room(room)
        self.rooms.pop(room.name, None)

    def _add_peer(self, message: messages.AddPeer) -> None:
        room = self._room(message.room)
        if message.peer in room.peers:
            return
        peer = Peer(message.peer, room, message.identity, message.kind, message.dual, message.about, message.record)
        peer.hidden, peer.may_publish = message.hidden, message.may_publish
        peer.may_subscribe, peer.may_send_data = message.may_subscribe, message.may_send_data
        peer.fixed, peer.may_pause, peer.adaptive = message.fixed, message.may_pause, message.adaptive
        peer.takes_red = message.takes_red
        room.peers[peer.id] = peer
        if peer.kind == "client":
            peer.connection = Connection(peer, self)
            self.broadcast.joined(peer)
            self.unsettle(peer)
        if not peer.hidden:
            self.sinks.peer(peer, True)

    def _update_peer(self, message: messages.UpdatePeer) -> None:
        peer = self.peer(message)
        if peer is None:
            return
        told = message.about is not None and message.about != peer.about
        for name in ("about", "record", "hidden", "may_publish", "may_subscribe", "may_send_data"):
            value = getattr(message, name)
            if value is not None:
                setattr(peer, name, value)
        if message.may_publish is False:
            for track in peer.tracks.values():
                for encoding in list(track.encodings):
                    self.stage.unbound(track, encoding)
        if message.may_subscribe is not None:
            for subscription in peer.subscriptions.values():
                self.stage.gate(subscription)
            self.unsettle(peer)
        if told and not peer.hidden:
            self.sinks.peer(peer, True)

    def _move_peer(self, message: messages.MovePeer) -> None:
        peer = self.peer(message)
        if peer is not None and message.to != message.room:
            self.relays.forget(peer)
            moving.move(self, peer, self._room(message.to))

    def _remove_peer(self, message: messages.RemovePeer) -> None:
        peer = self.peer(message)
        if peer is not None:
            self._remove(peer, message.reason)

    def _remove(self, peer: Peer, reason: str) -> None:
        self.relays.forget(peer)
        for track in list(peer.tracks.values()):
            self.stage.end(track)
        for subscription in list(peer.subscriptions.values()):
            self.stage.unsubscribe(subscription)
        self.sources.detach(peer)
        if peer.connection is not None:
            peer.connection.close()
            peer.connection = None
        room = peer.room
        room.peers.pop(peer.id, None)
        room.denied = {pair for pair in room.denied if pair[0] != peer.id}
        self.broadcast.forget(peer)
        self.frames.forget(peer)
        self.budgets.forget(peer)
        self.observer.forget(peer)
        if not peer.hidden:
            self.sinks.peer(peer, False, reason)

    # ---- negotiation

    def _offer(self, message: messages.Offer | messages.Restart) -> messages.Answer:
        peer = self.peer(message)
        if peer is None or peer.connection is None:
            raise NotFound("The participant is not in this room.", "该参会者不在会商中。", code="no_peer")
        try:
            if isinstance(message, messages.Restart):
                answer = peer.connection.restart(message)
            else:
                answer = peer.connection.offer(message)
        except ValueError as error:
            raise HubError(str(error), "无法识别客户端的媒体描述（SDP）。", code="bad_sdp", status=400) from error
        self.unsettle(peer)
        return answer

    def _client_answer(self, message: messages.ClientAnswer) -> None:
        peer = self.peer(message)
        if peer is None or peer.connection is None:
            return
        try:
            peer.connection.answered(message)
        except ValueError as error:
            log.info("answer refused", room=peer.room.name, peer=peer.id, reason=str(error))
            self.emit(messages.PeerLost(peer.room.name, peer.id, str(error)))
            return
        self.unsettle(peer)

    def _reoffer(self, message: messages.Reoffer) -> None:
        peer = self.peer(message)
        if peer is not None and peer.connection is not None:
            peer.connection.reoffer(message.restart)

    def _sever(self, message: messages.Sever) -> None:
        peer = self.peer(message)
        if peer is not None and peer.connection is not None:
            for transport in peer.connection.transports:
                self.transports.lost(transport, "severed")

    def _attach(self, message: messages.AttachSource) -> None:
        peer = self.peer(message)
        if peer is not None and peer.connection is None:
            self.sources.attach(peer, message.source)

    # ---- transports

    def transport_message(self, transport: Transport, reliable: bool, data: bytes) -> None:
        self.broadcast.from_peer(transport, reliable, data)

    def transport_frame(self, transport: Transport, data: bytes) -> None:
        self.frames.from_peer(transport, data)

    def transport_writable(self, transport: Transport) -> None:
        if isinstance(peer := transport.owner, Peer) and peer.connection is not None and peer.connection.listening is transport:
            self.broadcast.catch_up(peer)

    def transport_connected(self, transport: Transport) -> None:
        peer = transport.owner
        if isinstance(peer, Peer) and peer.connection is not None:
            first, peer.connected = not peer.connected, True
            if first:
                log.info("peer connected", room=peer.room.name, peer=peer.id, purpose=transport.purpose)
                self.emit(messages.PeerConnected(peer.room.name, peer.id))

    def transport_silent(self, transport: Transport) -> None:
        self._lost(transport, "silent")

    def transport_lost(self, transport: Transport, reason: str) -> None:
        peer = transport.owner
        if isinstance(peer, Peer) and peer.connection is not None:
            peer.connection.lost(transport)
        self._lost(transport, reason)

    def _lost(self, transport: Transport, reason: str) -> None:
        peer = transport.owner
        if not isinstance(peer, Peer) or peer.connection is None:
            return
        peer.connected = False
        log.info("peer lost", room=peer.room.name, peer=peer.id, purpose=transport.purpose, reason=reason)
        self.emit(messages.PeerLost(peer.room.name, peer.id, reason))

    # ---- what the data plane tells

    def stun(self, path: Path, data: bytes) -> None:
        self.transports.stun(path, data)

    def dtls(self, transport: int, data: bytes) -> None:
        self.transports.dtls(transport, data)

    def first_packet(self, receiver: int, layer: int) -> None:
        for track in self.tracks_of(receiver):
            if not track.live:
                track.live = True
                self.emit(messages.TrackLive(track.room.name, track.peer.id, track.id))

    def bandwidth(self, transport: int, bits_per_second: int) -> None:
        known = self.transports.get(transport)
        if known is not None and isinstance(known.owner, Peer):
            self.budgets.report(known.owner, bits_per_second)

    def path_silent(self, transport: int) -> None:
        self.transports.path_silent(transport)

    def audio_levels(self, levels: list[tuple[int, int]]) -> None:
        self.observer.audio_levels(levels)

    def key_frame_wanted(self, receiver: int, layer: int) -> None:
        self.sources.key_frame_wanted(receiver, layer)

    def connection_closed(self, path: Path) -> None:
        self.transports.connection_closed(path)

    def sender_report(self, tap: int, rtp_time: int, ntp: int) -> None:
        self.sinks.clock(tap, rtp_time, ntp)
        self.relays.clock(tap, rtp_time, ntp)

    # ---- links of bridges and recorders

    def link_closed(self, link: Link) -> None:
        self.sources.link_closed(link)
        for sink in self.sinks.link_closed(link):
            self.emit(messages.SinkEnded(sink.room.name, sink.id))

    def bridge(self, link: Link, message: Message) -> None:
        if isinstance(message, messages.PushSource):
            self.sources.push(link, message)
        elif isinstance(message, messages.EndSource):
            self.sources.end(message.source, link)
        elif isinstance(message, messages.SourceClock):
            self.sources.clock(link, message)
        else:
            raise Invalid("A bridge does not say this.", code="unexpected")

    def recorder(self, link: Link, message: Message) -> None:
        if isinstance(message, messages.OpenSink):
            room = self.rooms.get(message.room)
            if room is None:
                raise NotFound("The room is not on this worker.", "会商不在此媒体进程上。", code="no_room")
            self.sinks.open(link, room, message.sink, message.only, message.layers)
        elif isinstance(message, messages.CloseSink):
            self.sinks.close(message.room, message.sink)
        elif isinstance(message, messages.KeyFrameWanted):
            self.sinks.key_frame(link, message.handle)
        elif isinstance(message, messages.SinkLayer):
            self.sinks.cap(link, message.handle, message.most)
        else:
            raise Invalid("A recorder does not say this.", code="unexpected")

    # ---- time

    def tick(self) -> None:
        """Every :data:`TICK` seconds."""
        self._ticks += 1
        self.observer.tick()
        self.dynacast.tick()
        self.sinks.tick()
        self.broadcast.tick()
        self.sources.tick(self._ticks % 5 == 0)
        if self._ticks % 5 == 0:
            self.budgets.tick()
        if self._ticks % 10 == 0:
            self.transports.tick()
            for room in self.rooms.values():
                for peer in room.peers.values():
                    if peer.connection is not None:
                        peer.connection.settle()


_COMMANDS: dict[type, Callable[[Any, Any], Any]] = {
    messages.OpenRoom: Engine._open_room,
    messages.AskStats: lambda engine, message: engine.stats.room(message),
    messages.CloseRoom: Engine._close_room_,
    messages.AddPeer: Engine._add_peer,
    messages.UpdatePeer: Engine._update_peer,
    messages.RemovePeer: Engine._remove_peer,
    messages.MovePeer: Engine._move_peer,
    messages.Announce: lambda engine, message: engine.stage.announce(message),
    messages.Withdraw: lambda engine, message: engine.stage.withdraw(message),
    messages.Offer: Engine._offer,
    messages.Restart: Engine._offer,
    messages.ClientAnswer: Engine._client_answer,
    messages.Reoffer: Engine._reoffer,
    messages.Subscribe: lambda engine, message: engine.stage.subscribe(message),
    messages.Shape: lambda engine, message: engine.stage.shape(message),
    messages.Mute: lambda engine, message: engine.stage.mute(message),
    messages.Open: lambda engine, message: engine.stage.open(message),
    messages.Allow: lambda engine, message: engine.stage.allow(message),
    messages.SendData: lambda engine, message: engine.broadcast.from_server(message),
    messages.Resend: lambda engine, message: engine.broadcast.resend(message),
    messages.PublishData: lambda engine, message: engine.frames.publish(message),
    messages.UnpublishData: lambda engine, message: engine.frames.unpublish(message),
    messages.SubscribeData: lambda engine, message: engine.frames.subscribe(message),
    messages.Limit: lambda engine, message: engine.budgets.limit(message),
    messages.AttachSource: Engine._attach,
    messages.Relay: lambda engine, message: engine.relays.command(message),
    messages.EndSource: lambda engine, message: engine.sources.end(message.source, None),
    messages.Sever: Engine._sever,
}
