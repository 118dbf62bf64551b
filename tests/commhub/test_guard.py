"""The bounds of the HTTP port, on loopback sockets and with short times."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from commhub.errors import Busy
from commhub.guard import Entrance, Entries, Limits, Origins, Pace, Rates, bounded, group
from commhub.guard.frames import Frames
from tests.support import until
from tests.support.exhausted import Exhausted

SHORT = Limits(header_seconds=0.4, body_seconds=0.4, idle_seconds=5.0)


class House:
    """A small application behind an entrance."""

    def __init__(self, entrance: Entrance, port: int, scheme: str) -> None:
        self.entrance, self.port, self.scheme = entrance, port, scheme
        self.base = f"{scheme}://127.0.0.1:{port}"
        self._open: list[asyncio.StreamWriter] = []

    async def dial(self, data: bytes = b"") -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._open.append(writer)
        writer.write(data)
        return reader

    def write(self, data: bytes) -> None:
        self._open[-1].write(data)

    def hang_up(self) -> None:
        for writer in self._open:
            writer.close()


async def _hello(request: web.Request) -> web.Response:
    return web.Response(text=request.remote or "")


async def _take(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


async def _socket(request: web.Request) -> web.StreamResponse:
    if request.query.get("token") != "right":
        return web.Response(status=401, text="no")
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    async for message in ws:
        await ws.send_str(str(message.data))
    return ws


@asynccontextmanager
async def house(
    limits: Limits = SHORT, *, tls: ssl.SSLContext | None = None, origins: Origins | None = None, clock: Any = None
) -> AsyncIterator[House]:
    origins = origins or Origins()
    entries = Entries(limits, origins, clock) if clock else Entries(limits, origins)
    app = web.Application(client_max_size=1 << 20, middlewares=[bounded(limits.body_seconds), entries.middleware])
    app.add_routes([web.get("/", _hello), web.post("/", _take), web.get("/rtc", _socket)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    assert runner.server is not None
    entrance = Entrance(runner.server, limits, origins)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    port = listener.getsockname()[1]
    entrance.open([listener], tls)
    one = House(entrance, port, "https" if tls else "http")
    try:
        yield one
    finally:
        one.hang_up()
        await entrance.close()
        await runner.cleanup()
        await until(lambda: not len(entrance), what="no connection is left")


async def ask(base: str, **more: Any) -> str:
    async with aiohttp.ClientSession() as session, session.get(base, **more) as answer:
        return await answer.text()


HALF = b"GET /rtc?access_token=x HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


@pytest.mark.parametrize("begun", [b"", b"G", HALF])
async def test_a_head_that_does_not_come_ends_the_connection(begun: bytes) -> None:
    async with house() as hub:
        reader = await hub.dial(begun)
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert hub.entrance.late == 1


async def test_a_head_that_comes_in_drops_is_not_waited_for_longer() -> None:
    async with house() as hub:
        began = asyncio.get_running_loop().time()
        reader = await hub.dial(HALF)
        ended = asyncio.ensure_future(reader.read())
        while not ended.done():
            hub.write(b"X: y\r\n")
            await asyncio.sleep(0.05)
        assert asyncio.get_running_loop().time() - began < 3
        assert hub.entrance.late == 1


async def test_the_second_head_of_a_connection_has_its_own_time() -> None:
    async with house() as hub:
        reader = await hub.dial(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
        await reader.readuntil(b"127.0.0.1")
        await asyncio.sleep(0.6)  # idle: no head has begun
        hub.write(b"GET / HTTP/1.1\r\n")
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 408")


async def test_idle_connections_end() -> None:
    async with house(Limits(idle_seconds=0.3)) as hub:
        reader = await hub.dial(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
        await reader.readuntil(b"127.0.0.1")
        assert await asyncio.wait_for(reader.read(), 5) == b""


async def test_half_open_upgrades_end_and_hold_nobody_up() -> None:
    async with house() as hub:
        readers = [await hub.dial(HALF) for _ in range(200)]
        began = asyncio.get_running_loop().time()
        assert await ask(hub.base) == "127.0.0.1"
        assert asyncio.get_running_loop().time() - began < 5
        ended = await asyncio.wait_for(asyncio.gather(*(reader.read() for reader in readers)), 10)
        assert all(answer.startswith(b"HTTP/1.1 408") for answer in ended)
        await until(lambda: not len(hub.entrance), what="nobody is left")


async def test_a_websocket_lives_on_beyond_the_times_of_requests() -> None:
    short = Limits(header_seconds=0.2, body_seconds=0.2, idle_seconds=1)
    async with house(short) as hub, aiohttp.ClientSession() as session, session.ws_connect(f"{hub.base}/rtc?token=right") as ws:
        await asyncio.sleep(1.3)
        await ws.send_str("still here")
        assert (await ws.receive_str()) == "still here"


KEY = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
PING, EMPTY = b"\x89\x80mask", b"\x82\x80mask"


async def ended(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(ConnectionError):
        while await asyncio.wait_for(reader.read(65536), 5):
            pass


@pytest.mark.parametrize("frame", [PING, EMPTY], ids=["pings", "empty"])
@pytest.mark.parametrize("early", [True, False], ids=["with the head", "after it"])
async def test_frames_that_nobody_waits_for_end_a_websocket(frame: bytes, early: bool) -> None:
    """aiohttp answers pings by itself and holds back nobody who sends empty frames."""
    async with house(Limits(requests_per_second=10)) as hub, aiohttp.ClientSession() as session:
        calm = await session.ws_connect(f"{hub.base}/rtc?token=right", autoping=False)
        for _ in range(100):
            await calm.ping()
        head = HALF.replace(b"?access_token=x", b"?token=right") + KEY
        reader = await hub.dial(head + frame * (2000 if early else 1))
        if not early:
            await reader.readuntil(b"\r\n\r\n")
            hub.write(b"\x82\xfe\x01\x00mask" + b"x" * 256 + frame * 2000)
        await ended(reader)
        assert hub.entrance.flooded == 1
        await calm.send_str("x")
        while (await calm.receive()).data != "x":
            pass


def test_frames_are_counted_wherever_they_are_cut() -> None:
    stream = b"".join(
        (
            b"\x82\x05hello",
            b"\x89\x80mask",
            b"\x82\xfe\x01\x2cmask" + bytes(300),
            b"\x02\x7f" + (70_000).to_bytes(8) + bytes(70_000),
        )
    )
    for size in (1, 2, 3, 7, 1000, len(stream) * 3):
        frames = Frames(0, 12)
        cut = [(stream * 3)[at : at + size] for at in range(0, len(stream) * 3, size)]
        assert all(frames.take(part, 0.0) for part in cut)
        assert not frames.take(b"\x89\x00", 0.0)
    frames = Frames(10, 1)
    assert [frames.take(b"\x89\x00", now) for now in (0.0, 0.1, 0.2)] == [True, True, True]
    assert not frames.take(b"\x89\x00", 0.25)


async def test_a_refused_upgrade_keeps_no_connection() -> None:
    async with house() as hub:
        reader = await hub.dial(HALF + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
        assert (await asyncio.wait_for(reader.read(), 5)).startswith(b"HTTP/1.1 401")


async def test_an_upgrade_of_what_is_no_websocket_keeps_none_either() -> None:
    """Behind it another one could come, whose frames begin nobody knows where."""
    async with house() as hub:
        refused = HALF.replace(b"/rtc?access_token=x", b"/") + KEY
        reader = await hub.dial(refused + HALF.replace(b"?access_token=x", b"?token=right") + KEY + PING)
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"101 Switching" not in answer


async def test_tls_that_is_not_negotiated_ends(tmp_path: Path) -> None:
    async with house(tls=_server_tls(tmp_path)) as hub:
        reader = await hub.dial()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        reader = await hub.dial(b"GET / HTTP/1.1\r\n\r\n")  # not TLS at all
        await asyncio.wait_for(reader.read(), 5)
        trusting = ssl.create_default_context(cafile=tmp_path / "c.pem")
        assert await ask(hub.base, ssl=trusting) == "127.0.0.1"


def _server_tls(folder: Path) -> ssl.SSLContext:
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1)).add_extension(names, False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "c.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "k.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "c.pem", folder / "k.pem")
    return context


# ---- how many


async def test_of_too_many_strangers_the_oldest_goes_and_a_guest_stays() -> None:
    async with house(Limits(connections_per_address=4)) as hub:
        guest = await hub.dial(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
        await guest.readuntil(b"127.0.0.1")
        first = await hub.dial(HALF)
        await until(lambda: hub.entrance.strangers == 1, what="the first stranger")
        for _ in range(6):
            await hub.dial(HALF)
        assert await asyncio.wait_for(first.read(), 5) == b""
        assert await ask(hub.base) == "127.0.0.1"
        assert len(hub.entrance) <= 4
        assert not guest.at_eof()


async def test_where_all_are_guests_the_next_one_is_told_so() -> None:
    async with house(Limits(connections_per_address=2)) as hub:
        for _ in range(2):
            await (await hub.dial(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")).readuntil(b"127.0.0.1")
        async with aiohttp.ClientSession() as session, session.get(hub.base) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (429, "10")
            assert "该地址的连接过多" in await answer.text()
        assert hub.entrance.refused == 1


async def test_all_addresses_together_and_a_trusted_proxy_is_not_counted_alone() -> None:
    proxies = Origins([ipaddress.ip_network("127.0.0.0/8")])
    async with house(Limits(connections=3, connections_per_address=1, connects_per_second=0.01), origins=proxies) as hub:
        for _ in range(3):
            await (await hub.dial(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")).readuntil(b"127.0.0.1")
        refused = await hub.dial()
        assert (await asyncio.wait_for(refused.read(), 5)).startswith(b"HTTP/1.1 429")


async def test_who_connects_too_often_waits() -> None:
    async with house(Limits(connects_per_second=0.1)) as hub:  # two at once
        assert await ask(hub.base) == await ask(hub.base) == "127.0.0.1"
        async with aiohttp.ClientSession() as session, session.get(hub.base) as answer:
            assert answer.status == 429


async def test_without_file_descriptors_accepting_rests_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with house() as hub:
        await hub.dial(HALF)
        await until(lambda: len(hub.entrance) == 1, what="a stranger")
        hub.entrance._pause()
        empty = Exhausted(hub.entrance._listeners[0])
        hub.entrance._listeners[0] = empty  # type: ignore[call-overload]
        hub.entrance._resume()
        waiting = asyncio.ensure_future(ask(hub.base))
        await asyncio.sleep(0.7)
        await until(lambda: empty.calls > 1)
        assert empty.calls < 10  # neither given up nor spinning
        assert hub.entrance.evicted == 1  # a stranger's descriptor is free again
        empty.full = False
        assert await asyncio.wait_for(waiting, 5) == "127.0.0.1"
        assert caplog.text.count("cannot accept") <= 1


# ---- bodies


async def test_a_body_that_does_not_come_ends_the_connection() -> None:
    async with house() as hub:
        reader = await hub.dial(b"POST / HTTP/1.1\r\nHost: hub\r\nContent-Length: 100\r\n\r\nabc")
        assert await asyncio.wait_for(reader.read(), 5) == b""


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_limit_is_not_kept(chunked: bool) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield bytes(64 << 10)

    async with house(Limits()) as hub, aiohttp.ClientSession() as session:
        more: dict[str, Any] = {} if chunked else {"headers": {"Content-Length": str(160 * (64 << 10))}}
        async with session.post(hub.base, data=endless(), **more) as answer:
            assert answer.status == 413


async def test_a_packed_body_is_refused_unopened() -> None:
    bomb = gzip.compress(bytes(10 << 20))
    headers = {"Content-Encoding": "gzip"}
    async with (
        house() as hub,
        aiohttp.ClientSession() as session,
        session.post(hub.base, data=bomb, headers=headers) as answer,
    ):
        assert answer.status == 415
        assert "packed" in await answer.text()


# ---- how often


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_wrong_tokens_of_an_address_are_slowed_but_others_are_not() -> None:
    clock = Clock()
    proxies = Origins([ipaddress.ip_network("127.0.0.0/8")])

    async def status(address: str, query: str = "") -> tuple[int, str, str]:
        async with session.get(f"{hub.base}/rtc{query}", headers={"X-Forwarded-For": address}) as answer:
            return answer.status, answer.headers.get("Retry-After", ""), await answer.text()

    limits = Limits(failures_per_minute=3)
    async with house(limits, origins=proxies, clock=clock) as hub, aiohttp.ClientSession() as session:
        assert [(await status("198.51.100.7"))[0] for _ in range(3)] == [401, 401, 401]
        code, later, text = await status("198.51.100.7")
        assert (code, later) == (403, "20")  # a status whose sentence LiveKit's clients show
        assert text == "Too many refused attempts from this address. 来自该地址的失败尝试过多，请稍后再试。"
        assert (await status("198.51.100.7", "?reconnect=1"))[0] == 429  # who comes back tries again
        assert (await status("198.51.100.8"))[0] == 401
        clock.now += 21
        assert (await status("198.51.100.7"))[0] == 401


def test_joins_of_an_address() -> None:
    clock = Clock()
    entries = Entries(Limits(joins_per_second=0.1), Origins(), clock)
    request = make_mocked_request("GET", "/rtc")
    entries.join(request)
    entries.join(request)
    with pytest.raises(Busy, match="Too many people join from this address at once") as caught:
        entries.join(request)
    assert caught.value.retry_after == 10
    clock.now += 10
    entries.join(request)


def test_one_identity_that_connects_again_and_again() -> None:
    clock = Clock()
    entries = Entries(Limits(), Origins(), clock)
    assert [entries.again("own alice") for _ in range(61)] == [0.0] * 60 + [0.25]
    assert entries.again("own bob") == 0
    clock.now += 0.25
    assert entries.again("own alice") == 0


def test_rates_remember_only_so_many() -> None:
    rates = Rates(0.1, 1, capacity=3)
    assert rates.take("a", 0) == 0
    assert rates.take("a", 5) == pytest.approx(5)
    for key in "bcd":
        assert rates.take(key, 6) == 0
    assert len(rates._levels) == 3
    assert rates.take("a", 6) == 0  # forgotten


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", "not an address"),
        ("x" * 500, "x" * 64),
    ],
)
def test_what_counts_as_one_address(address: str, expected: str) -> None:
    assert group(address) == expected


def test_a_client_is_slowed_then_cut() -> None:
    pace, now = Pace(100.0), 50.0
    assert [pace.take(10, now) for _ in range(490)] == [0.0] * 490  # what a page sends after a reconnect
    waits: list[float] = []

    def go_on() -> None:
        nonlocal now
        while len(waits) < 5000:
            waits.append(pace.take(10, now))
            now += waits[-1]

    with pytest.raises(ValueError, match=r"^Too many signalling messages\.$"):
        go_on()
    assert 900 < len(waits) < 1200  # ten seconds at the rate
    assert max(waits) < 0.02


def test_one_at_the_rate_is_never_cut_and_large_messages_count_for_more() -> None:
    pace, now = Pace(100.0), 50.0
    for _ in range(3000):
        assert pace.take(10, now) == 0
        now += 0.0101
    assert sum(pace.take(256 << 10, now) for _ in range(20)) > 1


def test_a_message_after_a_rest_is_forgiven() -> None:
    pace, now = Pace(10.0), 50.0
    for _ in range(5):
        for _ in range(60):
            now += pace.take(10, now)
        now += 9
