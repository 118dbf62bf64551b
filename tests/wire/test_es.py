"""Bare pictures where a program stream was agreed."""

from __future__ import annotations

import pytest

from commhub.wire import h264, h265, ps, ps_write
from commhub.wire.units import Unit
from tests.support.streams import TICKS, h264_pictures, h265_pictures, octets, pictures

CODECS = ["h264", "h265"]


def video(codec: str) -> list[bytes]:
    return h264_pictures() if codec == "h264" else h265_pictures()


def payloads(codec: str, data: bytes, limit: int) -> list[bytes]:
    units = h264.split_annex_b(data)
    return h264.aggregate(units, limit) if codec == "h264" else h265.packets(units, limit)


def send(cut: list[list[bytes]], demuxer: ps.Demuxer) -> list[Unit]:
    found: list[Unit] = []
    for number, pieces in enumerate(cut):
        for index, piece in enumerate(pieces):
            found += demuxer.push(piece, number * TICKS, index == len(pieces) - 1)
    return found + demuxer.flush()


def units_of(data: list[bytes]) -> list[list[bytes]]:
    return [h264.split_annex_b(one) for one in data]


@pytest.mark.parametrize("codec", CODECS)
def test_a_byte_stream_in_rtp(codec: str) -> None:
    demuxer = ps.Demuxer()
    found = send([ps_write.cut(one, 500) for one in video(codec)], demuxer)
    assert pictures(found) == video(codec)
    assert demuxer.container == "es"
    assert demuxer.video == codec
    assert [unit.pts for unit in found] == [number * TICKS for number in range(len(found))]
    assert demuxer.clock == "rtp"


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("limit", [200, 1200])
def test_payloads_as_they_are_without_ps(codec: str, limit: int) -> None:
    demuxer = ps.Demuxer()
    found = send([payloads(codec, one, limit) for one in video(codec)], demuxer)
    assert units_of(pictures(found)) == units_of(video(codec))
    assert demuxer.container == "rtp"
    assert demuxer.video == codec
    assert [unit.key for unit in found][:2] == [True, False]


@pytest.mark.parametrize("codec", CODECS)
def test_a_byte_stream_in_a_file(codec: str) -> None:
    demuxer = ps.Demuxer()
    found = octets(b"".join(video(codec)), demuxer)
    assert pictures(found) == video(codec)
    assert demuxer.container == "es"


def test_a_lost_fragment_leaves_no_torn_picture() -> None:
    demuxer = ps.Demuxer()
    found: list[Unit] = []
    for number, one in enumerate(video("h264")):
        pieces = payloads("h264", one, 200)
        for index, piece in enumerate(pieces):
            if number == 5 and index == 1:
                found += demuxer.gap()
                continue
            found += demuxer.push(piece, number * TICKS, index == len(pieces) - 1)
    found += demuxer.flush()
    whole = units_of(video("h264"))
    assert units_of(pictures(found)) == whole[:5] + whole[6:]
    assert [unit.lost for unit in found].index(True) == 5
