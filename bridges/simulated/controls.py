"""What a device does when it is told (GB/T 28181-2022 §9.3, A.2.3), and the answer where one is due."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bridges.scene import View
from bridges.simulated import model, xml

if TYPE_CHECKING:
    from bridges.simulated.device import Device

_ACTS = ("PTZCmd", "TeleBoot", "RecordCmd", "GuardCmd", "AlarmCmd", "IFrameCmd", "IFameCmd", "DragZoomIn", "DragZoomOut",
         "HomePosition", "PTZPreciseCtrl", "FormatSDCard", "TargetTrack", "DeviceUpgrade")  # fmt: skip
_ANSWERED = {"RecordCmd", "GuardCmd", "AlarmCmd", "HomePosition", "DeviceUpgrade"}


class Controls:
    def __init__(self, device: Device) -> None:
        self._device = device

    def told(self, command: str, text: str) -> Iterator[bytes]:
        """The messages to answer with."""
        device = self._device
        channel, number = xml.said(text, "DeviceID"), xml.said(text, "SN")
        if command == "DeviceConfig":
            found = re.search(r"<(BasicParam|SnapShotConfig|\w+Param\w*)\s*>(.*?)</\1\s*>", text, re.DOTALL)
            if found:
                self._keep(channel, found[1], found[2].strip())
                self._configure(channel, found[1], found[2])
            yield device.facts.document("Response", command, number, channel, xml.tag("Result", "OK" if found else "ERROR"))
            return
        for act in _ACTS:
            if found := re.search(rf"<{act}\s*>(.*?)</{act}\s*>", text, re.DOTALL):
                self._keep(channel, act, found[1].strip())
                done = self._do(channel, act, found[1].strip(), text)
                if act in _ANSWERED:
                    yield device.facts.document(
                        "Response", command, number, channel, xml.tag("Result", "OK" if done else "ERROR")
                    )

    def _keep(self, channel: str, what: str, value: str) -> None:
        self._device.commands.append(model.Command(time.monotonic(), channel, what, value))

    def _do(self, channel: str, act: str, value: str, text: str) -> bool:
        device, now = self._device, time.monotonic()
        mount = device.mounts.get(channel)
        match act:
            case "PTZCmd" if mount is not None:
                return self._move(mount, value, xml.said(text, "PresetName"), now)
            case "TeleBoot":
                device.reboot()
            case "RecordCmd":
                device.facts.recording = value == "Record"
            case "GuardCmd":
                device.facts.guarded = value == "SetGuard"
            case "IFrameCmd" | "IFameCmd":
                device.calls.want_key(channel)
            case "HomePosition" if mount is not None:
                index = xml.said(value, "PresetIndex", "1")
                mount.home = int(index) if index.isdigit() else 1
                if xml.said(value, "Enabled") == "1":
                    mount.recall(mount.home, now)
            case "PTZPreciseCtrl" if mount is not None:
                pan, tilt, zoom = (
                    _number(xml.said(value, name), default) for name, default in (("Pan", 180), ("Tilt", 0), ("Zoom", 1))
                )
                mount.look(View((pan - 180) / 90, tilt / 30, zoom), now)
            case "DragZoomIn" | "DragZoomOut" if mount is not None:
                self._drag(mount, value, act == "DragZoomIn", now)
            case _:
                return act not in ("HomePosition", "PTZCmd")
        return True

    def _move(self, mount: model.Mount, value: str, name: str, now: float) -> bool:
        try:
            data = model.ptz(value)
        except ValueError:
            self._device.counts["bad PTZCmd"] += 1
            return False
        speeds = model.speeds(data)
        number = data[5]
        if speeds is not None:
            mount.move(*speeds, now)
        elif data[3] == 0x81:
            mount.keep(number, name or f"预置位{number}", now)
        elif data[3] == 0x82:
            mount.recall(number, now)
        elif data[3] == 0x83:
            mount.presets.pop(number, None)
        return True

    def _drag(self, mount: model.Mount, value: str, closer: bool, now: float) -> None:
        long, wide, x, y, size = (
            _number(xml.said(value, name), 0) for name in ("Length", "Width", "MidPointX", "MidPointY", "LengthX")
        )
        if not (long > 0 and wide > 0 and size > 0):
            return
        view, factor = mount.view(now), long / size
        moved = View(view.pan + (2 * x / long - 1) / view.zoom, view.tilt - (2 * y / wide - 1) / view.zoom, view.zoom)
        mount.look(View(moved.pan, moved.tilt, view.zoom * factor if closer else view.zoom / factor), now)

    def _configure(self, channel: str, block: str, value: str) -> None:
        device = self._device
        if block == "BasicParam":
            device.facts.name = xml.said(value, "Name", device.facts.name)
            beat = xml.said(value, "HeartBeatInterval")
            if beat.isdigit() and 1 <= int(beat) <= 3600:
                device.account.heartbeat = device.facts.heartbeat = float(beat)
        elif block == "SnapShotConfig":
            device.snapshots(channel, value)


def _number(text: str, default: float) -> float:
    try:
        return float(text)
    except ValueError:
        return default
