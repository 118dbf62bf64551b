"""Hub ↔ a bridge whose cameras stand behind devices that call in: GB/T 28181 recorders, cameras and lower platforms.

``device`` is the 20-digit code a device signs in with, ``channel`` the code of a camera in its catalogue ("" is the device
itself); the same channel code may stand under two devices. Texts come in both languages, as in ``SourceState``.
"""

from __future__ import annotations

from msgspec import Struct

from commhub.media.messages.common import BaseMessage


class Terms(Struct, frozen=True, omit_defaults=True):
    """What an admitted device may do, and how it has to be spoken to.

    ``way`` is how its media comes: udp, tcp-passive, tcp-active (as seen from us), or "" for whatever works; ``worked`` is
    what worked last. ``reset`` says to reset alarms by ourselves, ``guard`` to set the guard so that it tells any.
    """

    device: str
    password: str
    algorithm: str = "MD5"
    way: str = ""
    worked: str = ""
    date: bool = True
    local_times: bool = False  # it reads t= of a playback as its local time
    gcj02: bool = False  # its positions are not WGS-84
    reset: bool = True
    guard: bool = False
    positions: bool = False


class Admitted(BaseMessage, frozen=True):
    """Hub → bridge: all devices that may register, after every link and every change. Others wait, and are told as seen."""

    devices: list[Terms]


class DeviceSeen(BaseMessage, frozen=True):
    """Somebody who is not admitted asks to register. Told at most once a minute for each code."""

    device: str
    address: str
    transport: str
    version: str = ""
    agent: str = ""


class DeviceState(BaseMessage, frozen=True, kw_only=True):
    """Told on every change, and of every admitted device after a link. ``address`` is ``host:port`` as we see it; ``faulty``
    are codes of its channels that do not work, as it says itself."""

    device: str
    online: bool
    since: int = 0
    address: str = ""
    transport: str = ""
    version: str = ""
    heartbeat: float = 0.0  # seconds between signs of life, as learned
    name: str = ""
    manufacturer: str = ""
    model: str = ""
    firmware: str = ""
    faulty: list[str] = []
    code: str = ""  # why it is not online, or was refused
    text: str = ""
    text_zh: str = ""


class Channel(Struct, frozen=True, omit_defaults=True):
    """An entry of a catalogue: a camera, or what stands above cameras. ``kind`` follows from the code: camera, device,
    region, system, group, virtual, other. ``event``, in a notification: ON, OFF, VLOST, DEFECT, ADD, DEL, UPDATE."""

    channel: str
    name: str = ""
    kind: str = "camera"
    parents: list[str] = []
    group: str = ""
    region: str = ""
    manufacturer: str = ""
    model: str = ""
    address: str = ""
    online: bool = True
    ptz: int = 0  # PTZType; 0 not said
    longitude: float | None = None
    latitude: float | None = None
    streams: int = 0  # how many it says it has; 0 not said
    event: str = ""
    more: dict[str, str] = {}  # what else it said, by the device's own names


class CataloguePart(BaseMessage, frozen=True):
    """``run`` numbers the queries of a device; ``told`` counts its channels so far, with these: who has not heard as many has
    missed some. ``last`` ends the run; only a ``complete`` run may remove what it lacks."""

    device: str
    run: int
    channels: list[Channel]
    received: int = 0
    total: int = 0
    last: bool = False
    complete: bool = False
    told: int = 0


class ChannelsChanged(BaseMessage, frozen=True):
    """Of a subscription: each has its ``event``."""

    device: str
    channels: list[Channel]


class AlarmRaised(BaseMessage, frozen=True, kw_only=True):
    """``priority`` 1 is the gravest, 4 the least; ``method`` and ``kind`` (AlarmType) are numbers of GB/T 28181 (A.2.5);
    ``at`` is the device's time."""

    device: str
    channel: str
    priority: int
    method: int
    kind: int = 0
    at: int = 0
    description: str = ""
    longitude: float | None = None
    latitude: float | None = None


class Position(BaseMessage, frozen=True, kw_only=True):
    """WGS-84; km/h, degrees from north, metres."""

    device: str
    channel: str
    longitude: float
    latitude: float
    at: int = 0
    speed: float | None = None
    direction: float | None = None
    altitude: float | None = None


class WayLearned(BaseMessage, frozen=True):
    """Media of this device came this way; the hub remembers it (``Terms.worked``)."""

    device: str
    way: str


class AskDevice(BaseMessage, frozen=True):
    """A question to a device: ``what`` is info, status, catalogue, records, presets, home, cruises, cruise, config.
    Answered by :class:`DeviceAnswer`, or refused with a sentence. Times in ``values`` are UTC ns as text.

    ``values``: records ``start``, ``end``, ``kind`` (all, time, alarm, manual); cruise ``number``; config ``kinds``
    (BasicParam/…). Items of the answer: records ``start``, ``end`` (UTC ns), ``kind``, ``name``, ``size``, ``path``,
    ``channel``, ``stream``; presets and cruises ``number``, ``name``; cruise ``preset``, ``stay``, ``speed``; home
    ``enabled``, ``preset``, ``seconds``; catalogue ``run``; info, status and config one item by the device's own names."""

    device: str
    channel: str
    what: str
    values: dict[str, str] = {}


class DeviceAnswer(BaseMessage, frozen=True):
    """``complete`` is False when some of it did not come."""

    items: list[dict[str, str]]
    complete: bool = True


class Control(BaseMessage, frozen=True):
    """An act of a camera or device, answered by Done or refused with a sentence. ``verb``: preset_set, preset_call,
    preset_delete, cruise_add, cruise_remove, cruise_speed, cruise_stay, cruise_start, cruise_stop, scan_start, scan_left,
    scan_right, scan_speed, scan_stop, aux_on, aux_off, home, zoom_to, zoom_from, precise, record_start, record_stop,
    guard_on, guard_off, alarm_reset, reboot, key_frame, snapshot.

    ``values``: preset_* ``number`` (1 to 255), ``name``; cruise_* ``number``, with ``preset``, ``speed`` or ``seconds``;
    scan_* ``number``, ``speed``; aux_* ``number`` (1: wiper); home ``enabled`` (1, 0), ``preset``, ``seconds``; zoom_* the
    picture's ``length`` and ``width`` and the box's ``x``, ``y`` (its middle), ``length_x``, ``length_y`` in pixels;
    precise ``pan``, ``tilt`` (degrees), ``zoom``; record_* ``stream``; alarm_reset ``method``, ``kind``; snapshot
    ``count``, ``interval``, ``url`` (``{host}`` in it is our address as the device sees us), ``session``."""

    device: str
    channel: str
    verb: str
    values: dict[str, str] = {}


class Move(BaseMessage, frozen=True):
    """Goes on until the next one; all 0 is stop. pan (right), tilt (up), zoom (in), focus (far), iris (open): -1 … 1.
    The hub stops what nobody holds any more; the bridge stops everything when its hub is gone."""

    device: str
    channel: str
    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 0.0
    focus: float = 0.0
    iris: float = 0.0


class Replay(BaseMessage, frozen=True):
    """An act on a running playback (a Source whose URL has ``from`` and ``to``): ``verb`` play, pause, seek (``value``:
    seconds from its start), speed (``value``: 0.25 … 8). Answered by Done."""

    source: str
    verb: str
    value: float = 0.0


class Step(Struct, frozen=True, omit_defaults=True):
    """``state``: done, failed, waiting, skipped. ``seconds`` from the click."""

    name: str
    state: str
    text: str
    text_zh: str
    seconds: float = 0.0


class Attempt(Struct, frozen=True, omit_defaults=True):
    """One way that was tried. ``code`` is empty when it worked."""

    way: str
    port: int
    seconds: float
    packets: int
    code: str = ""
    sender: str = ""
    ssrc: int = 0


class PlayReport(BaseMessage, frozen=True, kw_only=True):
    """What has been done to open a Source, and how it went; told when it is live or has failed, and again when that changes."""

    source: str
    at: int
    code: str
    text: str
    text_zh: str
    advice: str = ""
    advice_zh: str = ""
    steps: list[Step] = []
    attempts: list[Attempt] = []


class Voice(BaseMessage, frozen=True):
    """Sound of one participant to loudspeakers. No ``targets`` ends it. ``targets`` are ``device/channel``.
    Answered by Done when at least one device takes it."""

    voice: str
    worker: str
    room: str
    identity: str
    targets: list[str]


class VoiceState(BaseMessage, frozen=True):
    """``state`` of one target: calling, speaking, ended, failed."""

    voice: str
    target: str
    state: str
    code: str = ""
    text: str = ""
    text_zh: str = ""
