"""What stands for a media worker at the other end of a bridge's link: it only remembers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from bridges.timeline import Unwrapped, unwrap
from commhub.media.link import Link, Listener, listen, records
from commhub.media.messages import Done, EndSource, Hello, KeyFrameWanted, Message, PushSource, SourceClock, SourceStream


@dataclass(slots=True)
class Heard:
    """One packet: ``at`` is its ingress time (UTC ns)."""

    handle: int
    at: int
    packet: bytes

    @property
    def rtp(self) -> Unwrapped:
        return unwrap(self.packet)


@dataclass
class MediaWorker:
    """``async with MediaWorker(folder) as worker``."""

    folder: Path
    name: str = "media-0"
    pushes: list[PushSource] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    clocks: list[SourceClock] = field(default_factory=list)
    packets: list[Heard] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    unknown: int = 0  # packets that came before their stream was said

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._listener: Listener = await listen(self.folder, self.name, self.links.append, self._receive, packets=True)
        self._listener.on_packets = self._paired

    async def stop(self) -> None:
        """As dead as a killed one: its sockets close."""
        await self._listener.close()

    def _paired(self, link: Link) -> None:
        assert link.packets is not None
        link.packets.on_batch = self._batch

    def _batch(self, batch: bytes) -> None:
        known = {stream.handle for push in self.pushes for stream in push.streams}
        for handle, at, packet in records(batch):
            if handle in known:
                self.packets.append(Heard(handle, at, bytes(packet)))
            else:
                self.unknown += 1

    def _receive(self, link: Link, message: Message) -> Message | None:
        match message:
            case Hello():
                assert message.role == "bridge"
            case PushSource():
                self.pushes.append(message)
            case EndSource():
                self.ended.append(message.source)
            case SourceClock():
                self.clocks.append(message)
        return Done()

    def streams(self, source: str) -> list[SourceStream]:
        return next((push.streams for push in reversed(self.pushes) if push.source == source), [])

    def of(self, source: str, kind: str = "video", *, made: bool = False) -> list[bytes]:
        """The RTP packets of a source's stream, in order of arrival; or of what its bridge has ``made`` of it."""
        return [heard.packet for heard in self.heard(source, kind, made=made)]

    def heard(self, source: str, kind: str = "video", *, made: bool = False) -> list[Heard]:
        streams = [stream for push in self.pushes if push.source == source for stream in push.streams]
        handles = {stream.handle for stream in streams if stream.kind == kind and stream.made == made}
        return [heard for heard in self.packets if heard.handle in handles]

    def want_key_frame(self, handle: int) -> None:
        self.links[-1].tell(KeyFrameWanted(handle))
