"""The answers of a device to queries (GB/T 28181-2022 §9.3 to §9.5, A.2.4, A.2.6), and what it tells unasked. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridges.simulated.film import BEIJING
from bridges.simulated.model import Entry, Mount, recordings
from bridges.simulated.xml import Value, document, listed, said, tag, tags

_PAGE = {"udp": 2, "tcp": 10}  # items of a catalogue in one message
_RECORDS = 4


@dataclass(slots=True)
class Facts:
    """What answers need of a device. ``now`` is Unix seconds at the time of the answer."""

    code: str
    name: str
    entries: dict[str, Entry]
    mounts: dict[str, Mount]
    quirks: frozenset[str]
    version: str
    transport: str
    page: int
    heartbeat: float
    expires: int
    platform: str
    guarded: bool = False
    recording: bool = True
    model: str = "SIM-2022"

    def document(self, root: str, command: str, number: str, device: str, inside: str) -> bytes:
        number = "0" if "sn-zero" in self.quirks and root == "Response" else number
        return document(root, command, number, tag("DeviceID", device) + inside, self.quirks, self.version)


def local(now: float, *, parts: bool = False) -> str:
    return datetime.fromtimestamp(now, BEIJING).strftime("%Y-%m-%dT%H:%M:%S" + (".%f" if parts else ""))


def unlocal(text: str) -> int:
    """ValueError when it is no time."""
    return int(datetime.fromisoformat(text[:19]).replace(tzinfo=BEIJING).timestamp())


def bodies(facts: Facts, command: str, query: str, now: float) -> Iterator[bytes]:
    """All messages that answer a query; none for one that it does not know."""
    number, device = said(query, "SN"), said(query, "DeviceID")
    if command == "Catalog":
        yield from _catalogue(facts, number, device)
    elif command == "RecordInfo":
        yield from _records(facts, number, device, query, now)
    elif (inside := _single(facts, command, device, query, now)) is not None:
        yield facts.document("Response", command, number, device, inside)


def _single(facts: Facts, command: str, device: str, query: str, now: float) -> str | None:
    cameras = sum(entry.camera for entry in facts.entries.values())
    match command:
        case "DeviceInfo":
            values: dict[str, Value] = {"DeviceName": facts.name, "Result": "OK", "Manufacturer": "CommHub", "Model": facts.model,
                                        "Firmware": "V1.0.0", "Channel": cameras}  # fmt: skip
            return tags(values)
        case "DeviceStatus":
            values = {"Result": "OK", "Online": "ONLINE", "Status": "OK", "Encode": "ON",
                      "Record": "ON" if facts.recording else "OFF", "DeviceTime": local(now)}  # fmt: skip
            duty = "ONDUTY" if facts.guarded else "OFFDUTY"
            alarmed = [entry.code for entry in facts.entries.values() if entry.alarms]
            return tags(values) + listed("Alarmstatus", (tags({"DeviceID": one, "DutyStatus": duty}) for one in alarmed))
        case "PresetQuery":
            mount = facts.mounts.get(device)
            kept = sorted(mount.presets.items()) if mount else []
            items = [tags({"PresetID": one, "PresetName": name}) for one, (name, _) in kept]
            return tag("SumNum", len(items)) + listed("PresetList", items)
        case "ConfigDownload":
            basic = tags({"Name": facts.name, "Expiration": facts.expires, "HeartBeatInterval": round(facts.heartbeat),
                          "HeartBeatCount": 3})  # fmt: skip
            asked = said(query, "ConfigType").split("/")
            return tag("Result", "OK") + (f"<BasicParam>\r\n{basic}</BasicParam>\r\n" if "BasicParam" in asked else "")
        case "HomePositionQuery":
            mount = facts.mounts.get(device)
            inside = tags({"Enabled": 1 if mount else 0, "ResetTime": 60, "PresetIndex": mount.home if mount else 1})
            return f"<HomePosition>\r\n{inside}</HomePosition>\r\n"
        case "CruiseTrackListQuery":
            tours = [tags({"Number": 1, "Name": "巡航1"})] if device in facts.mounts else []
            return tag("SumNum", len(tours)) + listed("CruiseTrackList", tours, "CruiseTrack")
        case "CruiseTrackQuery":
            points = [tags({"PresetIndex": one, "StayTime": 15, "Speed": 5}) for one in sorted(facts.mounts[device].presets)] \
                if device in facts.mounts else []  # fmt: skip
            head = tags({"Number": 1, "Name": "巡航1", "SumNum": len(points)})
            return head + listed("CruisePointList", points, "CruisePoint")
        case "PTZPosition":
            mount = facts.mounts.get(device)
            if mount is None:
                return tag("Result", "ERROR")
            return tags({"Pan": round(180 + 90 * mount.pan, 2), "Tilt": round(30 * mount.tilt, 2), "Zoom": round(mount.zoom, 2)})
        case "SDCardStatus":
            card = tags(
                {"ID": 1, "HddName": "SD1", "Status": "ok", "FormatProgress": 100, "Capacity": 128_000, "FreeSpace": 64_000}
            )
            return tag("SumNum", 1) + listed("SDCardStatusInfo", [card])
    return None


# ---- lists


def item(entry: Entry, version: str) -> str:
    """An entry of the catalogue, with the fields of the standard's year (A.2.1.9)."""
    if entry.kind == "region":
        return tags({"DeviceID": entry.code, "Name": entry.name})
    values: dict[str, Value] = {"DeviceID": entry.code, "Name": entry.name}
    if entry.kind in ("200", "215", "216"):
        values |= {"ParentID": entry.parent or None, "BusinessGroupID": entry.group or None, "CivilCode": entry.region or None}
        return tags(values)
    values |= {"Manufacturer": "CommHub", "Model": "SIM-2022", "Owner": None if version >= "3.0" else "Owner",
               "CivilCode": entry.region or "110105", "Address": entry.address or entry.name,
               "Parental": 0 if entry.camera else 1, "ParentID": entry.parent, "SafetyWay": None if version >= "3.0" else 0,
               "RegisterWay": 1, "Secrecy": 0, "Status": "ON" if entry.online else "OFF",
               "Longitude": "" if entry.longitude is None else entry.longitude,
               "Latitude": "" if entry.latitude is None else entry.latitude,
               "BusinessGroupID": entry.group or None}  # fmt: skip
    more: dict[str, Value] = {"PTZType": entry.ptz, "Resolution": "6/4"}
    more |= {"StreamNumberList": "0/1"} if version >= "3.0" else {}
    return tags(values) + (f"<Info>\r\n{tags(more)}</Info>\r\n" if entry.camera else "")


def below(entries: dict[str, Entry], device: str, whole: str) -> list[Entry]:
    """What a query for ``device`` is answered with (annex J): everything, or that entry and all that hangs below it."""
    if device == whole or device not in entries:
        return list(entries.values())
    wanted, found = {device}, [entries[device]]
    for entry in entries.values():  # parents stand before children
        region = entry.kind == "region" and len(entry.code) > len(device) and entry.code.startswith(device)
        if entry.code != device and (wanted & {*entry.parent.split("/"), entry.group, entry.region} or region):
            wanted.add(entry.code)
            found.append(entry)
    return found


def _catalogue(facts: Facts, number: str, device: str) -> Iterator[bytes]:
    quirks = facts.quirks
    if "no-catalogue" in quirks:
        return
    entries = below(facts.entries, device, facts.code)
    if "lists-itself" in quirks:
        entries = [Entry(facts.code, facts.name, facts.platform), *entries]
    if "repeated-items" in quirks:
        entries = [entry for entry in entries for _ in range(2)]
    total = len(entries) + (3 if "wrong-total" in quirks else -1 if "small-total" in quirks else 0)
    size = 1 if "one-item" in quirks else facts.page or _PAGE[facts.transport]
    pages = [entries[at : at + size] for at in range(0, len(entries), size)] or [[]]
    if "empty-page" in quirks:
        pages.append([])
    for place, page in enumerate(pages):
        if place == 1 and "lost-page" in quirks:
            continue
        inside = tag("SumNum", total) + listed("DeviceList", (item(entry, facts.version) for entry in page))
        yield facts.document("Response", "Catalog", number, device, inside)


def _records(facts: Facts, number: str, device: str, query: str, now: float) -> Iterator[bytes]:
    try:
        start, end = unlocal(said(query, "StartTime")), unlocal(said(query, "EndTime"))
    except ValueError:
        start = end = 0
    entry = facts.entries.get(device)
    found = list(recordings(start, end, int(now), said(query, "Type", "all"))) if entry and entry.camera else []
    pages = [found[at : at + _RECORDS] for at in range(0, len(found), _RECORDS)] or [[]]
    for page in pages:
        items = [
            tags({"DeviceID": device, "Name": entry.name if entry else "", "FilePath": f"/record/{device}/{one.start}.ps",
                  "Address": "Address", "StartTime": local(one.start), "EndTime": local(one.end), "Secrecy": 0, "Type": one.kind,
                  "RecorderID": facts.code, "FileSize": one.size})
            for one in page
        ]  # fmt: skip
        inside = tag("Name", entry.name if entry else "") + tag("SumNum", len(found)) + listed("RecordList", items)
        yield facts.document("Response", "RecordInfo", number, device, inside)


# ---- told unasked


def keepalive(facts: Facts, number: str, faulty: Sequence[str] = ()) -> bytes:
    info = f"<Info>\r\n{''.join(tag('DeviceID', one) for one in faulty)}</Info>\r\n" if faulty else ""
    return facts.document("Notify", "Keepalive", number, facts.code, tag("Status", "OK") + info)


def alarm(
    facts: Facts, number: str, channel: str, now: float, *, priority: int, method: int, kind: int, text: str, entry: Entry | None
) -> bytes:
    values: dict[str, Value] = {"AlarmPriority": priority, "AlarmMethod": method, "AlarmTime": local(now),
                                "AlarmDescription": text or None}  # fmt: skip
    if entry is not None:
        values |= {"Longitude": entry.longitude, "Latitude": entry.latitude}
    info = f"<Info>\r\n{tag('AlarmType', kind)}</Info>\r\n" if kind else ""
    return facts.document("Notify", "Alarm", number, channel, tags(values) + info)


def position(
    facts: Facts, number: str, channel: str, now: float, longitude: float, latitude: float, speed: float, direction: float
) -> bytes:
    """Of 2022 a list, before that flat (A.2.5.11)."""
    place: dict[str, Value] = {
        "Longitude": longitude,
        "Latitude": latitude,
        "Speed": speed,
        "Direction": direction,
        "Altitude": 40.0,
    }
    if facts.version >= "3.0":
        one = tags({"DeviceID": channel, "CaptureTime": local(now), **place})
        return facts.document(
            "Notify", "MobilePosition", number, facts.code, tags({"Time": local(now), "SumNum": 1}) + listed("DeviceList", [one])
        )
    return facts.document("Notify", "MobilePosition", number, channel, tags({"Time": local(now), **place}))


def changed(facts: Facts, number: str, changes: Sequence[tuple[str, Entry]]) -> bytes:
    """A NOTIFY of the catalogue (§9.11): ADD and UPDATE have the whole entry, the others its code."""
    items = [
        (item(entry, facts.version) if event in ("ADD", "UPDATE") else tag("DeviceID", entry.code)) + tag("Event", event)
        for event, entry in changes
    ]
    return facts.document("Notify", "Catalog", number, facts.code, tag("SumNum", len(items)) + listed("DeviceList", items))
