"""A PostgreSQL of the tests' own: started once per process, on a socket in a folder of its own, ended with the process.

Its databases sort text as Chinese (ICU), which is not by bytes: what relies on an order of text must say which.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import asyncpg

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
#: A test that is killed loses what it made, and nothing else is kept.
_OPTIONS = (
    "listen_addresses=", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB",
    "max_connections=60", "autovacuum=off", "timezone=Asia/Shanghai",
)  # fmt: skip
_USER = "commhub"


class Postgres:
    """``create`` makes databases; :attr:`folder` has the socket."""

    def __init__(self) -> None:
        if not _BINARIES:
            raise FileNotFoundError("There is no PostgreSQL: tools/bootstrap.sh test installs it.")
        self._numbers = itertools.count(1)
        self.folder = Path(tempfile.mkdtemp(prefix="commhub-pg-", dir="/tmp"))  # the path of a socket is short
        atexit.register(self.close)
        # The server refuses to run as root.
        self._as = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        if self._as is not None:
            os.chown(self.folder, self._as.pw_uid, self._as.pw_gid)
        self._run(
            "initdb", "--pgdata", f"{self.folder}/data", "--username", _USER, "--auth", "trust", "--no-sync",
            "--encoding", "UTF8", "--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "zh-Hans-CN",
        )  # fmt: skip
        options = [word for one in _OPTIONS for word in ("-c", one)]
        self._server = subprocess.Popen(
            [_BINARIES[-1] / "postgres", "-D", self.folder / "data", "-k", self.folder, *options],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("w"),
            start_new_session=True,
            user=self._as.pw_uid if self._as is not None else None,
            group=self._as.pw_gid if self._as is not None else None,
            extra_groups=() if self._as is not None else None,
        )
        self._wait()

    def _run(self, name: str, *words: str) -> None:
        made = subprocess.run(
            [_BINARIES[-1] / name, *words],
            capture_output=True,
            text=True,
            cwd="/",
            check=False,
            user=self._as.pw_uid if self._as is not None else None,
            group=self._as.pw_gid if self._as is not None else None,
            extra_groups=() if self._as is not None else None,
        )
        if made.returncode:
            raise RuntimeError(f"{name}: {made.stderr}")

    def _wait(self, seconds: float = 60.0) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            ready = subprocess.run([_BINARIES[-1] / "pg_isready", "-q", "-h", self.folder, "-U", _USER], check=False)
            if ready.returncode == 0:
                return
            if self._server.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL does not start.\n{(self.folder / 'log').read_text()[-4000:]}")

    def close(self) -> None:
        if (server := getattr(self, "_server", None)) is not None and server.poll() is None:
            server.send_signal(signal.SIGQUIT)  # at once
            server.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name: str) -> str:
        return f"postgresql+asyncpg://{_USER}@/{name}?host={self.folder}"

    async def create(self, template: str = "template0") -> str:
        """The name of a new database, a copy of this one."""
        name = f"t{next(self._numbers)}"
        connection = await asyncpg.connect(host=str(self.folder), user=_USER, database="postgres")
        try:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        finally:
            await connection.close()
        return name


_server: Postgres | None = None


def postgres() -> Postgres:
    """This process's; the first who asks waits for it."""
    global _server
    if _server is None:
        _server = Postgres()
    return _server
