"""Cameras that are being moved: the shortest way from a hand to the wire, and an end to every move. No I/O, no clock.

UDP may bring an old word behind the stop that followed it, when it had to be sent again. So when such a word is answered late,
or never, the stop is said once more.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bridges.gb28181 import ptz
from bridges.gb28181.devices import Device
from bridges.gb28181.manscdp import Fields
from bridges.gb28181.post import Office
from bridges.sip.message import Response
from commhub.media.messages import Move

AGAIN_SECONDS = 1.0  # the same word is not said again within it
LATE_SECONDS = 0.4  # from then on a datagram may have been sent twice (T1 is half a second)
ATTEMPTS = 3
CAMERAS_LIMIT = 4096


@dataclass(slots=True)
class _Axis:
    """Of a camera's two: turning and zooming is one, focus and iris the other."""

    stop: str
    word: str = ""
    said_at: float = float("-inf")
    number: int = 0  # of the last word

    @property
    def still(self) -> bool:
        return self.word in ("", self.stop)


@dataclass(slots=True, eq=False)
class _Camera:
    device: Device
    channel: str
    turn: _Axis = field(default_factory=lambda: _Axis(ptz.move(0, 0, 0)))
    lens: _Axis = field(default_factory=lambda: _Axis(ptz.lens(0, 0)))


class Moves:
    def __init__(self, office: Office) -> None:
        self._office = office
        self._all: dict[tuple[str, str], _Camera] = {}

    def move(self, device: Device, move: Move, now: float) -> None:
        """Nothing happens for a device that is not reached."""
        if device.flow is None or not device.registered:
            return
        key = device.device, move.channel or device.device
        camera = self._all.get(key)
        if camera is None:
            if len(self._all) >= CAMERAS_LIMIT:
                self._make_room()
            camera = self._all[key] = _Camera(device, key[1])
        turn, lens = ptz.move(move.pan, move.tilt, move.zoom), ptz.lens(move.focus, move.iris)
        stop = turn == camera.turn.stop and lens == camera.lens.stop
        moved = not camera.lens.still
        # A stop is always said, whatever was said before; of the other axis only when it moves.
        self._turn(camera, camera.turn, turn, now, always=stop and not moved)
        self._turn(camera, camera.lens, lens, now)

    def stop_all(self, now: float) -> None:
        """Nobody holds them any more."""
        for camera in list(self._all.values()):
            if not (camera.turn.still and camera.lens.still):
                self.move(camera.device, Move(device=camera.device.device, channel=camera.channel), now)

    def drop(self, device: Device) -> None:
        for key in [key for key in self._all if key[0] == device.device]:
            del self._all[key]

    def _turn(self, camera: _Camera, axis: _Axis, word: str, now: float, *, always: bool = False) -> None:
        still = word == axis.stop
        changed = word != axis.word and not (still and axis.still)
        if changed or always or (not still and now - axis.said_at >= AGAIN_SECONDS):
            self._say(camera, axis, word, now)

    def _say(self, camera: _Camera, axis: _Axis, word: str, now: float, attempt: int = 1) -> None:
        if camera.device.flow is None:
            return
        axis.number += 1
        axis.word, axis.said_at = word, now
        number = axis.number

        def said(what: Response | str, at: float) -> None:
            if self._all.get((camera.device.device, camera.channel)) is not camera or attempt >= ATTEMPTS or not axis.still:
                return
            overtaken = number < axis.number and at - now >= LATE_SECONDS
            if overtaken or (number == axis.number and what == "timeout"):
                self._say(camera, axis, axis.stop, at, attempt + 1)

        fields: Fields = [("PTZCmd", word), ("Info", [("ControlPriority", "5")])]
        self._office.message(camera.device, "Control", "DeviceControl", camera.channel, fields, said)

    def _make_room(self) -> None:
        for key, camera in self._all.items():
            if camera.turn.still and camera.lens.still:
                del self._all[key]
                return
