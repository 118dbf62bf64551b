import asyncio
import errno
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

import pytest

import commhub
from commhub import cli, machine, processes
from commhub.__main__ import main
from commhub.certificates import prepare
from commhub.errors import Invalid, NotFound
from commhub.settings import Gb28181Settings, HttpSettings, MediaSettings, Settings
from tests.support import clean_environment, free_port, wait_until

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A directory without settings; what a command writes into the environment is taken back."""
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """In place of the composition roots: what the commands call is set by each test."""
    module = types.ModuleType("parts")
    module.load = lambda settings: None  # type: ignore[attr-defined]
    for name in ("app", "children", "offline"):
        monkeypatch.setitem(sys.modules, f"commhub.{name}", module)
        monkeypatch.setattr(commhub, name, module, raising=False)
    return module


def command(*words: str) -> int:
    """One command in this process; its exit status."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    return int(caught.value.code or 0)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("version") == 0
    assert capsys.readouterr().out.strip() == commhub.__version__


def test_config_check_shows_what_is_in_force(capsys: pytest.CaptureFixture[str]) -> None:
    Path("hub.toml").write_text("[http]\nport = 9000\n")
    assert command("config", "check", "--config", "hub.toml", "--set", "media.port=9001", "--dev") == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"port = 9000  # {Path.cwd()}/hub.toml" in lines
    assert "port = 9001  # COMMHUB_MEDIA__PORT" in lines
    assert "dev = true  # COMMHUB_DEV" in lines


def test_config_check_lists_every_mistake_and_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    Path("hub.toml").write_text("[http]\nprot = 9000\n[media]\nworkers = 0\n")
    assert command("config", "check", "--config", "hub.toml", "--set", "log.level=loud") == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.splitlines()[0] == "配置有 3 处错误 / mistakes in the configuration: 3"
    assert sorted(line.split(":")[0] for line in output.err.splitlines()[1:]) == ["http.prot", "log.level", "media.workers"]


def test_config_check_tries_the_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.pem").write_text("torn")
    assert command("config", "check", "--set", "http.certificate=bad.pem", "--set", "http.key=bad.pem") == 2
    assert capsys.readouterr().err.startswith("http.certificate: 证书 bad.pem 与私钥 bad.pem 无法使用")


@pytest.mark.parametrize("words", [("serve",), ("hub",), ("media",), ("record",), ("run",), ("import", ".")])
def test_no_command_starts_with_a_short_secret(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    os.environ["COMMHUB_KEYS"] = '{"devkey": "canary"}'
    assert command(*words) == 2
    output = capsys.readouterr().err
    assert "keys.devkey" in output
    assert "canary" not in output


def test_set_wants_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("serve", "--set", "http.port") == 2
    assert "--set http.port: 应写作" in capsys.readouterr().err


def test_children_of_a_hub() -> None:
    found = processes.processes(Settings(media=MediaSettings(workers=2)))
    assert [(child.name, child.nice) for child in found] == [
        ("media-0", 0),
        ("media-1", 0),
        ("hub", 5),
        ("bridge-rtsp", 5),
        ("record-0", 5),
    ]
    assert found[1].command[1:] == ("-m", "commhub", "media", "--index", "1")
    wide = processes.processes(Settings(gb28181=Gb28181Settings(enabled=True, id="34020000002000000001")))
    assert [child.name for child in wide][2:] == ["bridge-rtsp", "bridge-gb28181", "record-0"]


def test_the_hub_inherits_where_it_listens() -> None:
    (listener,) = machine.listen("127.0.0.1", 0)
    with listener:
        (child,) = [each for each in processes.processes(Settings(), [listener]) if each.name == "hub"]
    assert child.command[-2] == "--listening"
    assert child.sockets == [listener]


def test_a_child_runs_its_part_with_the_settings(parts: types.ModuleType) -> None:
    seen = []

    async def media(settings: Settings, index: int) -> None:
        seen.append((settings.media.port, index))

    parts.media = media  # type: ignore[attr-defined]
    assert command("media", "--index", "3", "--set", "media.port=9001") == 0
    assert seen == [(9001, 3)]


def test_sigterm_cancels_a_child_and_is_a_good_end(parts: types.ModuleType) -> None:
    ended = []

    async def hub(settings: Settings, listeners: list[socket.socket]) -> None:
        asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(True)

    parts.hub = hub  # type: ignore[attr-defined]
    assert command("hub") == 0
    assert ended == [True]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Invalid("The file is torn.", "文件已损坏。"), "文件已损坏。 / The file is torn."),
        (OSError(errno.EADDRINUSE, "in use"), "地址或端口不可用 / address or port not available: [Errno 98] in use"),
    ],
)
def test_what_a_restart_cannot_mend_ends_with_2(
    parts: types.ModuleType, capsys: pytest.CaptureFixture[str], error: Exception, sentence: str
) -> None:
    async def record(settings: Settings, index: int) -> None:
        raise error

    parts.record = record  # type: ignore[attr-defined]
    assert command("record") == 2
    assert sentence in capsys.readouterr().err


def test_what_nobody_foresaw_is_logged_once_and_ends_with_1(parts: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    async def record(settings: Settings, index: int) -> None:
        raise ZeroDivisionError("torn")

    parts.record = record  # type: ignore[attr-defined]
    assert command("record", "--set", "log.format=json") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "process failed"
    assert "ZeroDivisionError: torn" in json.loads(line)["exception"]


def test_unknown_bridge_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("bridge", "--kind", "carrier-pigeon") == 2
    assert "no such bridge: carrier-pigeon" in capsys.readouterr().err


def test_sample_prints_sign_ins_for_programs_and_people(parts: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    one = {"account": "lin", "password": "p4ss", "name": "林越", "role": "dispatcher"}

    async def sample(settings: Settings, camera_port: int) -> dict[str, object]:
        return {"sign_ins": [one], "camera": {"name": "东口", "user": "cam", "password": "x", "port": camera_port}}

    parts.sample = sample  # type: ignore[attr-defined]
    assert command("sample", "--camera-port", "21001", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert made["sign_ins"] == [one]
    assert made["camera"]["port"] == 21001
    assert command("sample") == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in one.values())


def test_import_says_what_is_wrong(parts: types.ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    async def import_city(settings: Settings, directory: Path) -> str:
        raise NotFound(f"There is no {directory}.", f"没有 {directory}。")

    parts.import_city = import_city  # type: ignore[attr-defined]
    assert command("import", "nowhere") == 1
    assert capsys.readouterr().err.strip() == "没有 nowhere。 / There is no nowhere."


@pytest.mark.parametrize(
    ("http", "url"),
    [
        (HttpSettings(), "http://localhost:8080"),
        (HttpSettings(host="192.0.2.1", port=8443), "https://192.0.2.1:8443"),
        (HttpSettings(host="2001:db8::1"), "https://[2001:db8::1]:8080"),
        (HttpSettings(host="0.0.0.0", tls="off", public_url="https://hub.example"), "https://hub.example"),
        (HttpSettings(host="hub.example", tls="off"), "http://hub.example:8080"),
    ],
)
def test_url_to_open(http: HttpSettings, url: str) -> None:
    assert cli.urls(Settings(http=http))[0] == url


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("0.0.0.0", ["https://192.0.2.2:8080", "https://localhost:8080"]),
        ("::", ["https://[2001:db8::2]:8080", "https://localhost:8080"]),
    ],
)
def test_url_of_every_address_the_port_is_open_on(monkeypatch: pytest.MonkeyPatch, host: str, found: list[str]) -> None:
    here = [ip_address(text) for text in ("192.0.2.2", "2001:db8::2", "127.0.0.1", "::1")]
    monkeypatch.setattr(machine, "addresses", lambda: here)
    assert cli.urls(Settings(http=HttpSettings(host=host))) == found


@pytest.mark.parametrize(("status", "ready"), [("200 OK", True), ("503 Service Unavailable", False)])
@pytest.mark.parametrize("tls", ["on", "off"])
async def test_ready_is_what_healthz_says(tmp_path: Path, tls: Literal["on", "off"], status: str, ready: bool) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    http = HttpSettings(host="0.0.0.0", tls=tls, port=free_port())
    prepared = prepare(http, tmp_path, datetime.now(UTC))
    settings = Settings(http=http)
    assert await asyncio.to_thread(cli._healthy, settings) is False
    server = await asyncio.start_server(answer, "127.0.0.1", http.port, ssl=prepared and prepared.context)
    async with server:
        assert await asyncio.to_thread(cli._healthy, settings) is ready


# The whole of `run` with real processes: a hub that only answers /healthz, and one that cannot start.
FAKE_APP = """
import asyncio

def load(settings):
    pass

async def hub(settings, listeners):
    async def answer(reader, writer):
        await reader.readuntil(b"\\r\\n\\r\\n")
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
        await writer.drain()
        writer.close()
    server = await asyncio.start_server(answer, sock=listeners[0])
    await server.serve_forever()

async def media(settings, index):
    await asyncio.sleep(60)

async def bridge(settings, kind):
    await asyncio.sleep(60)

async def record(settings, index):
    await asyncio.sleep(60)

async def sample(settings, camera_port):
    assert f"127.0.0.1:{camera_port}" in settings.bridges.allow
    one = {"account": "lin", "password": "p4ss", "name": "林越", "role": "dispatcher"}
    assert settings.gb28181.enabled
    recorder = {"kind": "gb28181", "code": "99010200001180000001", "name": "录像机", "password": "s3cret"}
    return {"sign_ins": [one], "camera": {"name": "东口", "user": "cam", "password": "s3cret"}, "devices": [recorder]}
"""

FAKE_SIMULATOR = """
import time
from cyclopts import App

simulate = App(name="simulate")

@simulate.command
def rtsp(*, port: int, user: str):
    time.sleep(60)

@simulate.command
def gb28181(*, platform: str, platform_code: str, code: str, name: str, channels: int, movable: int, alarms: int,
            alarm_every: float):
    import os
    assert os.environ["DEVICE_PASSWORD"] == "s3cret"
    print("calls", code, "at", platform_code, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder in which `python -m commhub` is ours, except for the parts of a hub and the simulator."""
    (tmp_path / "fake.py").write_text(FAKE_APP)
    (tmp_path / "simulated.py").write_text(FAKE_SIMULATOR)
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, fake, simulated, commhub\n"
        "sys.modules['commhub.simulate'] = commhub.simulate = simulated\n"
        "sys.modules['commhub.app'] = commhub.app = fake\n"
        "sys.modules['commhub.offline'] = commhub.offline = fake\n"
        "sys.modules['commhub.children'] = commhub.children = fake\n"
    )
    return tmp_path


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(program: Path, data_dir: Path) -> Iterator[Start]:
    """Starts `commhub` on a port with some words; nothing of it is left afterwards."""
    started: list[subprocess.Popen[str]] = []

    def run(port: int, *words: str) -> subprocess.Popen[str]:
        environment = clean_environment(
            PYTHONPATH=f"{program}{os.pathsep}{REPOSITORY}",
            COMMHUB_DATA_DIR=str(data_dir / "data"),
            COMMHUB_HTTP__PORT=str(port),
        )
        command = [sys.executable, "-m", "commhub", *words]
        started.append(
            subprocess.Popen(command, cwd=program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def test_run_prints_url_and_sign_ins_when_the_hub_is_ready(start: Start, data_dir: Path) -> None:
    port = free_port()
    process = start(port, "run", "--camera-port", str(free_port()))
    assert process.stdout is not None
    text = ""
    try:
        for line in process.stdout:
            text += line
            if "Ctrl-C" in line:
                break
        assert f"http://localhost:{port}" in text
        assert "p4ss" in text
        names = json.loads((data_dir / "data" / "run" / "pids.json").read_text())
        assert sorted(name for name in names if not name.endswith("-spare")) == [
            "bridge-gb28181",
            "bridge-rtsp",
            "camera",
            "hub",
            "media-0",
            "record-0",
            "simulated-gb28181",
            "supervisor",
        ]
        assert b"s3cret" not in Path(f"/proc/{names['simulated-gb28181']}/cmdline").read_bytes()
        told = {what: Path(f"/proc/{names['camera']}/{what}").read_bytes() for what in ("cmdline", "environ")}
        assert b"\0CAMERA_PASSWORD=s3cret\0" in b"\0" + told["environ"]
        assert b"s3cret" not in told["cmdline"]  # which everybody on the machine may read
        assert b"s3cret" not in Path(f"/proc/{names['media-0']}/environ").read_bytes()
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert "Traceback" not in text + rest


def test_serve_ends_with_2_and_a_sentence_when_its_port_is_taken(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start(taken.getsockname()[1], "serve")
        text, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "地址或端口不可用 / address or port not available" in text


def test_two_hubs_on_one_data_directory_refuse(start: Start, data_dir: Path) -> None:
    start(free_port(), "serve")
    wait_until((data_dir / "data" / "run" / "pids.json").exists)
    second = start(free_port(), "serve")
    text, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "Another commhub already works in this data directory." in text
