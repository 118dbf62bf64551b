from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commhub.errors import HubError, NotFound, PeerError, Unavailable
from commhub.media import link as links
from commhub.media.link import Link, Listener, dial, records
from commhub.media.messages import Done, Hello, Message, Mute, OpenRoom, PeerState, RoomState, SinkData, Welcome, WorkerSnapshot
from tests.support import until

LENGTH = struct.Struct("<I")


class Server:
    """A listener that notes what it hears and answers by ``answer``."""

    def __init__(self, folder: Path) -> None:
        self.heard: list[Message] = []
        self.batches: list[bytes] = []
        self.paired = asyncio.Event()
        self.links: list[Link] = []
        self.listener = Listener(folder, "media-0", self.links.append, self.receive)
        self.listener.on_packets = self._pair

    def _pair(self, link: Link) -> None:
        assert link.packets is not None
        link.packets.on_batch = self.batches.append
        self.paired.set()

    def receive(self, link: Link, message: Message) -> Message | None:
        self.heard.append(message)
        if isinstance(message, OpenRoom):
            raise NotFound("No such room.", "没有这个房间。", code="no_room")
        return Done()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path)
    await server.listener.start(packets=True)
    yield server
    await server.listener.close()


@contextlib.asynccontextmanager
async def dialled(folder: Path, *, packets: bool = False) -> AsyncIterator[tuple[Link, list[Message]]]:
    heard: list[Message] = []
    link, reading = await dial(folder, "media-0", lambda _, message: heard.append(message), packets=packets)
    try:
        yield link, heard
    finally:
        link.close()
        await asyncio.gather(reading, return_exceptions=True)


async def test_a_request_is_answered_and_a_failure_travels_back(server: Server, tmp_path: Path) -> None:
    async with dialled(tmp_path) as (link, _):
        assert (link.name, link.number) == ("media-0", 1)
        assert link.pid > 0
        assert await link.ask(Hello(role="hub", name="hub", epoch=7)) == Done()
        with pytest.raises(HubError) as caught:
            await link.ask(OpenRoom("r"))
        error = caught.value
        assert (error.code, error.status, error.message, error.message_zh) == ("no_room", 404, "No such room.", "没有这个房间。")
        assert await link.ask(Hello(role="hub", name="hub")) == Done()
    assert server.heard[:2] == [Hello(role="hub", name="hub", epoch=7), OpenRoom("r")]


async def test_a_message_that_is_refused_does_not_cut_the_link(server: Server, tmp_path: Path) -> None:
    async with dialled(tmp_path) as (link, heard):
        link.tell(OpenRoom("r"))
        assert await link.ask(Hello(role="hub", name="hub")) == Done()
        server.links[0].tell(Mute("r", "TR", True))
        await until(lambda: heard)
        assert heard == [Mute("r", "TR", True)]


async def test_the_order_of_messages_is_kept(server: Server, tmp_path: Path) -> None:
    async with dialled(tmp_path) as (link, _):
        for number in range(500):
            link.tell(Mute("r", str(number), True))
        await link.ask(Hello(role="hub", name="hub"))
    assert [message.track for message in server.heard if isinstance(message, Mute)] == [str(n) for n in range(500)]


async def test_who_waits_hears_of_the_end(server: Server, tmp_path: Path) -> None:
    silent = asyncio.Event()

    async def never(link: Link, message: Message) -> Message | None:
        await silent.wait()
        return None

    server.listener._handler = never
    async with dialled(tmp_path) as (link, _):
        question = asyncio.create_task(link.ask(Hello(role="hub", name="hub")))
        await until(lambda: server.links)
        await asyncio.sleep(0)
        server.links[0].close()
        with pytest.raises(Unavailable):
            await question
        with pytest.raises(Unavailable):
            await link.ask(Hello(role="hub", name="hub"))
    async with dialled(tmp_path) as (link, _):
        with pytest.raises(Unavailable, match=r"in time\."):
            await link.ask(Hello(role="hub", name="hub"), within=0.05)


async def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        await dial(tmp_path, "media-0", lambda link, message: None)


async def test_packets_are_paired_with_their_control_link(server: Server, tmp_path: Path) -> None:
    async with dialled(tmp_path), dialled(tmp_path, packets=True) as (link, _):
        await asyncio.wait_for(server.paired.wait(), 30)
        assert [one.packets is not None for one in server.links] == [False, True]
        assert link.packets is not None
        assert link.packets.send(b"batch")
        await until(lambda: server.batches)
        assert server.batches == [b"batch"]
        other_end = server.links[1].packets
        assert other_end is not None
        back: list[bytes] = []
        link.packets.on_batch = back.append
        assert other_end.send(b"and back")
        await until(lambda: back)


@pytest.mark.parametrize("first", [b"CHPK", b"XXXX" + struct.pack("<I", 1), b"CHPK" + struct.pack("<I", 99)])
async def test_an_unknown_packet_socket_is_closed(server: Server, tmp_path: Path, first: bytes) -> None:
    async with dialled(tmp_path):
        stranger = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stranger.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(stranger, str(tmp_path / "media-0.pkt"))
        stranger.send(first)
        assert await asyncio.wait_for(loop.sock_recv(stranger, 10), 30) == b""
        stranger.close()
        assert server.links[0].packets is None


async def test_a_full_packet_socket_drops_whole_batches_and_counts(server: Server, tmp_path: Path) -> None:
    async with dialled(tmp_path, packets=True) as (link, _):
        await asyncio.wait_for(server.paired.wait(), 30)
        other_end = server.links[0].packets
        assert other_end is not None
        asyncio.get_running_loop().remove_reader(other_end._sock.fileno())  # the other side does not read
        assert link.packets is not None
        sent = sum(link.packets.send(bytes(links.BATCH_LIMIT)) for _ in range(400))
        assert 0 < sent < 400
        assert link.packets.dropped == 400 - sent


async def test_the_end_of_a_packet_socket_is_heard(server: Server, tmp_path: Path) -> None:
    ended = asyncio.Event()
    async with dialled(tmp_path, packets=True) as (link, _):
        await asyncio.wait_for(server.paired.wait(), 30)
        other_end = server.links[0].packets
        assert other_end is not None
        other_end.on_end = ended.set
        assert link.packets is not None
        link.packets.close()
        await asyncio.wait_for(ended.wait(), 30)
        assert not link.packets.send(b"too late")


async def test_who_does_not_read_is_cut(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "CONTROL_BACKLOG", 1 << 20)
    _, writer = await asyncio.open_unix_connection(tmp_path / "media-0.ctl")
    await until(lambda: server.links)
    slow = server.links[0]
    patient: list[Link] = []
    slow.on_close.append(patient.append)
    for _ in range(200):
        slow.tell(SinkData("s", "i", True, bytes(100_000), 0))
        if slow.closed.is_set():
            break
    assert patient == [slow]
    slow.tell(Done())  # silently nothing
    writer.close()


async def test_a_snapshot_of_many_who_say_as_much_as_they_may_arrives(tmp_path: Path) -> None:
    """Else a restarted hub would never find the rooms of that worker again."""
    peers = [PeerState(f"PA_{number}", "p", "client", False, True, record=bytes(1 << 20)) for number in range(40)]
    whole = WorkerSnapshot("media-0", [RoomState("r", peers, [], [])], [])
    listener = Listener(tmp_path, "media-0", lambda link: None, lambda link, message: whole)
    await listener.start(packets=False)
    async with dialled(tmp_path) as (link, _):
        answer = await link.ask(Hello(role="hub", name="hub"))
        assert isinstance(answer, WorkerSnapshot)
        assert len(answer.rooms[0].peers) == 40
        assert await link.ask(Hello(role="hub", name="hub")) == whole
    await listener.close()


async def raw(folder: Path, frame: bytes) -> bytes:
    """Send a frame as a stranger would; what comes back until the link is cut."""
    reader, writer = await asyncio.open_unix_connection(folder / "media-0.ctl")
    writer.write(frame)
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer


@pytest.mark.parametrize(
    "frame",
    [
        LENGTH.pack(links.CONTROL_LIMIT + 1),
        LENGTH.pack(3) + b"abc",
        LENGTH.pack(1) + b"\x90",
        LENGTH.pack(4) + b"\x93\x00\x00\xc0",
        LENGTH.pack(11) + b"\x93\x00\x00\x81\xa4type\xa1?",
        LENGTH.pack(26) + b"\x93\x00\x00\x82\xa4type\xa8OpenRoom\xa4room\xa2\x88\x88",
    ],
    ids=["oversized", "not msgpack", "empty array", "no record", "unknown record", "not UTF-8"],
)
async def test_what_cannot_be_read_cuts_that_link_only(server: Server, tmp_path: Path, frame: bytes) -> None:
    async with dialled(tmp_path) as (link, _):
        answer = await raw(tmp_path, frame)
        assert b"Welcome" in answer
        assert await link.ask(Hello(role="hub", name="hub")) == Done()


async def test_the_dialler_learns_why(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = links._encoder.encode((0, links.MESSAGE, Welcome(1, "media-0", 1)))
        writer.write(LENGTH.pack(len(body)) + body + LENGTH.pack(links.CONTROL_LIMIT + 1))
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "media-0.ctl")
    _, reading = await dial(tmp_path, "media-0", lambda link, message: None)
    with pytest.raises(PeerError, match="larger than the limit"):
        await reading
    server.close()


def batch(*packets: bytes) -> bytes:
    return b"".join(links.RECORD.pack(n, 1000 + n, len(packet)) + packet for n, packet in enumerate(packets))


def test_the_records_of_a_batch() -> None:
    assert [(handle, at, bytes(packet)) for handle, at, packet in records(batch(b"one", b"", b"three"))] == [
        (0, 1000, b"one"),
        (1, 1001, b""),
        (2, 1002, b"three"),
    ]
    assert list(records(b"")) == []


@pytest.mark.parametrize(
    ("torn", "sentence"),
    [
        (batch(b"one")[:-1], "A record is longer than its batch."),
        (batch(b"one") + b"\0", "A record's head is torn."),
        (batch(bytes(links.PACKET_LIMIT + 1)), "A record is longer than its batch."),
    ],
)
def test_a_torn_batch(torn: bytes, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        list(records(torn))
    assert str(caught.value) == sentence
