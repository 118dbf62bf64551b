from __future__ import annotations

import pytest

from commhub.wire import pes, ps_write


def test_golden_octets() -> None:
    """By hand after 13818-1 §2.5.3.3, §2.5.3.5 and §2.5.4."""
    map_ = ps_write.program_map([(0xE0, "h264"), (0xC0, "pcma")])
    assert map_[:-4] == bytes.fromhex("000001bc0012e1ff000000081be0000090c00000")
    assert pes.crc32(map_) == 0


def test_crc_of_the_standard() -> None:
    """The check value of CRC-32/MPEG-2."""
    assert pes.crc32(b"123456789") == 0x0376E6E7


@pytest.mark.parametrize("value", [0, 1, 90_000, 0x1_2345_6789, (1 << 33) - 1])
def test_times_are_read_back(value: int) -> None:
    packed = pes.pack_time(2, value)
    assert packed[0] >> 4 == 2
    assert packed[0] & packed[2] & packed[4] & 1
    assert pes.time_of(packed, 0) == value
    header = ps_write.pack_header(value)
    assert len(header) == 14
    assert header[4] >> 6 == 1
    assert header[4] & 4
    assert header[6] & 4
    assert header[8] & 4
    assert header[9] & 1
    clock = int.from_bytes(header[4:10], "big")
    assert (clock >> 43 & 7) << 30 | (clock >> 27 & 0x7FFF) << 15 | clock >> 11 & 0x7FFF == value


def test_large_pictures_are_split_and_only_the_first_packet_has_the_time() -> None:
    data = bytes(200_000)
    found = ps_write.packets(0xE0, data, 7, 5)
    assert [len(one) - 6 for one in found] == [one[4] << 8 | one[5] for one in found]
    assert all(len(one) - 6 <= 65_535 for one in found)
    read = [pes.header(one, 0, len(one)) for one in found]
    assert [pts for pts, _, _ in read] == [7, None, None, None]
    assert read[0][1] == 5
    assert b"".join(one[start:] for one, (_, _, start) in zip(found, read, strict=True)) == data


def test_tables_stand_before_key_pictures_and_in_the_first_pack() -> None:
    muxer = ps_write.Muxer("h265", "aac")
    made = [muxer.video(b"\0\0\0\1\x02\x01\xd0", at, key=at == 2) for at in range(4)] + [muxer.audio(b"x", 4)]
    assert [b"\0\0\1\xbb" in one for one in made] == [True, False, True, False, False]
    assert [b"\0\0\1\xbc" in one for one in made] == [True, False, True, False, False]
    assert [len(piece) for piece in ps_write.cut(bytes(3000))] == [1400, 1400, 200]


def test_a_codec_without_a_type() -> None:
    with pytest.raises(ValueError, match=r"^The program stream has no type for opus\.$"):
        ps_write.Muxer("h264", "opus")
