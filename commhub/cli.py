"""The command `commhub`.

Its options become environment variables before the settings are read, so every child process reads the same tree.
Exit status: 0 done, 1 failed, 2 the configuration is wrong (and starting again cannot help).
"""

from __future__ import annotations

import asyncio
import http.client
import ipaddress
import json
import os
import signal
import ssl
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table

import commhub
from commhub import machine, processes
from commhub import settings as tree
from commhub.errors import HubError, Invalid
from commhub.processes import NICE, fail, grace, supervise
from commhub.settings import Loaded, Settings
from commhub.supervisor import MISCONFIGURED, SPARE_READY, Child

app = App(
    name="commhub",
    help="城市运行中心融合通讯 / unified communications for a city operations centre.",
    version=commhub.__version__,
    help_format="plaintext",
)
config = App(name="config", help="配置 / settings.")
app.command(config)
trail = App(name="audit", help="审计 / who did what.")
app.command(trail)
signing = App(name="evidence", help="录制签名密钥 / the keys that sign recordings.")
app.command(signing)
kept = App(name="recordings", help="录制 / recordings.")
app.command(kept)
app.command("commhub.simulate:simulate", name="simulate", help="模拟设备 / devices that are not there.")

CAMERA_PORT = 8554
PLATFORM_CODE = "99010000002000000001"  # the sample city's own, in a region that there is not
SAMPLE_WORDS = {
    "gb28181": ("--channels", "4", "--movable", "2", "--alarms", "1", "--alarm-every", "120"),
    "platform": ("--channels", "60", "--size", "640x360", "--sub-size", "320x180"),
}


@Parameter(name="*")
@dataclass
class Options:
    """What every command takes."""

    config: Annotated[Path | None, Parameter(help="配置文件 / settings file (TOML)")] = None
    set: Annotated[tuple[str, ...], Parameter(help="覆盖一项 / override one: http.port=9000", negative=())] = ()
    dev: Annotated[bool, Parameter(help="允许短密钥 / accept short secrets", negative=())] = False


PLAIN = Options()


def _load(options: Options) -> Loaded:
    return processes.load(options.config, options.set, options.dev)


def _begin(options: Options, process: str) -> Settings:
    return processes.begin(_load(options), process)


@app.command
def serve(*, options: Options = PLAIN) -> None:
    """启动并看护全部进程 / start and supervise everything; ready when GET /healthz is 200."""
    processes.serve(_begin(options, "supervisor"))


# ---- operating it


def _pids(settings: Settings) -> dict[str, int]:
    """The running processes by name. SystemExit(1) when none run."""
    try:
        pids: dict[str, int] = json.loads((settings.run_dir / "pids.json").read_text("ascii"))
        os.kill(pids["supervisor"], 0)
    except (FileNotFoundError, ProcessLookupError):
        fail(1, f"{settings.data_dir} 中没有运行的 commhub / no commhub runs in this data directory.")
    return pids


def _gone(settings: Settings, before: dict[str, int], within: float) -> None:
    """Until none of these runs any more under its name. SystemExit(1) when that takes too long."""
    until = time.monotonic() + within
    while late := [name for name, pid in _pids(settings).items() if before.get(name) == pid]:
        if time.monotonic() > until:
            fail(1, f"未按时完成 / not done in time: {', '.join(late)}")
        time.sleep(0.1)


@app.command
def drain(name: str, *, options: Options = PLAIN) -> None:
    """移走一个进程的会商后重启它 / end one process (media-0, record-0, …) once its rooms went elsewhere; it starts anew."""
    settings = _load(options).settings
    pids = _pids(settings)
    pid = pids.get(name)
    if pid is None or name == "supervisor":
        fail(1, f"没有这个进程 / no such process: {name} ({', '.join(sorted(pids.keys() - {'supervisor'}))})")
    began = time.monotonic()
    os.kill(pid, signal.SIGTERM)
    _gone(settings, {name: pid}, grace(settings) + 5)
    print(f"{name} 已移交 / has handed over: {time.monotonic() - began:.1f} s")


@app.command
def restart(*, options: Options = PLAIN) -> None:
    """逐个重启全部进程，会商不中断 / start every process anew, one after the other, while consultations go on."""
    settings = _load(options).settings
    pids = _pids(settings)
    supervisor = pids.pop("supervisor")
    began = time.monotonic()
    os.kill(supervisor, signal.SIGUSR2)
    _gone(settings, pids, len(pids) * (grace(settings) + SPARE_READY))
    print(f"全部进程已重启 / every process was started anew: {time.monotonic() - began:.0f} s")


# ---- records


@app.command(name="import")
def import_city(source: Path, *, options: Options = PLAIN) -> None:
    """导入通讯录：TOML 文件夹，或 CSV、JSON 文件 / import a folder of TOML, or a CSV or JSON file; may be repeated."""
    settings = _begin(options, "import")
    from commhub import offline as parts

    try:
        print(asyncio.run(parts.import_city(settings, source)))
    except HubError as error:
        fail(1, f"{error.message_zh} / {error.message}")


@app.command
def sample(
    *,
    camera_port: int = CAMERA_PORT,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
    options: Options = PLAIN,
) -> None:
    """导入示例城市并生成新的登录 / import the sample city, with fresh sign-ins and a simulated camera."""
    settings = _begin(options, "sample")
    made = _sample(settings, camera_port)
    if as_json:
        print(json.dumps(made, ensure_ascii=False))
    else:
        Console().print(_sign_ins(made))


def _sample(settings: Settings, camera_port: int) -> dict[str, Any]:
    from commhub import offline as parts

    try:
        made: dict[str, Any] = asyncio.run(parts.sample(settings, camera_port))
    except HubError as error:
        fail(1, f"{error.message_zh} / {error.message}")
    return made


def _sign_ins(made: dict[str, Any]) -> Table:
    table = Table("角色 / role", "姓名 / name", "账号 / account", "密码 / password", title_justify="left")
    for one in made["sign_ins"]:
        table.add_row(one["role"], one["name"], one["account"], one["password"])
    return table


# ---- trying it


@app.command
def run(*, camera_port: int = CAMERA_PORT, options: Options = PLAIN) -> None:
    """示例城市：导入、启动并打印登录 / a hub with the sample city and a simulated camera; prints URL and sign-ins."""
    # The simulator listens on loopback, which is reached only when it is allowed by name.
    given = _load(options).settings
    allow = {*given.bridges.allow, f"127.0.0.1:{camera_port}"}
    os.environ[tree.variable("bridges.allow")] = ",".join(sorted(allow))
    if not given.gb28181.enabled:
        trial = {"enabled": "true", "id": PLATFORM_CODE, "hosts": "127.0.0.1", "media_address": "127.0.0.1",
                 "port": str(machine.free_port("127.0.0.1", given.gb28181.port))}  # fmt: skip
        os.environ.update({tree.variable(f"gb28181.{name}"): value for name, value in trial.items()})
    settings = _begin(options, "supervisor")
    print("正在准备示例城市… / preparing the sample city…", flush=True)
    made = _sample(settings, camera_port)

    def ready() -> bool:
        if not _healthy(settings):
            return False
        Console().print(_sign_ins(made))
        for url in urls(settings):
            print(f"打开 / open  {url}")
        if settings.http.secure and settings.http.certificate is None:
            print(f"其他终端先安装证书 / other terminals first install the CA: {urls(settings)[0]}/ca")
        print("按 Ctrl-C 停止 / Ctrl-C stops it.", flush=True)
        return True

    supervise(settings, simulators(settings, made, camera_port), ready)


def simulators(settings: Settings, made: dict[str, Any], camera_port: int) -> list[Child]:
    """What plays the cameras and devices of the sample city."""
    program, camera = [sys.executable, "-m", "commhub", "simulate"], made["camera"]
    words = [*program, "rtsp", "--port", str(camera_port), "--user", camera["user"]]
    found = [Child("camera", words, NICE, environment={"CAMERA_PASSWORD": camera["password"]})]
    said = settings.gb28181
    host = "127.0.0.1" if said.hosts[0] in ("0.0.0.0", "::") else said.hosts[0]
    for device in made.get("devices", []):
        words = [*program, device["kind"], "--platform", f"{host}:{said.port}", "--platform-code", said.id,
                 "--code", device["code"], "--name", device["name"], *SAMPLE_WORDS[device["kind"]]]  # fmt: skip
        found.append(Child(f"simulated-{device['kind']}", words, NICE, environment={"DEVICE_PASSWORD": device["password"]}))
    return found


def urls(settings: Settings) -> list[str]:
    """Where browsers find this hub, the best one first."""
    http = settings.http
    if http.public_url:
        return [http.public_url]
    scheme = "https" if http.secure else "http"
    if http.on_loopback:
        return [f"{scheme}://localhost:{http.port}"]
    names = [http.host]
    with suppress(ValueError):
        bound = ipaddress.ip_address(http.host)
        if bound.is_unspecified:
            others = (each for each in machine.addresses() if each.version == bound.version and not each.is_loopback)
            names = [*map(str, others), "localhost"]
    return [f"{scheme}://{f'[{name}]' if ':' in name else name}:{http.port}" for name in names]


def _healthy(settings: Settings) -> bool:
    host = settings.http.host
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
    if settings.http.secure:
        # Only whether it answers is asked here, and nothing is told: the certificate may name another host.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, settings.http.port, timeout=0.5, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, settings.http.port, timeout=0.5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@trail.command
def verify(*, options: Options = PLAIN) -> None:
    """核对审计链 / is every row of the audit what was written? Exit 1: it is not; 2: there is nothing to look at."""
    settings = _begin(options, "audit")
    from commhub import offline as parts

    try:
        rows, faults = asyncio.run(parts.verify_audit(settings))
    except Invalid as error:
        fail(MISCONFIGURED, f"{error.message_zh} / {error.message}")
    for fault in faults:
        print(fault)
    if faults:
        fail(1, f"审计链已被改动 / the audit has been changed: {len(faults)}")
    print(f"审计完整，{rows} 条 / the audit is whole: {rows} rows")


@app.command(name="verify")
def verify_recording(
    target: str,
    *,
    keys: Annotated[Path | None, Parameter(help="公钥历史 / history of public keys (evidence/history.json)")] = None,
    key: Annotated[tuple[str, ...], Parameter(help="受信任的公钥编号 / only these keys are trusted", negative=())] = (),
    sources: Annotated[str, Parameter(help="导出的来源录制，一并核对 / the recording an export was made of, to compare")] = "",
    options: Options = PLAIN,
) -> None:
    """核验录制或导出：编号、文件夹、证据包、影片 / is a recording or an export what was recorded? Offline; exit 1 if not."""
    from commhub import evidence

    with suppress(BrokenPipeError):
        raise SystemExit(evidence.verify(target, lambda: _load(options).settings, keys, key, sources))


@signing.command
def rotate(*, options: Options = PLAIN) -> None:
    """换新签名密钥，旧公钥保留 / a new key signs recordings from now on; the old ones still prove theirs."""
    settings = _begin(options, "evidence")
    from commhub import evidence

    raise SystemExit(evidence.rotate(settings))


@signing.command
def history(*, options: Options = PLAIN) -> None:
    """打印公钥历史，可交给任何人 / print the history of public keys, which may be given to anybody."""
    settings = _begin(options, "evidence")
    from commhub import evidence

    raise SystemExit(evidence.history(settings))


@kept.command
def restore(
    session: str,
    *,
    anyway: Annotated[bool, Parameter(help="与录制时不一致也采用 / also what is not what was recorded", negative=())] = False,
    options: Options = PLAIN,
) -> None:
    """从 S3 存储取回一条录制并核验 / bring a recording back from the S3 store; exit 1: it is not what was recorded."""
    settings = _begin(options, "restore")
    from commhub import restoring

    raise SystemExit(restoring.restore(session, settings, anyway=anyway))


# ---- settings


@config.command
def check(*, options: Options = PLAIN) -> None:
    """显示生效的配置，或全部错误 / print the effective settings, or every mistake (exit 2)."""
    loaded = _load(options)
    http = loaded.settings.http
    if http.certificate is not None:
        from commhub import certificates

        try:
            certificates.Tls(http, loaded.settings.data_dir / "tls", datetime.now(UTC))
        except Invalid as error:
            fail(MISCONFIGURED, f"http.certificate: {error.message_zh} / {error.message}")
    print(f"# {loaded.file or '没有配置文件，仅默认值与环境 / no file: defaults and environment'}")
    print(tree.show(loaded))


@app.command
def version() -> None:
    """版本 / version."""
    print(commhub.__version__)
