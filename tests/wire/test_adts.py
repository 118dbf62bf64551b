from __future__ import annotations

from commhub.wire import adts
from tests.support.streams import adts_frame


def test_frames_are_cut_and_what_is_between_is_left_out() -> None:
    one, other = adts_frame(50), adts_frame(90)
    frames, used = adts.split(b"\x11\x22" + one + b"\x33" + other + one[:20])
    assert frames == [(one, 5760), (other, 5760)]
    assert used == 2 + len(one) + 1 + len(other)
    assert adts.split(one[:3]) == ([], 0)


def test_a_chain_is_no_chance() -> None:
    assert adts.chain(adts_frame(50))
    assert adts.chain(adts_frame(50) * 2)
    assert not adts.chain(adts_frame(50)[:-1])
    assert adts.inside(b"\xff\xd5" + adts_frame(50) * 2)
    assert not adts.inside(b"\xff" * 500)
    assert not adts.inside(b"\xd5" * 500)


def test_mpeg_audio() -> None:
    """Layer II, 192 kbit/s at 48 kHz: 576 octets a frame (11172-3 §2.4.3.1)."""
    frame = b"\xff\xfd\xa4\x00" + bytes(572)
    assert adts.mpeg_audio(frame + frame)
    assert not adts.mpeg_audio(frame)
    assert not adts.mpeg_audio(b"\xff" * 2000)
