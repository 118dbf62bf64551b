"""A network of its own for a client: one cable to here, and a firewall that a test sets. Needs root, iproute2, nftables."""

from __future__ import annotations

import asyncio
import functools
import itertools
import os
import shutil
import subprocess
from types import TracebackType
from typing import Self

_numbers = itertools.count()


@functools.cache
def reason() -> str:
    """Why it cannot be had here; '' when it can."""
    for program in ("ip", "nft"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    name = f"commhub-{os.getpid()}-try"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"no network namespaces here: {tried.stderr.strip()}"
    subprocess.run(["ip", "netns", "delete", name], check=False)
    return ""


class Far:
    """``async with Far() as far``: ``far.here`` and ``far.there`` are the cable's ends (IPv4), ``here6`` and ``there6``
    (IPv6); ``far.name`` is the namespace. Addresses are of RFC 5737 and RFC 4193, nobody's."""

    def __init__(self) -> None:
        number = next(_numbers)
        self.name = f"commhub-{os.getpid()}-{number}"
        self._here, self._there = f"ch{os.getpid() % 100000}-{number}h", f"ch{os.getpid() % 100000}-{number}t"
        net = (os.getpid() * 7 + number) % 60
        self.here, self.there = f"198.51.100.{net * 4 + 1}", f"198.51.100.{net * 4 + 2}"
        self.here6, self.there6 = f"fd00:c0:{net:x}::1", f"fd00:c0:{net:x}::2"

    def command(self, *words: str) -> list[str]:
        """To run something there; without the right to raise priorities, as everything that holds libwebrtc."""
        return ["ip", "netns", "exec", self.name, "setpriv", "--inh-caps=-sys_nice", "--bounding-set=-sys_nice", *words]

    async def __aenter__(self) -> Self:
        try:
            await _run("ip", "netns", "add", self.name)
            await _run("ip", "link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self.name)
            for words in (
                ("ip", "address", "add", f"{self.here}/30", "dev", self._here),
                ("ip", "address", "add", f"{self.here6}/64", "dev", self._here, "nodad"),
                ("ip", "link", "set", self._here, "up"),
            ):
                await _run(*words)
            for words in (
                ("ip", "address", "add", f"{self.there}/30", "dev", self._there),
                ("ip", "address", "add", f"{self.there6}/64", "dev", self._there, "nodad"),
                ("ip", "link", "set", "lo", "up"),
                ("ip", "link", "set", self._there, "up"),
                ("ip", "route", "add", "default", "via", self.here),
                ("ip", "route", "add", "default", "via", self.here6),
            ):
                await _run(*self.command(*words))
            await self.nft("add table inet f; add chain inet f out { type filter hook output priority 0; };"
                           "add chain inet f in { type filter hook input priority 0; }")  # fmt: skip
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await _run("ip", "netns", "delete", self.name, check=False)
        await _run("ip", "link", "delete", self._here, check=False)

    async def nft(self, rules: str) -> None:
        await _run(*self.command("nft", rules))

    async def only(self, *allowed: str) -> None:
        """Nothing leaves but what matches one of these (nft expressions such as ``tcp dport 443``); loopback does."""
        rules = "".join(f"add rule inet f out {one} accept; " for one in ('oif "lo"', "icmpv6 type != 0", *allowed))
        await self.nft(f"flush chain inet f out; {rules} add rule inet f out counter drop")

    async def cut(self) -> None:
        """The cable is pulled, as nobody notices: packets vanish, both ways."""
        await self.nft('add rule inet f out oif != "lo" drop; add rule inet f in iif != "lo" drop')

    async def mend(self) -> None:
        await self.nft("flush chain inet f out; flush chain inet f in")


async def _run(*words: str, check: bool = True) -> None:
    process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE)
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert not check or process.returncode == 0, f"{' '.join(words)}: {errors.decode().strip()}"
