"""aiortc's DTLS and SCTP behind one door: datagrams in and out, SRTP keys, messages of LiveKit's data channels.

Beside :mod:`commhub.media.association` the only module that knows aiortc's private attributes (1.16). Everything a peer sends
here has passed an authenticated check, but the peer itself may be hostile: what it can make us keep or compute is bounded, and
its faults end only its session.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, cast

from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcdtlstransport import (
    SRTP_AEAD_AES_128_GCM,
    SRTP_AES128_CM_SHA1_80,
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
    State,
)
from aiortc.rtcsctptransport import RTCSctpCapabilities

from commhub import log as logs
from commhub.errors import PeerError
from commhub.media.association import Association, Guard
from commhub.media.pace import Bucket

log = logs.get(__name__)

HANDSHAKE_WITHIN = 15.0  # seconds
ALL_DATA_RATE, ALL_DATA_BURST = 6 << 20, 3 << 20  # octets of DTLS a second that all peers together may make us work on
ALL_SHARE = 0.5  # of a core, for all peers' messages together
SMALLEST = 600  # octets that a datagram counts for at least: a small one is as much work
QUEUE = 256  # datagrams of one peer that wait; SCTP repeats what is dropped beyond
RELIABLE_BACKLOG = 4 << 20  # octets that may wait for a peer that reads slowly
LOSSY_BACKLOG = 64 << 10
MESSAGE_LIMIT = 65_536
RELIABLE, LOSSY, FRAMES = "_reliable", "_lossy", "_data_track"
_RELIABLE_LOW = RELIABLE_BACKLOG // 4  # below it more is sent to one who was slow
FINGERPRINTS = ("sha-256", "sha-384", "sha-512")


class Certificate(RTCCertificate):
    """The process's own certificate; the OpenSSL context is made once, not per peer."""

    _context: Any = None

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> Any:
        if self._context is None:
            self._context = super()._create_ssl_context(srtp_profiles)
        return self._context

    @property
    def fingerprints(self) -> list[tuple[str, str]]:
        """As descriptions have them; one is enough for every client."""
        return [(one.algorithm, one.value) for one in self.getFingerprints() if one.algorithm == "sha-256"]


class Lane:
    """DTLS, SCTP and data fan-out of all peers, one step per turn of the event loop.

    A handshake step costs a millisecond and a file transfer thousands of steps; between any two of them the loop
    looks at the media sockets, so neither can hold packets up for longer than one step.
    """

    def __init__(self) -> None:
        self.bucket = Bucket(ALL_DATA_RATE, ALL_DATA_BURST)
        self.work = Bucket(ALL_SHARE, ALL_SHARE)
        self._waiting: deque[Callable[[], object]] = deque()
        self._scheduled = False

    def run(self, step: Callable[[], object]) -> None:
        """``step`` in its turn, in the order of the calls."""
        self._waiting.append(step)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next)

    async def turn(self) -> None:
        """Wait for one's turn."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        self.run(wake)
        await future

    def _next(self) -> None:
        step = self._waiting.popleft()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        else:
            self._scheduled = False
        step()


class _Datagrams:
    """What RTCDtlsTransport takes for its ICE transport."""

    role = "controlled"
    state = "completed"

    def __init__(self, lane: Lane, send: Callable[[bytes], None], bucket: Bucket) -> None:
        self._lane, self._transmit, self._bucket = lane, send, bucket
        self._queue: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._closed = False
        self.held_until = 0.0  # the peer has caused more work than it may
        self.dropped = 0

    def feed(self, data: bytes) -> None:
        if len(self._queue) >= QUEUE:
            self.dropped += 1
            return
        self._queue.append(data)
        self._arrived.set()

    @property
    def work(self) -> Bucket:
        """What all peers' messages may take together."""
        return self._lane.work

    def hold(self, seconds: float) -> None:
        """Read nothing more from the peer for so long; SCTP slows it down."""
        self.held_until = max(self.held_until, asyncio.get_running_loop().time() + seconds)

    def close(self) -> None:
        self._closed = True
        self._arrived.set()

    async def _recv(self) -> bytes:
        while not self._queue:
            if self._closed:
                raise ConnectionError
            self._arrived.clear()
            await self._arrived.wait()
        loop = asyncio.get_running_loop()
        now, cost = loop.time(), max(SMALLEST, len(self._queue[0]))
        ahead = max(self._bucket.take(cost, now), self._lane.bucket.take(cost, now), self.held_until - now)
        if ahead > 0.005:
            await asyncio.sleep(ahead)
        await self._lane.turn()
        return self._queue.popleft()

    async def _send(self, data: bytes) -> None:
        # Never suspends: aiortc's SCTP iterates its queues across this await.
        self._transmit(data)


class _Dtls(RTCDtlsTransport):
    """Keeps the SRTP keys instead of making sessions, and its receiver's faults in the session."""

    keys: tuple[str, bytes, bytes] | None = None  # profile, receive, transmit
    fault = ""  # what the peer did, when it ended the session by that

    def __init__(self, datagrams: _Datagrams, certificate: Certificate) -> None:
        super().__init__(cast(Any, datagrams), [certificate])
        self._datagrams = datagrams
        self._srtp_profiles = [SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_SHA1_80]

    def _setup_srtp(self) -> None:
        assert self._ssl is not None
        name = self._ssl.get_selected_srtp_profile()
        profile = next((one for one in self._srtp_profiles if one.openssl_profile == name), None)
        if profile is None:
            self._set_state(State.FAILED)
            return
        size = 2 * (profile.key_length + profile.salt_length)
        material = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", size)
        client, server = profile.get_key_and_salt(material, 0), profile.get_key_and_salt(material, 1)
        receive, transmit = (client, server) if self._role == "server" else (server, client)
        self.keys = (profile.openssl_profile.decode(), receive, transmit)

    def _register_data_receiver(self, receiver: Any) -> None:
        datagrams = self._datagrams
        super()._register_data_receiver(Guard(receiver, datagrams.work, self._blame, datagrams.hold))

    def _blame(self, sentence: str) -> None:
        self.fault = sentence

    def _unregister_data_receiver(self, receiver: Any) -> None:
        self._data_receiver = None

    async def _send_data(self, data: bytes) -> None:
        # SCTP's timers may fire while the connection ends; that is nobody's fault.
        if self._state == State.CONNECTED:
            await super()._send_data(data)


class SessionEvents(Protocol):
    def secured(self, profile: str, receive: bytes, transmit: bytes) -> None:
        """The handshake is done and the peer is who its description said; SRTP keys as :meth:`Plane.set_keys` wants them."""

    def message(self, reliable: bool, data: bytes) -> None: ...
    def frame(self, data: bytes) -> None:
        """A frame of a data track."""

    def writable(self) -> None:
        """Reliable messages are taken, at first or again."""

    def ended(self, reason: str) -> None:
        """Once; not after :meth:`Session.close`."""


class Session:
    """DTLS with one peer and, when it negotiated data channels, SCTP on top.

    ``client``: do we begin the handshake? ``fingerprints`` are those of the peer's description. With ``opens`` we open the
    data channels (the subscriber connection of dual mode), otherwise the peer does.
    """

    def __init__(
        self, events: SessionEvents, certificate: Certificate, lane: Lane, send: Callable[[bytes], None], bucket: Bucket
    ) -> None:
        self._events, self._lane = events, lane
        self._datagrams = _Datagrams(lane, send, bucket)
        self._dtls = _Dtls(self._datagrams, certificate)
        self._sctp: Association | None = None
        self._channels: dict[str, RTCDataChannel] = {}
        self._data: tuple[int, int, bool] | None = None
        self._task: asyncio.Task[None] | None = None
        self._background: set[asyncio.Future[Any]] = set()
        self._over = False
        self._handed = 0  # octets of reliable messages on their way to the channel
        self.dropped = 0  # messages to this peer that it was too slow to take

    @property
    def started(self) -> bool:
        return self._task is not None

    @property
    def connected(self) -> bool:
        return self._dtls._state == State.CONNECTED

    def start(self, client: bool, fingerprints: list[tuple[str, str]]) -> None:
        self._dtls._set_role("client" if client else "server")
        wanted = [RTCDtlsFingerprint(algorithm, value) for algorithm, value in fingerprints if algorithm in FINGERPRINTS]
        self._task = asyncio.get_running_loop().create_task(self._run(wanted), name="DTLS session")

    def data(self, port: int, largest: int, opens: bool) -> None:
        """The peer's description has data channels: SCTP ``port`` and the largest message it takes (0: any). Idempotent."""
        if self._data is None:
            self._data = (port, largest, opens)
            if self.connected:
                self._spawn(self._start_sctp())

    def feed(self, data: bytes) -> None:
        self._datagrams.feed(data)

    def delay(self, seconds: float) -> None:
        """Read nothing more from the peer for so long; SCTP slows it down."""
        if seconds > 0:
            self._datagrams.hold(seconds)

    def takes(self) -> bool:
        """Is a reliable message sent now sure to arrive, as long as the connection lives?"""
        channel = self._channels.get(RELIABLE)
        if channel is None or channel.readyState != "open":
            return False
        return channel.bufferedAmount + self._handed <= RELIABLE_BACKLOG

    def send(self, reliable: bool, data: bytes) -> None:
        """In its turn; dropped and counted when the channel is not open or the peer does not read."""
        if reliable:
            self._handed += len(data)
        self._lane.run(partial(self._send, RELIABLE if reliable else LOSSY, data))

    def send_frame(self, data: bytes) -> None:
        """A frame of a data track: in its turn, or never."""
        self._lane.run(partial(self._send, FRAMES, data))

    def _send(self, label: str, data: bytes) -> None:
        channel = self._channels.get(label)
        limit = LOSSY_BACKLOG
        if label == RELIABLE:
            self._handed -= len(data)
            # What ``takes`` promised: nothing else was put in between beyond what is on its way.
            limit = 2 * RELIABLE_BACKLOG
        if channel is None or channel.readyState != "open" or channel.bufferedAmount > limit:
            self.dropped += 1
            return
        try:
            channel.send(data)
        except ValueError:  # larger than the peer said it takes
            self.dropped += 1

    async def _run(self, fingerprints: list[RTCDtlsFingerprint]) -> None:
        reason = "closed"
        try:
            await asyncio.wait_for(self._dtls.start(RTCDtlsParameters(fingerprints)), HANDSHAKE_WITHIN)
            if self._over:  # in the moment when the handshake was done: wait_for swallows the end then (Python 3.11)
                return
            if self._dtls._state != State.CONNECTED or self._dtls.keys is None:
                raise PeerError("The DTLS handshake failed.")
            self._events.secured(*self._dtls.keys)
            if self._data is not None:
                await self._start_sctp()
            if self._dtls._task is not None:  # unless it was closed since
                await self._dtls._task
            reason = self._dtls.fault or reason
        except TimeoutError:
            reason = "DTLS handshake timed out"
        except PeerError as error:
            reason = str(error)
        except ConnectionError:
            reason = "closed"
        except Exception:  # a fault of ours ends this session, and is told once, not for everybody who can cause it
            if (suppressed := logs.limited("DTLS session", 600)) is not None:
                log.exception("DTLS session failed", suppressed=suppressed)
            reason = "failed"
        self._end(reason)

    async def _start_sctp(self) -> None:
        if self._sctp is not None or self._data is None:
            return
        port, largest, opens = self._data
        self._sctp = Association(self._dtls)
        self._sctp.on("datachannel", self._opened)
        await self._sctp.start(RTCSctpCapabilities(maxMessageSize=largest), port)
        if opens:
            for label, lossless in ((RELIABLE, True), (LOSSY, False), (FRAMES, False)):
                retransmits = None if lossless else 0
                parameters = RTCDataChannelParameters(label=label, ordered=lossless, maxRetransmits=retransmits)
                self._opened(RTCDataChannel(self._sctp, parameters))

    def _opened(self, channel: RTCDataChannel) -> None:
        if channel.label not in (RELIABLE, LOSSY, FRAMES):
            return
        self._channels[channel.label] = channel
        channel.on("message", partial(self._received, channel.label))
        if channel.label == RELIABLE:
            channel.bufferedAmountLowThreshold = _RELIABLE_LOW
            channel.on("bufferedamountlow", self._writable)
            channel.on("open", self._writable)
            self._writable()

    def _writable(self) -> None:
        if not self._over and self.takes():
            self._events.writable()

    def _received(self, label: str, data: bytes | str) -> None:
        if not isinstance(data, bytes) or len(data) > MESSAGE_LIMIT:
            return
        if label == FRAMES:
            self._events.frame(data)
        else:
            self._events.message(label == RELIABLE, data)

    def _spawn(self, work: Awaitable[Any]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _end(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._spawn(self._shut())
            self._events.ended(reason)

    def close(self) -> None:
        """Say good-bye to the peer and free everything. No event follows."""
        if not self._over:
            self._over = True
            self._spawn(self._shut())

    async def _shut(self) -> None:
        with suppress(Exception):  # whatever state OpenSSL is in, this session ends now
            if self._sctp is not None:
                await self._sctp.stop()
            await self._dtls.stop()
        self._datagrams.close()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
