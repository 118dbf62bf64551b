"""One participant with an unmodified client of any kind, told by the same verbs and heard in the same words.

A verb's arguments are JSON, so is what it answers. Every kind has join, leave, publish, unpublish, subscribe, data, text, bytes,
rpc, describe, simulate, state, received, streams and events. mute and allow are Python's and the browsers'; view, encodings and
vanish the browsers' alone. ``Unsupported`` elsewhere: that SDK has no such call.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from typing import Any

# What happens when it pleases (how loud somebody is, how good the line): left out where the order of events is compared.
RESTLESS = ("ConnectionQualityChanged", "ActiveSpeakersChanged", "TrackStreamStateChanged", "TokenRefreshed")


SILENT = 60.0  # seconds until a client that does not answer is given up


class PeerError(Exception):
    """What the client itself raised: its class's ``name``, its ``message``, of an RPC also ``code`` and ``data``."""

    def __init__(self, name: str, message: str, code: int | None = None, data: str = "", reason: str = "") -> None:
        super().__init__(f"{name}: {message}")
        self.name, self.message, self.code, self.data, self.reason = name, message, code, data, reason


class Peer(ABC):
    """``kind`` is python, node, chromium or firefox; ``mode`` single, dual or fallback (dual: no ``/rtc/v1`` there)."""

    def __init__(self, kind: str, mode: str, identity: str) -> None:
        self.kind, self.mode, self.identity = kind, mode, identity
        self.joined = False

    async def call(self, verb: str, **words: Any) -> Any:
        """PeerError when the client says no; TimeoutError when it says nothing."""
        try:
            return await asyncio.wait_for(self._ask(verb, words), SILENT)
        except TimeoutError:
            raise TimeoutError(f"{self.identity} ({self.kind}, {self.mode}) does not answer {verb}") from None

    @abstractmethod
    async def _ask(self, verb: str, words: dict[str, Any]) -> Any: ...

    async def close(self) -> None:
        """Leave, whatever state it is in."""
        if self.joined:
            self.joined = False
            async with asyncio.timeout(8):
                await self.call("leave")

    async def join(self, url: str, token: str, **options: Any) -> None:
        self.joined = True
        await asyncio.wait_for(self.call("join", url=url, token=token, single=self.mode != "dual", **options), 25)

    async def publish(self, source: str = "camera", **options: Any) -> str:
        """The track's sid."""
        sid: str = await self.call("publish", source=source, **options)
        return sid

    async def state(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.call("state")
        return found

    async def events(self) -> list[str]:
        found: list[str] = await self.call("events")
        return found

    async def told(self, *, since: int = 0) -> list[str]:
        """The events that come in the same order each time."""
        return [line for line in (await self.events())[since:] if line.split()[0] not in RESTLESS]

    async def heard(self, *lines: str, since: int = 0, within: float = 15.0) -> None:
        """Until each of these was said; a line may be the beginning of one. AssertionError with all that was said."""
        end = time.monotonic() + within
        while True:
            said = (await self.events())[since:]
            missing = [line for line in lines if not any(one == line or one.startswith(f"{line} ") for one in said)]
            if not missing:
                return
            assert time.monotonic() < end, f"{self.identity} ({self.kind}) did not hear {missing}, but {said}"
            await asyncio.sleep(0.05)

    async def count(self, identity: str, source: str) -> tuple[int, int]:
        """Pictures decoded (packets or frames of sound) of that track until now, and the picture's height."""
        one = (await self.call("received")).get(identity, {}).get(source, {})
        return int(one.get("count", 0)), int(one.get("height", 0))

    async def sees(self, identity: str, source: str = "camera", *, more: int = 5, within: float = 20.0) -> None:
        """Until so many more pictures (or frames of sound) of that track came."""
        began, _ = await self.count(identity, source)
        end = time.monotonic() + within
        while True:
            now, _ = await self.count(identity, source)
            began = min(began, now)  # counters begin anew with a new connection
            if now - began >= more:
                return
            assert time.monotonic() < end, (
                f"{self.identity} ({self.kind}) does not see {identity}'s {source}: {began} → {now}, {await self.events()}"
            )
            await asyncio.sleep(0.05)

    async def silent(self, identity: str, source: str = "camera", *, quiet: float = 0.6, within: float = 10.0) -> None:
        """Until nothing came of that track for ``quiet`` seconds."""
        last, since, end = -1, time.monotonic(), time.monotonic() + within
        while time.monotonic() - since < quiet:
            now, _ = await self.count(identity, source)
            if now != last:
                last, since = now, time.monotonic()
            assert time.monotonic() < end, f"{self.identity} ({self.kind}) goes on seeing {identity}'s {source}"
            await asyncio.sleep(0.1)

    async def becomes(self, what: str, value: Any, within: float = 15.0) -> None:
        """Until the state's value at this path (``others/bob/name``) is so. A part that is missing is None."""
        end = time.monotonic() + within
        while True:
            found: Any = await self.state()
            for part in what.split("/"):
                found = found.get(part) if isinstance(found, dict) else None
            if found == value:
                return
            assert time.monotonic() < end, f"{self.identity} ({self.kind}): {what} is {found!r}, not {value!r}"
            await asyncio.sleep(0.05)

    async def got(self, number: int = 1, within: float = 15.0) -> list[dict[str, Any]]:
        """The text and byte streams received, as soon as there are so many."""
        end = time.monotonic() + within
        while len(found := await self.call("streams")) < number:
            assert time.monotonic() < end, f"{self.identity} ({self.kind}) has {found}"
            await asyncio.sleep(0.05)
        streams: list[dict[str, Any]] = found
        return streams

    async def layer(self, identity: str, height: int, source: str = "camera", within: float = 20.0) -> None:
        """Until the pictures of that track are so high."""
        end = time.monotonic() + within
        while (now := (await self.count(identity, source))[1]) != height:
            assert time.monotonic() < end, f"{self.identity} ({self.kind}) sees {identity} {now} high, not {height}"
            await asyncio.sleep(0.1)

    async def answers(self, verb: str, value: Any, *, within: float = 20.0, **words: Any) -> None:
        """Until that verb answers so."""
        end = time.monotonic() + within
        while (now := await self.call(verb, **words)) != value:
            assert time.monotonic() < end, f"{self.identity} ({self.kind}) answers {verb} with {now}, not {value}"
            await asyncio.sleep(0.1)
