"""A whole CommHub on loopback: ``commhub serve`` with a sample city and a simulated camera, in a folder of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
import sys
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from commhub.archive import Archive, SessionKeys
from tests.support import free_port

SECRET = "0123456789abcdef0123456789abcdef"
REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class SignIn:
    account: str
    password: str
    name: str
    role: str


class Person:
    """Somebody signed in to the REST API."""

    def __init__(self, base: str, session: aiohttp.ClientSession, me: dict[str, Any]) -> None:
        self.base, self.session, self.me = base, session, me

    async def call(self, method: str, path: str, body: Any = None, *, status: int = 0, **headers: str) -> Any:
        """The answer's JSON. AssertionError unless the status is ``status`` (or 2xx)."""
        headers = {"X-CSRF-Token": self.me["csrf"], "Origin": self.base, **headers}
        async with self.session.request(method, f"{self.base}/api/v1{path}", json=body, headers=headers) as response:
            text = await response.text()
            good = response.status == status if status else response.status < 300
            assert good, f"{method} {path}: {response.status} {text[:500]}"
            return json.loads(text) if text else None


@dataclass(frozen=True)
class Sample:
    """What ``commhub sample`` made: its answer, and the files of its data directory."""

    made: dict[str, Any]
    files: dict[Path, bytes]

    @classmethod
    def of(cls, data: Path, made: dict[str, Any]) -> Self:
        return cls(made, {path.relative_to(data): path.read_bytes() for path in data.rglob("*") if path.is_file()})

    def lay(self, data: Path) -> None:
        for path, content in self.files.items():
            (data / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            (data / path).touch(0o600)
            (data / path).write_bytes(content)


#: A sample city costs six CPU-seconds, mostly hashed passwords: a process makes one for each setting it depends on, and for the
#: port its camera has then.
_samples: dict[tuple[str, int], Sample] = {}
#: Who has a camera's port now.
_installations: weakref.WeakSet[Installation] = weakref.WeakSet()


def _camera_port(kind: str) -> int:
    taken = {one.camera_port for one in _installations}
    return next((port for made, port in _samples if made == kind and port not in taken), 0) or free_port()


class Installation:
    """``async with Installation(folder) as hub``: everything runs; nothing is left afterwards."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.kind = settings.get("COMMHUB_GB28181__ENABLED", "")
        self.port, self.media_port, self.camera_port = free_port(), free_port(), _camera_port(self.kind)
        _installations.add(self)
        self.settings = settings
        self.secure = settings.get("COMMHUB_HTTP__TLS") == "on"
        self.base = f"http{'s' if self.secure else ''}://localhost:{self.port}"
        self.sign_ins: list[SignIn] = []
        self._serve: asyncio.subprocess.Process | None = None
        self._camera: asyncio.subprocess.Process | None = None
        self._sessions: list[aiohttp.ClientSession] = []
        self.log = folder / "serve.log"

    @property
    def environment(self) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("COMMHUB_")}
        return {
            **clean,
            "COMMHUB_DATA_DIR": str(self.folder / "data"),
            "COMMHUB_HTTP__HOST": "127.0.0.1",
            "COMMHUB_HTTP__PORT": str(self.port),
            "COMMHUB_MEDIA__PORT": str(self.media_port),
            "COMMHUB_MEDIA__ADDRESS": '["127.0.0.1"]',
            # A test machine is slow for many reasons: only tests of overload are about that.
            "COMMHUB_MEDIA__SHED_ABOVE": "10",
            "COMMHUB_MEDIA__REFUSE_ABOVE": "10",
            "COMMHUB_KEYS": json.dumps({"APItest": SECRET}),
            "COMMHUB_BRIDGES__ALLOW": json.dumps([f"127.0.0.1:{self.camera_port}"]),
            **self.settings,
        }

    @property
    def ca(self) -> Path:
        """The certificate of the hub's own CA; there when it has started with ``COMMHUB_HTTP__TLS=on``."""
        return self.folder / "data" / "tls" / "ca.crt"

    def _connector(self) -> aiohttp.TCPConnector:
        """Trusts this hub's CA, and nobody else's."""
        return aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=self.ca) if self.secure else True)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "commhub", *words]

    async def run(self, *words: str) -> str:
        """One command to its end; its standard output. AssertionError when it fails."""
        process = await asyncio.create_subprocess_exec(
            *self.command(*words), env=self.environment, cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, errors = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode == 0, f"{words}: {process.returncode} {errors.decode()[-2000:]}"
        return output.decode()

    async def start(self) -> None:
        if not self.sign_ins:
            made = await self._sample()
            self.sign_ins = [SignIn(**one) for one in made["sign_ins"]]
            self.camera = made["camera"]
        if self._camera is None:
            await self.start_camera()
        await self.serve()

    async def _sample(self) -> dict[str, Any]:
        data, key = self.folder / "data", (self.kind, self.camera_port)
        fresh = not data.exists() and "COMMHUB_DATABASE__URL" not in self.settings
        if fresh and key in _samples:
            _samples[key].lay(data)
            return _samples[key].made
        made: dict[str, Any] = json.loads(await self.run("sample", "--camera-port", str(self.camera_port), "--json"))
        if fresh:
            _samples[key] = Sample.of(data, made)
        return made

    async def serve(self) -> None:
        """The hub alone: no sample city, no camera."""
        with self.log.open("ab") as log:
            # It ends with the tests, also when they are killed.
            self._serve = await asyncio.create_subprocess_exec(
                "setpriv", "--pdeathsig", "TERM", *self.command("serve"),
                env=self.environment, cwd=REPOSITORY, stdout=log, stderr=log,
            )  # fmt: skip
        await self.ready()

    async def start_camera(self) -> None:
        self._camera = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "commhub", "simulate", "rtsp", "--port", str(self.camera_port),
            "--user", self.camera["user"], env={**os.environ, "CAMERA_PASSWORD": self.camera["password"]},
            cwd=REPOSITORY, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip

    async def stop_camera(self) -> None:
        if self._camera is not None:
            with contextlib.suppress(ProcessLookupError):
                self._camera.kill()
            await self._camera.wait()
            self._camera = None

    async def ready(self, within: float = 240) -> None:
        """Until /healthz is 200."""
        until = time.monotonic() + within
        while time.monotonic() < until:
            if await self._healthy():
                return
            if self._serve is not None and self._serve.returncode is not None:
                break
            await asyncio.sleep(0.1)
        raise AssertionError(f"The hub is not ready.\n{self.log.read_text()[-4000:]}")

    async def _healthy(self) -> bool:
        if self.secure and not self.ca.exists():
            return False
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with (
                aiohttp.ClientSession(connector=self._connector(), timeout=aiohttp.ClientTimeout(total=2)) as session,
                session.get(f"{self.base}/healthz") as answer,
            ):
                return answer.status == 200
        return False

    def pids(self) -> dict[str, int]:
        found: dict[str, int] = json.loads((self.folder / "data" / "run" / "pids.json").read_text())
        return found

    def kill(self, name: str) -> None:
        """``kill -9`` of one child: ``hub``, ``media-0``, ``bridge-rtsp``, ``record-0``."""
        os.kill(self.pids()[name], signal.SIGKILL)

    def plain(self, recording: str, path: str) -> Path:
        """A recorded file as anybody reads it: a copy without the encryption that it lies in. ``path`` is the file's in its
        recording. Blocking."""
        data = self.folder / "data"
        copy = self.folder / "plain" / recording / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        with Archive(data / "recordings", SessionKeys.of(data)).open(recording, path) as reader:
            copy.write_bytes(reader.read())
        return copy

    def segment(self, recording: str, url: str) -> Path:
        """The same of a track's file, by the address at which people get it."""
        track, name = url.rsplit("/", 2)[1:]
        return self.plain(recording, f"tracks/{track}/{name}")

    def who(self, role: str, number: int = 0) -> SignIn:
        return [one for one in self.sign_ins if one.role == role][number]

    async def sign_in(self, who: SignIn) -> Person:
        jar = aiohttp.CookieJar(treat_as_secure_origin=[self.base])  # the cookie is Secure, as browsers accept on loopback
        session = aiohttp.ClientSession(connector=self._connector(), cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=20))
        self._sessions.append(session)
        body = {"account": who.account, "password": who.password}
        async with session.post(f"{self.base}/api/v1/session", json=body, headers={"Origin": self.base}) as answer:
            assert answer.status == 200, await answer.text()
            return Person(self.base, session, await answer.json())

    async def spare(self, name: str, within: float = 90) -> None:
        """Until a spare of this process has loaded everything and waits for its turn."""
        run, until = self.folder / "data" / "run", time.monotonic() + within
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                if int((run / f"{name}.turn.next").read_text()) == self.pids().get(f"{name}-spare"):
                    return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{name} has no spare: {self.pids()}")

    async def crash(self) -> None:
        """``kill -9`` of the supervisor; :meth:`start` starts another one."""
        assert self._serve is not None
        self._serve.kill()
        await self._serve.wait()
        self._serve = None

    async def end(self, within: float = 20) -> float:
        """SIGTERM to all of it; the seconds it took. TimeoutError."""
        assert self._serve is not None
        began = time.monotonic()
        self._serve.terminate()
        await asyncio.wait_for(self._serve.wait(), within)
        self._serve = None
        return time.monotonic() - began

    async def stop(self) -> None:
        for session in self._sessions:
            await session.close()
        self._sessions.clear()
        if self._serve is not None:
            with contextlib.suppress(ProcessLookupError):
                self._serve.terminate()
            try:
                await asyncio.wait_for(self._serve.wait(), 20)
            except TimeoutError:
                self._serve.kill()
                await self._serve.wait()
            self._serve = None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()
        await self.stop_camera()
        _installations.discard(self)
