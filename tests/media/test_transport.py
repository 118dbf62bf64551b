from __future__ import annotations

import asyncio
import os
from collections import deque
from functools import partial
from typing import Any, cast

import pytest
from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

from commhub.media import dtls
from commhub.media.dtls import Certificate, Lane
from commhub.media.pace import Bucket
from commhub.media.plane import Path
from commhub.media.transport import CONNECT_WITHIN, Transport, Transports
from commhub.wire import sdp, stun
from tests.support import until
from tests.support.recording_plane import RecordingPlane

HERE, THERE = Path(0, "192.0.2.7", 5000), Path(0, "192.0.2.8", 5001)
CERTIFICATE = Certificate.generateCertificate()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Listener:
    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.writable = 0

    def transport_connected(self, transport: Transport) -> None:
        self.said.append(("connected", transport.number))

    def transport_silent(self, transport: Transport) -> None:
        self.said.append(("silent", transport.number))

    def transport_lost(self, transport: Transport, reason: str) -> None:
        self.said.append(("lost", transport.number, reason))

    def transport_message(self, transport: Transport, reliable: bool, data: bytes) -> None:
        self.said.append(("message", transport.number, reliable, data))

    def transport_frame(self, transport: Transport, data: bytes) -> None:
        self.said.append(("frame", transport.number, data))

    def transport_writable(self, transport: Transport) -> None:
        self.writable += 1


class Bench:
    """Transports on a plane that records, with a clock that stands."""

    def __init__(self) -> None:
        self.plane = RecordingPlane(cast(Any, None))
        self.events, self.clock = Listener(), Clock()
        self.home = Transports(self.plane, self.events, [], self.clock, silence=20.0, certificate=CERTIFICATE)

    def add(self) -> Transport:
        return self.home.add("somebody", "both")

    def check(self, transport: Transport, path: Path = HERE, **how: Any) -> list[stun.Message]:
        """A connectivity check of the client; the answers to it."""
        ufrag, password = how.pop("ufrag", transport.ufrag), how.pop("password", transport.password)
        how.setdefault("controlling", 1)
        before = len(self.plane.of("send"))
        transaction = how.pop("transaction", None) or os.urandom(12)
        self.home.stun(path, stun.binding_request(transaction, f"{ufrag}:them", password.encode(), **how))
        return [stun.parse(data) for _, data in self.plane.of("send")[before:]]


def described(fingerprints: list[tuple[str, str]], setup: str = "actpass", ufrag: str = "them") -> sdp.Description:
    section = sdp.Section("application", "0", ufrag=ufrag, password="p" * 24, fingerprints=fingerprints, setup=setup)
    return sdp.Description([section])


async def test_an_authentic_check_is_answered_with_where_it_came_from() -> None:
    bench = Bench()
    transport = bench.add()
    (answer,) = bench.check(transport)
    assert (answer.kind, answer.mapped_address) == (stun.SUCCESS, ("192.0.2.7", 5000))
    assert bench.plane.of("set_path") == [(transport.number, HERE)]


@pytest.mark.parametrize("how", [{"ufrag": "nobody"}, {"password": "wrong" * 6}])
async def test_a_stranger_gets_no_answer(how: dict[str, Any]) -> None:
    bench = Bench()
    assert bench.check(bench.add(), **how) == []
    assert bench.plane.of("set_path") == []
    assert bench.home.refused == 1


async def test_a_recorded_check_leads_nobody_elsewhere() -> None:
    bench = Bench()
    transport = bench.add()
    assert bench.check(transport, HERE, transaction=b"recorded one", use_candidate=True)
    assert bench.check(transport, HERE, transaction=b"recorded one", use_candidate=True)  # the client repeats it
    assert not bench.check(transport, THERE, transaction=b"recorded one", use_candidate=True)
    assert transport.path == HERE
    assert bench.home.refused == 1
    for _ in range(1000):
        bench.check(transport, HERE)
    assert len(transport._transactions) <= 256


@pytest.mark.parametrize("how", [{}, {"controlling": None, "controlled": 5}])
@pytest.mark.parametrize("host", ["192.0.2.9", "2001:db8::9"])
async def test_no_answer_to_an_unknown_address_is_larger_than_its_check(host: str, how: dict[str, Any]) -> None:
    """The smallest check there is, recorded, with somebody else's address as its source."""
    bench = Bench()
    transport = bench.add()
    bench.check(transport, HERE)
    transport.ufrag = "a"
    bench.home.learn(transport)
    name = "a:b"
    check = stun.binding_request(os.urandom(12), name, transport.password.encode(), **{"controlling": 1, **how})
    small = stun.build(stun.REQUEST | stun.BINDING, os.urandom(12), [(stun.USERNAME, b"a:b")], transport.password.encode())
    for data in (check, small):
        before = len(bench.plane.of("send"))
        bench.home.stun(Path(0, host, 5000), data)
        assert all(len(answer) <= len(data) for _, answer in bench.plane.of("send")[before:])


async def test_garbage_and_answers_are_ignored() -> None:
    bench = Bench()
    transport = bench.add()
    bench.home.stun(HERE, b"\0" * 20)
    bench.home.stun(HERE, stun.binding_success(b"t" * 12, "192.0.2.1", 1, transport.password.encode()))
    assert bench.plane.of("send") == []


async def test_the_path_moves_only_by_nomination() -> None:
    bench = Bench()
    transport = bench.add()
    bench.check(transport, HERE)
    bench.check(transport, THERE)
    assert transport.path == HERE
    bench.check(transport, THERE, use_candidate=True)
    assert bench.plane.of("set_path") == [(transport.number, HERE), (transport.number, THERE)]


async def test_a_controlled_client_is_told_to_change() -> None:
    bench = Bench()
    transport = bench.add()
    (answer,) = bench.check(transport, controlling=None, controlled=5)
    assert answer.error is not None
    assert answer.error[0] == 487
    assert transport.path is None


async def test_an_ice_restart_keeps_the_old_credentials_until_the_new_are_nominated() -> None:
    bench = Bench()
    transport = bench.add()
    old: dict[str, Any] = {"ufrag": transport.ufrag, "password": transport.password}
    transport.restart()
    assert (transport.ufrag, transport.password) != (old["ufrag"], old["password"])
    assert bench.check(transport, **old)
    assert bench.check(transport)
    assert bench.check(transport, **old)
    assert bench.check(transport, use_candidate=True)
    assert not bench.check(transport, **old)
    bench.home.close(transport)
    assert not bench.check(transport)


@pytest.mark.parametrize(
    ("description", "answered", "sentence"),
    [
        (sdp.Description(), False, "No media section of the description is in use."),
        (described([]), False, "The description has no fingerprint."),
        (
            described([("md5", "AA"), ("sha-1", "AA")]),
            False,
            "The description has no fingerprint by SHA-256, SHA-384 or SHA-512.",
        ),
        (described([("sha-256", "AA")], ufrag=""), False, "The description has no ICE credentials."),
        (described([("sha-256", "AA")]), True, "An answer's setup is active or passive."),
    ],
)
async def test_a_description_that_cannot_be_connected_to(description: sdp.Description, answered: bool, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        Bench().add().remote(description, answered=answered)
    assert str(caught.value) == sentence


async def test_the_fingerprint_may_not_change() -> None:
    transport = Bench().add()
    transport.remote(described([("sha-256", "AA")]), answered=False)
    assert not transport.is_restart(described([("sha-256", "AA")]))
    assert transport.is_restart(described([("sha-256", "AA")], ufrag="newer"))
    with pytest.raises(ValueError, match="changes the DTLS fingerprint"):
        transport.remote(described([("sha-256", "BB")]), answered=False)


async def test_who_never_comes_is_given_up() -> None:
    bench = Bench()
    transport = bench.add()
    bench.clock.now += 1000
    bench.home.tick()
    assert bench.events.said == []  # it cannot know yet where to send
    transport.remote(described([("sha-256", "AA")]), answered=False)
    bench.clock.now += CONNECT_WITHIN + 1
    bench.home.tick()
    assert bench.events.said == [("lost", transport.number, "never connected")]
    assert len(bench.home) == 0


# ---- with a DTLS client


class Wire:
    """What aiortc takes for its ICE transport, joined to a transport of the bench."""

    role, state = "controlling", "completed"

    def __init__(self, bench: Bench, transport: Transport) -> None:
        self._bench, self._transport = bench, transport
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.sent: deque[bytes] = deque()
        bench.plane.on_dtls = lambda _, data: self._queue.put_nowait(data)

    async def _send(self, data: bytes) -> None:
        self.sent.append(data)
        self._bench.home.dtls(self._transport.number, data)

    async def _recv(self) -> bytes:
        data = await self._queue.get()
        if data is None:
            raise ConnectionError
        return data

    def cut(self) -> None:
        self._queue.put_nowait(None)


class Client:
    def __init__(self, bench: Bench, transport: Transport) -> None:
        self.certificate = RTCCertificate.generateCertificate()
        self.wire = Wire(bench, transport)
        self.dtls = RTCDtlsTransport(cast(Any, self.wire), [self.certificate])
        self.fingerprints = [(one.algorithm, one.value) for one in self.certificate.getFingerprints()]

    async def start(self, role: str) -> None:
        self.dtls._set_role(role)
        parameters = [RTCDtlsFingerprint(algorithm, value) for algorithm, value in CERTIFICATE.fingerprints]
        await asyncio.wait_for(self.dtls.start(RTCDtlsParameters(parameters)), 5)


async def connected(setup: str = "actpass", *, data: bool = False) -> tuple[Bench, Transport, Client]:
    bench = Bench()
    transport = bench.add()
    client = Client(bench, transport)
    transport.remote(described(client.fingerprints, setup), answered=False)
    if data:
        transport.session.data(5000, 65_536, False)
    bench.check(transport)
    await client.start("client" if setup == "active" else "server")
    await until(lambda: bench.plane.of("set_keys"))
    return bench, transport, client


@pytest.mark.parametrize("setup", ["actpass", "active"])
async def test_a_handshake_in_either_role_yields_the_keys_of_both_ends(setup: str) -> None:
    bench, transport, client = await connected(setup)
    ((number, profile, receive, transmit),) = bench.plane.of("set_keys")
    assert number == transport.number
    assert profile == "SRTP_AEAD_AES_128_GCM"
    assert client.dtls._ssl is not None
    material = client.dtls._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 56)
    theirs, ours = material[:16] + material[32:44], material[16:32] + material[44:56]
    if setup == "actpass":  # we were the client
        theirs, ours = ours, theirs
    assert (receive, transmit) == (theirs, ours)
    assert bench.events.said == [("connected", number)]
    bench.home.close(transport)
    await client.dtls.stop()


async def test_a_check_before_the_answer_is_enough() -> None:
    """Who answers our offer checks at once; the answer comes by the hub, later. No second check is waited for."""
    bench = Bench()
    transport = bench.add()
    client = Client(bench, transport)
    bench.check(transport)
    assert not transport.session.started
    transport.remote(described(client.fingerprints, "active"), answered=True)
    await client.start("client")
    await until(lambda: bench.plane.of("set_keys"))
    bench.home.close(transport)
    await client.dtls.stop()


async def test_somebody_elses_certificate_is_refused() -> None:
    bench = Bench()
    transport = bench.add()
    client = Client(bench, transport)
    other = RTCCertificate.generateCertificate().getFingerprints()[0]
    transport.remote(described([(other.algorithm, other.value)]), answered=False)
    bench.check(transport)
    await client.start("server")
    await until(lambda: bench.events.said)
    assert bench.events.said == [("lost", transport.number, "The DTLS handshake failed.")]
    assert bench.plane.of("set_keys") == []
    client.wire.cut()


async def test_a_handshake_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtls, "HANDSHAKE_WITHIN", 0.05)
    bench = Bench()
    transport = bench.add()
    transport.remote(described([("sha-256", "AA")]), answered=False)
    bench.check(transport)
    await until(lambda: bench.events.said)
    assert bench.events.said == [("lost", transport.number, "DTLS handshake timed out")]


async def test_the_clients_goodbye_ends_the_transport() -> None:
    bench, transport, client = await connected()
    await client.dtls.stop()
    await until(lambda: len(bench.events.said) == 2)
    assert bench.events.said[1] == ("lost", transport.number, "closed")
    await until(lambda: not bench.plane.transports)


async def test_our_goodbye_reaches_the_client() -> None:
    bench, transport, client = await connected()
    bench.home.close(transport)
    await until(lambda: client.dtls.state == "closed")
    assert bench.events.said == [("connected", transport.number)]  # nobody is told what they did themselves
    await until(lambda: not bench.plane.transports)


async def test_closed_in_the_moment_when_the_handshake_is_done(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    transport = bench.add()
    client = Client(bench, transport)
    transport.remote(described(client.fingerprints), answered=False)
    transport.session.data(5000, 65_536, False)
    ours, loop = cast(Any, transport.session)._dtls, asyncio.get_running_loop()
    ours.on("statechange", lambda: loop.call_soon(bench.home.close, transport) if ours.state == "connected" else None)
    bench.check(transport)
    await client.start("server")
    await until(lambda: client.dtls.state == "closed")
    await until(lambda: not bench.plane.transports)
    assert bench.events.said == []
    assert bench.plane.of("set_keys") == []
    assert transport.session._sctp is None
    assert not caplog.records


async def test_silence_is_told_once_and_ends_with_a_check() -> None:
    bench, transport, client = await connected()
    bench.clock.now += 15
    bench.home.tick()
    bench.home.path_silent(transport.number)  # the plane heard nothing, and no check came for long
    bench.clock.now += 10
    bench.home.tick()
    assert bench.events.said[1:] == [("silent", transport.number)]
    bench.check(transport, THERE, use_candidate=True)
    assert bench.events.said[2:] == [("connected", transport.number)]
    bench.home.tick()
    assert len(bench.events.said) == 3
    bench.home.close(transport)
    await client.dtls.stop()


async def test_a_lost_tcp_connection_frees_the_path() -> None:
    bench = Bench()
    transport = bench.add()
    tcp = Path(0, "192.0.2.7", 5000, connection=3)
    bench.check(transport, tcp)
    bench.home.connection_closed(tcp)
    bench.check(transport, THERE)
    assert transport.path == THERE


async def data_channels(client: Client) -> tuple[RTCSctpTransport, dict[str, RTCDataChannel], list[tuple[str, bytes]]]:
    sctp = RTCSctpTransport(client.dtls)
    await sctp.start(RTCSctpCapabilities(65_536), 5000)
    channels, heard = {}, []
    for label, lossless in (("_reliable", True), ("_lossy", False), ("_data_track", False)):
        retransmits = None if lossless else 0
        channel = RTCDataChannel(sctp, RTCDataChannelParameters(label, ordered=lossless, maxRetransmits=retransmits))
        channel.on("message", lambda data, label=label: heard.append((label, data)))
        channels[label] = channel
    await until(lambda: all(channel.readyState == "open" for channel in channels.values()))
    return sctp, channels, heard


async def test_messages_of_all_channels_in_both_directions() -> None:
    bench, transport, client = await connected(data=True)
    sctp, channels, heard = await data_channels(client)
    channels["_reliable"].send(b"r" * 40_000)
    channels["_lossy"].send(b"lossy")
    channels["_lossy"].send("text is not for us")
    await until(lambda: len(bench.events.said) == 3)
    assert sorted(bench.events.said[1:], key=str) == [
        ("message", transport.number, False, b"lossy"),
        ("message", transport.number, True, b"r" * 40_000),
    ]
    transport.session.send(True, b"down")
    transport.session.send(False, b"down too")
    transport.session.send_frame(b"frame")
    await until(lambda: len(heard) == 3)
    assert heard == [("_reliable", b"down"), ("_lossy", b"down too"), ("_data_track", b"frame")]
    channels["_data_track"].send(b"f")
    await until(lambda: ("frame", transport.number, b"f") in bench.events.said)
    assert bench.events.writable
    transport.session.send(True, bytes(70_000))  # more than the client takes
    await until(lambda: transport.session.dropped == 1)
    bench.home.close(transport)
    await sctp.stop()
    await client.dtls.stop()


async def test_data_negotiated_later_and_opened_by_us() -> None:
    bench, transport, client = await connected()
    transport.session.send(True, b"nobody hears it")
    sctp = RTCSctpTransport(client.dtls)
    opened: list[RTCDataChannel] = []
    sctp.on("datachannel", opened.append)
    await sctp.start(RTCSctpCapabilities(65_536), 5000)
    transport.session.data(5000, 65_536, True)
    await until(lambda: len(opened) == 3)
    assert [(channel.label, channel.ordered, channel.maxRetransmits) for channel in opened] == [
        ("_reliable", True, None),
        ("_lossy", False, 0),
        ("_data_track", False, 0),
    ]
    assert transport.session.dropped == 1
    bench.home.close(transport)
    await sctp.stop()
    await client.dtls.stop()


async def test_a_hostile_acknowledgement_ends_that_peer(caplog: pytest.LogCaptureFixture) -> None:
    bench, transport, client = await connected(data=True)
    sctp, _, _ = await data_channels(client)
    gaps = b"".join((1).to_bytes(2, "big") + (65_535).to_bytes(2, "big") for _ in range(100))
    sack = b"\x03\x00" + (16 + len(gaps)).to_bytes(2, "big") + bytes(8) + (100).to_bytes(2, "big") + bytes(2) + gaps
    await client.dtls._send_data(bytes(12) + sack)
    await until(lambda: bench.events.said[-1][0] == "lost")
    assert bench.events.said[-1] == (
        "lost",
        transport.number,
        "An SCTP acknowledgement claims more than can be outstanding.",
    )
    assert "Traceback" not in caplog.text
    await sctp.stop()
    await client.dtls.stop()


async def test_the_lane_lets_the_loop_breathe_between_steps() -> None:
    lane, order = Lane(), list[str]()
    loop = asyncio.get_running_loop()

    def media() -> None:
        order.append("media")
        if len(order) < 8:
            loop.call_soon(media)

    for number in range(4):
        lane.run(partial(order.append, f"step {number}"))
    loop.call_soon(media)
    await asyncio.sleep(0.01)
    assert [one for one in order if one != "media"] == ["step 0", "step 1", "step 2", "step 3"]
    assert all("media" in order[order.index(f"step {n}") : order.index(f"step {n + 1}")] for n in range(3))


def test_a_bucket_lends_and_takes_back() -> None:
    bucket = Bucket(1000, 500)
    assert bucket.take(500, 10.0) == 0
    assert bucket.take(250, 10.0) == 0.25
    assert bucket.take(0, 10.25) == 0
    assert bucket.take(500, 20.0) == 0
