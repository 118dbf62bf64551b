"""Access units of a device as RTP, without sockets: what is in it, in which order, under which times."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise
from pathlib import Path

import pytest

from bridges.gb28181.ladder import LADDER, TABLE, Do, Event, Ladder, State
from bridges.gb28181.offer import ACTIVE, PASSIVE, UDP
from bridges.gb28181.stream import Picture
from bridges.source import Sound, Source
from bridges.timeline import SECOND, signed32, unwrap
from bridges.transcode import Transcoder
from bridges.transcode_video import Transcodes
from commhub.media.link import records
from commhub.media.outlet import Outlets
from commhub.wire import h264, ps_write, rtp
from tests.support import streams
from tests.support.h264 import decode, reassemble

FRAME = SECOND // 25


class Bench:
    """A picture and what comes out of it."""

    def __init__(self, folder: Path) -> None:
        self.sent: list[tuple[int, int, bytes]] = []
        self.changes = self.breaks = 0
        self.unfit: list[tuple[str, str]] = []
        self.source = Source("cam", Outlets(folder, "test"), lambda state: None, lambda handle: None)
        self.source._batch._send = lambda batch: self.sent.extend(
            (handle, at, bytes(packet)) for handle, at, packet in records(batch)
        )
        self.transcodes = Transcodes()
        self.picture = Picture(
            self.source, "main", self.transcodes, self._changed, self._broken, lambda *why: self.unfit.append(why)
        )
        self.picture.open()
        self.sequence = 65_530
        self.muxer = ps_write.Muxer("h264", "pcma")

    def _changed(self) -> None:
        self.changes += 1

    def _broken(self) -> None:
        self.breaks += 1

    def send(self, pictures: list[bytes], first: int = 0, *, skip: tuple[int, ...] = (), audio: bytes = b"") -> None:
        """``skip`` are RTP packets, by their number in this run, that are lost."""
        number = 0
        for index, data in enumerate(pictures, first):
            pack = self.muxer.video(data, 90_000 + index * 3600, key=index % 8 == 0, audio=audio)
            pieces = ps_write.cut(pack)
            for at, piece in enumerate(pieces):
                packet = rtp.build(piece, ssrc=5, sequence=self.sequence & 0xFFFF, timestamp=index * 3600, payload_type=96,
                                   marker=at == len(pieces) - 1)  # fmt: skip
                self.sequence += 1
                if number not in skip:
                    self.picture.packet(packet, 1_700_000_000 * SECOND + index * FRAME)
                number += 1
        self.source.flush()

    @property
    def packets(self) -> list[bytes]:
        return [packet for handle, _, packet in self.sent if handle == self.picture.handle]


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_pictures_leave_as_they_came_in_small_packets(bench: Bench) -> None:
    pictures = streams.h264_pictures()
    bench.send(pictures)
    got = [unwrap(packet) for packet in bench.packets]
    assert max(len(one.payload) for one in got) <= 1200
    assert [(later.sequence - one.sequence) & 0xFFFF for one, later in pairwise(got)] == [1] * (len(got) - 1)
    units = reassemble([one.payload for one in got])
    sent = [unit for data in pictures for unit in h264.split_annex_b(data) if unit[0] & 31 != h264.AUD]
    assert units == sent[: len(units)]
    assert len(decode(bench.packets)) >= len(pictures) - 1  # the last one's end has not been seen
    times = [one.timestamp for one in got if one.marker]
    assert {signed32(later - one) for one, later in pairwise(times)} == {3600}
    assert 0 <= signed32(times[0] - (1_700_000_000 * 90_000 & 0xFFFF_FFFF)) <= 4 * 3600  # the wall clock's
    assert bench.changes == 1


@pytest.mark.parametrize("seed", range(8))
async def test_many_packets_at_once_are_what_they_are_one_by_one(bench: Bench, tmp_path: Path, seed: int) -> None:
    """However many come together, and whatever is wrong with them."""
    chance = random.Random(seed)
    muxer, packets = ps_write.Muxer("h264", "pcma"), list[bytes]()
    for index, data in enumerate(streams.h264_pictures() * 2):
        pieces = ps_write.cut(muxer.video(data, 90_000 + index * 3600, key=index % 8 == 0), 500)
        for at, piece in enumerate(pieces):
            values = [(1, b"x")] if chance.random() < 0.05 else None
            number = 65_500 + len(packets) + seed * (chance.random() < 0.006)  # seed 0: nothing is lost
            packets.append(rtp.build(piece, ssrc=5, sequence=number & 0xFFFF, timestamp=index * 3600, payload_type=96,
                                     marker=at == len(pieces) - 1, values=values))  # fmt: skip
    other = Bench(tmp_path)
    other.source = bench.source
    for packet in packets:
        bench.picture.packet(packet, 1_700_000_000 * SECOND)
    bench.source.flush()
    one_by_one = [(at, packet[:2] + packet[12:]) for _, at, packet in bench.sent]
    bench.sent.clear()
    other.picture._source = bench.source
    while packets:
        run = chance.randrange(1, 40)
        other.picture.packets(packets[:run], 1_700_000_000 * SECOND)
        del packets[:run]
    bench.source.flush()
    assert [(at, packet[:2] + packet[12:]) for _, at, packet in bench.sent] == one_by_one
    assert other.picture.demuxer.counts == bench.picture.demuxer.counts
    assert len(one_by_one) > 50


async def test_nothing_leaves_before_a_key_frame(bench: Bench) -> None:
    pictures = streams.h264_pictures()
    bench.send(pictures[3:8], 3)
    assert not bench.packets
    bench.send(pictures[8:], 8)
    first = unwrap(bench.packets[0]).payload
    assert first[0] & 31 == h264.STAP_A
    assert {unit[0] & 31 for unit in h264.aggregated(first)} >= {h264.SPS, h264.PPS}


async def test_parameter_sets_go_before_every_key_frame(bench: Bench) -> None:
    """This device sends them once."""
    pictures = streams.h264_pictures()
    bare = [
        streams.stream_of([unit for unit in h264.split_annex_b(data) if index == 0 or unit[0] & 31 not in (h264.SPS, h264.PPS)])
        for index, data in enumerate(pictures)
    ]
    bench.send(bare)
    kinds = [unit[0] & 31 for unit in reassemble([unwrap(packet).payload for packet in bench.packets])]
    keys = [at for at, kind in enumerate(kinds) if kind == h264.IDR and kinds[at - 1] != h264.IDR]
    assert len(keys) == 3
    assert all(h264.SPS in kinds[max(0, at - 3) : at] and h264.PPS in kinds[max(0, at - 3) : at] for at in keys)


async def test_a_loss_stays_a_gap_and_asks_for_a_key_frame(bench: Bench) -> None:
    bench.send(streams.h264_pictures(), skip=(20,))
    numbers = [unwrap(packet).sequence for packet in bench.packets]
    steps = {(later - one) & 0xFFFF for one, later in pairwise(numbers)}
    assert steps == {1, 2}
    assert bench.breaks >= 1


async def test_a_new_session_goes_on_in_numbers_and_times(bench: Bench) -> None:
    pictures = streams.h264_pictures()
    bench.send(pictures[:16])
    bench.picture.open()
    count = len(bench.packets)
    bench.sequence = 7
    bench.send(pictures[16:], 16 + 50)  # two seconds later
    before, after = unwrap(bench.packets[count - 1]), unwrap(bench.packets[count])
    assert (after.sequence - before.sequence) & 0xFFFF == 1
    assert signed32(after.timestamp - before.timestamp) / 90_000 == pytest.approx(2.04, abs=0.2)


async def test_codecs_that_nobody_can_have_are_named(bench: Bench) -> None:
    bench.muxer = ps_write.Muxer("svac")
    bench.send([b"\0\0\1\x67" + bytes(50)] * 12)
    assert set(bench.unfit) <= {("codec_unsupported", "SVAC")}


async def test_sound_of_a_stream_is_taken_where_it_is_wanted(bench: Bench) -> None:
    transcoder = Transcoder()
    sound = Sound(bench.source, transcoder)
    bench.source.turn("live")
    try:
        bench.send(streams.h264_pictures(), audio=streams.SILENCE)
        assert [sound.running] == [False]
        bench.picture.sound = sound
        bench.send(streams.h264_pictures(), 24, audio=streams.SILENCE)
        assert sound.running
        for _ in range(100):
            await asyncio.sleep(0.02)
            if len([1 for handle, _, _ in bench.sent if handle == sound.handle]) > 20:
                break
        heard = [unwrap(packet) for handle, _, packet in bench.sent if handle == sound.handle]
        assert len(heard) > 20
        assert {signed32(later.timestamp - one.timestamp) for one, later in pairwise(heard)} == {960}
    finally:
        sound.close()
        transcoder.close()


# ---- what comes next


def test_every_state_can_be_left_and_every_row_is_complete() -> None:
    assert set(TABLE) == set(State)
    for state, rows in TABLE.items():
        if state is not State.IDLE:
            assert rows[Event.UNWANTED][0] is State.IDLE
        for _, actions in rows.values():
            assert all(isinstance(action, Do) for action in actions)
    for state in (State.CALLING, State.OPENING, State.LIVE):  # whatever ends an attempt closes its sockets first
        for event in (Event.UNWANTED, Event.GONE, Event.FAILED, Event.ENDED):
            assert TABLE[state][event][1][0] is Do.HANG


def test_ways_are_tried_in_turn_what_worked_first() -> None:
    ladder = Ladder()
    ways = [ladder.way]
    while ladder.climb():
        ways.append(ladder.way)
    assert tuple(ways) == LADDER == (UDP, PASSIVE, ACTIVE)
    assert sum([2.0, 2.0]) + 1 < 6  # the third way has begun long before a user gives up
    assert (ladder.way, ladder.round, ladder.patience) == (UDP, 1, 5.0)
    assert Ladder(worked=ACTIVE).way == ACTIVE
    assert Ladder(worked=ACTIVE).patience == 4.0
    fixed = Ladder(fixed=PASSIVE, worked=ACTIVE)
    assert (fixed.way, fixed.climb(), fixed.way, fixed.patience) == (PASSIVE, False, PASSIVE, 12.0)
