"""What the hub asks for, as the standard says it (GB/T 28181-2022, A.2.3 and A.2.4), and answers as the hub reads them.
No I/O, no clock."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridges.gb28181 import manscdp, ptz, times, versions
from bridges.gb28181.asking import Found
from bridges.gb28181.manscdp import Fields
from bridges.gb28181.xml import Element

Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Order:
    """A Control or Query. ``confirmed``: a Response is due (9.3.1); ``entries_of``: the element that repeats."""

    root: str
    command: str
    fields: Fields
    confirmed: bool = False
    entries_of: str = ""


def _number(values: Values, name: str, default: int | None = None) -> int:
    text = values.get(name, "")
    if not text and default is not None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"The value {name} is not a whole number.")
    return int(text)


def _decimal(values: Values, name: str) -> str:
    found = manscdp.decimal(values.get(name, ""))
    if found is None:
        raise ValueError(f"The value {name} is not a number.")
    return f"{found:g}"


def _control(fields: Fields, *, confirmed: bool = False) -> Order:
    return Order("Control", "DeviceControl", fields, confirmed)


def _ptz(word: str, more: Fields = ()) -> Order:
    return _control([("PTZCmd", word), *more])


def _preset(verb: str, values: Values, version: str) -> Order:
    name = values.get("name", "")
    named = name and verb == "preset_set" and versions.number(version) >= versions.V2022
    more: Fields = [("PTZCmdParams", [("PresetName", name[:64])])] if named else []
    return _ptz(ptz.preset(verb, _number(values, "number")), more)


def _cruise(verb: str, values: Values, version: str) -> Order:
    if verb == "cruise_stop":
        return _ptz(ptz.command(ptz.STOP))
    taken = {"cruise_add": ("preset", None), "cruise_remove": ("preset", 0), "cruise_speed": ("speed", None),
             "cruise_stay": ("seconds", None)}.get(verb)  # fmt: skip
    value = _number(values, taken[0], taken[1]) if taken else 0
    return _ptz(ptz.cruise(verb, _number(values, "number", 1), value))


def _scan(verb: str, values: Values, version: str) -> Order:
    if verb == "scan_stop":
        return _ptz(ptz.command(ptz.STOP))
    return _ptz(ptz.scan(verb, _number(values, "number", 1), _number(values, "speed") if verb == "scan_speed" else 0))


def _aux(verb: str, values: Values, version: str) -> Order:
    return _ptz(ptz.switch(verb, _number(values, "number", 1)))


def _home(verb: str, values: Values, version: str) -> Order:
    enabled = _number(values, "enabled", 1)
    more: Fields = [
        ("ResetTime", str(_number(values, "seconds", 60))),
        ("PresetIndex", str(_number(values, "preset", 1))),
    ]
    return _control([("HomePosition", [("Enabled", str(int(bool(enabled)))), *(more if enabled else ())])], confirmed=True)


def _zoom(verb: str, values: Values, version: str) -> Order:
    names = [("Length", "length"), ("Width", "width"), ("MidPointX", "x"), ("MidPointY", "y"), ("LengthX", "length_x"),
             ("LengthY", "length_y")]  # fmt: skip
    fields: Fields = [(name, str(_number(values, said))) for name, said in names]
    return _control([("DragZoomIn" if verb == "zoom_to" else "DragZoomOut", fields)])


def _precise(verb: str, values: Values, version: str) -> Order:
    fields: Fields = [(name, _decimal(values, name.lower())) for name in ("Pan", "Tilt", "Zoom") if name.lower() in values]
    if not fields:
        raise ValueError("A precise position needs pan, tilt or zoom.")
    return _control([("PTZPreciseCtrl", fields)])


def _record(verb: str, values: Values, version: str) -> Order:
    stream: Fields = [("StreamNumber", str(_number(values, "stream")))] if values.get("stream") else []
    return _control([("RecordCmd", "Record" if verb == "record_start" else "StopRecord"), *stream], confirmed=True)


def _guard(verb: str, values: Values, version: str) -> Order:
    return _control([("GuardCmd", "SetGuard" if verb == "guard_on" else "ResetGuard")], confirmed=True)


def _alarm_reset(verb: str, values: Values, version: str) -> Order:
    said = [("AlarmMethod", values.get("method", "")), ("AlarmType", values.get("kind", ""))]
    info = [(name, value) for name, value in said if re.fullmatch(r"[0-9]{1,3}", value)]
    more: Fields = [("Info", info)] if info else []
    return _control([("AlarmCmd", "ResetAlarm"), *more], confirmed=True)


def _reboot(verb: str, values: Values, version: str) -> Order:
    return _control([("TeleBoot", "Boot")])


def _key_frame(verb: str, values: Values, version: str) -> Order:
    # 2016 has it without the r; devices of 2022 with it.
    return _control([("IFrameCmd" if versions.number(version) >= versions.V2022 else "IFameCmd", "Send")])


def _snapshot(verb: str, values: Values, version: str) -> Order:
    url, session = values.get("url", ""), values.get("session", "")
    if not re.fullmatch(r"https?://[^\s<>]{1,500}", url) or not re.fullmatch(r"[0-9A-Za-z_-]{32,128}", session):
        raise ValueError("A snapshot needs the url it is sent to and a session of 32 to 128 characters.")
    count = min(max(_number(values, "count", 1), 1), 10)
    fields: Fields = [("SnapNum", str(count)), ("Interval", str(max(_number(values, "interval", 1), 1))), ("UploadURL", url),
                      ("SessionID", session)]  # fmt: skip
    return Order("Control", "DeviceConfig", [("SnapShotConfig", fields)], True)


_VERBS: dict[str, Callable[[str, Values, str], Order]] = {
    **dict.fromkeys(ptz.PRESETS, _preset),
    **dict.fromkeys((*ptz.CRUISES, "cruise_stop"), _cruise),
    **dict.fromkeys((*ptz.SCANS, "scan_stop"), _scan),
    **dict.fromkeys(ptz.SWITCHES, _aux),
    **dict.fromkeys(("record_start", "record_stop"), _record),
    **dict.fromkeys(("guard_on", "guard_off"), _guard),
    **dict.fromkeys(("zoom_to", "zoom_from"), _zoom),
    "home": _home,
    "precise": _precise,
    "alarm_reset": _alarm_reset,
    "reboot": _reboot,
    "key_frame": _key_frame,
    "snapshot": _snapshot,
}
VERBS = frozenset(_VERBS)


def control(verb: str, values: Values, version: str) -> Order:
    """ValueError, one sentence, for a verb that there is not, or a value that does not fit."""
    make = _VERBS.get(verb)
    if make is None:
        raise ValueError("There is no such control.")
    return make(verb, values, version)


# ---- questions


def query(what: str, values: Values) -> Order:
    """ValueError, one sentence, for what cannot be asked. The catalogue is asked otherwise: it comes in a run."""
    match what:
        case "info":
            return Order("Query", "DeviceInfo", [])
        case "status":
            return Order("Query", "DeviceStatus", [])
        case "presets":
            return Order("Query", "PresetQuery", [], entries_of="Item")
        case "home":
            return Order("Query", "HomePositionQuery", [])
        case "cruises":
            return Order("Query", "CruiseTrackListQuery", [], entries_of="CruiseTrack")
        case "cruise":
            number = str(_number(values, "number"))
            return Order("Query", "CruiseTrackQuery", [("Number", number)], entries_of="CruisePoint")
        case "config":
            kinds = values.get("kinds", "") or "BasicParam"
            if not re.fullmatch(r"[A-Za-z/]{1,200}", kinds):
                raise ValueError("The kinds of a configuration are words between slashes.")
            return Order("Query", "ConfigDownload", [("ConfigType", kinds)])
        case "records":
            return _records(values)
        case _:
            raise ValueError("There is no such question.")


def _records(values: Values) -> Order:
    kind = values.get("kind", "") or "all"
    if kind not in ("all", "time", "alarm", "manual"):
        raise ValueError("The kind of a recording is all, time, alarm or manual.")
    start, end = (_at(values, name) for name in ("start", "end"))
    fields: Fields = [("StartTime", start), ("EndTime", end), ("Secrecy", "0"), ("Type", kind)]
    return Order("Query", "RecordInfo", fields, entries_of="Item")


def _at(values: Values, name: str) -> str:
    text = values.get(name, "")
    if not re.fullmatch(r"[0-9]{1,19}", text):
        raise ValueError(f"The value {name} is not a time in nanoseconds.")
    return times.write(int(text))


def items(what: str, found: Found) -> list[dict[str, str]]:
    """The answer in the hub's words."""
    match what:
        case "records":
            return [_recording(one) for one in found.entries]
        case "presets":
            return _numbered(found.entries, "PresetID", "PresetName")
        case "cruises":
            return _numbered(found.entries, "Number", "Name")
        case "cruise":
            names = {"preset": "PresetIndex", "stay": "StayTime", "speed": "Speed"}
            return [{ours: one.get(theirs) for ours, theirs in names.items()} for one in found.entries]
        case "home":
            home = found.documents[-1].element
            home = home.find("HomePosition") or home
            return [{"enabled": home.get("Enabled"), "preset": home.get("PresetIndex"), "seconds": home.get("ResetTime")}]
        case _:
            return [manscdp.flat(found.documents[-1].element, ("CmdType", "SN"), 256)] if found.documents else []


def _numbered(entries: list[Element], number: str, name: str) -> list[dict[str, str]]:
    """Those without a number are none; vendors pad their lists with empty ones."""
    pairs = [(manscdp.number(one.get(number)), one.get(name)[:128]) for one in entries]
    return [{"number": str(at), "name": called} for at, called in pairs if at is not None]


def _recording(one: Element) -> dict[str, str]:
    said = {
        "start": str(times.parse(one.get("StartTime"))),
        "end": str(times.parse(one.get("EndTime"))),
        "kind": one.get("Type").strip().lower(),
        "name": one.get("Name"),
        "size": str(manscdp.number(one.get("FileSize")) or 0),
        "path": one.get("FilePath"),
        "channel": one.get("DeviceID"),
        "stream": one.get("StreamNumber"),
    }
    return {name: value[:512] for name, value in said.items()}
