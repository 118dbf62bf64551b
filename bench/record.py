"""What recording costs: CPU of the recorder's process for a room of N people with camera and microphone, nothing transcoded.

    python -m bench.record [--people 10] [--seconds 10] [--profile]

The packets are real (VP8 640x360 at 30 frames/s and 1 Mbit/s, Opus at 50 packets/s) and come over the link at their
pace, as a media worker sends them. Counted is the recorder's process alone, user and system, disk included. A run that
lost frames is void.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support import sink_feed
from tests.support.hub_of_recorder import Hub
from tests.support.sink_feed import SinkFeed

PROGRAM = """
import asyncio, cProfile, pstats, signal, sys
from pathlib import Path
from recorder.recorder import run
async def main():
    task = asyncio.ensure_future(run(Path(sys.argv[1]), "record-0", Path(sys.argv[2]), minimum_free_bytes=0))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await asyncio.wait([task])
if sys.argv[3:] == ["profile"]:
    with cProfile.Profile() as profile:
        asyncio.run(main())
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)
else:
    asyncio.run(main())
"""
TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """User and system seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def start(folder: Path, profile: bool) -> subprocess.Popen[bytes]:
    more = ["profile"] if profile else []
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), str(folder / "recordings"), *more])


async def measure(people: int, seconds: float, profile: bool) -> dict[str, object]:
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    feed = await SinkFeed(folder).start()
    process = start(folder, profile)
    hub = Hub(folder, folder / "recordings")
    try:
        await hub.dial()
        await hub.record()
        await feed.opened("S1")
        picture, sound = sink_feed.video(sink_feed.VP8, 640, 360, 4.0, 30, 1_000_000), sink_feed.opus(4.0)
        senders = [feed.track("S1", f"p{n}", clip) for n in range(people) for clip in (picture, sound)]
        await feed.play("S1", senders, 1.0, time.time_ns(), paced=True)
        before, packets, frames = cpu(process.pid), sum(one.sequence for one in senders), sum(one.index for one in senders)
        await feed.play("S1", senders, seconds, time.time_ns(), paced=True)
        used = cpu(process.pid) - before
        packets, frames = sum(one.sequence for one in senders) - packets, sum(one.index for one in senders) - frames
        await hub.stop()
        manifest = hub.manifest()
    finally:
        process.terminate()
        process.wait()
        await hub.close()
        await feed.stop()
    shortest = min(sum(segment["duration_ms"] for segment in track["segments"]) for track in manifest["tracks"])
    if manifest["gaps"] or shortest < (seconds + 1) * 1000 - 100 or len(manifest["tracks"]) != 2 * people:
        raise SystemExit("Frames were lost: the figure is void.")
    return {
        "people": people,
        "tracks": 2 * people,
        "packets_per_second": round(packets / seconds),
        "mbit_per_second": round(manifest["bytes"] * 8 / (seconds + 1) / 1e6, 1),
        "cpu_percent_of_a_core": round(100 * used / seconds, 1),
        "us_per_packet": round(used / packets * 1e6, 1),
        "us_per_frame": round(used / frames * 1e6, 1),
        "load": os.getloadavg()[0],
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--people", type=int, nargs="+", default=[10])
    arguments.add_argument("--seconds", type=float, default=10.0)
    arguments.add_argument("--profile", action="store_true", help="where the time goes (and costs more)")
    chosen = arguments.parse_args()
    for people in chosen.people:
        print(json.dumps(asyncio.run(measure(people, chosen.seconds, chosen.profile))))


if __name__ == "__main__":
    main()
