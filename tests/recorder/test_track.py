"""A track's packets to pieces of files: cuts, rolls, mutes, silence, loss, jumps; no clock and no disk."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from commhub.media.messages import Codec
from recorder.timeline import SECOND, SenderClock
from recorder.track import Anchor, Begin, End, Feed, Gap, Limits, Moved, Out, Piece, WantKey
from tests.support import sink_feed
from tests.support.sink_feed import H264, H265, OPUS, VP8, Clip, Sender

START = 1_700_000_000 * SECOND


class Player:
    """Plays a clip into a Feed; monotonic time is the media's time."""

    def __init__(self, clip: Clip, limits: Limits | None = None, *, muted: bool = False, peer: SenderClock | None = None) -> None:
        self.sender = Sender(clip, 1)
        self.feed = Feed(clip.codec, peer or SenderClock(), limits or Limits(), muted=muted)
        self.outs: list[Out] = []

    def play(self, seconds: float, keep: Callable[[int], bool] = lambda number: True, *, delay: int = 0) -> list[Out]:
        """What came out meanwhile. ``keep`` gets the number of each packet since the start of the call."""
        began, number = len(self.outs), 0
        end = self.sender.ns(self.sender.index) + round(seconds * SECOND)
        ticks = self.sender.ns(self.sender.index) / SECOND
        while (when := self.sender.ns(self.sender.index)) < end:
            while ticks <= when / SECOND:
                self.outs += self.feed.tick(ticks)
                ticks += 0.1
            for packet in self.sender.packets(self.sender.index):
                if keep(number):
                    self.outs += self.feed.receive(packet, START + when + delay, when / SECOND)
                number += 1
            self.sender.index += 1
        return self.outs[began:]

    @property
    def now(self) -> float:
        return self.sender.ns(self.sender.index) / SECOND

    def wait(self, seconds: float) -> list[Out]:
        """Nothing comes; the clock runs on."""
        began, now = len(self.outs), self.now
        self.sender.skip(seconds)
        for step in range(round(seconds * 10) + 1):
            self.outs += self.feed.tick(now + step / 10)
        return self.outs[began:]

    def close(self) -> list[Out]:
        out = self.feed.close(self.now)
        self.outs += out
        return out


def kinds(outs: list[Out], *leave: type) -> list[str]:
    return [type(out).__name__ for out in outs if not isinstance(out, (Piece, WantKey, Anchor, Moved, *leave))]


def of(outs: list[Out], kind: type[Begin] | type[End] | type[Gap] | type[Piece]) -> list[object]:
    return [out for out in outs if isinstance(out, kind)]


@pytest.mark.parametrize("codec", [OPUS, VP8, H264, H265], ids=lambda codec: codec.mime)
def test_half_a_second_is_a_piece_whatever_the_track(codec: Codec) -> None:
    player = Player(sink_feed.opus() if codec is OPUS else sink_feed.video(codec))
    outs = player.play(10)
    assert kinds(outs) == ["Begin"]
    assert 19 <= len(of(outs, Piece)) <= 26  # key frames begin pieces, too
    (end,) = [out for out in player.close() if isinstance(out, End)]
    assert abs(end.duration_ms - 10_000) < 50
    assert end.start == pytest.approx(START, abs=1_000_000)


@pytest.mark.parametrize("codec", [OPUS, VP8, H264, H265], ids=lambda codec: codec.mime)
def test_what_stops_coming_is_out_within_a_second(codec: Codec) -> None:
    player = Player(sink_feed.opus() if codec is OPUS else sink_feed.video(codec))
    player.play(1.3)
    player.wait(1.1)
    pieces = [out for out in player.outs if isinstance(out, Piece)]
    assert pieces[-1].duration_ms == pytest.approx(1300, abs=70)


def test_sound_rolls_by_time_and_pictures_at_the_next_key_frame() -> None:
    limits = Limits(segment=5.0)
    sound = Player(sink_feed.opus(), limits)
    sound.play(12)
    ends = [out for out in sound.outs if isinstance(out, End)]
    begins = [out for out in sound.outs if isinstance(out, Begin)]
    assert [end.duration_ms for end in ends] == [5000, 5000]
    assert [begin.start - START for begin in begins] == pytest.approx([0, 5 * SECOND, 10 * SECOND], abs=1_000_000)
    picture = Player(sink_feed.video(VP8), limits)  # a key frame every 2 s
    picture.play(12)
    assert [out.duration_ms for out in picture.outs if isinstance(out, End)] == pytest.approx([6000, 6000][:1], abs=40)
    assert any(isinstance(out, WantKey) for out in picture.outs)


def test_another_size_is_another_file() -> None:
    player = Player(sink_feed.video(VP8))
    player.play(3)
    player.sender.change(sink_feed.video(VP8, 640, 360))
    player.play(2)
    assert kinds(player.outs) == ["Begin", "End", "Begin"]
    first, second = (out for out in player.outs if isinstance(out, Begin))
    assert (first.format.width, second.format.width) == (320, 640)
    assert second.start - START == pytest.approx(3 * SECOND, abs=1_000_000)


def test_muted_means_no_bytes() -> None:
    player = Player(sink_feed.opus())
    player.play(2)
    outs = player.feed.pause(player.now)
    assert kinds(outs) == ["End"]
    assert player.play(30) == []
    player.feed.resume()
    (begin,) = of(player.play(2), Begin)
    assert isinstance(begin, Begin)
    assert begin.start - START == pytest.approx(32 * SECOND, abs=1_000_000)
    assert not of(player.outs, Gap)


def test_a_picture_muted_at_first_begins_with_a_key_frame() -> None:
    player = Player(sink_feed.video(VP8), muted=True)
    assert player.play(1) == []
    player.feed.resume()
    outs = player.play(3)
    assert any(isinstance(out, WantKey) for out in outs)
    (begin,) = of(outs, Begin)
    assert isinstance(begin, Begin)
    assert begin.start - START == pytest.approx(2 * SECOND, abs=1_000_000)


def test_silence_of_a_sender_keeps_its_length() -> None:
    """DTX: a packet every 400 ms, numbered without a hole. Players count packets, so there must be 50 frames a second."""
    player = Player(sink_feed.opus())
    player.play(2)
    for _ in range(10):
        player.sender.skip(0.4 - 0.02)
        player.play(0.02)
    player.play(2)
    (end,) = [out for out in player.close() if isinstance(out, End)]
    assert kinds(player.outs) == ["Begin", "End"]
    assert end.duration_ms == pytest.approx(8000, abs=1)
    data = b"".join(out.data for out in player.outs if isinstance(out, Piece))
    # 18 frames of 20 ms in 4 packets (6 + 6 + 6 + 1) each time.
    assert sum(data.count(bytes([0x80, toc | 3, 6])) for toc in range(0, 256, 4)) == 30


def test_a_long_silence_is_another_file() -> None:
    player = Player(sink_feed.opus())
    player.play(2)
    player.wait(5)
    player.play(2)
    assert kinds(player.outs) == ["Begin", "End", "Begin"]


def test_lost_sound_is_a_fact_and_keeps_its_length() -> None:
    player = Player(sink_feed.opus())
    player.play(2)
    player.play(2, lambda number: not 20 <= number < 35)  # 300 ms
    player.play(1, lambda number: number != 10)  # 20 ms: not worth a fact
    (gap,) = of(player.outs, Gap)
    assert isinstance(gap, Gap)
    assert (gap.start - START, gap.end - gap.start) == pytest.approx((2.4 * SECOND, 0.3 * SECOND), abs=1_000_000)
    assert gap.reason == "loss"
    (end,) = [out for out in player.close() if isinstance(out, End)]
    assert end.duration_ms == pytest.approx(5000, abs=1)


def test_a_lost_picture_is_a_fact_until_the_next_key_frame() -> None:
    player = Player(sink_feed.video(VP8))
    player.play(2)
    player.feed.dropped()
    outs = player.play(2.5, lambda number: number != 6)
    (gap,) = of(player.outs, Gap)
    assert isinstance(gap, Gap)
    assert gap.reason == "link"
    assert 2 * SECOND < gap.start - START < 3 * SECOND
    assert gap.end - START == pytest.approx(4 * SECOND, abs=1_000_000)
    assert any(isinstance(out, WantKey) for out in outs)


def test_a_clock_that_jumps_begins_a_file() -> None:
    player = Player(sink_feed.opus())
    player.play(2)
    player.sender.origin += 48000 * 1000
    player.play(2)
    assert kinds(player.outs) == ["Begin", "End", "Gap", "Begin"]
    second = [out for out in player.outs if isinstance(out, Begin)][1]
    assert second.start - START == pytest.approx(2 * SECOND, abs=1_000_000)


def test_the_sender_of_a_still_picture_is_asked_for_key_frames() -> None:
    player = Player(sink_feed.video(VP8, seconds=30.0, fps=5), Limits(key_frames=10.0))
    player.play(29)
    asked = sum(isinstance(out, WantKey) for out in player.outs)
    assert 9 <= asked <= 11  # from the tenth second on, every 2 s


def test_sound_and_picture_of_one_sender_stand_together() -> None:
    """The picture comes 90 ms later than the sound of the same moment; reports tell."""
    peer = SenderClock()
    sound, picture = Player(sink_feed.opus(), peer=peer), Player(sink_feed.video(VP8), peer=peer)
    for second in range(8):
        sound.play(1, delay=3_000_000)
        picture.play(1, delay=93_000_000)
        for player in (sound, picture):
            rate = player.sender.clip.codec.clock_rate
            player.feed.clock((player.sender.origin + second * rate) & 0xFFFFFFFF, 5 * START + second * SECOND)
    starts = [next(out.start for out in player.close() if isinstance(out, End)) for player in (sound, picture)]
    assert abs(starts[0] - starts[1]) <= 40_000_000
    assert abs(starts[0] - starts[1]) <= 2_000_000  # better than asked


def test_the_first_short_files_are_placed_by_what_is_known_later() -> None:
    """A simulcast publisher begins small, and its first packets are late."""
    player = Player(sink_feed.video(VP8))
    player.play(1, delay=200_000_000)
    player.sender.change(sink_feed.video(VP8, 640, 360))
    player.play(1, delay=120_000_000)
    player.sender.change(sink_feed.video(VP8, 960, 540))
    player.play(8, delay=10_000_000)
    places: list[int] = []  # as whoever writes the files keeps them
    for out in player.outs:
        if isinstance(out, Begin):
            places.append(out.start)
        elif isinstance(out, End | Anchor):
            places[-1] = out.start
        elif isinstance(out, Moved):
            places[len(places) - 1 - out.back] = out.start
    assert [place - START for place in places] == pytest.approx([10_000_000, 1_010_000_000, 2_010_000_000], abs=2_000_000)


def test_a_drifting_clock_never_stands_wrong_for_long() -> None:
    player = Player(sink_feed.opus(), Limits(segment=300.0))
    drift = 0.0005  # half a millisecond a second, as bad cameras have
    for second in range(200):
        player.play(1, delay=round(second * drift * SECOND))
    player.close()
    ends = [out for out in player.outs if isinstance(out, End)]
    assert len(ends) >= 2
    media = 0.0
    for end in ends:
        for place, stands in ((media, end.start), (media + end.duration_ms / 1000, end.start + end.duration_ms * 1_000_000)):
            assert abs((stands - START) / SECOND - place * (1 + drift)) <= 0.045
        media += end.duration_ms / 1000
    assert media == pytest.approx(200, abs=0.1)


def test_noise_is_counted() -> None:
    feed = Feed(OPUS, SenderClock(), Limits())
    assert feed.receive(b"\x00" * 20, START, 0.0) == []
    assert feed.malformed == 1
