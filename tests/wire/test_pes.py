from __future__ import annotations

import pytest

from commhub.wire import pes


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("000001e00008 800000", (None, None, 9)),
        ("000001e0000d 808005 2100010001", (0, None, 14)),
        ("000001e00012 80c00a 310007d861 1100051615", (126_000, 68_362, 19)),
        ("000001e00010 808003 210001", (None, None, 12)),  # promises a time for which there is no room
        ("000001e00012 c00a 310007d861 1100051615 00", (126_000, 68_362, 19)),  # the first octet is missing, a zero ends it
        ("000001e0000d 8005 2100010001 00", (0, None, 14)),
        ("000001e00004 000000 01", (None, None, 9)),
        ("000001e00003 0f", (None, None, 7)),  # MPEG-1 without anything
        ("000001e00008 ffff 6020 2100010001", (0, None, 15)),  # stuffing, STD buffer, PTS
        ("000001e00010 310007d861 1100051615", (126_000, 68_362, 16)),
    ],
)
def test_headers(text: str, found: tuple[int | None, int | None, int]) -> None:
    data = bytes.fromhex(text)
    assert pes.header(data, 0, len(data)) == found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("000001e00000", "The PES packet has no header."),
        ("000001e00003 800005", "The PES header ends behind its packet."),
        ("000001e00003 000100", "The PES packet has a header of neither MPEG-2 nor MPEG-1."),
        ("000001e00002 2100", "The PES packet has a header of neither MPEG-2 nor MPEG-1."),
    ],
)
def test_wrong_headers(text: str, sentence: str) -> None:
    data = bytes.fromhex(text)
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        pes.header(data, 0, len(data))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("e1ff 0000 0008 1be00000 90c00000 00000000", {0xE0: ("video", "h264"), 0xC0: ("audio", "pcma")}),
        ("e1ff 0002 aabb 0006 24e00002 0102 00000000", {0xE0: ("video", "h265")}),
        ("e1ff 0000 0004 77e00000", {}),  # a type nobody knows
        ("e1ff 0000 00ff 1be00000", None),  # longer than it is
        ("e1fe 0000 0004 1be00000", None),
        ("80c4", None),
    ],
)
def test_maps(text: str, found: dict[int, tuple[str, str]] | None) -> None:
    assert pes.program_map(bytes.fromhex(text)) == found
