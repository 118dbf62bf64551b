"""What a device is asked when it comes: who it is, what it has, and to tell its changes. One thing after the other, since
small devices lose the second of two questions. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable

from bridges.gb28181 import commands
from bridges.gb28181.asking import SILENT, Asking, Done, Found, Refusal, Result
from bridges.gb28181.devices import Device
from bridges.gb28181.outs import Clocks, Out, Tell
from bridges.gb28181.runs import Runs
from bridges.gb28181.subscriptions import ALARM, CATALOGUE, POSITION, Subscriptions

BEGIN_SECONDS = 0.2  # after the 200 to its REGISTER: some are not ready at once
PACE_SECONDS = 0.005  # between two devices: after a restart all of them come at once
AGAIN_SECONDS, ATTEMPTS = 30.0, 4  # of a question that got no answer

Next = Callable[["Result | int", float], None]
STEPS = ("info", "catalogue", "guard", "subscriptions")


class Welcoming:
    def __init__(self, asking: Asking, runs: Runs, subscriptions: Subscriptions, clocks: Clocks, outs: list[Out]) -> None:
        self._asking, self._runs, self._subscriptions = asking, runs, subscriptions
        self._clocks, self._outs = clocks, outs
        self._epochs: dict[str, int] = {}  # a newer arrival ends what an older one began
        self._epoch = 0
        self._next = 0.0

    def begin(self, device: Device, now: float) -> None:
        self._epoch += 1
        epoch = self._epochs[device.device] = self._epoch
        self._next = max(self._next + PACE_SECONDS, now + BEGIN_SECONDS)
        self._clocks.at(self._next, lambda at: self._step(device, epoch, 0, 1, at))

    def wanted(self, device: Device, now: float, *, guard: bool) -> None:
        """Its terms may have changed; only one that has been welcomed has subscriptions. ``guard``: it was not to be set."""
        if self._epochs.get(device.device) == 0:
            self._subscriptions.want(device, _kinds(device), now)
            if guard and device.terms.guard:
                self._guard(device, lambda *_: None, now)

    def drop(self, device: Device) -> None:
        self._epochs.pop(device.device, None)

    def _step(self, device: Device, epoch: int, index: int, attempt: int, now: float) -> None:
        if self._epochs.get(device.device) != epoch:
            return

        def done(result: Result | int, at: float) -> None:
            if self._epochs.get(device.device) != epoch:
                return
            if isinstance(result, Refusal) and result is SILENT and attempt < ATTEMPTS:
                self._clocks.at(at + AGAIN_SECONDS, lambda again: self._step(device, epoch, index, attempt + 1, again))
                return
            if isinstance(result, Found) and STEPS[index] == "info":
                self._learn(device, result)
            self._step(device, epoch, index + 1, 1, at)

        match STEPS[index]:
            case "info":
                self._asking.ask(device, "Query", "DeviceInfo", device.device, [], done, now)
            case "catalogue":
                self._runs.start(device, now, done)
            case "guard" if device.terms.guard:
                self._guard(device, done, now)
            case "guard":
                done(Found([], []), now)
            case _:
                self._epochs[device.device] = 0
                self._subscriptions.want(device, _kinds(device), now)

    def _guard(self, device: Device, done: Done, now: float) -> None:
        order = commands.control("guard_on", {}, device.version)
        self._asking.ask(device, order.root, order.command, device.device, order.fields, done, now, lenient=True)

    def _learn(self, device: Device, found: Found) -> None:
        said = found.documents[-1] if found.documents else None
        if said is None:
            return
        before = device.state()
        device.name = said.get("DeviceName")[:128]
        device.manufacturer, device.model, device.firmware = (
            said.get(name)[:128] for name in ("Manufacturer", "Model", "Firmware")
        )
        if device.state() != before:
            self._outs.append(Tell(device.state()))


def _kinds(device: Device) -> set[str]:
    return {CATALOGUE, ALARM, *((POSITION,) if device.terms.positions else ())}
