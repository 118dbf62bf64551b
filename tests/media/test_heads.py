"""Headers as compiled for a subscriber, golden and against the general builder."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from commhub.media import plane
from commhub.media.heads import header_builder
from commhub.wire import rtp


def spec(extensions: dict[str, int], mid: str = "4") -> plane.RouteSpec:
    return plane.RouteSpec(1, 1, 0xAABBCCDD, 96, mid, extensions, 0x11223344, 97)


def test_golden() -> None:
    extensions = {plane.MID: 1, plane.ABS_SEND_TIME: 2, plane.AUDIO_LEVEL: 3, plane.TRANSPORT_CC: 4}
    video = header_builder(spec(extensions), True)
    assert video(0x80, 0x1FFFF, -1, b"\x01\x02\x03", 127).hex() == (
        "90e0ffff" + "ffffffff" + "aabbccdd" + "bede0002" + "1034" + "22010203" + "0000"
    )
    audio = header_builder(spec(extensions), False)
    assert audio(0, 5, 6, b"\x01\x02\x03", 0x8A).hex() == (
        "90600005" + "00000006" + "aabbccdd" + "bede0002" + "1034" + "22010203" + "308a"
    )
    assert header_builder(spec({}), True)(0, 5, 6, b"\x01\x02\x03", 0).hex() == "80600005" + "00000006" + "aabbccdd"
    assert header_builder(spec({}), True, rtx=True)(0x80, 5, 6, b"", 0).hex() == "80e10005" + "00000006" + "11223344"


IDS = st.one_of(st.just(0), st.integers(1, 30))


@given(IDS, IDS, IDS, st.text("0123456789", max_size=3), st.booleans(), st.binary(min_size=3, max_size=3), st.integers(0, 255))
def test_like_the_general_builder(
    mid_id: int, time_id: int, level_id: int, mid: str, video: bool, sent: bytes, level: int
) -> None:
    numbers = [number for number in (mid_id, time_id, level_id) if number]
    if len(set(numbers)) != len(numbers):
        return
    named = {plane.MID: mid_id, plane.ABS_SEND_TIME: time_id, plane.AUDIO_LEVEL: level_id}
    build = header_builder(spec({uri: number for uri, number in named.items() if number}, mid), video)
    values = [(mid_id, mid.encode())] if mid_id and mid else []
    values += [(time_id, sent)] if time_id else []
    values += [(level_id, bytes((level,)))] if level_id and not video else []
    expected = rtp.build(b"", ssrc=0xAABBCCDD, sequence=7, timestamp=8, payload_type=96, marker=True, values=values)
    assert build(0x80, 7, 8, sent, level) == expected
