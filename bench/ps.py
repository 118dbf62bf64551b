"""CPU time of reading GB/T 28181 streams: RTP payloads of 2 Mbit/s, 25 pictures a second, sound beside them.

    python -m bench.ps [--seconds 20]

Prints MB/s, µs per picture and which part of a core one such stream costs; RTP headers are not counted.
"""

from __future__ import annotations

import argparse
import time

from commhub.wire import h264, ps, ps_write

RATE, PICTURES = 2_000_000, 25
SOUND = b"\xd5" * 320


def pictures(seconds: int) -> list[bytes]:
    """Key pictures every two seconds, eight times as large as the others. Octets that never make a start code."""
    size = RATE // 8 // PICTURES * 50 // (49 + 8)
    noise = bytes(at * 7919 % 251 + 1 for at in range(8 * size))
    sets = [bytes.fromhex("6742c01fda014016e840000003004000000ca3c60ca8"), bytes.fromhex("68ce0fc8")]
    key = h264.START_CODE.join([b"", *sets, b"\x65\x88" + noise])
    other = h264.START_CODE + b"\x41\x9a" + noise[:size]
    return [other if number % 50 else key for number in range(seconds * PICTURES)]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=int, default=20)
    seconds = arguments.parse_args().seconds
    muxer = ps_write.Muxer("h264", "pcma")
    payloads: list[tuple[bytes, int, bool]] = []
    for number, data in enumerate(pictures(seconds)):
        at = number * 90_000 // PICTURES
        pieces = ps_write.cut(muxer.video(data, at, key=number % 50 == 0, audio=SOUND))
        payloads += [(piece, at, index == len(pieces) - 1) for index, piece in enumerate(pieces)]
    size = sum(len(piece) for piece, _, _ in payloads)
    best = float("inf")
    for _ in range(5):
        demuxer, count = ps.Demuxer(), 0
        began = time.process_time()
        for piece, at, marker in payloads:
            count += len(demuxer.push(piece, at, marker))
        count += len(demuxer.flush())
        best = min(best, time.process_time() - began)
        assert count == 2 * seconds * PICTURES, count
    speed, picture, packet = size / best / 1e6, best / seconds / PICTURES * 1e6, best / len(payloads) * 1e6
    print(f"{speed:.0f} MB/s, {picture:.0f} µs a picture with its sound, {packet:.2f} µs a packet")
    print(f"{best / seconds:.3%} of a core for a stream of {size * 8 / seconds / 1e6:.1f} Mbit/s")


if __name__ == "__main__":
    main()
