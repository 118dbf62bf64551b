"""WebM: VP8, VP9, AV1 or Opus, one track a file (RFC 9559, https://www.webmproject.org/docs/container/). No I/O, no clock."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from recorder.container import Data, Index, Seal, Torn
from recorder.depacketise import opus_duration
from recorder.frames import Format

_EBML, _SEGMENT, _VOID, _CLUSTER, _CUES = 0x1A45DFA3, 0x18538067, 0xEC, 0x1F43B675, 0x1C53BB6B
_SEEK_HEAD, _INFO, _TRACKS = 0x114D9B74, 0x1549A966, 0x1654AE6B
_TIMESTAMP, _SIMPLE_BLOCK = 0xE7, 0xA3
_BLOCK = struct.Struct(">BIBhB")  # element, size (four bytes), track, time, flags
_UNKNOWN = b"\x01\xff\xff\xff\xff\xff\xff\xff"
_SEEK_ROOM = 96  # bytes reserved for the SeekHead
_CODEC_IDS = {"vp8": "V_VP8", "vp9": "V_VP9", "av1": "V_AV1", "opus": "A_OPUS"}
_AUDIO_CUE = 4  # pieces between two entries of an audio track
_FRAME_MS = {"audio": 20, "video": 33}  # a last frame's duration where nothing better is known


def _id(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _size(value: int, width: int = 0) -> bytes:
    width = width or next(w for w in range(1, 9) if value < (1 << 7 * w) - 1)
    return (value | 1 << 7 * width).to_bytes(width, "big")


def _element(number: int, data: bytes) -> bytes:
    return _id(number) + _size(len(data)) + data


def _unsigned(number: int, value: int, width: int = 0) -> bytes:
    return _element(number, value.to_bytes(width or max(1, (value.bit_length() + 7) // 8), "big"))


def _text(number: int, value: str) -> bytes:
    return _element(number, value.encode())


def _void(size: int) -> bytes:
    return _id(_VOID) + _size(size - 9, 8) + bytes(size - 9) if size >= 9 else _id(_VOID) + _size(size - 2, 1) + bytes(size - 2)


class WebM:
    extension = "webm"

    def __init__(self, form: Format) -> None:
        self._format = form
        self.mime = f'{form.kind}/webm; codecs="{form.string}"'
        self.index = Index()
        self._blocks: list[bytes] = []
        self._origin = self._first = self._last = 0  # ms
        self._began = self._latest = 0  # RTP units
        self._key = False
        self._opened = False

    def head(self) -> bytes:
        segment = _void(_SEEK_ROOM) + _element(_INFO, self._info()) + _element(_TRACKS, _element(0xAE, self._track()))
        data = _element(_EBML, self._ebml()) + _id(_SEGMENT) + _UNKNOWN + segment
        self.index.end = len(data)
        return data

    @staticmethod
    def _ebml() -> bytes:
        return (
            _unsigned(0x4286, 1) + _unsigned(0x42F7, 1) + _unsigned(0x42F2, 4) + _unsigned(0x42F3, 8)
            + _text(0x4282, "webm") + _unsigned(0x4287, 4) + _unsigned(0x4285, 2)
        )  # fmt: skip

    @staticmethod
    def _info() -> bytes:
        # The Void has the size of a Duration, which takes its place when the file is whole.
        return _unsigned(0x2AD7B1, 1_000_000) + _void(11) + _text(0x4D80, "CommHub") + _text(0x5741, "CommHub")

    def _track(self) -> bytes:
        form = self._format
        audio = form.kind == "audio"
        data = (
            _unsigned(0xD7, 1) + _unsigned(0x73C5, 1) + _unsigned(0x83, 2 if audio else 1) + _unsigned(0x9C, 0)
            + _text(0x22B59C, "und") + _text(0x86, _CODEC_IDS[form.codec])
        )  # fmt: skip
        if audio:
            head = b"OpusHead" + struct.pack("<BBHIhB", 1, form.channels, 0, 48000, 0, 0)  # RFC 7845 §5.1
            return (
                data + _element(0x63A2, head) + _unsigned(0x56AA, 0) + _unsigned(0x56BB, 80_000_000)
                + _element(0xE1, _element(0xB5, struct.pack(">d", 48000.0)) + _unsigned(0x9F, form.channels))
            )  # fmt: skip
        if form.private:
            data += _element(0x63A2, form.private)
        return data + _element(0xE0, _unsigned(0xB0, form.width) + _unsigned(0xBA, form.height))

    def add(self, time: int, data: bytes, key: bool, duration: int = 0) -> None:
        stamp = max(0, round(time * 1000 / self._format.rate))
        if not self._blocks:
            self._origin = stamp
            self._began = time
            self._key = key
        self._latest = max(time + duration, self._latest)
        relative = max(-32768, min(32767, stamp - self._origin))
        self._blocks.append(_BLOCK.pack(_SIMPLE_BLOCK, 0x10000000 | len(data) + 4, 0x81, relative, 0x80 if key else 0))
        self._blocks.append(data)
        step = round(duration * 1000 / self._format.rate) if duration else _FRAME_MS[self._format.kind]
        self._last = max(self._last, stamp + step)

    @property
    def waiting(self) -> int:
        return len(self._blocks) // 2

    @property
    def pending(self) -> int:
        return self._latest - self._began if self._blocks else 0

    @property
    def duration_ms(self) -> int:
        return self.index.until

    def cut(self, last: bool = False) -> bytes:
        if not self._blocks:
            return b""
        body = _unsigned(_TIMESTAMP, self._origin) + b"".join(self._blocks)
        data = _id(_CLUSTER) + _size(len(body), 4) + body
        self.index.pieces.append((self._origin, self.index.end, len(data), self._key))
        self.index.end += len(data)
        self.index.until = self._last
        self._blocks.clear()
        return data

    def seal(self) -> Seal:
        return _seal(self.index, self._format.kind == "audio")


def _segment_body() -> int:
    """Offset of the Segment's first byte: everything before it has a fixed size."""
    return len(_element(_EBML, WebM._ebml())) + len(_id(_SEGMENT)) + len(_UNKNOWN)


def _seal(index: Index, audio: bool) -> Seal:
    body = _segment_body()
    entries = [piece for piece in index.pieces if piece[3]]
    if audio:
        entries = entries[::_AUDIO_CUE]
    points = b"".join(
        _element(
            0xBB,
            _unsigned(0xB3, time) + _element(0xB7, _unsigned(0xF7, 1) + _unsigned(0xF1, offset - body)),
        )
        for time, offset, _, _ in entries
    )
    tail = _element(_CUES, points) if points else b""
    info = body + _SEEK_ROOM
    tracks = info + len(_element(_INFO, WebM._info()))
    places = [(_INFO, info - body), (_TRACKS, tracks - body)]
    if tail:
        places.append((_CUES, index.end - body))
    seek = _element(
        _SEEK_HEAD,
        b"".join(_element(0x4DBB, _element(0x53AB, _id(number)) + _unsigned(0x53AC, where)) for number, where in places),
    )
    duration = _element(0x4489, struct.pack(">d", float(index.until)))
    duration_at = info + len(_id(_INFO)) + len(_size(len(WebM._info()))) + len(_unsigned(0x2AD7B1, 1_000_000))
    return Seal(
        tail,
        [
            (body - len(_UNKNOWN), _size(index.end + len(tail) - body, 8)),
            (body, seek + _void(_SEEK_ROOM - len(seek))),
            (duration_at, duration),
        ],
    )


# ------------------------------------------------------------------------------------------------------------ recovery


def _read(data: Data, offset: int, end: int) -> tuple[int, int, int]:
    """Id, start of the body and its end of the element at ``offset``. ValueError when it is not whole before ``end``."""
    values: list[int] = []
    for keep_mark in (True, False):
        first = data[offset : offset + 1]
        if offset >= end or not first or not first[0]:
            raise ValueError("An element is torn.")
        width = 9 - first[0].bit_length()
        if offset + width > end:
            raise ValueError("An element is torn.")
        value = int.from_bytes(data[offset : offset + width], "big")
        values.append(value if keep_mark else value & ((1 << 7 * width) - 1))
        offset += width
    if offset + values[1] > end:
        raise ValueError("An element is torn.")
    return values[0], offset, offset + values[1]


def _children(data: Data, offset: int, end: int) -> Iterator[tuple[int, int, int]]:
    while offset < end:
        number, start, offset = _read(data, offset, end)
        yield number, start, offset


def recover(data: Data) -> tuple[Index, Seal]:
    """What of a file of :class:`WebM` can be played: everything up to ``index.end``. Torn when there is no whole cluster."""
    body = _segment_body()
    try:
        number, _, tracks = _read(data, body + _SEEK_ROOM, len(data))
        second, start, position = _read(data, tracks, len(data))
        audio = b"A_OPUS" in bytes(data[start:position])
        if bytes(data[:4]) != _id(_EBML) or (number, second) != (_INFO, _TRACKS):
            raise ValueError("The head is not ours.")
    except (ValueError, IndexError):
        raise Torn("The head of a WebM file is torn.") from None
    index = Index(end=position)
    until = 0
    step = _FRAME_MS["audio" if audio else "video"]
    while True:
        try:
            number, start, end = _read(data, index.end, len(data))
            if number != _CLUSTER:
                break
            times: list[int] = []
            origin, key = 0, False
            for child, at, behind in _children(data, start, end):
                if child == _TIMESTAMP:
                    origin = int.from_bytes(data[at:behind], "big")
                elif child == _SIMPLE_BLOCK and behind - at > 4:
                    relative, flags = struct.unpack(">hB", data[at + 1 : at + 4])
                    key = bool(flags & 0x80) if not times else key
                    times.append(origin + relative)
                    if audio:
                        step = opus_duration(bytes(data[at + 4 : min(behind, at + 6)])) // 48 or step
                else:
                    raise ValueError("A cluster holds what is not ours.")
            if not times:
                raise ValueError("A cluster is empty.")
        except (ValueError, struct.error):
            break
        index.pieces.append((origin, index.end, end - index.end, key))
        index.end = end
        until = max(until, max(times) + step)
    if not index.pieces:
        raise Torn("A WebM file holds no whole cluster.")
    index.until = until
    return index, _seal(index, audio)
