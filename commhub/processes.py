"""The processes of a hub: what `commhub serve` starts, and each of them. Settings come by the environment.

Apart from :mod:`commhub.cli`, whose libraries people need and processes do not: after a crash each second of loading counts,
and six processes load at once.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, NoReturn

from commhub import log as logs
from commhub import machine
from commhub import settings as tree
from commhub.errors import Invalid
from commhub.settings import Loaded, Settings
from commhub.supervisor import GRACE, MISCONFIGURED, AlreadyRunning, Child, Supervisor, claim

log = logs.get(__name__)

# The kinds of bridges there are; each is a process of its own.
BRIDGES = ("rtsp", "gb28181")
NICE = 5  # of everything but media: packets come first


def fail(status: int, *lines: str) -> NoReturn:
    for line in lines:
        print(line, file=sys.stderr)
    raise SystemExit(status)


def load(config: Path | None = None, more: Sequence[str] = (), dev: bool = False) -> Loaded:
    """The settings, with the options written into the environment, so that every child reads the same. SystemExit(2) with every
    mistake."""
    if config is not None:
        os.environ["COMMHUB_CONFIG"] = str(config.absolute())
    if dev:
        os.environ["COMMHUB_DEV"] = "true"
    for item in more:
        path, equals, value = item.partition("=")
        if not equals:
            fail(MISCONFIGURED, f"--set {path}: 应写作 section.key=值 / is not section.key=value.")
        os.environ[tree.variable(path)] = value
    try:
        return tree.load()
    except tree.Mistakes as mistakes:
        count = len(mistakes.lines)
        fail(MISCONFIGURED, f"配置有 {count} 处错误 / mistakes in the configuration: {count}", *mistakes.lines)


def begin(loaded: Loaded, process: str) -> Settings:
    settings = loaded.settings
    logs.configure(settings.log.level, settings.log.format, process)
    return settings


# ---- one of them


async def _until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Runs `work`; SIGTERM and SIGINT cancel it, and that is a good end."""
    task = asyncio.ensure_future(work)
    told = False

    def stop() -> None:
        nonlocal told
        told = True
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await task
    except asyncio.CancelledError:
        if not told:
            raise


def _run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """One of the hub's processes, to its end. What a restart cannot mend ends with status 2 and a sentence."""
    try:
        begun = work()  # loads what is to run, and waits for its turn
        gc.freeze()
        gc.enable()
        asyncio.run(_until_signal(begun))
        machine.end_turn()
    except Invalid as error:
        fail(MISCONFIGURED, f"{error.message_zh} / {error.message}")
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            fail(MISCONFIGURED, f"地址或端口不可用 / address or port not available: {error}")
        log.exception("process failed")
        raise SystemExit(1) from None


def hub(settings: Settings, said: argparse.Namespace) -> None:
    """People and records."""
    from commhub import app as parts

    if settings.gb28181.enabled:
        from commhub.devices import load_words

        load_words()
    machine.wait_turn(settings.run_dir / "hub.turn")
    _run(lambda: parts.hub(settings, [socket.socket(fileno=number) for number in said.listening]))


def media(settings: Settings, said: argparse.Namespace) -> None:
    """Packets."""
    from commhub import children as parts

    _run(lambda: parts.media(settings, said.index))


def bridge(settings: Settings, said: argparse.Namespace) -> None:
    """A foreign world."""
    if said.kind not in BRIDGES:
        fail(MISCONFIGURED, f"没有这种桥接 / no such bridge: {said.kind}")
    from commhub import children as parts

    _run(lambda: parts.bridge(settings, said.kind))


def record(settings: Settings, said: argparse.Namespace) -> None:
    """What is kept."""
    from commhub import children as parts

    _run(lambda: parts.record(settings, said.index))


def serve(settings: Settings, said: argparse.Namespace | None = None) -> None:
    """All of them."""
    gc.enable()
    if settings.redis.url:
        log.warning("redis.url is reserved for replicas and not used yet")
    supervise(settings, [])


KINDS: dict[str, Callable[[Settings, argparse.Namespace], None]] = {
    "hub": hub, "media": media, "bridge": bridge, "record": record, "serve": serve,
}  # fmt: skip


def main(words: Sequence[str]) -> None:
    """``kind --option …``, as :func:`processes` writes it. Only SystemExit."""
    # Nothing of what is loaded now is ever garbage.
    gc.disable()
    parser = argparse.ArgumentParser("commhub", allow_abbrev=False)
    parser.add_argument("process", choices=KINDS)
    parser.add_argument("--index", type=int, default=0, help="of its kind")
    parser.add_argument("--kind", default="", help="of the bridge")
    parser.add_argument("--listening", type=int, action="append", default=[], help="a socket to accept at, inherited")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--dev", action="store_true")
    said = parser.parse_args(words)
    number = {"media": f"-{said.index}", "record": f"-{said.index}", "bridge": f"-{said.kind}"}.get(said.process, "")
    name = "supervisor" if said.process == "serve" else said.process + number
    KINDS[said.process](begin(load(said.config, said.set, said.dev), name), said)
    raise SystemExit(0)


# ---- all of them


def processes(settings: Settings, listeners: Sequence[socket.socket] = ()) -> list[Child]:
    """The processes of a hub; ``listeners`` are where browsers and LiveKit clients connect to."""
    listening = [word for one in listeners for word in ("--listening", str(one.fileno()))]
    program = (sys.executable, "-m", "commhub")
    workers = [("media", "--index", str(index)) for index in range(settings.media.workers)]
    bridges = [kind for kind in BRIDGES if kind != "gb28181" or settings.gb28181.enabled]
    return [
        *(Child(f"media-{words[-1]}", (*program, *words), spare=True) for words in workers),
        Child("hub", (*program, "hub", *listening), NICE, spare=True, sockets=listeners),
        # Devices that call in are not to wait for a process to load.
        *(Child(f"bridge-{kind}", (*program, "bridge", "--kind", kind), NICE, spare=kind != "rtsp") for kind in bridges),
        # With a spare a session goes on in a new file within a second.
        *(
            Child(f"record-{n}", (*program, "record", "--index", str(n)), NICE, spare=True)
            for n in range(settings.recorder.shards)
        ),
    ]


def supervise(settings: Settings, more: list[Child], ready: Callable[[], bool] | None = None) -> NoReturn:
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with claim(settings.run_dir):
            try:
                # They outlive the hub: who connects while it is being started again waits.
                listeners = machine.listen(settings.http.host, settings.http.port)
            except OSError as error:
                fail(MISCONFIGURED, f"http: 地址或端口不可用 / address or port not available: {error}")
            children = [*processes(settings, listeners), *more]
            status = Supervisor(children, settings.run_dir, grace(settings), ready).run()
    except AlreadyRunning as error:
        fail(1, str(error))
    except OSError as error:
        fail(MISCONFIGURED, f"data_dir: 无法写入 / cannot be written: {error}")
    raise SystemExit(status)


def grace(settings: Settings) -> float:
    """Seconds a process may take to end."""
    return max(GRACE, settings.media.drain_seconds + 5)
