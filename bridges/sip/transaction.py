"""Transactions (RFC 3261 §17, RFC 6026) of one SIP element, all of them. No I/O, no clock: ``now`` is monotonic seconds.

What arrives goes into ``receive``; what comes out is to be sent (``Send``) or to be told to the user, who hears of every
request and of
every response once, however often UDP brings it, and of every client transaction's end. After each call ``deadline`` is when
``tick``
wants to be called. ``states`` holds the machines; here is who belongs to which, and what their words mean.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bridges.sip.fields import COOKIE, CSeq
from bridges.sip.message import Headers, Message, Request, Response
from bridges.sip.states import BEGIN, CLOCKS, TABLE, Do, Event, Kind, State, Timers

PER_SOURCE = 4_096  # server transactions of one address; a platform that brings 50,000 channels has some hundreds a second
ALL = 65_536
_LOOK = 16  # how many old transactions are looked at for one that may be forgotten early
NEVER = float("inf")

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """A way to a peer: where its packets come from. ``connection`` numbers TCP connections; ``local`` is our own ``host:port``
    there."""

    transport: str
    host: str
    port: int
    local: str = ""
    connection: int = 0

    @property
    def reliable(self) -> bool:
        return self.transport != "UDP"


@dataclass(frozen=True, slots=True)
class Send:
    message: Message
    flow: Flow


@dataclass(frozen=True, slots=True)
class Asked:
    """A new request; ``respond`` to ``key``."""

    key: Key
    request: Request
    flow: Flow


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The ACK to the 2xx that was sent."""

    key: Key
    request: Request
    flow: Flow


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The INVITE's sender does not want it any more; it has been answered 487 already."""

    key: Key


@dataclass(frozen=True, slots=True)
class Answered:
    """A response to our request, never 100. A 2xx to INVITE wants ``acknowledge``."""

    key: Key
    response: Response
    flow: Flow


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing more will come: ``timeout`` (no answer, by us or by them), ``lost`` (the connection), ``unacknowledged`` (our
    2xx)."""

    key: Key
    request: Request
    reason: str


@dataclass(frozen=True, slots=True)
class Stray:
    """A 2xx to an INVITE that is over for us: the other side believes in a dialog, so ACK and BYE."""

    response: Response
    flow: Flow


Out = Send | Asked | Acknowledged | Cancelled | Answered | Failed | Stray


@dataclass(slots=True, eq=False)
class _Transaction:
    key: Key
    kind: Kind
    request: Request
    flow: Flow
    state: State = State.TERMINATED
    last: Message | None = None  # what was sent last
    interval: float = 0.0
    repeat_at: float = NEVER
    ends_at: float = NEVER
    acknowledged: bool = False
    cancel: bool = False  # wanted, but nothing has come from there yet (§9.1)
    silent: bool = False  # nobody waits for its answers
    acks: dict[str, Request | None] = field(default_factory=dict)  # of a forked INVITE, by the To's tag

    @property
    def due(self) -> float:
        return min(self.repeat_at, self.ends_at)


class Transactions:
    """``token`` gives a fresh random word each time, of letters and digits."""

    def __init__(
        self, token: Callable[[], str], timers: Timers | None = None, *, per_source: int = PER_SOURCE, limit: int = ALL
    ) -> None:
        self._token, self._timers = token, timers or Timers()
        self._per_source, self._limit = per_source, limit
        self._all: dict[Key, _Transaction] = {}
        self._sources: dict[str, dict[Key, None]] = {}
        self._connections: dict[int, set[Key]] = {}
        self._accepted: dict[Key, Key] = {}  # dialogs whose ACK we wait for
        self._heap: list[tuple[float, int, Key]] = []
        self._number = 0
        self.refused = 0

    def __len__(self) -> int:
        return len(self._all)

    @property
    def deadline(self) -> float | None:
        while self._heap:
            at, _, key = self._heap[0]
            one = self._all.get(key)
            if one is not None and one.due == at:
                return at
            heapq.heappop(self._heap)
        return None

    def tick(self, now: float) -> list[Out]:
        outs: list[Out] = []
        while (at := self.deadline) is not None and at <= now:
            one = self._all[heapq.heappop(self._heap)[2]]
            if one.ends_at <= now:
                self._step(one, Event.EXPIRE, now, outs)
            else:
                cap = getattr(self._timers, CLOCKS[one.kind, one.state].cap)
                one.interval = min(2 * one.interval, cap)
                one.repeat_at = now + one.interval
                self._step(one, Event.RETRANSMIT, now, outs)
                self._schedule(one)
        return outs

    # ---- what arrives

    def receive(self, message: Message, flow: Flow, now: float) -> list[Out]:
        """ValueError when the message lacks what ``message.demand`` asks for."""
        outs: list[Out] = []
        if isinstance(message, Response):
            self._response(message, flow, now, outs)
        elif message.method == "ACK":
            self._ack(message, flow, now, outs)
        else:
            self._request(message, flow, now, outs)
        return outs

    def lost(self, connection: int, now: float) -> list[Out]:
        """The TCP connection of that number is gone."""
        outs: list[Out] = []
        for key in list(self._connections.get(connection, ())):
            if one := self._all.get(key):
                self._step(one, Event.LOST, now, outs)
        return outs

    def _response(self, response: Response, flow: Flow, now: float, outs: list[Out]) -> None:
        cseq = response.cseq
        one = self._all.get(("client", response.via.branch, cseq.method))
        if one is not None:
            self._step(one, _event(response.status), now, outs, response, flow)
        elif cseq.method == "INVITE" and 200 <= response.status < 300:
            outs.append(Stray(response, flow))

    def _request(self, request: Request, flow: Flow, now: float, outs: list[Out]) -> None:
        key = _server_key(request, flow)
        if one := self._all.get(key):
            one.flow = flow  # behind a NAT the port may be another one already
            self._step(one, Event.REQUEST, now, outs)
            return
        if not self._room(flow.host, now, outs):
            self.refused += 1
            outs.append(Send(request.reply(503, tag=self._token()), flow))
            return
        kind = Kind.INVITE_SERVER if request.method == "INVITE" else Kind.SERVER
        one = self._begin(_Transaction(key, kind, request, flow), now)
        self._sources.setdefault(flow.host, {})[key] = None
        if request.method == "CANCEL":
            self._cancelled(one, now, outs)
        else:
            outs.append(Asked(key, request, flow))

    def _cancelled(self, cancel: _Transaction, now: float, outs: list[Out]) -> None:
        """§9.2: the CANCEL is answered by itself, and the INVITE, if nobody has answered it yet, with 487."""
        invite = self._all.get(_server_key(cancel.request, cancel.flow, "INVITE"))
        status = 481 if invite is None else 200
        self._answer(cancel, cancel.request.reply(status, tag=self._token()), now, outs)
        if invite is not None and invite.state is State.PROCEEDING:
            said = invite.last.receiver.tag if isinstance(invite.last, Response) else ""
            self._answer(invite, invite.request.reply(487, tag=said or self._token()), now, outs)
            outs.append(Cancelled(invite.key))

    def _ack(self, ack: Request, flow: Flow, now: float, outs: list[Out]) -> None:
        one = self._all.get(_server_key(ack, flow)) or self._all.get(self._accepted.get(_dialog_key(ack), ()))
        if one is not None:
            self._step(one, Event.ACK, now, outs, ack, flow)

    # ---- what the user wants

    def request(self, request: Request, flow: Flow, now: float) -> tuple[Key, list[Out]]:
        """Sends a request with a Via of our own on top of it. ACK has no transaction: see ``acknowledge``."""
        branch = COOKIE + self._token()
        sent = _with_via(request, flow, branch)
        kind = Kind.INVITE_CLIENT if request.method == "INVITE" else Kind.CLIENT
        one = self._begin(_Transaction(("client", branch, request.method), kind, sent, flow, last=sent), now)
        return one.key, [Send(sent, flow)]

    def respond(self, key: Key, response: Response, now: float) -> list[Out]:
        """Nothing happens when the transaction is over, or has had its final response."""
        outs: list[Out] = []
        if one := self._all.get(key):
            self._answer(one, response, now, outs)
        return outs

    def acknowledge(self, key: Key, ack: Request, flow: Flow) -> list[Out]:
        """The ACK to a 2xx, which is sent again whenever the 2xx comes again. Works for strays too, whose ``key`` is ``()``."""
        sent = _with_via(ack, flow, COOKIE + self._token())
        if one := self._all.get(key):
            one.acks[ack.receiver.tag] = sent
        return [Send(sent, flow)]

    def cancel(self, key: Key, now: float) -> list[Out]:
        """Takes an INVITE back. Its answer still comes: 487, or a 2xx that was faster and wants ACK and BYE, or ``Failed``."""
        outs: list[Out] = []
        one = self._all.get(key)
        if one is not None and one.kind is Kind.INVITE_CLIENT and not one.cancel:
            one.cancel = True
            if one.state is State.PROCEEDING:
                self._send_cancel(one, now, outs)
        return outs

    # ---- the machine

    def _begin(self, one: _Transaction, now: float) -> _Transaction:
        self._all[one.key] = one
        if one.flow.connection:
            self._connections.setdefault(one.flow.connection, set()).add(one.key)
        self._enter(one, BEGIN[one.kind], now)
        return one

    def _answer(self, one: _Transaction, response: Response, now: float, outs: list[Out]) -> None:
        self._step(one, _event(response.status), now, outs, response)

    def _step(
        self,
        one: _Transaction,
        event: Event,
        now: float,
        outs: list[Out],
        message: Message | None = None,
        flow: Flow | None = None,
    ) -> None:
        row = TABLE[one.kind, one.state].get(event)
        if row is None:
            return
        state, actions = row
        if state is not one.state:
            self._enter(one, state, now)
        for action in actions:
            self._do(action, one, message, flow or one.flow, now, outs)

    def _enter(self, one: _Transaction, state: State, now: float) -> None:
        one.state = state
        clock = CLOCKS.get((one.kind, state))
        if clock is None or (clock.lingers and one.flow.reliable):
            one.state = State.TERMINATED
            self._remove(one)
            return
        if clock.life:
            one.ends_at = now + getattr(self._timers, clock.life)
        repeats = clock.repeat and (clock.always or not one.flow.reliable)
        one.interval = getattr(self._timers, clock.repeat) if repeats else 0.0
        one.repeat_at = now + one.interval if repeats else NEVER
        if state is State.ACCEPTED and one.kind is Kind.INVITE_SERVER:
            self._accepted[_dialog_key(one.request)] = one.key
        self._schedule(one)

    def _do(self, action: Do, one: _Transaction, message: Message | None, flow: Flow, now: float, outs: list[Out]) -> None:
        match action:
            case Do.UP | Do.AGAIN if isinstance(message, Response):
                self._up(one, message, flow, outs)
            case Do.ACK if isinstance(message, Response):
                outs.append(Send(_ack_refusal(one.request, message), one.flow))
            case Do.SEND if isinstance(message, Response):
                one.last = message
                if one.kind is Kind.INVITE_SERVER and one.state is State.PROCEEDING:
                    one.repeat_at = NEVER  # no 100 needed any more
                    self._schedule(one)
                outs.append(Send(message, one.flow))
            case Do.RESEND if one.last is not None:
                outs.append(Send(one.last, one.flow))
            case Do.TRYING:
                one.repeat_at = NEVER
                if one.last is None:
                    one.last = one.request.reply(100)
                    outs.append(Send(one.last, one.flow))
            case Do.CANCEL if one.cancel:
                self._send_cancel(one, now, outs)
            case Do.ACKNOWLEDGED if isinstance(message, Request) and not one.acknowledged:
                one.acknowledged, one.repeat_at = True, NEVER
                self._schedule(one)
                outs.append(Acknowledged(one.key, message, flow))
            case Do.TIMEOUT | Do.FAIL if not one.silent:
                outs.append(Failed(one.key, one.request, "timeout" if action is Do.TIMEOUT else "lost"))
            case Do.UNACKNOWLEDGED if not one.acknowledged:
                outs.append(Failed(one.key, one.request, "unacknowledged"))
            case _:
                pass

    def _up(self, one: _Transaction, response: Response, flow: Flow, outs: list[Out]) -> None:
        if one.kind is Kind.INVITE_CLIENT and 200 <= response.status < 300:
            tag = response.receiver.tag
            if tag in one.acks:
                if ack := one.acks[tag]:
                    outs.append(Send(ack, one.flow))
                return
            one.acks[tag] = None
        if response.status > 100 and not one.silent:
            outs.append(Answered(one.key, response, flow))

    def _send_cancel(self, invite: _Transaction, now: float, outs: list[Out]) -> None:
        """§9.1. The INVITE then has the time of a transaction left (its 487 may be lost for good)."""
        headers = _copied(invite.request, "CANCEL", invite.request.headers.get("To"))
        cancel = Request("CANCEL", invite.request.uri, headers=headers)
        key = ("client", invite.request.via.branch, "CANCEL")
        self._begin(_Transaction(key, Kind.CLIENT, cancel, invite.flow, last=cancel, silent=True), now)
        invite.ends_at = min(invite.ends_at, now + self._timers.timeout)
        self._schedule(invite)
        outs.append(Send(cancel, invite.flow))

    def _schedule(self, one: _Transaction) -> None:
        if one.state is not State.TERMINATED and one.due < NEVER:
            self._number += 1
            heapq.heappush(self._heap, (one.due, self._number, one.key))

    def _room(self, host: str, now: float, outs: list[Out]) -> bool:
        """Whether that address may begin another one. What only waits for repetitions makes room, the oldest first."""
        held = self._sources.get(host, {})
        if len(held) < self._per_source and len(self._all) < self._limit:
            return True
        for key, _ in zip(held, range(_LOOK), strict=False):
            one = self._all[key]
            if one.state in (State.COMPLETED, State.CONFIRMED) and one.kind in (Kind.SERVER, Kind.INVITE_SERVER):
                one.state = State.TERMINATED
                self._remove(one)
                return True
        return False

    def _remove(self, one: _Transaction) -> None:
        self._all.pop(one.key, None)
        if one.kind in (Kind.SERVER, Kind.INVITE_SERVER):
            held = self._sources.get(one.key[1], {}) if isinstance(one.key[1], str) else {}
            held.pop(one.key, None)
            if not held:
                self._sources.pop(str(one.key[1]), None)
            dialog = _dialog_key(one.request)
            if self._accepted.get(dialog) == one.key:
                del self._accepted[dialog]
        if kept := self._connections.get(one.flow.connection):
            kept.discard(one.key)
            if not kept:
                del self._connections[one.flow.connection]


def _event(status: int) -> Event:
    return Event.PROVISIONAL if status < 200 else Event.SUCCESS if status < 300 else Event.FAILURE


def _server_key(request: Request, flow: Flow, method: str = "") -> Key:
    """§17.2.3. The address is part of it, so that nobody meets another one's transaction; Call-ID and CSeq are, because some
    devices
    send the same branch all their life. ACK and INVITE are one. Peers of RFC 2543 have no branch that counts."""
    via = request.via
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    key: Key = ("server", flow.host, via.branch, via.host, via.port, request.call_id, request.cseq.number, method)
    return key if via.unique else (*key, request.uri, request.sender.tag)


def _dialog_key(request: Request) -> Key:
    """By this the ACK to a 2xx, which is a transaction of its own, finds the INVITE."""
    return ("dialog", request.call_id, request.cseq.number, request.sender.tag)


def _with_via(request: Request, flow: Flow, branch: str) -> Request:
    headers = request.headers.copy()
    headers.first("Via", f"SIP/2.0/{flow.transport} {flow.local};rport;branch={branch}")
    if "Max-Forwards" not in headers:
        headers.add("Max-Forwards", 70)
    return replace(request, headers=headers)


def _copied(invite: Request, method: str, to: str) -> Headers:
    """What CANCEL and the ACK to a refusal take over from the INVITE (§9.1, §17.1.1.3)."""
    headers = Headers([("Via", invite.headers.values("Via")[0]), ("Max-Forwards", "70")])
    for route in invite.headers.all("Route"):
        headers.add("Route", route)
    headers.add("From", invite.headers.get("From"))
    headers.add("To", to)
    headers.add("Call-ID", invite.call_id)
    headers.add("CSeq", CSeq(invite.cseq.number, method))
    return headers


def _ack_refusal(invite: Request, response: Response) -> Request:
    return Request("ACK", invite.uri, headers=_copied(invite, "ACK", response.headers.get("To")))
