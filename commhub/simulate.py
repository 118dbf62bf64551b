"""``commhub simulate``: cameras, recorders and platforms that are not there, for a trial or a test."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal, NoReturn

from cyclopts import App, Parameter

from bridges.simulated import quirks, rtsp
from bridges.simulated.agent import Account
from bridges.simulated.device import Device, Nature, Style, cameras
from bridges.simulated.film import Studio
from bridges.simulated.model import Entry
from bridges.simulated.tree import district
from commhub import log as logs

log = logs.get(__name__)

simulate = App(name="simulate", help="模拟设备 / devices that are not there.")

MISUSED = 2
_WALK_SECONDS = 5.0


def _fail(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise SystemExit(MISUSED)


def _run(work: Coroutine[Any, Any, None], process: str) -> None:
    """Until SIGTERM or SIGINT; both are a good end."""
    logs.configure(process=process)

    async def until_signal() -> None:
        task = asyncio.ensure_future(work)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    try:
        asyncio.run(until_signal())
    except (OSError, ValueError) as error:
        _fail(f"commhub simulate: {error}")


def _size(text: str) -> tuple[int, int]:
    if not (found := re.fullmatch(r"(\d{2,4})x(\d{2,4})", text)):
        _fail(f"{text}: 应写作 宽x高 / a size is width x height: 1280x720")
    return int(found[1]), int(found[2])


# ---- a camera with an address


@simulate.command(name="rtsp")
def camera(
    *,
    host: Annotated[str, Parameter(help="监听地址 / where it listens")] = "127.0.0.1",
    port: int = 8554,
    user: Annotated[str, Parameter(help="账号，密码取自 CAMERA_PASSWORD / account; the password is in CAMERA_PASSWORD")] = "",
    name: str = "CAM-01",
    size: Annotated[str, Parameter(help="画面 / width x height")] = "1280x720",
    sub_size: Annotated[str, Parameter(help="子码流 / of the small stream, at …/sub")] = "320x180",
    fps: str = "12.5",
    group: Annotated[int, Parameter(help="关键帧间隔（帧） / pictures between two key frames")] = 12,
    audio: Annotated[bool, Parameter(help="每秒一声 / a beep each second (G.711)", negative=())] = False,
    algorithm: Literal["MD5", "SHA-256"] = "MD5",
    transports: Annotated[str, Parameter(help="允许的传输 / what it takes: tcp,udp")] = "tcp,udp",
    codec: Literal["h264", "h265"] = "h264",
    b_frames: int = 0,
) -> None:
    """RTSP 摄像机 / an RTSP camera: rtsp://host:port/camera, small stream …/camera/sub."""
    # The command line is everybody's to read (ps), the environment is not.
    password = os.environ.get("CAMERA_PASSWORD", "")
    (width, height), (sub_width, sub_height) = _size(size), _size(sub_size)
    options = rtsp.Options(
        user=user, password=password, name=name, width=width, height=height, fps=Fraction(fps), group=group, audio=audio,
        algorithm=algorithm, transports=frozenset(transports.split(",")), codec=codec, b_frames=b_frames,
        sub_width=sub_width, sub_height=sub_height,
    )  # fmt: skip
    _run(rtsp.run(host, port, options), "camera")


# ---- devices that call in


@Parameter(name="*")
@dataclass
class Line:
    """How a device calls in, and what it is like."""

    platform: Annotated[str, Parameter(help="平台地址 / where the platform listens: host:port")] = "127.0.0.1:5060"
    platform_code: Annotated[str, Parameter(help="平台编码 / the platform's 20 digits")] = "11010500002000000001"
    transport: Literal["udp", "tcp"] = "udp"
    version: Annotated[str, Parameter(help="X-GB-ver：2.0 为 2016，3.0 为 2022")] = "3.0"
    heartbeat: Annotated[float, Parameter(help="心跳秒数 / seconds between signs of life")] = 60.0
    expires: int = 3600
    host: Annotated[str, Parameter(help="本机地址 / own address")] = "127.0.0.1"
    quirk: Annotated[tuple[str, ...], Parameter(help="毛病 / faults, see `commhub simulate quirks`", negative=())] = ()
    size: str = "1280x720"
    sub_size: str = "640x360"
    fps: str = "12.5"
    group_seconds: Annotated[float, Parameter(help="关键帧间隔秒数 / seconds between two key frames")] = 2.0
    audio: Annotated[bool, Parameter(negative=())] = False
    shared: Annotated[bool, Parameter(help="全部通道同一画面 / one picture for all channels", negative=())] = False
    repeat: Annotated[float, Parameter(help="画面循环秒数，0 为实时 / pictures come again after so many seconds; 0: live")] = 0.0
    page: Annotated[int, Parameter(help="每条目录消息的条目数，0 自动 / catalogue items in a message; 0: as usual")] = 0
    window: Annotated[int, Parameter(help="同时在途的目录消息 / catalogue messages under way at once")] = 1

    def account(self, own: str, password: str) -> Account:
        host, _, port = self.platform.rpartition(":")
        if not host or not port.isdigit():
            raise ValueError(f"{self.platform} is not host:port.")
        return Account(
            code=own, platform=self.platform_code, address=(host, int(port)), password=password, transport=self.transport,
            host=self.host, expires=self.expires, heartbeat=self.heartbeat, version=self.version,
        )  # fmt: skip

    def nature(self, name: str) -> Nature:
        style = Style(
            main=_size(self.size), sub=_size(self.sub_size), fps=Fraction(self.fps), group_seconds=self.group_seconds,
            audio=self.audio, shared=self.shared, repeat=self.repeat,
        )  # fmt: skip
        return Nature(name=name, quirks=quirks.chosen(self.quirk), style=style, page=self.page, window=self.window)


PLAIN = Line()


def _password() -> str:
    """The command line is everybody's to read."""
    return os.environ.get("DEVICE_PASSWORD", "")


def _devices(made: list[tuple[Account, list[Entry], Nature]], alarm_every: float, walk: bool, process: str) -> None:
    async def work() -> None:
        studio = Studio()
        devices = [Device(account, entries, nature, studio=studio) for account, entries, nature in made]
        try:
            for device in devices:
                await device.start()
            count = sum(entry.camera for device in devices for entry in device.entries.values())
            log.info("simulated devices ready", devices=len(devices), cameras=count)
            async with asyncio.TaskGroup() as group:
                for device in devices:
                    if alarm_every > 0:
                        group.create_task(_raise_alarms(device, alarm_every))
                    if walk:
                        group.create_task(_walk(device))
                await asyncio.Event().wait()
        finally:
            await asyncio.gather(*(device.close() for device in devices))
            await studio.close()

    _run(work(), process)


async def _raise_alarms(device: Device, every: float) -> None:
    channels = [entry.code for entry in device.entries.values() if entry.alarms]
    while channels:
        await asyncio.sleep(every)
        with suppress(OSError, TimeoutError):
            await device.alarm(secrets.choice(channels), priority=secrets.choice((1, 2, 3, 4)), text="模拟报警")


async def _walk(device: Device) -> None:
    """The first channel wanders about, as a patrol with a body camera."""
    first = next((entry for entry in device.entries.values() if entry.camera), None)
    number = 0
    while first is not None:
        await asyncio.sleep(_WALK_SECONDS)
        number += 1
        with suppress(OSError, TimeoutError):
            await device.position(
                first.code, 116.40 + number % 100 * 0.0002, 39.90 + number % 70 * 0.0002, speed=5.0, direction=number * 7 % 360
            )


@simulate.command
def gb28181(
    *,
    code_: Annotated[str, Parameter(name="--code", help="设备编码 / the device's 20 digits")] = "11010500001180000001",
    name: str = "模拟录像机",
    devices: Annotated[int, Parameter(help="设备数，编码递增 / so many devices, codes counting up")] = 1,
    channels: Annotated[int, Parameter(help="每台设备的通道数 / cameras of each")] = 4,
    movable: Annotated[int, Parameter(help="其中带云台的 / of them with PTZ")] = 2,
    alarms: Annotated[int, Parameter(help="其中会报警的 / of them with alarms")] = 1,
    alarm_every: Annotated[float, Parameter(help="每隔几秒报警，0 不报 / an alarm every so many seconds; 0: none")] = 0.0,
    walk: Annotated[bool, Parameter(help="上报移动位置 / tells positions", negative=())] = False,
    line: Line = PLAIN,
) -> None:
    """GB/T 28181 设备（录像机） / a recorder that calls in; its password is in DEVICE_PASSWORD."""
    try:
        made = []
        for number in range(devices):
            own = str(int(code_) + number).zfill(len(code_)) if code_.isdigit() else code_
            entries = cameras(code_[:6], channels, parent=own, first=1 + number * channels, movable=movable, alarms=alarms)
            shown = name if devices == 1 else f"{name} {number + 1}"
            made.append((line.account(own, _password()), entries, line.nature(shown)))
    except ValueError as error:
        _fail(f"commhub simulate gb28181: {error}")
    _devices(made, alarm_every, walk, "device")


@simulate.command
def platform(
    *,
    code_: Annotated[
        str, Parameter(name="--code", help="下级平台编码 / the platform's 20 digits, of type 200")
    ] = "11010800002000000001",
    name: str = "滨江区雪亮工程平台",
    channels: Annotated[int, Parameter(help="摄像机数 / cameras in its tree, 1 to 50,000 and more")] = 60,
    alarm_every: Annotated[float, Parameter(help="每隔几秒报警，0 不报 / an alarm every so many seconds; 0: none")] = 0.0,
    line: Line = PLAIN,
) -> None:
    """下级平台（雪亮工程） / a platform of a district that brings a tree; its password is in DEVICE_PASSWORD."""
    try:
        made = [(line.account(code_, _password()), district(code_, channels), line.nature(name))]
    except ValueError as error:
        _fail(f"commhub simulate platform: {error}")
    _devices(made, alarm_every, False, "platform")


@simulate.command(name="quirks")
def list_quirks() -> None:
    """毛病的名称 / the faults that --quirk knows."""
    for name, meaning in quirks.QUIRKS.items():
        print(f"{name:22}{meaning}")
