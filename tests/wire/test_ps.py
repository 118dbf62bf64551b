"""What real devices do with program streams, each thing a case; cuts and losses at random."""

from __future__ import annotations

import itertools
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commhub.wire import h264, ps, ps_write
from commhub.wire.pes import pack_time
from commhub.wire.units import Unit
from tests.support.streams import (
    SILENCE,
    TICKS,
    adts_frame,
    h264_pictures,
    h265_pictures,
    octets,
    pack,
    pes,
    pictures,
    rtp,
    sounds,
    stream_of,
)

FIRST = 5000  # PTS of the first picture


def packs(video: list[bytes], tables: bytes = b"", sound: bool = False) -> list[bytes]:
    """One pack a picture; ``tables`` in each eighth, as a device would."""
    found = []
    for number, data in enumerate(video):
        parts = [tables] if number % 8 == 0 else []
        parts += ps_write.packets(0xE0, data, FIRST + number * TICKS)
        if sound:
            parts += [pes(0xC0, SILENCE, FIRST + number * TICKS)]
        found.append(pack(*parts))
    return found


def program_map(*streams: tuple[int, str]) -> bytes:
    return ps_write.program_map(list(streams))


def times(units: list[Unit]) -> list[int]:
    return [unit.pts for unit in units if unit.kind == "video"]


VIDEO = h264_pictures()
STEADY = [FIRST + number * TICKS for number in range(len(VIDEO))]
TABLES = ps_write.system_header([0xE0, 0xC0]) + program_map((0xE0, "h264"), (0xC0, "pcma"))

# From ossrs/srs issue 2565: the beginning of a stream of a Dahua camera whose map names a stream of type 0.
DAHUA = bytes.fromhex(
    "000001ba440004000401005f6bf8000001bb000c80ccf504e17fe0e0e8c0c020000001bc001ee1ff000000141be0000c2a0a7fff"
    "00000708 1ffea05a 00000000 0000000000000000"
)


def test_golden_octets() -> None:
    """Written by hand after 13818-1 §2.5.3 and §2.4.3.6."""
    golden = bytes.fromhex(
        "000001ba 44000400 0401 0186a3 f8"  # clock 0
        "000001bc 000e e1ff 0000 0004 1be00000 00000000"  # a CRC of zeros, as devices write it
        "000001e0 0010 8080 05 2100010001"  # PTS 0, 8 octets follow
        "00000001 65888004"
        "000001c0 000a 8080 05 2100010001 d5d5"
        "000001b9"
    )
    units = octets(golden, size=7)
    assert units == [
        Unit("audio", "pcma", 0, 0, b"\xd5\xd5", True, False),
        Unit("video", "h264", 0, 0, bytes.fromhex("0000000165888004"), True, False),
    ]


def test_the_beginning_of_a_dahua_stream() -> None:
    demuxer = ps.Demuxer()
    found = octets(DAHUA + pes(0xE0, VIDEO[0], 0) + pack(pes(0xE0, VIDEO[1], TICKS)), demuxer)
    assert pictures(found) == VIDEO[:2]
    assert demuxer.video == "h264"
    assert demuxer.counts.maps == 1


@pytest.mark.parametrize("markers", ["right", "all", "none"])
def test_pictures_and_sound_whatever_the_markers_say(markers: str) -> None:
    demuxer = ps.Demuxer()
    found = rtp(packs(VIDEO, TABLES, sound=True), demuxer, markers=markers)
    assert pictures(found) == VIDEO
    assert sounds(found) == [SILENCE] * len(VIDEO)
    assert times(found) == STEADY
    assert [unit.key for unit in found if unit.kind == "video"] == [number % 8 == 0 for number in range(len(VIDEO))]
    assert (demuxer.container, demuxer.video, demuxer.sound, demuxer.clock) == ("ps", "h264", "pcma", "pts")
    assert demuxer.counts.skipped == demuxer.counts.damaged == demuxer.counts.lengths == 0


def test_with_right_markers_a_picture_does_not_wait_for_the_next_one() -> None:
    demuxer = ps.Demuxer()
    waited = []
    for number, one in enumerate(packs(VIDEO, TABLES)):
        pieces = ps_write.cut(one)
        found = [demuxer.push(piece, number * TICKS, index == len(pieces) - 1) for index, piece in enumerate(pieces)]
        waited.append(pictures(found[-1]) != [VIDEO[number]])
    assert not any(waited[5:]), waited


def test_a_marker_of_sound_between_the_packets_of_a_picture() -> None:
    demuxer = ps.Demuxer()
    found: list[Unit] = []
    for number, data in enumerate(VIDEO):
        half = len(data) // 2
        first = pack(pes(0xE0, data[:half], FIRST + number * TICKS))
        found += demuxer.push(first, number * TICKS, False)
        found += demuxer.push(pack(pes(0xC0, SILENCE, FIRST + number * TICKS)), number * TICKS + 100, True)
        found += demuxer.push(pack(pes(0xE0, data[half:])), number * TICKS, True)
    found += demuxer.flush()
    assert pictures(found) == VIDEO
    assert len(sounds(found)) == len(VIDEO)


def _with_sets(data: bytes, extra: int) -> bytes:
    return data + b"\x99" * extra + b"\x80"


LARGE = [_with_sets(data, 70_000 if number % 8 == 0 else 0) for number, data in enumerate(VIDEO)]


@pytest.mark.parametrize("over_rtp", [True, False], ids=["RTP", "octets"])
@pytest.mark.parametrize("how", ["wrapped", "zero", "full", "too long", "split", "packs"])
def test_lengths_of_large_pictures(how: str, over_rtp: bool) -> None:
    made = []
    for number, data in enumerate(LARGE):
        pts = FIRST + number * TICKS
        match how:
            case "wrapped":
                parts = [pes(0xE0, data, pts)]
            case "zero":
                parts = [pes(0xE0, data, pts, length=0)]
            case "full":
                parts = [pes(0xE0, data, pts, length=min(0xFFFF, len(data) + 8))]
            case "too long":
                parts = [pes(0xE0, data, pts, length=len(data) + 8 + (5 if len(data) < 60_000 else 0))]
            case _:
                pieces = [data[at : at + 20_000] for at in range(0, len(data), 20_000)]
                parts = [pes(0xE0, piece, pts if not at else None) for at, piece in enumerate(pieces)]
        made.append(b"".join(pack(part) for part in parts) if how == "packs" else pack(TABLES, *parts))
    found = rtp(made) if over_rtp else octets(b"".join(made))
    if how == "too long":  # of the last one nobody can say whether it is torn
        found.append(Unit("video", "h264", STEADY[-1], STEADY[-1], LARGE[-1], False, False))
    assert [len(one) for one in pictures(found)] == [len(one) for one in LARGE]
    assert pictures(found) == LARGE
    assert times(found) == STEADY


def test_without_any_map_the_content_says_what_it_is() -> None:
    for video, codec in ((VIDEO, "h264"), (h265_pictures(), "h265")):
        demuxer = ps.Demuxer()
        assert pictures(rtp(packs(video), demuxer)) == video
        assert demuxer.video == codec


@pytest.mark.parametrize(("said", "is_"), [("h264", "h265"), ("h265", "h264"), ("svac", "h265"), ("mpeg4", "h264")])
def test_a_map_that_names_another_codec(said: str, is_: str) -> None:
    video = VIDEO if is_ == "h264" else h265_pictures()
    found = rtp(packs(video, program_map((0xE0, said))))
    assert pictures(found) == video
    assert {unit.codec for unit in found} == {is_}


def test_another_codec_in_the_middle() -> None:
    video = [*VIDEO[:8], *h265_pictures(), *VIDEO[:8]]
    found = rtp(packs(video, program_map((0xE0, "h264"))))
    assert pictures(found) == video
    assert [unit.codec for unit in found] == ["h264"] * 8 + ["h265"] * 12 + ["h264"] * 8


def test_a_map_under_the_start_code_of_a_system_header() -> None:
    wrong = bytearray(program_map((0xE0, "h264"), (0xC0, "pcmu")))
    wrong[3] = 0xBB
    demuxer = ps.Demuxer()
    found = rtp(packs(VIDEO, bytes(wrong), sound=True), demuxer)
    assert pictures(found) == VIDEO
    assert demuxer.sound == "pcmu"
    assert demuxer.counts.maps == 3


def test_a_map_that_declares_sound_which_never_comes_and_streams_of_type_zero() -> None:
    torn = bytearray(program_map((0xE0, "h264"), (0xC0, "pcma")))
    torn[16:18] = b"\0\0"
    for tables in (program_map((0xE0, "h264"), (0xC0, "aac")), bytes(torn)):
        assert pictures(rtp(packs(VIDEO, tables))) == VIDEO


@pytest.mark.parametrize("length", [2, 9, 400])
def test_maps_and_system_headers_with_wrong_lengths(length: int) -> None:
    wrong = bytearray(TABLES)
    wrong[4:6] = struct.pack("!H", length)
    assert pictures(rtp(packs(VIDEO, bytes(wrong)))) == VIDEO


def test_private_streams_padding_and_stuffing_between() -> None:
    private = b"\0\0\1\xbd" + struct.pack("!H", 300) + b"\x80\x00\x00" + b"IVS" * 99
    other = b"\0\0\1\xbf" + struct.pack("!H", 40) + b"\x00\x01\x02\x03" * 10
    padding = b"\0\0\1\xbe" + struct.pack("!H", 500) + b"\xff" * 500
    made = []
    for number, data in enumerate(VIDEO):
        stuffed = bytearray(ps_write.pack_header(0)[:-1]) + b"\xfb\xff\xff\xff"  # three octets of stuffing
        part = bytearray(pes(0xE0, data, FIRST + number * TICKS))
        part[8] += 4  # and four in the packet's header
        part[14:14] = b"\xff" * 4
        part[4:6] = struct.pack("!H", len(part) - 6)
        made.append(bytes(stuffed) + TABLES + private + bytes(part) + other + padding)
    demuxer = ps.Demuxer()
    found = rtp(made, demuxer)
    assert pictures(found) == VIDEO
    assert not sounds(found)
    assert demuxer.counts.skipped == 0
    assert demuxer.counts.ignored == len(VIDEO)


def test_packs_and_packets_of_mpeg_1() -> None:
    made = []
    for number, data in enumerate(VIDEO):
        head = b"\0\0\1\xba" + b"\x21\x00\x01\x00\x01" + b"\x80\x00\x01"
        body = b"\xff\xff" + b"\x60\x20" + pack_time(2, FIRST + number * TICKS) + data
        made.append(head + b"\0\0\1\xe0" + struct.pack("!H", len(body)) + body)
    found = octets(b"".join(made))
    assert pictures(found) == VIDEO
    assert times(found) == STEADY


def test_garbage_between_packets_is_left_out() -> None:
    chance = random.Random(3)
    made = [one + bytes(chance.randrange(1, 256) for _ in range(chance.randrange(1, 90))) for one in packs(VIDEO, TABLES)]
    for found in (rtp(made), octets(b"".join(made))):
        assert pictures(found) == VIDEO


def test_zeros_behind_a_packet_are_no_error() -> None:
    demuxer = ps.Demuxer()
    assert pictures(rtp([one + b"\0" for one in packs(VIDEO, TABLES)], demuxer)) == VIDEO
    assert demuxer.counts.lengths == demuxer.counts.skipped == 0


def test_a_unit_a_packet() -> None:
    made = []
    for number, data in enumerate(VIDEO):
        parts = [
            pes(0xE0, h264.START_CODE + unit, FIRST + number * TICKS if not at else None)
            for at, unit in enumerate(h264.split_annex_b(data))
        ]
        made.append(pack(*parts))
    found = rtp(made)
    assert pictures(found) == VIDEO
    assert times(found) == STEADY


def test_parameter_sets_before_each_picture_make_no_key_of_it() -> None:
    sets = stream_of(h264.split_annex_b(VIDEO[0])[:2])
    video = [data if number % 8 == 0 else sets + data for number, data in enumerate(VIDEO)]
    found = rtp(packs(video))
    assert pictures(found) == video
    assert [unit.key for unit in found] == [number % 8 == 0 for number in range(len(VIDEO))]


def test_several_pictures_in_a_packet_get_times_of_their_own() -> None:
    made = [pack(pes(0xE0, VIDEO[at] + VIDEO[at + 1], FIRST + at * TICKS)) for at in range(0, len(VIDEO), 2)]
    found = rtp(made)
    assert pictures(found) == VIDEO
    assert times(found) == STEADY


@pytest.mark.parametrize(
    ("pts", "clock"),
    [
        (lambda n: None, "rtp"),
        (lambda n: 0, "rtp"),
        (lambda n: 77_777, "rtp"),
        (lambda n: n * 40, "rtp"),
        (lambda n: n * 3600, "pts"),
    ],
    ids=["absent", "zero", "constant", "milliseconds", "right"],
)  # fmt: skip
def test_times_that_are_none(pts: object, clock: str) -> None:
    assert callable(pts)
    made = [pack(pes(0xE0, data, pts(number))) for number, data in enumerate(VIDEO)]
    demuxer = ps.Demuxer()
    found = rtp(made, demuxer)
    assert pictures(found) == VIDEO
    assert demuxer.clock == clock
    steps = [after - before for before, after in zip(times(found)[5:], times(found)[6:], strict=False)]
    assert set(steps) == {TICKS}


def test_times_wrap_around() -> None:
    begin = (1 << 33) - 5 * TICKS
    found = rtp([pack(pes(0xE0, data, begin + number * TICKS)) for number, data in enumerate(VIDEO)])
    assert times(found) == [begin + number * TICKS for number in range(len(VIDEO))]


def test_a_time_that_jumps_is_told_as_it_is() -> None:
    made = [pack(pes(0xE0, data, number * TICKS + (900_000 if number > 9 else 0))) for number, data in enumerate(VIDEO)]
    assert times(rtp(made))[9:12] == [9 * TICKS, 10 * TICKS + 900_000, 11 * TICKS + 900_000]


def test_sound_that_is_not_what_the_map_says() -> None:
    frames = [adts_frame(80 + number) for number in range(20)]
    for said in ("pcma", "aac"):
        made = [pack(program_map((0xC0, said)), pes(0xC0, one, number * 5760)) for number, one in enumerate(frames)]
        found = rtp(made)
        assert sounds(found) == frames
        assert {unit.codec for unit in found} == {"aac"}
        assert [unit.pts for unit in found] == [number * 5760 for number in range(20)]


def test_sound_without_times_and_without_a_map() -> None:
    """MiBeeNvr pull request 350."""
    quiet = b"\xff\x7f\xfe\x7e" * 40
    made = [pack(pes(0xE0, data, number * TICKS), pes(0xC0, quiet), pes(0xC0, quiet)) for number, data in enumerate(VIDEO)]
    found = rtp(made)
    heard = [unit for unit in found if unit.kind == "audio"]
    assert {unit.codec for unit in heard} == {"pcmu"}
    assert len(heard) == 2 * len(VIDEO)
    assert [unit.pts - heard[0].pts for unit in heard] == [number * 1800 for number in range(len(heard))]


def test_sound_that_the_signalling_named() -> None:
    found = rtp([pack(pes(0xC0, b"\x12" * 60, number * 1800)) for number in range(9)], ps.Demuxer(audio="g722.1"))
    assert {unit.codec for unit in found} == {"g722.1"}


def test_dahuas_frame_around_a_picture() -> None:
    made = []
    for number, data in enumerate(VIDEO):
        head = b"DHAV\xfd\0\0\0" + bytes(14) + b"\x04\0" + b"ext!"
        made.append(pack(pes(0xE0, head + data + b"dhav" + struct.pack("<I", len(data)), number * TICKS)))
    assert pictures(rtp(made)) == VIDEO


def test_a_second_stream_of_pictures_is_left_out_until_the_first_has_gone() -> None:
    made = packs(VIDEO)
    made = [one + pes(0xE1, b"\0\0\1\x41\xe0other", 1) for one in made]
    demuxer = ps.Demuxer()
    assert pictures(rtp(made, demuxer)) == VIDEO
    assert demuxer.counts.ignored == len(VIDEO)
    later = [pack(pes(0xE1, VIDEO[number % 8], number * TICKS)) for number in range(80)]
    assert len(pictures(rtp(later, demuxer))) > 20


def test_joined_in_the_middle() -> None:
    data = b"".join(packs(VIDEO, TABLES))
    for begin in (3, 100, 1401, 9000):
        found = octets(data[begin:])
        assert pictures(found) == VIDEO[-len(pictures(found)) :]
        assert len(pictures(found)) > len(VIDEO) // 2


def test_behind_a_loss_no_picture_is_torn() -> None:
    made = packs(VIDEO, TABLES, sound=True)
    chance = random.Random(5)
    for _ in range(40):
        demuxer = ps.Demuxer()
        found: list[Unit] = []
        missing = False
        for number, one in enumerate(made):
            pieces = ps_write.cut(one, 300)
            for index, piece in enumerate(pieces):
                if chance.random() < 0.05:
                    missing = True
                    continue
                if missing:
                    found += demuxer.gap()
                    missing = False
                found += demuxer.push(piece, number * TICKS, index == len(pieces) - 1)
        found += demuxer.flush()
        got = pictures(found)
        assert set(got) <= set(VIDEO)
        assert all(one == SILENCE for one in sounds(found))
        # where pictures are missing the next one says so
        numbers = [(VIDEO.index(unit.data), unit.lost) for unit in found if unit.kind == "video"]
        for (before, _), (after, lost) in itertools.pairwise(numbers):
            assert lost or after == before + 1


def test_everything_has_a_bound() -> None:
    demuxer = ps.Demuxer()
    demuxer.push(pack(pes(0xE0, b"\0\0\1\x65\x88", 0, length=0)), 0)
    largest = 0
    for number in range(6 << 10):
        demuxer.push(b"\x55" * 1024, number)
        if isinstance(demuxer._stream, ps.ProgramStream):
            largest = max(largest, len(demuxer._stream._buffer), len(demuxer._programme.video._data))
    assert 4_000_000 < largest < 5 << 20
    assert demuxer.counts.oversized
    assert demuxer._waits < 300_000
    assert pictures(rtp(packs(VIDEO), demuxer))[-8:] == VIDEO[-8:]


def test_octets_that_are_no_stream() -> None:
    demuxer = ps.Demuxer()
    for _ in range(2000):
        assert demuxer.push(b"\x12\x34\x56\x78" * 250, 1) == []
    assert demuxer._waits < 300_000
    assert demuxer.container is None
    assert pictures(rtp(packs(VIDEO), demuxer)) == VIDEO


def test_a_stream_that_becomes_another_kind() -> None:
    demuxer = ps.Demuxer()
    rtp(packs(VIDEO), demuxer)
    assert demuxer.container == "ps"
    for number in range(60):
        for unit in VIDEO[:8]:
            demuxer.push(unit + b"\x11" * 1000, 10_000 + number, True)
    assert demuxer.container == "es"


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_cut_of_any_stream_gives_the_same(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 10))
    video = [
        _with_sets(VIDEO[number], data.draw(st.sampled_from([0, 0, 0, 1, 65_500, 65_536, 131_072]))) for number in range(count)
    ]
    sound = data.draw(st.booleans())
    muxer = ps_write.Muxer("h264", "pcma" if sound else None)
    begin = data.draw(st.integers(0, (1 << 33) - 1))
    whole = b""
    for number, one in enumerate(video):
        pts = begin + number * TICKS
        whole += muxer.video(one, pts, key=number % 8 == 0, dts=pts - 100, audio=SILENCE if sound and number % 2 else b"")
    demuxer = ps.Demuxer()
    found: list[Unit] = []
    chance = random.Random(data.draw(st.integers(0, 1 << 30)))
    at = 0
    while at < len(whole):
        size = chance.choice((1, 3, 100, 1400, 5000, 70_000))
        found += demuxer.push(whole[at : at + size])
        at += size
    found += demuxer.flush()
    assert pictures(found) == video
    assert times(found) == [begin + number * TICKS for number in range(count)]
    assert all(unit.pts - unit.dts == 100 for unit in found if unit.kind == "video")
    assert len(sounds(found)) == (count // 2 if sound else 0)
