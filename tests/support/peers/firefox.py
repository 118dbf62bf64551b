"""Debian's Firefox ESR, headless, driven by WebDriver BiDi over its own WebSocket: nothing between it and the test.

https://w3c.github.io/webdriver-bidi/ (session.new, browsingContext.create, .navigate, script.callFunction).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

FIREFOX = "firefox-esr"
PREFERENCES: dict[str, object] = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.autoplay.blocking_policy": 0,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-gmpopenh264.autoupdate": False,
    "dom.min_background_timeout_value": 4,
    "dom.timeout.enable_budget_timer_throttling": False,
    "widget.windows.window_occlusion_tracking.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.disabledForTesting": True,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.getAddons.cache.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "services.settings.server": "data:,#none",
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.server": "",
    "remote.prefs.recommended": True,
}


class BidiError(Exception):
    pass


class Firefox:
    """``async with Firefox() as firefox``; :meth:`page` opens a tab in a profile ("user context") of its own."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def __aenter__(self) -> Firefox:
        self._profile = Path(tempfile.mkdtemp(prefix="firefox-"))
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
        (self._profile / "user.js").write_text("\n".join(lines) + "\n")
        self._process = await asyncio.create_subprocess_exec(
            "setpriv", "--pdeathsig", "TERM",  # it ends with the tests, also when they are killed
            FIREFOX, "--headless", "--no-remote", "--profile", str(self._profile), "--remote-debugging-port", "0", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        self._session = aiohttp.ClientSession()
        try:
            port = await self._port()
            self._socket = await self._session.ws_connect(f"ws://127.0.0.1:{port}/session", max_msg_size=0)
            self._reading = asyncio.ensure_future(self._read())
            await self.command("session.new", capabilities={})
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exception: object) -> None:
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.command("browser.close"), 3)
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if hasattr(self, "_reading"):
            self._reading.cancel()
        await self._session.close()
        shutil.rmtree(self._profile, ignore_errors=True)

    async def _port(self) -> int:
        """The port it chose; it writes it into its profile."""
        file = self._profile / "WebDriverBiDiServer.json"
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(FileNotFoundError, ValueError):
                port: int = json.loads(file.read_text())["ws_port"]
                return port
            assert self._process.returncode is None, "Firefox ended at once"
            await asyncio.sleep(0.05)
        raise AssertionError("Firefox does not listen within 60 s")

    async def _read(self) -> None:
        async for message in self._socket:
            answer = json.loads(message.data)
            waiting = self._waiting.pop(answer.get("id") or 0, None)
            if waiting is None or waiting.done():
                continue
            if answer["type"] == "error":
                waiting.set_exception(BidiError(f"{answer['error']}: {answer['message']}"))
            else:
                waiting.set_result(answer["result"])
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(BidiError("Firefox is gone"))

    async def command(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        return await asyncio.wait_for(self._waiting[number], 60)

    async def page(self, url: str) -> FirefoxPage:
        user = (await self.command("browser.createUserContext"))["userContext"]
        context = (await self.command("browsingContext.create", type="tab", userContext=user))["context"]
        await self.command("browsingContext.navigate", context=context, url=url, wait="complete")
        return FirefoxPage(self, user, context)


class FirefoxPage:
    def __init__(self, firefox: Firefox, user: str, context: str) -> None:
        self._firefox, self._user, self._context = firefox, user, context

    async def evaluate(self, function: str, *arguments: Any) -> Any:
        """What ``function`` (JavaScript) answers to these arguments; both travel as JSON. BidiError when it throws."""
        wrapped = f"async (text) => JSON.stringify((await ({function})(...JSON.parse(text))) ?? null)"
        answer = await self._firefox.command(
            "script.callFunction", functionDeclaration=wrapped, awaitPromise=True, target={"context": self._context},
            arguments=[{"type": "string", "value": json.dumps(arguments)}], userActivation=True,
        )  # fmt: skip
        if answer["type"] == "exception":
            raise BidiError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])

    async def close(self) -> None:
        await self._firefox.command("browser.removeUserContext", userContext=self._user)
