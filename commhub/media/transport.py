"""One peer connection's transport: ICE-lite (RFC 8445 §2.5), DTLS and SCTP.

:class:`Transports` answers connectivity checks and knows which transport a check or a DTLS record belongs to; a
:class:`Transport` is the state of one. Packets themselves never come here: the data plane has them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol

from commhub import log as logs
from commhub.media.dtls import FINGERPRINTS, Certificate, Lane, Session
from commhub.media.negotiation import Local
from commhub.media.pace import Bucket
from commhub.media.plane import Path, Plane
from commhub.wire import sdp, stun

log = logs.get(__name__)

CONNECT_WITHIN = 30.0  # seconds from the first answer to the first valid check
DATA_RATE = 1 << 20  # octets of DTLS a second that one peer may make us work on
DATA_BURST = 512 << 10
TRANSACTIONS = 256  # remembered of each transport


class TransportEvents(Protocol):
    def transport_connected(self, transport: Transport) -> None:
        """DTLS is done, or the peer is heard again after a silence."""

    def transport_silent(self, transport: Transport) -> None:
        """The peer no longer proves that it is there. It may come back with its next check, or an ICE restart."""

    def transport_lost(self, transport: Transport, reason: str) -> None:
        """The connection is over. Once; not after :meth:`Transports.close`."""

    def transport_message(self, transport: Transport, reliable: bool, data: bytes) -> None: ...
    def transport_frame(self, transport: Transport, data: bytes) -> None:
        """A frame of a data track."""

    def transport_writable(self, transport: Transport) -> None:
        """The peer takes reliable messages, at first or again."""


class Transport:
    """Made by :meth:`Transports.add`. ``purpose`` and ``owner`` are the caller's."""

    def __init__(self, number: int, home: Transports, owner: object, purpose: str) -> None:
        self.number, self.owner, self.purpose = number, owner, purpose
        self._home = home
        self.ufrag, self.password = _credentials()
        self.remote_ufrag = ""
        self.closed = False  # by the other side: a client that closed a connection never takes it up again
        self.path: Path | None = None
        self.silent = False
        self.checked_at = 0.0  # monotonic, of the last authenticated check
        self.expected_since = 0.0  # monotonic; 0 = the peer cannot know yet where to send
        self.session_id = secrets.randbelow(1 << 62)
        self.version = 0
        self._transactions: dict[bytes, Path] = {}  # of the latest authentic checks, and where they came from
        self._client = True
        self._fingerprints: list[tuple[str, str]] = []
        self.session = Session(self, home.certificate, home.lane, self._transmit, Bucket(DATA_RATE, DATA_BURST))

    @property
    def connected(self) -> bool:
        return self.session.connected

    def local(self) -> Local:
        """Our end as the next description has it."""
        self.version += 1
        fingerprints = self._home.certificate.fingerprints
        return Local(self.ufrag, self.password, fingerprints, self._home.candidates, self.session_id, self.version)

    def restart(self) -> None:
        """New ICE credentials; the old ones stay good until the peer uses the new (it checks with both meanwhile)."""
        self._home.forget_previous(self)
        self.ufrag, self.password = _credentials()
        self._home.learn(self)

    def remote(self, description: sdp.Description, *, answered: bool) -> None:
        """What the peer's description says of its end; ``answered``: it is an answer to ours. ValueError when it cannot
        be connected to, or changes what DTLS was made with."""
        living = [section for section in description.sections if section.port]
        if not living:
            raise ValueError("No media section of the description is in use.")
        first = living[0]
        if not first.ufrag or not first.password:
            raise ValueError("The description has no ICE credentials.")
        if not first.fingerprints:
            raise ValueError("The description has no fingerprint.")
        if not any(algorithm in FINGERPRINTS for algorithm, _ in first.fingerprints):
            raise ValueError("The description has no fingerprint by SHA-256, SHA-384 or SHA-512.")
        if self._fingerprints and first.fingerprints != self._fingerprints:
            raise ValueError("The description changes the DTLS fingerprint of a running connection.")
        if answered and first.setup not in ("active", "passive"):
            raise ValueError("An answer's setup is active or passive.")
        if not self.session.started:
            self._client = first.setup == "passive" if answered else first.setup != "active"
        self._fingerprints = first.fingerprints
        self.remote_ufrag = first.ufrag
        self.expected_since = self.expected_since or self._home.now()
        self._begin()

    def is_restart(self, description: sdp.Description) -> bool:
        first = next((section for section in description.sections if section.port), None)
        return bool(self.remote_ufrag and first is not None and first.ufrag != self.remote_ufrag)

    def checked(self, path: Path, nominated: bool, now: float) -> None:
        """An authenticated check came over ``path``."""
        self.checked_at = now
        if self.path is None or (nominated and path != self.path):
            self.path = path
            self._home.plane.set_path(self.number, path)
        if not self.session.started:
            self._begin()
        elif self.silent:
            self.silent = False
            if self.connected:
                self._home.events.transport_connected(self)

    def _begin(self) -> None:
        """DTLS, as soon as there are a description and a path. Who answers an offer of ours checks at once, while the answer
        takes the longer way through the hub; the next check may be half a second later."""
        if not self.session.started and self._fingerprints and self.path is not None:
            self.session.start(self._client, self._fingerprints)

    def is_new(self, transaction: bytes, path: Path) -> bool:
        """A check is good for the address that it came from first (again, when it is repeated): one that was recorded on its way
        leads nobody's media to another place."""
        first = self._transactions.setdefault(transaction, path)
        if len(self._transactions) > TRANSACTIONS:
            del self._transactions[next(iter(self._transactions))]
        return first == path

    def _transmit(self, data: bytes) -> None:
        self._home.plane.send_dtls(self.number, data)

    # SessionEvents
    def secured(self, profile: str, receive: bytes, transmit: bytes) -> None:
        self._home.plane.set_keys(self.number, profile, receive, transmit)
        self._home.events.transport_connected(self)

    def message(self, reliable: bool, data: bytes) -> None:
        self._home.events.transport_message(self, reliable, data)

    def frame(self, data: bytes) -> None:
        self._home.events.transport_frame(self, data)

    def writable(self) -> None:
        self._home.events.transport_writable(self)

    def ended(self, reason: str) -> None:
        self.closed = True
        self._home.lost(self, reason)


class Transports:
    """All transports of a worker. ``silence`` is how many seconds without an authenticated check end a connection
    (clients send one at least every 5 s, RFC 7675)."""

    def __init__(
        self,
        plane: Plane,
        events: TransportEvents,
        candidates: list[sdp.Candidate],
        now: Callable[[], float],
        *,
        silence: float = 20.0,
        certificate: Certificate | None = None,
    ) -> None:
        self.plane, self.events, self.candidates, self.now = plane, events, candidates, now
        self.silence = silence
        self.certificate = certificate or Certificate.generateCertificate()
        self.lane = Lane()
        self.refused = 0  # checks that were torn, unknown or not authentic
        self._refused_said = 0
        self._numbers: dict[int, Transport] = {}
        self._ufrags: dict[str, tuple[Transport, bytes]] = {}
        self._previous: dict[int, str] = {}
        self._next = 1

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, owner: object, purpose: str) -> Transport:
        transport = Transport(self._next, self, owner, purpose)
        self._next += 1
        self._numbers[transport.number] = transport
        self.plane.add_transport(transport.number)
        self.learn(transport)
        return transport

    def get(self, number: int) -> Transport | None:
        return self._numbers.get(number)

    def learn(self, transport: Transport) -> None:
        for ufrag, (owner, _) in self._ufrags.items():
            if owner is transport:
                self._previous[transport.number] = ufrag
        self._ufrags[transport.ufrag] = (transport, transport.password.encode())

    def forget_previous(self, transport: Transport) -> None:
        self._ufrags.pop(self._previous.pop(transport.number, ""), None)

    def close(self, transport: Transport) -> None:
        """Say good-bye, free everything. Its receivers and routes go with it."""
        if self._numbers.pop(transport.number, None) is None:
            return
        self._ufrags.pop(transport.ufrag, None)
        self.forget_previous(transport)
        transport.session.close()
        # The good-bye is a datagram that is sent in the next turns of the loop.
        self.lane.run(lambda: self.lane.run(lambda: self.plane.remove_transport(transport.number)))

    def lost(self, transport: Transport, reason: str) -> None:
        if transport.number in self._numbers:
            self.close(transport)
            self.events.transport_lost(transport, reason)

    def tick(self) -> None:
        """Once a second or so: who has gone silent, who never came?"""
        now = self.now()
        if self.refused > self._refused_said and logs.limited("checks refused", 60, now) is not None:
            log.info("checks refused", checks=self.refused - self._refused_said)
            self._refused_said = self.refused
        for transport in list(self._numbers.values()):
            if transport.session.started:
                if now - transport.checked_at > self.silence:
                    self._silent(transport)
            elif transport.expected_since and now - transport.expected_since > CONNECT_WITHIN:
                self.lost(transport, "never connected")

    def _silent(self, transport: Transport) -> None:
        if not transport.silent:
            transport.silent = True
            self.events.transport_silent(transport)

    # what the plane hands over
    def stun(self, path: Path, data: bytes) -> None:
        """A datagram that looks like STUN. Only authentic and new checks are answered: nothing here amplifies."""
        try:
            message = stun.parse(data)
        except ValueError:
            self.refused += 1
            return
        if message.kind != stun.REQUEST or message.method != stun.BINDING:
            return
        ufrag = message.username.partition(":")[0]
        known = self._ufrags.get(ufrag)
        if known is None or not stun.check_integrity(data, message, known[1]):
            self.refused += 1
            return
        transport, key = known
        if not transport.is_new(message.transaction_id, path):
            self.refused += 1
            return
        unknown = message.unknown
        if unknown:
            said = stun.error_response(message.transaction_id, 420, "Unknown Attribute", key, unknown)
            self._answer(transport, path, data, said)
            return
        if message.controlled is not None:
            # We are lite and therefore never controlling (RFC 8445 §7.3.1.1); the peer repairs its role by this.
            self._answer(transport, path, data, stun.error_response(message.transaction_id, 487, "Role Conflict", key))
            return
        self._answer(transport, path, data, stun.binding_success(message.transaction_id, path.host, path.port, key))
        if ufrag == transport.ufrag and message.use_candidate:
            self.forget_previous(transport)
        transport.checked(path, message.use_candidate, self.now())

    def _answer(self, transport: Transport, path: Path, check: bytes, answer: bytes) -> None:
        """A recorded check may come from an address that is somebody else's: there nothing goes that is larger than it."""
        if path == transport.path or len(answer) <= len(check):
            self.plane.send(path, answer)

    def dtls(self, number: int, data: bytes) -> None:
        transport = self._numbers.get(number)
        if transport is not None:
            transport.session.feed(data)

    def path_silent(self, number: int) -> None:
        """The data plane heard nothing at all for its time-out: believed when no check came either for half of ours."""
        transport = self._numbers.get(number)
        if transport is not None and self.now() - transport.checked_at > self.silence / 2:
            self._silent(transport)

    def connection_closed(self, path: Path) -> None:
        """A TCP connection ended: whoever used it comes back over a new one with its next check."""
        for transport in self._numbers.values():
            if transport.path == path:
                transport.path = None


def _credentials() -> tuple[str, str]:
    # 64 and 192 random bits (RFC 8445 §5.3 asks for 24 and 128).
    return secrets.token_hex(8), secrets.token_hex(24)
