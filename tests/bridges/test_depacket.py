from __future__ import annotations

import contextlib
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.depacket import Video
from bridges.timeline import SECOND, Timeline, unwrap
from commhub.wire import h264, rtp
from tests.support.h264 import decode, encode, parameter_sets, pictures, reassemble

FRAME = SECOND // 25


class Camera:
    """Packets as a camera sends them, straight into a Video."""

    def __init__(self, *, sprop: bool = True, limit: int = 1438) -> None:
        self.video = Video(Timeline(90_000, 1, 100, 5000))
        if sprop:
            self.video.learn(parameter_sets())
        self.limit, self.sequence, self.time, self.now, self.ssrc = limit, 9, 77_000, 0, 5
        self.out: list[bytes] = []

    def payload(self, payload: bytes, marker: bool = False) -> list[bytes]:
        packet = rtp.build(payload, ssrc=self.ssrc, sequence=self.sequence, timestamp=self.time, payload_type=97, marker=marker)
        self.sequence += 1
        sent = self.video.receive(packet, self.now)
        self.out += sent
        return sent

    def picture(self, units: list[bytes], markers: str = "last") -> list[bytes]:
        payloads = [payload for unit in units for payload in h264.fragment(unit, self.limit)]
        sent = []
        for number, payload in enumerate(payloads):
            last = number == len(payloads) - 1
            sent += self.payload(payload, {"last": last, "all": True, "none": False}[markers])
        self.time += 3600
        self.now += FRAME
        return sent


def kinds(packets: list[bytes]) -> list[int]:
    return [unit[0] & 31 for unit in reassemble(packet[12:] for packet in packets)]


def test_parameter_sets_of_the_sdp_go_before_every_idr() -> None:
    camera = Camera()
    for picture in pictures():
        camera.picture(picture)
    assert kinds(camera.out) == [7, 8, 5, 1, 1, 1, 1, 1] * 2
    assert [frame.width for frame in decode(camera.out)] == [320] * 12
    assert all(len(packet) <= 12 + h264.PACKET_LIMIT for packet in camera.out)
    numbers = [unwrap(packet).sequence for packet in camera.out]
    assert numbers == list(range(100, 100 + len(numbers)))
    assert {unwrap(packet).payload_type for packet in camera.out} == {96}
    times = [unwrap(packet).timestamp for packet in camera.out if unwrap(packet).marker]
    assert times == [5000 + 3600 * number for number in range(12)]  # one marker for every picture, on its last packet
    assert unwrap(camera.out[0]).timestamp == 5000


def test_parameter_sets_in_band_are_not_doubled() -> None:
    camera = Camera()
    for picture in pictures():
        camera.picture([*parameter_sets(), *picture] if picture[0][0] & 31 == 5 else picture)
    assert kinds(camera.out) == [7, 8, 5, 1, 1, 1, 1, 1] * 2
    assert len(decode(camera.out)) == 12


def test_parameter_sets_in_band_alone_are_enough() -> None:
    camera = Camera(sprop=False)
    for number, picture in enumerate(pictures()):
        camera.picture([*parameter_sets(), *picture] if number == 0 else picture)
    assert kinds(camera.out) == [7, 8, 5, 1, 1, 1, 1, 1] * 2  # the second IDR had none in band
    assert camera.video.sps is not None
    assert (camera.video.sps.width, camera.video.sps.height) == (320, 180)


def test_parameter_sets_in_one_aggregate_with_their_own_marker() -> None:
    camera = Camera(sprop=False)
    (aggregate,) = h264.aggregate(parameter_sets())
    camera.payload(aggregate, marker=True)
    camera.picture(pictures()[0])
    camera.payload(aggregate, marker=True)
    camera.picture(pictures()[6])
    assert kinds(camera.out) == [7, 8, 5] * 2
    assert [unwrap(packet).marker for packet in camera.out].count(True) == 2
    assert not camera.video.holds


def test_several_slices_in_a_picture_get_one_set() -> None:
    units = encode(320, 180, 2, {"preset": "ultrafast", "tune": "zerolatency", "slices": "4", "bf": "0"})
    camera = Camera(sprop=False)
    for access in units:
        camera.picture([unit for unit in access if unit[0] & 31 != 6])
    assert kinds(camera.out) == [7, 8, 5, 5, 5, 5, 1, 1, 1, 1]
    assert len(decode(camera.out)) == 2


def test_nothing_flows_before_the_first_idr() -> None:
    camera = Camera()
    for picture in pictures()[2:]:
        camera.picture(picture)
    assert kinds(camera.out) == [7, 8, 5, 1, 1, 1, 1, 1]
    assert unwrap(camera.out[0]).sequence == 100


def test_without_parameter_sets_nothing_flows() -> None:
    camera = Camera(sprop=False)
    for picture in pictures():
        camera.picture(picture)
    assert camera.out == []
    assert not camera.video.running
    assert camera.video.sps is None


def test_intra_refresh_begins_with_an_i_slice_after_a_while() -> None:
    camera = Camera()
    as_slice = [bytes([unit[0] & 0xE0 | 1]) + unit[1:] for unit in pictures()[0]]
    camera.picture(pictures()[1])
    camera.picture(as_slice)
    assert camera.out == []
    camera.now += 4 * SECOND
    camera.picture(pictures()[1])
    assert camera.out == []
    camera.picture(as_slice)
    assert kinds(camera.out) == [7, 8, 1]


def test_a_new_session_goes_on_where_the_old_one_ended() -> None:
    camera = Camera()
    for picture in pictures()[:4]:
        camera.picture(picture)
    before = camera.out[-1]
    camera.video.restart()
    camera.sequence, camera.time, camera.ssrc, camera.now = 40_000, 4_294_000_000, 6, camera.now + 3 * SECOND
    sent = camera.picture(pictures()[4])
    assert sent == []  # it refers to pictures of the session before
    sent = camera.picture(pictures()[6])
    assert kinds(sent) == [7, 8, 5]
    assert unwrap(sent[0]).sequence == unwrap(before).sequence + 1
    assert unwrap(sent[0]).timestamp - unwrap(before).timestamp == pytest.approx(3.08 * 90_000, abs=3600)
    assert unwrap(sent[0]).ssrc == unwrap(before).ssrc


def test_a_device_that_starts_anew_within_a_session_waits_for_an_idr() -> None:
    camera = Camera()
    camera.picture(pictures()[0])
    camera.ssrc, camera.sequence, camera.time = 99, 5, 1
    assert camera.picture(pictures()[1]) == []
    assert kinds(camera.picture(pictures()[6])) == [7, 8, 5]


def test_a_loss_stays_a_gap_and_the_rest_of_the_unit_is_dropped() -> None:
    camera = Camera(limit=400)
    camera.picture(pictures()[0])
    last = unwrap(camera.out[-1]).sequence
    fragments = h264.fragment(pictures()[6][0], 400)
    assert len(fragments) > 4
    camera.payload(fragments[0])
    camera.sequence += 1  # the second one is lost
    assert [camera.payload(fragment) for fragment in fragments[2:]] == [[] for _ in fragments[2:]]
    camera.time += 3600
    (sent,) = camera.picture([b"\x41\x9a" + bytes(40)])
    assert unwrap(sent).sequence > last + 3
    assert camera.video.lost == 1


@pytest.mark.parametrize("markers", ["all", "none"])
def test_wrong_markers_are_put_right(markers: str) -> None:
    camera = Camera(limit=300)
    for _ in range(5):
        for picture in pictures():
            camera.picture(picture, markers)
    assert camera.video.holds
    late = camera.out[len(camera.out) // 2 :]
    for one, following in itertools.pairwise(late):
        assert unwrap(one).marker == (one[4:8] != following[4:8])


def test_right_markers_are_never_held() -> None:
    camera = Camera(limit=300)
    for picture in pictures() * 3:
        camera.picture(picture)
    assert not camera.video.holds


def test_b_frames_are_seen_and_still_forwarded() -> None:
    camera = Camera(sprop=False)
    options = {"preset": "veryfast", "bf": "2", "b_strategy": "0", "x264-params": "slices=1"}
    for access in encode(320, 180, 12, options):
        camera.picture([unit for unit in access if unit[0] & 31 != 6])
    assert camera.video.b_frames
    assert len(decode(camera.out)) == 12


def test_h265_under_the_name_of_h264_is_seen() -> None:
    camera = Camera()
    for _ in range(2):
        for start in (b"\x40\x01", b"\x42\x01", b"\x44\x01", b"\x62\x01\x93", b"\x62\x01\x13", b"\x62\x01\x53"):
            with contextlib.suppress(ValueError):
                camera.payload(start + bytes(200))
    assert camera.video.h265
    assert camera.out == []


def test_a_byte_stream_in_packets_is_understood() -> None:
    camera = Camera(sprop=False)
    for picture in pictures():
        units = [*parameter_sets(), *picture] if picture[0][0] & 31 == 5 else picture
        camera.payload(b"".join(h264.START_CODE + unit for unit in units), marker=True)
        camera.time += 3600
        camera.now += FRAME
    assert len(decode(camera.out)) == 12


def test_a_new_size_is_noticed() -> None:
    camera = Camera()
    camera.picture(pictures()[0])
    other = encode(640, 360, 1, {"preset": "ultrafast", "bf": "0"})[0]
    camera.picture([unit for unit in other if unit[0] & 31 != 6])
    assert camera.video.sps is not None
    assert (camera.video.sps.width, camera.video.sps.height) == (640, 360)
    assert [frame.width for frame in decode(camera.out)] == [320, 640]


@given(st.lists(st.tuples(st.binary(max_size=60), st.booleans(), st.integers(0, 3)), max_size=30), st.booleans())
def test_anything_ends_in_packets_or_valueerror(packets: list[tuple[bytes, bool, int]], start: bool) -> None:
    camera = Camera()
    if start:
        camera.picture(pictures()[0])
    for payload, marker, step in packets:
        camera.sequence += step
        camera.time += step * 100
        with contextlib.suppress(ValueError):
            for packet in camera.payload(payload, marker):
                assert len(packet) <= 12 + h264.PACKET_LIMIT


@pytest.mark.parametrize("seed", range(12))
def test_what_is_passed_on_quickly_is_what_would_be_sent_anyway(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fragments of any size, markers that may be wrong, packets that are lost, come twice or are no H.264."""
    chance = random.Random(seed)
    packets: list[bytes] = []
    number = 65_400
    for picture in range(60):
        unit = (b"\x65\x88" if picture % 20 == 0 else b"\x41\x9a") + bytes(chance.randrange(1, 9000))
        payloads = list(h264.fragment(unit, chance.choice((900, 1150, 1400))))
        if picture % 20 == 0:
            payloads[:0] = parameter_sets()
        for at, payload in enumerate(payloads):
            number += 1 if chance.random() < 0.99 or seed == 0 else chance.choice((0, 2, 3, 5000))
            marker = (at == len(payloads) - 1) != (seed % 3 == 1 and chance.random() < 0.05)
            sent = payload if chance.random() < 0.995 else b"\x7c"
            ssrc = 7 + (seed == 2 and picture > 30)
            packets.append(
                rtp.build(sent, ssrc=ssrc, sequence=number & 0xFFFF, timestamp=picture * 3600, payload_type=96, marker=marker)
            )

    def out_of() -> tuple[list[list[bytes]], int]:
        video = Video(Timeline(90_000, 1, 5, 1000))
        out = []
        for at, packet in enumerate(packets):
            try:
                out.append(video.receive(packet, at * 1_000_000))
            except ValueError as error:
                out.append([str(error).encode()])
        return out, video.lost

    quickly = out_of()
    assert sum(map(len, quickly[0])) > 100
    monkeypatch.setattr(Video, "_pass", lambda *_: None)
    assert quickly == out_of()
