from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from commhub.errors import Conflict, HubError, Unavailable
from commhub.links import ChildLink, Tell
from commhub.media.link import Link, Listener, listen
from commhub.media.messages import (
    AskDevice,
    DeviceAnswer,
    Hello,
    Message,
    Pull,
    RecordSnapshot,
    SessionState,
    SourceState,
)


class Child:
    """A listener that greets, and writes down what it is told."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[Message] = asyncio.Queue()
        self.epochs: list[int] = []
        self.refuse = False
        self.refused = asyncio.Event()  # twice
        self.listener: Listener | None = None

    def handle(self, link: Link, message: Message) -> Message | None:
        if isinstance(message, Hello):
            self.epochs.append(message.epoch)
            if self.refuse:
                if len(self.epochs) > 1:
                    self.refused.set()
                raise Conflict("There is a newer hub.", code="stale_epoch")
            # The fact behind the snapshot travels in the same read.
            asyncio.get_running_loop().call_soon(link.tell, SourceState(source="cam", state="live"))
            return RecordSnapshot([SessionState(session="s", room="r", state="recording")])
        self.told.put_nowait(message)
        if isinstance(message, AskDevice):
            if not message.device:
                raise Conflict("It is not there.", code="offline")
            return DeviceAnswer([{"what": message.what}])
        return None

    async def open(self, folder: Path) -> None:
        self.listener = await listen(folder, "bridge-rtsp", lambda link: None, self.handle)

    async def close(self) -> None:
        assert self.listener is not None
        await self.listener.close()


class Hub:
    def __init__(self, folder: Path, epoch: int = 3) -> None:
        self.heard: asyncio.Queue[object] = asyncio.Queue()
        self.tell: Tell | None = None
        self.link = ChildLink(folder, "bridge-rtsp", epoch, linked=self.linked, unlinked=self.gone, receive=self.heard.put_nowait)

    def gone(self) -> None:
        self.heard.put_nowait("gone")

    def linked(self, snapshot: Message, tell: Tell) -> None:
        self.tell = tell
        self.heard.put_nowait(snapshot)

    async def next(self) -> object:
        return await asyncio.wait_for(self.heard.get(), 5)


async def test_snapshot_comes_first_and_again_after_a_restart(tmp_path: Path) -> None:
    child, hub = Child(), Hub(tmp_path)
    hub.link.start()  # before anybody listens
    await asyncio.sleep(0.15)
    assert hub.heard.empty()
    for _ in range(2):
        await child.open(tmp_path)
        assert isinstance(await hub.next(), RecordSnapshot)
        assert await hub.next() == SourceState(source="cam", state="live")
        assert hub.tell is not None
        hub.tell(Pull(source="cam", url="rtsp://x/", workers=["media-0"]))
        assert await asyncio.wait_for(child.told.get(), 5) == Pull(source="cam", url="rtsp://x/", workers=["media-0"])
        await child.close()
        assert await hub.next() == "gone"
        assert not hub.link.up
    assert child.epochs == [3, 3]
    await hub.link.close()


async def test_questions_are_answered_refused_or_have_nobody_to_hear_them(tmp_path: Path) -> None:
    child, hub = Child(), Hub(tmp_path)
    with pytest.raises(Unavailable, match="is being restarted"):
        await hub.link.ask(AskDevice("1", "", "info"))
    await child.open(tmp_path)
    hub.link.start()
    await hub.next()
    assert await hub.link.ask(AskDevice("1", "", "info")) == DeviceAnswer([{"what": "info"}])
    with pytest.raises(HubError, match="It is not there"):
        await hub.link.ask(AskDevice("", "", "info"))
    await child.close()
    while await hub.next() != "gone":
        pass
    with pytest.raises(Unavailable, match="is being restarted"):
        await hub.link.ask(AskDevice("1", "", "info"))
    await hub.link.close()


async def test_a_refused_hub_keeps_asking_and_never_counts_as_linked(tmp_path: Path) -> None:
    child, hub = Child(), Hub(tmp_path)
    child.refuse = True
    await child.open(tmp_path)
    hub.link.start()
    await child.refused.wait()
    assert not hub.link.up
    assert hub.heard.empty()
    child.refuse = False
    assert isinstance(await hub.next(), RecordSnapshot)
    await hub.link.close()
    await child.close()
