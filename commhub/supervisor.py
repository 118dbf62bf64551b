"""`commhub serve`: starts the hub's processes, watches them, starts them again. Nothing else.

Standard library only, no network input, no state: what it knows is which child has which pid, and that is in
`<run_dir>/pids.json` too. A dead child is started again at once, one that keeps dying after a growing delay. No
child outlives the supervisor, not even a killed one.

SIGTERM ends all of it, SIGUSR2 starts every process anew, one after the other (:class:`Roll`). SIGHUP does the same for a
service; for one that was started in a terminal it means that the terminal is gone: it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

log = logging.getLogger(__name__)

FIRST_DELAY = 0.2
LONGEST_DELAY = 5.0
HEALTHY_AFTER = 30.0  # seconds a child must live for its earlier deaths to be forgotten
SPARE_AFTER = 5.0  # seconds until a spare is started, at first and after one was used
SPARES_WAIT = 20.0  # seconds that spares leave the processor to those who work, at the start of everything
SPARE_READY = 15.0  # seconds a new spare may take to load everything, while all is started anew
SETTLED = 1.5  # seconds between the next life of one process and the end of another
LOOK = 0.1  # seconds between two looks at what is being started anew
GRACE = 10.0  # seconds between SIGTERM and SIGKILL
SWEEP = 5.0  # seconds for what an earlier supervisor has left to end
MISCONFIGURED = 2  # a child's exit status that says: starting me again cannot help
_MARK = "_COMMHUB_RUN"  # in the environment of everything that is started for one directory
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class AlreadyRunning(Exception):
    """Another supervisor works in this directory."""


@contextlib.contextmanager
def claim(run_dir: Path) -> Iterator[None]:
    """This directory is ours, and nothing is left in it that another supervisor has started. AlreadyRunning.

    It is made if need be, for this user only: whoever can reach the sockets in it commands the hub.
    """
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    run_dir.chmod(0o700)
    with open(run_dir / "supervisor.lock", "a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyRunning(
                f"{run_dir.parent} 正由另一个 commhub 使用（进程 {file.read().strip()}）。 / "
                f"Another commhub already works in this data directory."
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        _sweep(run_dir)
        yield


def _mark(run_dir: Path) -> str:
    return str(run_dir.resolve())


def _sweep(run_dir: Path) -> None:
    """End what a killed supervisor has left: its children die with it, but not at once, and what they started may not."""
    mark = f"{_MARK}={_mark(run_dir)}".encode()
    until = time.monotonic() + SWEEP
    while left := [pid for pid in _processes() if mark in _environment(pid)]:
        if time.monotonic() > until:
            log.warning("processes of an earlier supervisor do not end", extra={"child": "", "pids": left})
            return
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _processes() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and int(each.name) != os.getpid()]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or is somebody else's
        return []


class Backoff:
    """How long to wait before a child is started again: not at all, then 0.2 s, doubling up to 5 s."""

    def __init__(self) -> None:
        self._deaths = 0

    def after(self, lived: float) -> float:
        """The delay after a life of `lived` seconds."""
        if lived >= HEALTHY_AFTER:
            self._deaths = 0
        self._deaths += 1
        return 0.0 if self._deaths == 1 else min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** (self._deaths - 2))


@dataclass(frozen=True)
class Child:
    """A process to keep running: its name in logs and pids.json, its command, how nice it is. One with a spare says when it is at
    work (`machine.at_work`) and is not nice before: whoever is missing is urgent."""

    name: str
    command: Sequence[str]
    nice: int = 0
    spare: bool = False  # keep a second one that has loaded everything and waits for its turn (`machine.wait_turn`)
    sockets: Sequence[socket.socket] = ()  # inherited under the same numbers; they outlive every life of the child
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # besides ours; secrets come this way


@dataclass
class _Life:
    child: Child
    spare: _Life | None = None
    main: _Life | None = None  # whose spare it is
    backoff: Backoff = field(default_factory=Backoff)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    due_at: float = 0.0  # when to start it (again), monotonic
    first: bool = True
    told: bool = False  # to end, by us
    urgent: bool = False  # not nice yet


def _ended(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"


class Roll:
    """Starts every process anew, one after the other: first its spare, so that the takeover is as short as after a death, then
    itself, by SIGTERM. ``step(now)`` does what is due; False when all are done."""

    def __init__(self, lives: Sequence[_Life], run_dir: Path, grace: float) -> None:
        self._left = list(lives)
        self._run_dir = run_dir
        self._grace = grace
        self._steps = self._all()
        self._due = 0.0
        self._now = 0.0

    def step(self, now: float) -> bool:
        self._now = now
        while self._due <= self._now:
            wait = next(self._steps, None)
            if wait is None:
                return False
            self._due = now + wait
        return True

    def _all(self) -> Iterator[float]:
        """Yields how long to wait until the next look."""
        for life in self._left:
            if life.spare is not None:
                yield from self._end(life.spare)
                life.spare.due_at = 0.0
                until = self._now + SPARE_READY
                while not self._waits(life) and self._now < until:
                    yield LOOK
            yield from self._end(life)
            yield SETTLED

    def _waits(self, life: _Life) -> bool:
        """Has its spare loaded everything, and waits? It says so itself (`machine.wait_turn`)."""
        assert life.spare is not None
        process = life.spare.process
        return process is not None and _said(self._run_dir / f"{life.child.name}.turn.next") == process.pid

    def _end(self, life: _Life) -> Iterator[float]:
        process = life.process
        if process is None:
            return
        life.told = True
        process.send_signal(signal.SIGTERM)
        until = self._now + self._grace
        while life.process is process:
            if self._now >= until:
                log.warning("process does not end, killing it", extra={"child": life.child.name})
                _signal_group(process.pid, signal.SIGKILL)
                until = float("inf")
            yield LOOK


class Supervisor:
    """Runs `children` until SIGTERM or SIGINT. Must be used in the main thread.

    `ready`, if given, is called every 0.2 s until it returns True (and must be quick).
    """

    def __init__(
        self,
        children: Sequence[Child],
        run_dir: Path,
        grace: float = GRACE,
        ready: Callable[[], bool] | None = None,
    ) -> None:
        mains = [_Life(child) for child in children]
        began = time.monotonic()
        for life in mains:
            if life.child.spare:
                # Later, so that the first one has its turn and the start is not slowed down.
                waits = began + SPARE_AFTER
                life.spare = _Life(replace(life.child, name=f"{life.child.name}-spare"), main=life, due_at=waits, first=False)
        self._lives = [*mains, *(life.spare for life in mains if life.spare is not None)]
        self._run_dir = run_dir
        self._grace = grace
        self._ready = ready
        self._mains = mains
        self._spares_wait = began + SPARES_WAIT  # at the most
        self._signals = 0  # how often we were told to stop
        self._hangups = 0  # how often we were told to start all of them anew
        self._roll: Roll | None = None
        self._status = 0

    def run(self) -> int:
        """The exit status: 0 after a signal, 2 when a child says at its first start that the configuration is wrong.

        Only while `run_dir` is ours (:func:`claim`).
        """
        with self._wakeups() as woken:
            try:
                while not self._signals and not self._status:
                    self._start_due(time.monotonic())
                    self._calm()
                    woken(self._timeout(time.monotonic()))
                    self._reap(time.monotonic())
                    self._renew(time.monotonic())
                    if self._ready is not None and self._ready():
                        self._ready = None
            finally:
                self._stop(woken)
        return self._status

    def _renew(self, now: float) -> None:
        if self._hangups and self._roll is None:
            log.info("starting every process anew", extra={"child": ""})
            # Packets last: until then whoever is started anew finds them where they were.
            self._roll = Roll(self._mains[::-1], self._run_dir, self._grace)
        self._hangups = 0
        if self._roll is not None and not self._roll.step(now):
            log.info("every process was started anew", extra={"child": ""})
            self._roll = None

    # ---- starting and reaping

    def _start_due(self, now: float) -> None:
        changed = False
        for life in self._lives:
            if life.process is None and life.due_at <= now:
                if life.main is not None and not (self._works(life.main) and self._started(now)):
                    life.due_at = now + LOOK  # whoever is ready first would have the turn
                    continue
                self._start(life, now)
                changed = True
        if changed:
            self._write_pids()

    def _started(self, now: float) -> bool:
        """Does everything work that has a spare? Until then processors are too few for those who wait."""
        if now < self._spares_wait and not all(self._works(life, started=True) for life in self._mains if life.spare is not None):
            return False
        self._spares_wait = 0.0  # who dies later keeps nobody's spare waiting
        return True

    def _works(self, life: _Life, *, started: bool = False) -> bool:
        """Has it loaded everything, and its turn? ``started``: and is it at work?"""
        file = self._run_dir / f"{life.child.name}.turn"
        return life.process is not None and _said(file, 2 if started else 1) == life.process.pid

    def _calm(self) -> None:
        """Who is at work now is as nice as it is to be, with all its threads."""
        for life in self._mains:
            if life.urgent and life.process is not None and self._works(life, started=True):
                life.urgent = False
                with contextlib.suppress(OSError):  # it has ended, or a thread has
                    for thread in os.listdir(f"/proc/{life.process.pid}/task"):
                        os.setpriority(os.PRIO_PROCESS, int(thread), os.getpriority(os.PRIO_PROCESS, 0) + life.child.nice)

    def _start(self, life: _Life, now: float) -> None:
        life.urgent = life.spare is not None and life.child.nice > 0
        supervisor, nice = os.getpid(), 0 if life.urgent else life.child.nice

        def prepare() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != supervisor:  # it died between fork and prctl
                os._exit(1)
            os.nice(nice)

        # A process group of its own: Ctrl-C in a terminal reaches the supervisor alone, and what a child has
        # started itself can be ended with it.
        life.process = subprocess.Popen(
            life.child.command,
            stdin=subprocess.DEVNULL,
            preexec_fn=prepare,
            process_group=0,
            pass_fds=[one.fileno() for one in life.child.sockets],
            env=os.environ | life.child.environment | {_MARK: _mark(self._run_dir)},
        )
        life.started_at = now
        log.info("process started", extra={"child": life.child.name, "pid": life.process.pid})

    def _reap(self, now: float) -> None:
        for life in self._lives:
            if life.process is None or (status := life.process.poll()) is None:
                continue
            pid = life.process.pid
            _signal_group(pid, signal.SIGKILL)
            life.process = None
            fields = {"child": life.child.name, "pid": pid, "ended": _ended(status)}
            if self._signals or self._status:
                log.info("process ended", extra=fields)
            elif status == MISCONFIGURED and life.first and now - life.started_at < HEALTHY_AFTER:
                log.error("process cannot start as configured", extra=fields)
                self._status = MISCONFIGURED
            elif life.told:
                life.due_at = now
                log.info("process ended, starting it again", extra=fields)
            else:
                delay = life.backoff.after(now - life.started_at)
                life.due_at = now + delay
                say, what = (log.warning, "died") if status else (log.info, "ended")  # it was told to, but not by us
                say(f"process {what}, starting it again", extra=fields | {"delay": delay})
            life.first = life.told = False
            if life.spare is not None and not (self._signals or self._status):
                self._promote(life, life.spare, now)

    def _promote(self, life: _Life, spare: _Life, now: float) -> None:
        """The spare is already at work: the death of the other one was its turn. The next spare is started later."""
        if spare.process is None or spare.process.poll() is not None:
            return
        life.process, life.started_at = spare.process, now
        spare.process, spare.due_at = None, now + SPARE_AFTER
        log.info("spare took over", extra={"child": life.child.name, "pid": life.process.pid})
        self._write_pids()

    def _timeout(self, now: float) -> float | None:
        due = [max(0.0, life.due_at - now) for life in self._lives if life.process is None]
        looks = [LOOK] if self._roll is not None else [0.2] if self._ready is not None or self._urgent() else []
        return min([*due, *looks], default=None)

    def _urgent(self) -> bool:
        return any(life.urgent and life.process is not None for life in self._mains)

    # ---- stopping

    def _stop(self, woken: Callable[[float | None], None]) -> None:
        for life in self._lives:
            if life.process is not None:
                life.process.send_signal(signal.SIGTERM)
        asked, deadline = self._signals, time.monotonic() + self._grace
        while any(life.process is not None for life in self._lives):
            left = deadline - time.monotonic()
            if left <= 0 or self._signals > max(asked, 1):  # a second Ctrl-C means now
                for life in self._lives:
                    if life.process is not None:
                        log.warning("process does not end, killing it", extra={"child": life.child.name})
                        _signal_group(life.process.pid, signal.SIGKILL)
                        life.process.wait()
            else:
                woken(left)
            self._reap(time.monotonic())
        (self._run_dir / "pids.json").unlink(missing_ok=True)

    # ---- surroundings

    @contextlib.contextmanager
    def _wakeups(self) -> Iterator[Callable[[float | None], None]]:
        """Catches the signals; yields `woken(timeout)`, which returns when one came or the time is over."""

        def stop(_number: int, _frame: object) -> None:
            self._signals += 1

        def renew(_number: int, _frame: object) -> None:
            self._hangups += 1

        def nothing(_number: int, _frame: object) -> None:
            """SIGCHLD only has to wake the loop."""

        hangup = stop if _in_terminal() else renew
        handlers = {
            signal.SIGTERM: stop,
            signal.SIGINT: stop,
            signal.SIGHUP: hangup,
            signal.SIGUSR2: renew,
            signal.SIGCHLD: nothing,
        }
        reader, writer = socket.socketpair()
        with reader, writer, selectors.DefaultSelector() as selector:
            reader.setblocking(False)
            writer.setblocking(False)
            selector.register(reader, selectors.EVENT_READ)
            wakeup = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
            before = {number: signal.signal(number, handler) for number, handler in handlers.items()}

            def woken(timeout: float | None) -> None:
                if selector.select(timeout):
                    reader.recv(4096)

            try:
                yield woken
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
                signal.set_wakeup_fd(wakeup)

    def _write_pids(self) -> None:
        pids = {life.child.name: life.process.pid for life in self._lives if life.process is not None}
        whole, part = self._run_dir / "pids.json", self._run_dir / "pids.json.part"
        part.write_text(json.dumps({"supervisor": os.getpid()} | pids), "ascii")
        part.replace(whole)


def _said(file: Path, lines: int = 1) -> int:
    """The pid in a file of `machine.wait_turn`; 0 when nobody has said anything, or not so many lines."""
    try:
        said = file.read_text("ascii").splitlines()
        return int(said[0]) if len(said) >= lines else 0
    except (OSError, ValueError):
        return 0


def _in_terminal() -> bool:
    try:
        return os.isatty(0)
    except OSError:
        return False


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
