"""How soon a viewer sees a camera that runs already, and how far behind it then is: Chromium with an unmodified livekit-client.

    python bench/joining.py --rounds 8 --group 50

A simulated camera (25 pictures a second, a key frame every ``--group``) is pulled and watched by somebody; tabs come at times
that have nothing to do with its key frames. ``first`` is from ``setSubscribed`` to the first picture on the page, ``negotiated``
until the track was there; ``behind`` is what Chromium's jitter buffer holds back per picture in the sixth second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import time
from fractions import Fraction
from typing import Any

from bridges import process
from bridges.simulated.rtsp import Camera, Options
from commhub.conference import CameraSeat
from commhub.media.link import dial
from commhub.media.messages import Hello, Message, Pull
from tests.support import until
from tests.support.browser import chromium
from tests.support.caller import Caller
from tests.support.hub import Hub
from tests.support.tab import tab

WATCH = """async () => {
  const found = [...room.remoteParticipants.values()].find((one) => one.trackPublications.size);
  const publication = [...found.trackPublications.values()].find((one) => one.kind === 'video');
  const began = performance.now();
  const result = { frames: 0 };
  const shown = new Promise((resolve) => {
    room.on('trackSubscribed', (track) => {
      result.negotiated = performance.now() - began;
      const element = document.querySelector(`[data-track="${track.sid}"]`) || track.attach();
      const each = (now, about) => {
        result.frames += 1;
        if (result.first === undefined) { result.first = performance.now() - began; resolve(); }
        element.requestVideoFrameCallback(each);
      };
      element.requestVideoFrameCallback(each);
    });
  });
  publication.setSubscribed(true);
  await Promise.race([shown, new Promise((_, no) => setTimeout(() => no(new Error('no picture')), 15000))]);
  const count = async () => {
    const report = [...(await publication.track.getRTCStatsReport()).values()].find((one) => one.type === 'inbound-rtp');
    return [report.jitterBufferDelay, report.jitterBufferEmittedCount, report.framesDecoded, report.framesDropped,
      report.freezeCount, report.packetsLost, report.pliCount, report.nackCount];
  };
  await new Promise((done) => setTimeout(done, 1000));
  result.decodedAfterOne = (await count())[2];
  await new Promise((done) => setTimeout(done, 4000));
  const before = await count();
  await new Promise((done) => setTimeout(done, 1000));
  const after = await count();
  result.behind = (after[0] - before[0]) / (after[1] - before[1]) * 1000;
  [result.decoded, result.dropped, result.freezes, result.lost, result.plis, result.nacks] = after.slice(2);
  return result;
}"""


async def measure(rounds: int, group: int, size: tuple[int, int]) -> list[dict[str, Any]]:
    options = Options(width=size[0], height=size[1], fps=Fraction(25), group=group)
    camera = Camera(options)
    await camera.start("127.0.0.1", 0)
    results: list[dict[str, Any]] = []
    async with Hub() as hub:
        bridge = asyncio.ensure_future(process.run(hub.run_dir, "bridge-rtsp", [f"127.0.0.1:{camera.port}"]))
        await until((hub.run_dir / "bridge-rtsp.ctl").exists)
        link, _ = await dial(hub.run_dir, "bridge-rtsp", _ignore)
        await link.ask(Hello(role="hub", name="hub", epoch=1))
        async with Caller(hub.url, hub.token("first"), video=False, audio=False) as first:
            await hub.rooms.add_camera("r", CameraSeat("cam", "cam", "Camera", "Org"))
            link.tell(Pull(source="cam", url=f"rtsp://127.0.0.1:{camera.port}/live", workers=["media-0"]))
            await first.sees("cam", count=30)
            async with chromium() as browser:
                for number in range(rounds):
                    viewer = await tab(browser, hub, f"viewer-{number}")
                    token = hub.token(viewer.identity)
                    await viewer.page.evaluate(
                        "([url, token]) => { room = new LivekitClient.Room({adaptiveStream: false});"
                        " return room.connect(url, token, {autoSubscribe: false}); }",
                        [hub.url, token],
                    )
                    await asyncio.sleep(random.uniform(0.5, 2.5))
                    results.append(await viewer.run(WATCH))
                    await viewer.page.context.close()
        link.close()
        bridge.cancel()
        await asyncio.gather(bridge, return_exceptions=True)
    await camera.close()
    return results


def _ignore(link: object, message: Message) -> None:
    """States are not of interest here."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--group", type=int, default=50)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    options = parser.parse_args()
    began = time.monotonic()
    results = asyncio.run(measure(options.rounds, options.group, (options.width, options.height)))
    for result in results:
        print(json.dumps({name: round(value, 1) for name, value in sorted(result.items())}))
    first, after = [one["first"] for one in results], [one["first"] - one["negotiated"] for one in results]
    behind = [one["behind"] for one in results]
    print(f"first picture: median {statistics.median(first):.0f} ms, worst {max(first):.0f} ms; "
          f"after the section is there: median {statistics.median(after):.0f} ms, worst {max(after):.0f} ms; "
          f"behind in the sixth second: median {statistics.median(behind):.0f} ms, worst {max(behind):.0f} ms; "
          f"load {os.getloadavg()[0]:.1f}, {time.monotonic() - began:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
