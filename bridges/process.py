"""The process ``commhub bridge --kind rtsp``: holds the hub's wishes and one puller per camera.

It never needs the hub: when the hub dies the pulls go on, and the next one takes what runs from the snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bridges.pull import Puller
from bridges.rtsp_stream import Resolve, resolve
from bridges.transcode import Transcoder
from bridges.transcode_video import Transcodes
from commhub import log as logs
from commhub.addresses import AllowList
from commhub.errors import Conflict
from commhub.media.counting import tell_counters
from commhub.media.link import Link, listen
from commhub.media.messages import BridgeSnapshot, Hello, Message, Pull, SourceState
from commhub.media.outlet import Outlets

log = logs.get(__name__)


class Bridge:
    """``receive`` is the handler of the hub's link."""

    def __init__(self, run_dir: Path, name: str, allow: Iterable[str], resolve: Resolve = resolve) -> None:
        self._allow = AllowList(allow)
        self._resolve = resolve
        self._outlets = Outlets(run_dir, name)
        self._transcoder = Transcoder()
        self._transcodes = Transcodes()
        self._pullers: dict[str, Puller] = {}
        self._hubs: dict[Link, int] = {}  # link → epoch
        self._epoch = 0

    @property
    def hubs(self) -> list[Link]:
        return list(self._hubs)

    def connected(self, link: Link) -> None:
        link.on_close.append(self._disconnected)

    def _disconnected(self, link: Link) -> None:
        self._hubs.pop(link, None)

    async def receive(self, link: Link, message: Message) -> Message | None:
        if isinstance(message, Hello):
            return self._hello(link, message)
        if isinstance(message, Pull) and self._hubs.get(link, -1) >= self._epoch:
            await self._pull(message)
        return None

    def _hello(self, link: Link, hello: Hello) -> BridgeSnapshot:
        if hello.epoch < self._epoch:
            raise Conflict("A newer hub has taken over.", "新的中心进程已接管。", code="stale_epoch")
        self._epoch = hello.epoch
        for other, epoch in list(self._hubs.items()):
            if epoch < hello.epoch:
                other.close()
        self._hubs[link] = hello.epoch
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
        for link, epoch in list(self._hubs.items()):
            if epoch >= self._epoch:
                link.tell(state)

    async def close(self) -> None:
        for puller in list(self._pullers.values()):
            await puller.stop()
        self._pullers.clear()
        await self._outlets.close()
        self._transcoder.close()
        await self._transcodes.close()


async def run(run_dir: Path, name: str = "bridge-rtsp", allow: Iterable[str] = ()) -> None:
    """Serves until it is cancelled. ``allow`` are entries of :class:`commhub.addresses.AllowList`; ValueError for a wrong one."""
    bridge = Bridge(run_dir, name, allow)
    listener = await listen(run_dir, name, bridge.connected, bridge.receive)
    log.info("bridge ready", name=name)
    try:
        await tell_counters(name, dict, lambda: bridge.hubs)
    finally:
        await listener.close()
        await bridge.close()
