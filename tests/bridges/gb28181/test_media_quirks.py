"""Simulated recorders, each with one fault in how it plays: all of them are seen all the same."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from bridges.simulated.film import Studio
from commhub.media.messages import Terms, WayLearned
from tests.support import until
from tests.support.bridge import continuous, marked
from tests.support.gb28181 import PASSWORD, device
from tests.support.gb_bridge import Hub, bridge, where
from tests.support.h264 import decode
from tests.support.media_worker import MediaWorker

ANSWERS = ["udp-only", "tcp-passive-only", "tcp-active-only", "mute-refusal", "own-ssrc", "other-ssrc", "no-y", "zero-y",
           "short-y", "wrong-address", "strange-contact", "slow-answer"]  # fmt: skip
PACKETS = ["rtcp-first", "torn-tcp", "interleaved-tcp", "late-key", "reordered", "lossy", "no-marker"]
STREAMS = ["no-psm", "psm-first-only", "psm-as-system-header", "no-system-header", "zero-length", "wrapped-length",
           "private-stream", "constant-time", "jumping-time", "ts", "es"]  # fmt: skip
OVER_TCP = {"torn-tcp", "interleaved-tcp"}
CODE = "1101050000118{:07d}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("quirks", [ANSWERS, PACKETS, STREAMS], ids=["answers", "packets", "streams"])
async def test_faults_of_devices_do_not_hide_their_pictures(tmp_path: Path, quirks: list[str]) -> None:
    codes = {quirk: CODE.format(number) for number, quirk in enumerate(quirks, 1)}
    terms = [Terms(code, PASSWORD, way="tcp-passive" if quirk in OVER_TCP else "") for quirk, code in codes.items()]
    async with (
        MediaWorker(tmp_path) as worker,
        bridge(tmp_path) as server,
        Hub(tmp_path, *terms) as hub,
        contextlib.AsyncExitStack() as stack,
    ):
        studio = Studio()
        stack.push_async_callback(studio.close)
        for quirk, code in codes.items():
            made = await stack.enter_async_context(
                device(where(server), code=code, quirks=[quirk], channels=1, studio=studio, wait=None)
            )
            channel = next(entry.code for entry in made.entries.values() if entry.camera)
            await hub.online(code)
            hub.pull(f"gb28181://{code}/{channel}", "media-0", source=quirk)
        for quirk in quirks:
            await hub.turns("live", source=quirk)
            await until(lambda quirk=quirk: marked(worker.of(quirk)) >= 15, what=quirk)  # type: ignore[misc]
            packets = worker.of(quirk)
            if quirk not in ("lossy", "torn-tcp"):
                assert continuous(packets), quirk
                assert len(decode(packets)) >= 10, quirk
        ways = {one.device: one.way for one in hub.told(WayLearned)}
        for quirk in set(quirks) & {"udp-only", "tcp-passive-only", "tcp-active-only"}:
            assert ways[codes[quirk]] == quirk.removesuffix("-only")
