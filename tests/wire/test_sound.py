from __future__ import annotations

import pytest

from commhub.wire.sound import Audio
from commhub.wire.units import Clock, Counts, Label, Unit
from tests.support.streams import adts_frame


def track(declared: str | None = None) -> tuple[Audio, list[Unit]]:
    out: list[Unit] = []
    audio = Audio(Clock(), out, Counts())
    audio.declared = declared
    return audio, out


@pytest.mark.parametrize(
    ("octet", "codec"), [(b"\xd5", "pcma"), (b"\x55", "pcma"), (b"\xff", "pcmu"), (b"\x7f", "pcmu"), (b"\x31", "pcma")]
)
def test_the_two_laws_by_their_silence(octet: bytes, codec: str) -> None:
    audio, out = track()
    for at in range(3):
        audio.push(octet * 160, Label(pts=at * 1800))
    assert [unit.codec for unit in out] == [codec] * 3
    assert [unit.pts for unit in out] == [0, 1800, 3600]


def test_a_frame_of_aac_over_two_packets() -> None:
    frames = [adts_frame(100 + at) for at in range(6)]
    data = b"".join(frames)
    audio, out = track("aac")
    audio.push(data[:250], Label(pts=1000))
    audio.push(data[250:400], Label())
    audio.push(data[400:], Label())
    assert [unit.data for unit in out] == frames
    assert [unit.pts for unit in out] == [1000 + at * 5760 for at in range(6)]


def test_g711_that_is_declared_aac() -> None:
    audio, out = track("aac")
    for _ in range(6):
        audio.push(b"\xd5\x54" * 80, Label())
    assert [unit.codec for unit in out] == ["pcma"] * 4


def test_the_voice_header_of_hisilicon_is_taken_off() -> None:
    audio, out = track("pcma")
    audio.push(b"\x00\x01\x50\x00" + b"\xd5" * 160, Label(pts=0))
    audio.push(b"\x00\x01\x51\x00" + b"\xd5" * 160, Label(pts=1800))
    assert [len(unit.data) for unit in out] == [160, 164], "Only where its length says so."


def test_behind_a_loss_it_says_so() -> None:
    audio, out = track("pcma")
    audio.push(b"\xd5" * 160, Label(pts=0))
    audio.lose()
    audio.push(b"\xd5" * 160, Label(pts=3600))
    audio.push(b"\xd5" * 160, Label(pts=5400))
    assert [unit.lost for unit in out] == [False, True, False]
