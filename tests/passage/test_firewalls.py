"""Networks that let little out: the media port by TCP, a relay, nothing but IPv6. Chromium stands behind them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from commhub.certificates import Authority
from tests.support import free_port
from tests.support.browser import chromium, trusting
from tests.support.caller import Caller
from tests.support.far import Far
from tests.support.hub import Hub
from tests.support.proofs import Figure
from tests.support.relay import coturn
from tests.support.tab import Tab, tab

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

CONFIGS = Path(__file__).parents[2] / "configs"
#: How the page's media travels: [type, protocol, relay protocol, remote address] of every nominated pair.
PATH = """async () => {
  const found = [];
  for (const pc of [room.engine.pcManager.publisher, room.engine.pcManager.subscriber]) {
    const stats = pc && await pc.getStats();
    for (const one of stats ? stats.values() : []) {
      if (one.type !== 'candidate-pair' || !one.nominated || one.state !== 'succeeded') continue;
      const local = stats.get(one.localCandidateId), remote = stats.get(one.remoteCandidateId);
      found.push([local.candidateType, local.protocol, local.relayProtocol ?? '', remote.address]);
    }
  }
  return found;
}"""


async def meet(hub: Hub, one: Tab) -> float:
    """The page and somebody near see each other: seconds from the page's join to its first pictures of the other."""
    async with Caller(hub.url, hub.token("near")) as near:
        began = time.monotonic()
        await one.join()
        seen = await one.sees("near")
        await one.publish()
        await near.sees("page", count=10)
        return seen - began


def insecure(hub: Hub) -> list[str]:
    """Camera and microphone also on a page that has neither TLS nor loopback."""
    return [f"--unsafely-treat-insecure-origin-as-secure={hub.base}"]


async def test_udp_blocked(far: Far, figure: Figure) -> None:
    async with Hub(host=far.here, media=(f"{far.here}={far.here}",)) as hub:
        await far.only("meta l4proto tcp")
        async with chromium(netns=far.name, more=insecure(hub)) as browser:
            one = await tab(browser, hub, "page")
            took = await meet(hub, one)
            assert {path[1] for path in await one.run(PATH)} == {"tcp"}
            figure("UDP blocked: Chromium from join to pictures over ICE-TCP", took, "s", goal="≤ 8 s")


async def test_nothing_but_tcp_443(far: Far, tmp_path: Path, figure: Figure) -> None:
    """The shipped haproxy and coturn files, one certificate each: the page and the relayed call come through one port."""
    authority = Authority(tmp_path, datetime.now(UTC))
    pages, relay = (write_certificate(authority, tmp_path / name) for name in ("hub.example", "turn.example"))
    (tmp_path / "hub.pem").write_bytes(pages[0].read_bytes() + pages[1].read_bytes())
    tls_port = free_port()
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(coturn(tmp_path, far.here, free_port(), tls_port, far.here, certificate=relay))
        turn = running.turn("turns:turn.example:443?transport=tcp")
        hub = await stack.enter_async_context(Hub(media=(f"{far.here}={far.here}",), turn=turn))
        await stack.enter_async_context(haproxy(tmp_path, far.here, tls_port, hub.port))
        await far.only("tcp dport 443")
        home = await trusting(tmp_path / "home", tmp_path / "ca.crt")
        names = f"--host-resolver-rules=MAP hub.example {far.here}, MAP turn.example {far.here}"
        async with chromium(home, netns=far.name, more=[names]) as browser:
            inside, hub.base, hub.url = hub.url, "https://hub.example", "wss://hub.example"
            one = await tab(browser, hub, "page")
            async with Caller(inside, hub.token("near")) as near:
                began = time.monotonic()
                await one.join()
                seen = await one.sees("near")
                await one.publish()
                await near.sees("page", count=10)
            assert {(path[0], path[2]) for path in await one.run(PATH)} == {("relay", "tls")}
            figure("only TCP 443: Chromium from join to pictures through haproxy and coturn", seen - began, "s", goal="≤ 8 s")


async def test_nothing_but_ipv6(far: Far, figure: Figure) -> None:
    async with Hub(host=far.here6, media=(f"{far.here6}={far.here6}",)) as hub:
        await far.only("meta nfproto ipv6")
        async with chromium(netns=far.name, more=insecure(hub)) as browser:
            one = await tab(browser, hub, "page")
            took = await meet(hub, one)
            assert {(path[1], path[3]) for path in await one.run(PATH)} == {("udp", far.here6)}
            figure("IPv6 alone: Chromium from join to pictures", took, "s")


def write_certificate(authority: Authority, stem: Path) -> tuple[Path, Path]:
    certificate, key = authority.issue([stem.name], datetime.now(UTC))
    files = stem.with_suffix(".crt"), stem.with_suffix(".key")
    for file, data in zip(files, (certificate, key), strict=True):
        file.write_bytes(data)
        file.chmod(0o644)  # coturn gives up root
    return files


@asynccontextmanager
async def haproxy(folder: Path, host: str, turn_port: int, hub_port: int) -> AsyncIterator[None]:
    text = (CONFIGS / "haproxy.cfg").read_text("utf-8")
    for was, now in (
        ("maxconn 20000", "maxconn 200"),
        ("bind :443", f"bind {host}:443"),
        ("127.0.0.1:5349", f"{host}:{turn_port}"),
        ("abns@commhub-pages", f"abns@commhub-{folder.name}-{os.getpid()}"),
        ("/etc/haproxy/hub.pem", str(folder / "hub.pem")),
        ("127.0.0.1:8080", f"127.0.0.1:{hub_port}"),
    ):
        assert was in text
        text = text.replace(was, now)
    (folder / "haproxy.cfg").write_text(text, "utf-8")
    process = await asyncio.create_subprocess_exec("haproxy", "-f", str(folder / "haproxy.cfg"), "-db")
    try:
        for _ in range(100):
            assert process.returncode is None
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(host, 443)
                writer.close()
                break
            await asyncio.sleep(0.05)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
