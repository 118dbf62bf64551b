"""What anybody may send to the plane's port: STUN, DTLS, TCP frames, other people's packets, noise."""

from __future__ import annotations

import asyncio
import os
import random
import socket

import pytest

from commhub.media import packets, plane, sockets
from commhub.media.forward import Forwarder
from commhub.wire import rtcp, rtp, stun
from tests.support.exhausted import Exhausted
from tests.support.plane import EXTENSIONS, GCM, Client, Events, Vp8Track, quiet, until
from tests.support.stage import Stage, sequences


def stranger() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


async def receive(sock: socket.socket) -> bytes:
    return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 65536), 30)


async def test_stun_from_anybody_is_handed_over_and_answered(stage: Stage) -> None:
    with stranger() as sock:
        sock.sendto(stun.binding_request(bytes(12), "a:b", b"key"), ("127.0.0.1", stage.port))
        await until(lambda: stage.events.of("stun"))
        path, data = stage.events.of("stun")[0]
        assert path == plane.Path(0, *sock.getsockname())
        message = stun.parse(data)
        stage.plane.send(path, stun.binding_success(message.transaction_id, path.host, path.port, b"key"))
        assert stun.parse(await receive(sock)).mapped_address == sock.getsockname()


async def test_stun_is_limited_per_address(stage: Stage) -> None:
    check = stun.binding_request(bytes(12), "a:b", b"key")
    with stranger() as loud, stranger() as other:
        for _ in range(200):
            loud.sendto(check, ("127.0.0.1", stage.port))
        other.sendto(check, ("127.0.0.1", stage.port))
        await until(lambda: len(stage.events.of("stun")) + stage.statistic("stun_limited") == 201)
        assert stage.statistic("stun_limited") >= 100  # of two seconds at most
        assert other.getsockname()[1] in {path.port for path, _ in stage.events.of("stun")}


async def test_stun_of_strangers_is_limited_altogether_but_not_that_of_peers(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packets, "CHECKS_OF_STRANGERS", 20)
    check = stun.binding_request(bytes(12), "a:b", b"key")
    peer = stage.client()
    loud = [stranger() for _ in range(50)]
    for sock in loud:
        sock.sendto(check, ("127.0.0.1", stage.port))
    peer.socket.sendto(check, ("127.0.0.1", stage.port))
    await until(lambda: peer.socket.getsockname()[1] in {path.port for path, _ in stage.events.of("stun")})
    assert len(stage.events.of("stun")) <= 41  # of two seconds at most
    assert len(stage.plane._checks) <= 45
    for sock in loud:
        sock.close()


async def test_dtls_only_from_its_own_path(stage: Stage) -> None:
    client = stage.client()
    record = b"\x16\xfe\xfd" + bytes(30)
    with stranger() as sock:
        sock.sendto(record, ("127.0.0.1", stage.port))
        await until(lambda: stage.statistic("unknown_path") == 1)
    client.socket.sendto(record, client.target)
    await until(lambda: stage.events.of("dtls") == [(client.number, record)])
    stage.plane.send_dtls(client.number, b"\x16answer")
    await until(lambda: client.other == [b"\x16answer"])


async def test_other_peoples_packets_do_nothing(stage: Stage) -> None:
    publisher, subscriber, enemy = stage.client(), stage.client(), stage.client()
    stage.video(1, publisher)
    stage.route(5, 1, subscriber)
    packets = Vp8Track(5555).frame(3, key=True)
    with stranger() as sock:
        sock.sendto(publisher.outbound.protect(packets[0]), ("127.0.0.1", stage.port))  # right keys, wrong place
        await until(lambda: stage.statistic("unknown_path") == 1)
    enemy.send(packets[1])  # its own keys, somebody else's SSRC
    await until(lambda: stage.statistic("unknown_stream") == 1)
    publisher.socket.sendto(enemy.outbound.protect(packets[1]), publisher.target)  # right place, wrong keys
    await until(lambda: stage.statistic("unauthentic") == 1)
    publisher.socket.sendto(enemy.outbound.protect_rtcp(rtcp.build_bye([5555])), publisher.target)
    await until(lambda: stage.statistic("unauthentic") == 2)
    enemy.send_rtcp(rtcp.build_nack(1, 0xABCDEF01, [1]) + rtcp.build_pli(1, 0xABCDEF01))
    await quiet(0.02)
    assert subscriber.received == []
    assert stage.statistic("plis_in") == stage.statistic("nacks_in") == 0


async def test_noise_of_every_kind_stops_nothing(stage: Stage) -> None:
    """Random datagrams, mutated real ones, authentic nonsense: the next good packet still goes through."""
    publisher, subscriber = stage.client(), stage.client()
    stage.video(1, publisher)
    stage.route(5, 1, subscriber)
    rng, track = random.Random(8), Vp8Track(5555)
    good = track.frame(1, key=True)[0]
    sealed = publisher.outbound.protect(good)
    for number in range(1500):
        kind = rng.randrange(4)
        if kind == 0:
            data = rng.randbytes(rng.choice((1, 2, 3, 11, 12, 13, 20, 40, 300, 2047, 3000)))
        elif kind == 1:
            mutated = bytearray(sealed)
            for _ in range(rng.randrange(1, 4)):
                mutated[rng.randrange(len(mutated))] = rng.randrange(256)
            data = bytes(mutated[: rng.randrange(1, len(mutated) + 1)])
        elif kind == 2:
            data = bytes((rng.choice((0x80, 0x90, 0xBF)), rng.choice((96, 97, 200, 205)))) + rng.randbytes(rng.randrange(60))
        else:
            data = bytes((rng.randrange(4),)) + rng.randbytes(rng.randrange(60))
        publisher.socket.sendto(data, publisher.target)
        if number % 100 == 0:
            await asyncio.sleep(0)
    sequence = 0
    for number in range(200):  # authentic, but not what it says
        body = rng.randbytes(rng.randrange(12))
        values = [(EXTENSIONS[plane.MID], b"v"), (EXTENSIONS[plane.TRANSPORT_CC], rng.randbytes(rng.randrange(1, 4)))]
        ssrc, payload_type = rng.choice((5555, 777, 778)), rng.choice((96, 97, 5))
        sequence += rng.randrange(1, 3000)
        packet = rtp.build(body, ssrc=ssrc, sequence=sequence, timestamp=0, payload_type=payload_type, values=values)
        publisher.send(bytes((packet[0] | rng.choice((0, 0x20)),)) + packet[1:])
        kinds = rng.choice((200, 201, 203, 205, 206))
        words = rng.randrange(1, 12)
        publisher.send_rtcp(bytes((0x80 | rng.randrange(32), kinds)) + words.to_bytes(2, "big") + rng.randbytes(4 * words))
        if number % 50 == 0:
            await asyncio.sleep(0)
    await quiet(0.05)
    subscriber.received.clear()
    fresh = Vp8Track(4444, mid="v")
    for packet in fresh.frame(2, key=True):
        publisher.send(packet)
    await until(lambda: len(subscriber.received) >= 2)


async def test_a_new_ssrc_on_the_same_line_goes_on_in_the_same_stream(stage: Stage) -> None:
    publisher, subscriber = stage.client(), stage.client()
    stage.video(1, publisher)
    stage.route(5, 1, subscriber)
    for ssrc in (100, 200, 300):
        track = Vp8Track(ssrc, sequence=ssrc * 7, timestamp=ssrc << 20, seed=ssrc)
        for packet in (*track.frame(2), *track.frame(2, key=True), *track.frame(2)):
            publisher.send(packet)
        await until(lambda: len(subscriber.received) == 4 * ssrc // 100)  # noqa: B023
    assert sequences(subscriber.received) == list(range(12))


async def test_streams_a_peer_may_bring_are_bounded(stage: Stage) -> None:
    publisher = stage.client()
    stage.video(1, publisher)
    for ssrc in range(400):
        publisher.send(Vp8Track(1000 + ssrc).frame(1)[0])
        if ssrc % 50 == 0:
            await asyncio.sleep(0)
    await until(lambda: stage.statistic("packets_in") == 400)
    peer = stage.plane._peers[publisher.number]
    assert len(peer.streams) <= 64
    assert len(peer._windows) <= 256


# --------------------------------------------------------------------------------------------------------- TCP


class TcpClient(Client):
    """The same far end over ICE-TCP."""

    stream: socket.socket
    path: plane.Path

    @classmethod
    async def dial(cls, stage: Stage, number: int) -> TcpClient:
        self = cls(stage.plane, number, stage.port, GCM)
        self.stream = socket.socket()
        self.stream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(self.stream, ("127.0.0.1", stage.port))
        self.frame(stun.binding_request(bytes(12), "a:b", b"key"))
        await until(lambda: [path for path, _ in stage.events.of("stun") if path.port == self.stream.getsockname()[1]])
        self.path = next(path for path, _ in stage.events.of("stun") if path.port == self.stream.getsockname()[1])
        stage.plane.set_path(number, self.path)
        return self

    def frame(self, data: bytes) -> None:
        self.stream.send(len(data).to_bytes(2, "big") + data)

    def send(self, packet: bytes) -> None:
        self.frame(self.outbound.protect(packet))

    def close(self) -> None:
        super().close()
        self.stream.close()


async def test_media_over_tcp(stage: Stage) -> None:
    publisher, subscriber = await TcpClient.dial(stage, 11), await TcpClient.dial(stage, 12)
    stage.clients += [publisher, subscriber]
    assert publisher.path.connection > 0
    stage.video(1, publisher)
    stage.route(5, 1, subscriber)
    packets = Vp8Track(5555).frame(5, key=True)
    whole = b"".join(len(d).to_bytes(2, "big") + d for d in (publisher.outbound.protect(p) for p in packets))
    for at in range(0, len(whole), 37):  # frames do not keep to segments
        publisher.stream.send(whole[at : at + 37])
        await asyncio.sleep(0)
    stream = b""
    while len(subscriber.received) < 5:
        stream += await receive(subscriber.stream)
        while len(stream) >= 2 and len(stream) >= 2 + (size := int.from_bytes(stream[:2], "big")):
            data, stream = stream[2 : 2 + size], stream[2 + size :]
            if not 192 <= data[1] <= 223:
                subscriber.received.append(subscriber.inbound.unprotect(data))
    assert [rtp.payload(p) for p in subscriber.received] == [rtp.payload(p) for p in packets]
    subscriber.stream.close()
    await until(lambda: stage.events.of("connection_closed") == [(subscriber.path,)])


async def test_a_frame_too_long_ends_the_connection(stage: Stage) -> None:
    client = await TcpClient.dial(stage, 11)
    stage.clients.append(client)
    client.stream.send(b"\x00\x00" + b"\xff\xff")  # an empty frame is fine, 65,535 octets are not
    assert await receive(client.stream) == b""
    await until(lambda: stage.events.of("connection_closed") == [(client.path,)])


async def test_a_connection_that_does_not_read_is_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "OUT_LIMIT", 20_000)
    client = await TcpClient.dial(stage, 11)
    stage.clients.append(client)
    for _ in range(6000):
        stage.plane.send_dtls(11, bytes(1000))
    assert stage.statistic("dropped_out") > 0
    connection = stage.plane._sockets.source(client.path)
    assert isinstance(connection, sockets.Connection)
    assert len(connection._out) <= 22_000
    received = await receive(client.stream)
    while not received.endswith(b"the end"):
        stage.plane.send_dtls(11, b"the end")
        received += await receive(client.stream)
        received = received[-1002:] if not received.endswith(b"the end") else received


async def dials(port: int, count: int) -> list[socket.socket]:
    streams = []
    for _ in range(count):
        stream = socket.socket()
        stream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(stream, ("127.0.0.1", port))
        streams.append(stream)
        await asyncio.sleep(0.001)
    return streams


async def test_connections_that_say_nothing_end(monkeypatch: pytest.MonkeyPatch) -> None:
    events = Events()
    forwarder = Forwarder(events)
    port = forwarder.open([plane.Address("127.0.0.1", "127.0.0.1")], 0)[0][1]
    streams = await dials(port, 3)
    await until(lambda: len(forwarder._sockets._connections) == 3)
    forwarder._sockets.expire(asyncio.get_running_loop().time() + 5)
    assert events.of("connection_closed") == []
    forwarder._sockets.expire(asyncio.get_running_loop().time() + 11)
    await until(lambda: len(events.of("connection_closed")) == 3)
    forwarder.close()
    for stream in streams:
        stream.close()


@pytest.mark.parametrize("bound", ["UNBOUND_PER_HOST", "CONNECTIONS_PER_HOST", "CONNECTIONS"])
async def test_of_too_many_that_prove_nothing_the_oldest_goes(monkeypatch: pytest.MonkeyPatch, stage: Stage, bound: str) -> None:
    client = await TcpClient.dial(stage, 11)
    stage.clients.append(client)
    monkeypatch.setattr(sockets, bound, 3)
    streams = await dials(stage.port, 6)
    await until(lambda: stage.statistic("connections_refused") >= 3)
    assert await receive(streams[0]) == b""
    client.frame(stun.binding_request(bytes(12), "a:b", b"key"))  # who is somebody's path stays
    await until(lambda: len([path for path, _ in stage.events.of("stun") if path == client.path]) == 2)
    for stream in streams:
        stream.close()


async def test_where_everybody_is_proven_a_new_connection_is_refused(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    client = await TcpClient.dial(stage, 11)
    stage.clients.append(client)
    monkeypatch.setattr(sockets, "CONNECTIONS", 1)
    (stream,) = await dials(stage.port, 1)
    assert await receive(stream) == b""
    assert stage.events.of("connection_closed") == []
    stream.close()


async def test_a_connection_that_proves_nothing_may_not_say_much(stage: Stage) -> None:
    (stream,) = await dials(stage.port, 1)
    noise = (1000).to_bytes(2, "big") + b"\xff" * 1000

    async def go_on() -> None:
        while True:
            await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(stream, noise), 30)

    with pytest.raises(ConnectionError):
        await go_on()
    stream.close()


async def test_without_file_descriptors_media_goes_on(monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    door = stage.plane._sockets
    listener = door._listeners[0]
    door.loop.remove_reader(listener)
    empty = Exhausted(listener)
    door.loop.add_reader(listener, door._accept, empty, 0)  # type: ignore[arg-type]
    (stream,) = await dials(stage.port, 1)
    await asyncio.sleep(0.7)
    await until(lambda: empty.calls > 1)
    assert empty.calls < 10  # neither given up nor spinning
    empty.full = False
    await until(lambda: len(door._connections) == 1)
    stream.close()


# ------------------------------------------------------------------------------------------------------ sockets


async def test_both_protocols_share_one_port_number() -> None:
    forwarder = Forwarder(Events())
    opened = forwarder.open([plane.Address("127.0.0.1", "192.0.2.1"), plane.Address("127.0.0.2", "192.0.2.2")], 0)
    assert [announced for announced, _ in opened] == ["192.0.2.1", "192.0.2.2"]
    socket.create_connection(("127.0.0.2", opened[1][1])).close()
    other = Forwarder(Events())
    with pytest.raises(OSError):
        other.open([plane.Address("127.0.0.1", "x")], opened[0][1])
    other.close()
    forwarder.close()


async def test_ipv6(stage: Stage) -> None:
    try:
        opened = stage.plane.open([plane.Address("::1", "::1")], 0)
    except OSError:
        pytest.skip("no IPv6 here")
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.bind(("::1", 0))
        sock.setblocking(False)
        sock.sendto(stun.binding_request(bytes(12), "a:b", b"key"), ("::1", opened[0][1]))
        await until(lambda: stage.events.of("stun"))
        path, _ = stage.events.of("stun")[0]
        assert (path.socket, path.host, path.port) == (1, "::1", sock.getsockname()[1])
        stage.plane.send(path, b"answer")
        assert await receive(sock) == b"answer"


async def test_runs_of_equal_packets_leave_in_one_call_and_arrive_apart(stage: Stage) -> None:
    client = stage.client()
    source = stage.plane._sockets.source(plane.Path(0, "", 0))
    assert isinstance(source, sockets.UdpPort)
    lengths = [100] * 12 + [60] + [100, 101, 101, 7] + [500]
    packets = [bytes((20 + n % 40,)) + os.urandom(length - 1) for n, length in enumerate(lengths)]
    key = client.socket.getsockname()
    pairs = [part for packet in packets for part in (packet[:3], packet[3:])]
    assert source.send(key, pairs) == 0
    await until(lambda: len(client.other) == len(packets))
    assert client.other == packets
    assert source.gso
    source.gso = False
    assert source.send(key, pairs) == 0
    await until(lambda: client.other == packets * 2)


async def test_offload_that_does_not_work_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    client = stage.client()
    source = stage.plane._sockets.source(plane.Path(0, "", 0))
    assert isinstance(source, sockets.UdpPort)
    monkeypatch.setattr(sockets, "_UDP_SEGMENT", 9999)  # the kernel says EINVAL
    packets = [bytes((20,)) * 50 for _ in range(4)]
    assert source.send(client.socket.getsockname(), [part for packet in packets for part in (packet, b"")]) == 0
    await until(lambda: client.other == packets)
    assert not source.gso
