"""The process ``commhub bridge --kind rtsp``: holds the hub's wishes and one puller per camera.

It never needs the hub: when the hub dies the pulls go on, and the next one takes what runs from the snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bridges.hubs import Hubs
from bridges.pull import Puller
from bridges.rtsp_stream import Resolve, resolve
from bridges.transcode import Transcoder
from bridges.transcode_video import LIMIT, Transcodes
from commhub import log as logs
from commhub.addresses import AllowList
from commhub.media.counting import tell_counters
from commhub.media.link import Link, listen
from commhub.media.messages import BridgeSnapshot, Hello, Message, Pull, SourceState
from commhub.media.outlet import Outlets

log = logs.get(__name__)


class Bridge:
    """``receive`` is the handler of the hub's link."""

    def __init__(
        self, run_dir: Path, name: str, allow: Iterable[str], resolve: Resolve = resolve, transcodes: int = LIMIT
    ) -> None:
        self._allow = AllowList(allow)
        self._resolve = resolve
        self._outlets = Outlets(run_dir, name)
        self._transcoder = Transcoder()
        self._transcodes = Transcodes(transcodes)
        self._pullers: dict[str, Puller] = {}
        self.hubs = Hubs()

    def counters(self) -> dict[str, float]:
        return {"transcodes": len(self._transcodes), "transcode_deaths": self._transcodes.deaths}

    async def receive(self, link: Link, message: Message) -> Message | None:
        if isinstance(message, Hello):
            return self._hello(link, message)
        if isinstance(message, Pull) and self.hubs.obeys(link):
            await self._pull(message)
        return None

    def _hello(self, link: Link, hello: Hello) -> BridgeSnapshot:
        self.hubs.hello(link, hello)
        log.info("hub linked", epoch=hello.epoch, cameras=len(self._pullers))
        return BridgeSnapshot(sources=[puller.state for puller in self._pullers.values()])

    async def _pull(self, pull: Pull) -> None:
        puller = self._pullers.get(pull.source)
        if not pull.workers:
            if puller is not None:
                del self._pullers[pull.source]
                await puller.stop()
        elif puller is not None:
            await puller.update(pull)
        else:
            puller = Puller(pull, self._allow, self._outlets, self._transcoder, self._transcodes, self._changed, self._resolve)
            self._pullers[pull.source] = puller
            puller.start()

    def _changed(self, state: SourceState) -> None:
        self.hubs.tell(state)

    async def close(self) -> None:
        for puller in list(self._pullers.values()):
            await puller.stop()
        self._pullers.clear()
        await self._outlets.close()
        self._transcoder.close()
        await self._transcodes.close()


async def run(run_dir: Path, name: str = "bridge-rtsp", allow: Iterable[str] = (), transcodes: int = LIMIT) -> None:
    """Serves until it is cancelled. ``allow`` are entries of :class:`commhub.addresses.AllowList`; ValueError for a wrong one.
    ``transcodes`` are made at a time at most."""
    bridge = Bridge(run_dir, name, allow, transcodes=transcodes)
    listener = await listen(run_dir, name, bridge.hubs.connected, bridge.receive)
    log.info("bridge ready", name=name)
    try:
        await tell_counters(name, bridge.counters, lambda: bridge.hubs.links)
    finally:
        await listener.close()
        await bridge.close()
