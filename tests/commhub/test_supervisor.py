"""The supervisor over real processes: tiny programs instead of the hub's own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from commhub.supervisor import Backoff
from tests.support import alive, wait_until

# argv: run directory, grace, then one "name:nice:program" per child; a name that ends with + keeps a spare.
PROGRAM = """
import logging, sys
from pathlib import Path
from commhub.supervisor import AlreadyRunning, Child, Supervisor, claim
from commhub import supervisor
supervisor.SPARE_AFTER, supervisor.SETTLED, supervisor.SPARES_WAIT = 0.2, 0.2, 4.0
handler = logging.StreamHandler()
handler.setFormatter(logging.Formatter("%(message)s %(child)s %(delay)s", defaults={"delay": ""}))
logging.basicConfig(level="INFO", handlers=[handler])
parts = [argument.split(":", 2) for argument in sys.argv[3:]]
children = [
    Child(name.removesuffix("+"), (sys.executable, "-c", program), int(nice), name.endswith("+")) for name, nice, program in parts
]
try:
    with claim(Path(sys.argv[1])):
        sys.exit(Supervisor(children, Path(sys.argv[1]), float(sys.argv[2])).run())
except AlreadyRunning as error:
    sys.exit(str(error))
"""
SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
GENTLE = (
    "import signal, sys, time, pathlib\n"
    "signal.signal(15, lambda *_: (pathlib.Path('{mark}').write_text('flushed'), sys.exit(0)))\n"
    "pathlib.Path('{mark}.up').touch()\n"
    "time.sleep(60)"
)


class Run:
    """A running supervisor."""

    def __init__(self, run_dir: Path, children: tuple[str, ...], grace: float, terminal: int = 0) -> None:
        self.run_dir = run_dir
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(run_dir), str(grace), *children],
            stdin=terminal or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.seen: set[int] = set()

    def pids(self) -> dict[str, int]:
        try:
            pids: dict[str, int] = json.loads((self.run_dir / "pids.json").read_text())
        except FileNotFoundError:
            return {}
        self.seen |= set(pids.values())
        return pids

    def wait_for(self, *names: str) -> dict[str, int]:
        wait_until(lambda: set(names) <= set(self.pids()), what=f"{names} run")
        return self.pids()

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        self.pids()
        self.process.send_signal(number)
        text, _ = self.process.communicate(timeout=60)
        return self.process.returncode, text


Start = Callable[..., Run]


@pytest.fixture
def start(data_dir: Path) -> Iterator[Start]:
    runs: list[Run] = []

    def run(*children: str, grace: float = 5.0, run_dir: Path = data_dir / "run", terminal: int = 0) -> Run:
        runs.append(Run(run_dir, children, grace, terminal))
        return runs[-1]

    yield run
    for each in runs:
        each.pids()
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate(timeout=60)
    everybody = set().union(*(each.seen for each in runs))
    wait_until(lambda: not any(map(alive, everybody)), what="children end with a killed supervisor")


def test_backoff_is_immediate_then_doubles_and_is_forgotten_after_a_healthy_life() -> None:
    backoff = Backoff()
    assert [backoff.after(1.0) for _ in range(8)] == [0.0, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    assert backoff.after(30.0) == 0.0
    assert backoff.after(29.9) == 0.2


def test_children_run_with_their_names_and_niceness_and_end_on_sigterm(start: Start) -> None:
    run = start(f"hub:5:{SLEEP}", f"media-0:0:{SLEEP}")
    pids = run.wait_for("supervisor", "hub", "media-0")
    assert pids["supervisor"] == run.process.pid
    base = os.getpriority(os.PRIO_PROCESS, run.process.pid)
    wait_until(lambda: os.getpriority(os.PRIO_PROCESS, pids["hub"]) == min(19, base + 5))
    assert os.getpriority(os.PRIO_PROCESS, pids["media-0"]) == base
    status, _ = run.end()
    assert status == 0
    assert not any(map(alive, pids.values()))
    assert not (run.run_dir / "pids.json").exists()


def test_a_killed_child_is_back_at_once_and_the_others_are_left_alone(start: Start) -> None:
    run = start(f"hub:0:{SLEEP}", f"media-0:0:{SLEEP}")
    before = run.wait_for("hub", "media-0")
    os.kill(before["hub"], signal.SIGKILL)
    wait_until(lambda: run.pids().get("hub") not in (None, before["hub"]))
    assert run.pids()["media-0"] == before["media-0"]
    assert "process died, starting it again hub 0.0\n" in run.end()[1]


def test_a_child_that_keeps_dying_is_started_ever_more_slowly(start: Start, data_dir: Path) -> None:
    count = data_dir / "count"
    run = start(f"hub:0:open('{count}', 'a').write('x'); raise SystemExit(1)", f"media-0:0:{SLEEP}")
    wait_until(lambda: count.exists() and len(count.read_text()) >= 3)
    assert run.process.poll() is None
    assert alive(run.wait_for("media-0")["media-0"])
    assert len(count.read_text()) < 10


def test_wrong_configuration_at_the_first_start_ends_everything_with_status_2(start: Start) -> None:
    run = start("hub:0:raise SystemExit(2)", f"media-0:0:{SLEEP}")
    text, _ = run.process.communicate(timeout=60)
    assert run.process.returncode == 2
    assert "process cannot start as configured hub" in text


def test_status_2_later_is_a_death_like_any_other(start: Start, data_dir: Path) -> None:
    mark = data_dir / "mark"
    program = (
        f"import os,time; e=os.path.exists('{mark}'); open('{mark}','a').write('x'); time.sleep(0.2); os._exit(2 if e else 1)"
    )
    run = start(f"hub:0:{program}")
    wait_until(lambda: mark.exists() and len(mark.read_text()) >= 3)
    assert run.process.poll() is None


def test_sigterm_lets_children_finish_their_work(start: Start, data_dir: Path) -> None:
    mark = data_dir / "mark"
    run = start(f"record-0:0:{GENTLE.format(mark=mark)}")
    wait_until(Path(f"{mark}.up").exists)
    assert run.end(signal.SIGINT)[0] == 0
    assert mark.read_text() == "flushed"


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace(start: Start) -> None:
    run = start(f"bridge-rtsp:0:{STUBBORN}", grace=0.5)
    run.wait_for("bridge-rtsp")
    assert run.process.stdout is not None
    assert any("deaf" in line for line in iter(run.process.stdout.readline, ""))
    status, text = run.end()
    assert status == 0
    assert "process does not end, killing it bridge-rtsp" in text
    assert not any(map(alive, run.seen))


def test_a_second_signal_kills_at_once(start: Start) -> None:
    run = start(f"bridge-rtsp:0:{STUBBORN}", grace=60)
    run.wait_for("bridge-rtsp")
    assert run.process.stdout is not None
    assert any("deaf" in line for line in iter(run.process.stdout.readline, ""))
    run.process.send_signal(signal.SIGINT)
    time.sleep(0.2)  # two signals of one kind may merge when they come together
    assert run.process.poll() is None
    assert run.end(signal.SIGINT)[0] == 0


def test_children_die_with_a_killed_supervisor(start: Start) -> None:
    run = start(f"hub:0:{SLEEP}", f"bridge-rtsp:0:{STUBBORN}")
    pids = run.wait_for("hub", "bridge-rtsp")
    run.process.kill()
    wait_until(lambda: not any(map(alive, pids.values())))


def test_what_a_dead_child_had_started_dies_too(start: Start, data_dir: Path) -> None:
    note = data_dir / "pid"
    program = (
        "import subprocess,sys,time\n"
        f"p = subprocess.Popen([sys.executable, '-c', '{SLEEP}']); open('{note}', 'w').write(str(p.pid))\n"
        "time.sleep(60)"
    )
    run = start(f"bridge-rtsp:0:{program}")
    wait_until(lambda: note.exists() and note.read_text())
    decoder = int(note.read_text())
    os.kill(run.wait_for("bridge-rtsp")["bridge-rtsp"], signal.SIGKILL)
    wait_until(lambda: not alive(decoder))


def test_two_supervisors_in_one_directory_refuse(start: Start) -> None:
    first = start(f"hub:0:{SLEEP}")
    first.wait_for("hub")
    second = start(f"hub:0:{SLEEP}")
    text, _ = second.process.communicate(timeout=60)
    assert second.process.returncode == 1
    assert "Another commhub already works in this data directory." in text
    assert str(first.process.pid) in text
    assert alive(first.pids()["hub"])


def test_a_lock_left_by_a_killed_supervisor_does_not_matter(start: Start) -> None:
    first = start(f"hub:0:{SLEEP}")
    first.wait_for("hub")
    first.process.kill()
    first.process.wait()
    second = start(f"hub:0:{SLEEP}")
    wait_until(lambda: second.pids().get("supervisor") == second.process.pid)
    assert second.end()[0] == 0


def test_run_directory_is_for_this_user_only(start: Start) -> None:
    run = start(f"hub:0:{SLEEP}")
    run.wait_for("hub")
    assert run.run_dir.stat().st_mode & 0o777 == 0o700


TURN = (
    "import os, pathlib, sys, time\n"
    "sys.path.insert(0, '{root}')\n"
    "from commhub import machine\n"
    "machine.wait_turn(pathlib.Path('{turn}'))\n"
    "pathlib.Path('{mark}').write_text(str(os.getpid()))\n"
    "while not pathlib.Path('{mark}.begin').exists(): time.sleep(0.01)\n"
    "machine.at_work()\n"
    "time.sleep(60)"
)


def turn(run_dir: Path, name: str, mark: Path, *, begin: bool = True) -> str:
    """The program of a child that has a spare. ``mark`` gets its pid when it has its turn; it is at work at ``begin``."""
    if begin:
        mark.with_name(f"{mark.name}.begin").touch()
    return TURN.format(root=Path(__file__).parents[2], turn=run_dir / f"{name}.turn", mark=mark)


def test_a_spare_takes_over_and_is_replaced(start: Start, tmp_path: Path) -> None:
    mark = tmp_path / "at-work"
    program = turn(tmp_path / "run", "hub", mark)
    run = start(f"hub+:0:{program}", run_dir=tmp_path / "run")
    wait_until(lambda: mark.exists() and mark.read_text() == str(run.pids().get("hub")), what="the first one works")
    spare = run.wait_for("hub", "hub-spare")["hub-spare"]
    os.kill(run.pids()["hub"], signal.SIGKILL)
    wait_until(lambda: mark.read_text() == str(spare), what="the spare works")
    wait_until(lambda: run.pids()["hub"] == spare, what="it has the name")
    wait_until(lambda: run.pids().get("hub-spare", spare) != spare, what="the next spare waits")
    assert mark.read_text() == str(spare)
    assert run.end()[0] == 0


def test_who_has_a_spare_is_nice_once_it_is_at_work(start: Start, tmp_path: Path) -> None:
    """Its spare from the beginning: nobody waits for that one."""
    mark = tmp_path / "at-work"
    run = start(f"hub+:5:{turn(tmp_path / 'run', 'hub', mark, begin=False)}", run_dir=tmp_path / "run")
    wait_until(mark.exists)
    base, hub = os.getpriority(os.PRIO_PROCESS, run.process.pid), run.pids()["hub"]
    time.sleep(0.5)
    assert os.getpriority(os.PRIO_PROCESS, hub) == base
    mark.with_name(f"{mark.name}.begin").touch()
    wait_until(lambda: os.getpriority(os.PRIO_PROCESS, hub) == min(19, base + 5), what="it is nice")
    spare = run.wait_for("hub-spare")["hub-spare"]
    wait_until(lambda: os.getpriority(os.PRIO_PROCESS, spare) == min(19, base + 5))


def test_a_socket_outlives_the_child_that_accepts(tmp_path: Path) -> None:
    """Who dials while the child is dead waits in the socket's queue for the next one."""
    program = f"""
import logging, socket, sys
from pathlib import Path
from commhub.supervisor import Child, Supervisor, claim
listener = socket.create_server(("127.0.0.1", 0))
Path({str(tmp_path / "port")!r}).write_text(str(listener.getsockname()[1]))
once = "import socket; s = socket.socket(fileno=%d); c, _ = s.accept(); c.send(b'served'); c.close()" % listener.fileno()
with claim(Path({str(tmp_path / "run")!r})):
    Supervisor([Child("hub", (sys.executable, "-c", once), sockets=[listener])], Path({str(tmp_path / "run")!r})).run()
"""
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        try:
            wait_until(lambda: (tmp_path / "port").exists() and (tmp_path / "port").read_text())
            address = ("127.0.0.1", int((tmp_path / "port").read_text()))
            for _ in range(3):  # each life of the child serves one
                with socket.create_connection(address, 10) as connection:
                    assert connection.recv(100) == b"served"
        finally:
            process.terminate()


FAMILY = (
    "import signal,subprocess,sys,time\n"
    "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "open('{note}', 'a').write(f'{{p.pid}} ')\n"
    "time.sleep(60)"
)


def test_a_new_supervisor_ends_what_a_killed_one_has_left(start: Start, data_dir: Path) -> None:
    """Its children die with it; what they had started does not, and would be a second one of its kind."""
    note = data_dir / "pids"
    first = start(f"bridge-rtsp:0:{FAMILY.format(note=note)}")
    wait_until(lambda: note.exists() and note.read_text())
    orphan = int(note.read_text())
    first.process.kill()
    first.process.wait()
    wait_until(lambda: not alive(first.pids()["bridge-rtsp"]))
    assert alive(orphan)
    second = start(f"bridge-rtsp:0:{FAMILY.format(note=note)}")
    wait_until(lambda: len(note.read_text().split()) == 2)
    assert not alive(orphan)
    _, other = map(int, note.read_text().split())
    assert second.end()[0] == 0
    wait_until(lambda: not alive(other))


def test_never_two_of_a_kind_however_often_the_supervisor_is_killed(start: Start, data_dir: Path) -> None:
    """Each worker notes its beginning, and whether another one is alive then. A spare is one of the kind that waits."""
    turn, note = data_dir / "run" / "hub.turn", data_dir / "note"
    program = (
        "import os,pathlib,sys,time\n"
        f"sys.path.insert(0, '{Path(__file__).parents[2]}')\n"
        "from commhub import machine\n"
        f"machine.wait_turn(pathlib.Path('{turn}'))\n"
        f"note = pathlib.Path('{note}')\n"
        "before = [int(p) for p in note.read_text().split()] if note.exists() else []\n"
        "def there(pid):\n"
        "    try: return open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[0] not in 'ZX'\n"
        "    except OSError: return False\n"
        "if any(map(there, before)): open(str(note) + '.two', 'w').close()\n"
        "note.write_text(' '.join(map(str, [*before, os.getpid()])))\n"
        "time.sleep(60)"
    )

    def begun(lives: int) -> bool:
        return note.exists() and len(note.read_text().split()) >= lives

    for life in range(1, 5):
        run = start(f"hub+:0:{program}")
        wait_until(partial(begun, life), what="it works")
        run.pids()
        run.process.kill()  # and the next one begins at once, while the children of this one are still dying
    assert not Path(f"{note}.two").exists()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2])
def test_every_process_is_started_anew_one_after_the_other(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    run_dir = tmp_path / "run"  # where a spare says that it waits
    media = turn(run_dir, "media-0", tmp_path / "media")
    run = start(f"media-0+:0:{media}", f"record-0:0:{SLEEP}", run_dir=run_dir)
    before = run.wait_for("media-0", "media-0-spare", "record-0")
    wait_until(lambda: (tmp_path / "media").exists())
    run.process.send_signal(number)
    wait_until(lambda: not set(before.values()) & (set(run.pids().values()) - {run.process.pid}), 20, what="all are new")
    wait_until(lambda: (tmp_path / "media").read_text() == str(run.pids()["media-0"]), what="the new one works")
    status, text = run.end()
    assert status == 0
    assert "died" not in text
    ended = [line for line in text.splitlines() if "ended, starting it again" in line]
    assert [line.split()[-1] for line in ended] == ["record-0", "media-0-spare", "media-0"]


def test_a_process_that_does_not_end_is_started_anew_all_the_same(start: Start) -> None:
    run = start(f"bridge-rtsp:0:{STUBBORN}", grace=0.4)
    before = run.wait_for("bridge-rtsp")
    assert run.process.stdout is not None
    assert any("deaf" in line for line in iter(run.process.stdout.readline, ""))
    run.process.send_signal(signal.SIGUSR2)
    wait_until(lambda: run.pids().get("bridge-rtsp") not in (None, before["bridge-rtsp"]), what="a new one runs")
    wait_until(lambda: not alive(before["bridge-rtsp"]))


def test_it_ends_with_the_terminal_it_was_started_in(start: Start) -> None:
    ours, theirs = os.openpty()
    try:
        run = start(f"hub:0:{SLEEP}", terminal=theirs)
        run.wait_for("hub")
        assert run.end(signal.SIGHUP)[0] == 0
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_spare_begins_when_the_first_one_has_its_turn(start: Start, tmp_path: Path) -> None:
    """However long that one loads: the other way round, the names would be wrong."""
    go, mark = tmp_path / "go", tmp_path / "at-work"
    slow = f"import pathlib, time\nwhile not pathlib.Path('{go}').exists(): time.sleep(0.01)\n"
    program = slow + turn(tmp_path / "run", "hub", mark)
    run = start(f"hub+:0:{program}", run_dir=tmp_path / "run")
    main = run.wait_for("hub")["hub"]
    time.sleep(0.8)  # a spare is due after 0.2 s
    assert "hub-spare" not in run.pids()
    go.touch()
    run.wait_for("hub-spare")
    assert mark.read_text() == str(main)


def test_spares_leave_the_start_to_those_who_work(start: Start, tmp_path: Path) -> None:
    """Also to others than their own; who does not come up holds them back only so long."""
    go = tmp_path / "go"
    slow = f"import pathlib, time\nwhile not pathlib.Path('{go}').exists(): time.sleep(0.01)\n"
    run_dir = tmp_path / "run"
    hub = turn(run_dir, "hub", tmp_path / "hub")
    media = slow + turn(run_dir, "media-0", tmp_path / "media", begin=False)
    run = start(f"hub+:0:{hub}", f"media-0+:0:{media}", run_dir=run_dir)
    wait_until((tmp_path / "hub").exists)
    time.sleep(0.8)  # a spare is due after 0.2 s
    assert "hub-spare" not in run.pids()
    go.touch()
    wait_until((tmp_path / "media").exists)
    time.sleep(0.4)
    assert "hub-spare" not in run.pids()  # it has loaded everything, and is not at work
    (tmp_path / "media.begin").touch()
    run.wait_for("hub-spare", "media-0-spare")
    assert (tmp_path / "media").read_text() == str(run.pids()["media-0"])


def test_who_never_comes_up_does_not_keep_spares_away(start: Start, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    hub = turn(run_dir, "hub", tmp_path / "hub")
    run = start(f"hub+:0:{hub}", f"media-0+:0:{SLEEP}", run_dir=run_dir)
    run.wait_for("hub-spare")
