"""The catalogue of a lower platform, as a district brings it ("Sharp Eyes"): regions, business groups, virtual organisations,
recorders, cameras (GB/T 28181-2022 annex J). No I/O, no clock."""

from __future__ import annotations

from bridges.simulated.device import code
from bridges.simulated.model import Entry

_PER_RECORDER = 16
_PER_PLACE = 8  # cameras of one virtual organisation, at least
_STREETS = (
    "东风街道",
    "长江路街道",
    "青石桥街道",
    "江北街道",
    "凤凰山街道",
    "大学城街道",
    "高铁站街道",
    "老城街道",
    "开发区",
    "湖滨街道",
)
_PLACES = ("路口", "学校周边", "医院周边", "广场", "地铁站", "桥梁隧道", "小区出入口", "商业街")
_WHERE = ("东口", "西口", "南口", "北口", "正门", "后门", "停车场", "天桥")


def district(platform: str, count: int, *, movable: int = 4, streets: int = 0, places: int = 0) -> list[Entry]:
    """``count`` cameras under ``platform``, whose first six digits are the district's region; every ``movable``-th is a dome,
    every 41st is off. Parents stand before their children. ValueError for fewer than one camera or more than 200,000."""
    if not 1 <= count <= 200_000:
        raise ValueError("A platform brings 1 to 200,000 cameras.")
    region = platform[:6]
    streets = streets or max(1, min(len(_STREETS), count // 12))
    places = places or max(1, min(400, count // (streets * _PER_PLACE)))
    group = code(region, "215", 1)
    entries = [Entry(region, "滨江区"), *(_street(region, number) for number in range(streets))]
    entries.append(Entry(group, "视频监控业务分组", platform, region=region))
    organisations: list[str] = []
    for street in range(streets):
        above = code(region, "216", street * 1000 + 1)
        entries.append(Entry(above, _STREETS[street % len(_STREETS)], platform, group, region))
        for place in range(places):
            below = code(region, "216", street * 1000 + 2 + place)
            name = f"{_PLACES[place % len(_PLACES)]}{place // len(_PLACES) + 1 if places > len(_PLACES) else ''}"
            entries.append(Entry(below, name, above, group, region))
            organisations.append(below)
    recorders = [
        Entry(code(region, "118", number + 1), f"{number + 1}号录像机", platform, region=region)
        for number in range(-(-count // _PER_RECORDER))
    ]
    entries += recorders
    for number in range(count):
        where = number % len(organisations)
        entries.append(_camera(region, number, recorders[number // _PER_RECORDER].code, organisations[where], group,
                               where // places, movable))  # fmt: skip
    return entries


def _street(region: str, number: int) -> Entry:
    return Entry(f"{region}{number + 1:02d}", _STREETS[number % len(_STREETS)])


def _camera(region: str, number: int, recorder: str, organisation: str, group: str, street: int, movable: int) -> Entry:
    dome = movable > 0 and number % movable == 0
    name = f"{_STREETS[street % len(_STREETS)][:3]}{_WHERE[number % len(_WHERE)]}{number + 1}"
    return Entry(
        code(region, "131" if dome else "132", number + 1), name, f"{recorder}/{organisation}", group,
        f"{region}{street + 1:02d}", ptz=1 if dome else 3, online=number % 41 != 40,
        longitude=round(116.30 + number % 300 * 0.001, 6),
        latitude=round(39.80 + number // 300 * 0.001, 6),
    )  # fmt: skip
