"""What a track becomes on its way to a file: formats and frames, and pictures put together from packets. No I/O, no clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from commhub.media.messages import Codec
from recorder.reorder import Packet

FRAME_LIMIT = 16 << 20


@dataclass(frozen=True, slots=True)
class Format:
    """What a file must say in its head; another format is another file. ``private`` is the container's codec configuration."""

    kind: str  # audio, video
    codec: str  # opus, vp8, vp9, av1, h264, h265
    string: str  # RFC 6381
    rate: int  # RTP clock
    channels: int = 0
    width: int = 0
    height: int = 0
    private: bytes = b""


@dataclass(slots=True)
class Frame:
    """``time`` is the RTP time (it goes on over wraps), ``at`` the ingress time of its first packet (UTC ns), ``duration``
    RTP units where the payload tells. ``format`` stands on key frames."""

    time: int
    at: int
    data: bytes
    key: bool
    duration: int = 0
    format: Format | None = None


class Pictures(ABC):
    """Collects the packets of a picture (one RTP time, ended by the marker) and keeps what cannot be decoded out."""

    def __init__(self, codec: Codec) -> None:
        self._rate = codec.clock_rate or 90000
        self._parts: list[bytes] = []
        self._time = self._at = self._size = 0
        self._open = self._spoilt = False
        self._after_loss = False
        self.wants_key = True  # nothing can be decoded before a key frame
        self.malformed = 0

    def receive(self, packet: Packet) -> list[Frame]:
        out: list[Frame] = []
        if packet.lost:
            self._spoilt = self._spoilt or self._open
            self.wants_key = self._after_loss = True
        if not packet.payload:  # padding for bandwidth estimation
            return out
        if self._open and packet.time != self._time:
            out += self._finish()
        if not self._open:
            self._open, self._time, self._at, self._size = True, packet.time, packet.at, 0
            self._begin()
        self._size += len(packet.payload)
        if self._size > FRAME_LIMIT:
            self._spoilt = True
        elif not self._spoilt:
            try:
                self._add(packet.payload)
            except ValueError:
                self.malformed += 1
                self._spoilt = True
        if packet.marker:
            out += self._finish()
        return out

    def _finish(self) -> list[Frame]:
        frame: Frame | None = None
        if not self._spoilt:
            try:
                frame = self._picture()
            except ValueError:
                self.malformed += 1
                self._spoilt = True
        if self._spoilt:
            self.wants_key = True
        self._open = self._spoilt = self._after_loss = False
        self._parts.clear()
        if frame is None or (self.wants_key and not frame.key):
            return []
        if frame.key:
            self.wants_key = False
        return [frame]

    def _begin(self) -> None:  # noqa: B027 (VP8 has nothing to begin)
        """The first packet of a picture follows."""

    @abstractmethod
    def _add(self, payload: bytes) -> None: ...

    @abstractmethod
    def _picture(self) -> Frame | None: ...
