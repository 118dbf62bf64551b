"""The tree of a simulated lower platform, and its catalogue as messages."""

from __future__ import annotations

from collections import Counter

import pytest

from bridges.simulated import answers
from bridges.simulated.tree import district
from tests.support.gb28181 import device, registrar

PLATFORM = "11010800002000000001"


@pytest.mark.parametrize("count", [1, 7, 60, 3000, 50_000])
def test_a_district_has_its_cameras_below_what_stands_before_them(count: int) -> None:
    entries = district(PLATFORM, count)
    kinds = Counter(entry.kind for entry in entries)
    assert kinds["131"] + kinds["132"] == count
    assert kinds["215"] == 1
    assert len({entry.code for entry in entries}) == len(entries)
    known = {PLATFORM}
    for entry in entries:
        assert {*entry.parent.split("/"), entry.group, entry.region} - {""} <= known
        known.add(entry.code)


def test_a_query_for_a_part_is_answered_with_that_part() -> None:
    entries = {entry.code: entry for entry in district(PLATFORM, 60)}
    recorder = next(code for code in entries if code[10:13] == "118")
    below = answers.below(entries, recorder, PLATFORM)
    assert below[0].code == recorder
    assert len(below) == 17
    assert len(answers.below(entries, PLATFORM, PLATFORM)) == len(entries)
    street = answers.below(entries, "11010801", PLATFORM)
    assert street[0].name == "东风街道"
    assert 0 < sum(entry.camera for entry in street) < 60


async def test_a_platform_brings_its_tree_in_many_messages() -> None:
    entries = district(PLATFORM, 500)
    async with (
        registrar() as platform,
        device(platform.address, code=PLATFORM, entries=entries, quirks=["one-item"], transport="tcp", window=8),
    ):
        await platform.say("Query", "Catalog", PLATFORM, to=PLATFORM)
        await platform.until(lambda: len(platform.heard) >= len(entries), 30)
        text = "".join(platform.texts("Catalog"))
        assert {entry.code for entry in entries} <= {one.split("<")[0] for one in text.split("<DeviceID>")}
        assert text.count(f"<SumNum>{len(entries)}</SumNum>") == len(entries)


def test_there_are_bounds() -> None:
    with pytest.raises(ValueError, match=r"^A platform brings 1 to 200,000 cameras\.$"):
        district(PLATFORM, 0)
