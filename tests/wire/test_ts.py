"""A transport stream where a program stream was agreed; those of other muxers are read in test_ps."""

from __future__ import annotations

import random

from commhub.wire import ps
from tests.support.streams import TICKS, adts_frame, h264_pictures, octets, pictures, rtp, sounds, transport

VIDEO = h264_pictures()
SOUND = [adts_frame(60 + number) for number in range(len(VIDEO))]  # as transport() has it


def test_with_and_without_tables_and_with_a_wrong_type() -> None:
    for streams in (transport(), transport(tables=False), transport(video_type=0x24)):
        demuxer = ps.Demuxer()
        found = rtp(streams, demuxer, limit=7 * 188)
        assert demuxer.container == "ts"
        assert pictures(found) == VIDEO
        assert sounds(found) == SOUND
        assert [unit.pts for unit in found if unit.kind == "video"] == [number * TICKS for number in range(len(VIDEO))]
        assert {unit.codec for unit in found} == {"h264", "aac"}


def test_octets_cut_anywhere() -> None:
    assert pictures(octets(b"".join(transport()), size=333)) == VIDEO


def test_lost_packets_are_seen_by_their_numbers() -> None:
    data = b"".join(transport())
    chance = random.Random(1)
    kept = b"".join(data[at : at + 188] for at in range(0, len(data), 188) if chance.random() > 0.02)
    found = octets(kept)
    assert set(pictures(found)) <= set(VIDEO)
    assert len(VIDEO) > len(pictures(found)) > 3
    assert any(unit.lost for unit in found)


def test_garbage_between_packets() -> None:
    data = b"".join(transport())
    torn = data[: 188 * 20] + b"\x47garbage" * 9 + data[188 * 20 :]
    assert pictures(octets(torn)) == VIDEO
