"""Words and data out of LiveKit's data packets. No I/O, no clock.

Chat: text streams of topic ``lk.chat`` and the older ``ChatMessage``. Data: what programs send each other (``UserPacket``), as it
was sent, and of streams of other topics (files, texts of programs) what was announced.

A client may send both for one message; they carry the same id, and the first one counts.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from livekit.protocol.models import DataPacket, DataStream, UserPacket

TOPIC = "lk.chat"
PACKET_LIMIT = 128 << 10
TEXT_LIMIT = 64 << 10  # bytes
_STREAMS = 32  # unfinished ones of all senders
_PER_SENDER = 4
_PATIENCE = 60.0  # s
_REMEMBERED = 512
_RATE, _BURST = 4_096.0, 262_144.0  # octets a second, and at once, that are recorded of one sender
_NAME = 256  # characters of a name or topic
_EACH = 256  # octets that a message counts for beside its text
_CREATE, _UPDATE, _DELETE, _REACTION = range(4)
_CHANGES = {_UPDATE: "edited", _DELETE: "deleted", _REACTION: "reaction"}


@dataclass(frozen=True, slots=True)
class Chat:
    """``kind``: chat, data or stream. ``data`` of a chat has ``id`` and, if so, ``change`` (edited, deleted, reaction) and
    ``reply_to``; of data ``topic`` and ``payload`` (base64), of a stream ``id``, ``topic``, ``mime``, ``name``, ``size``."""

    identity: str
    text: str
    data: dict[str, str]
    kind: str = "chat"


@dataclass(slots=True)
class _Stream:
    began: float
    compressed: bool
    data: dict[str, str]
    chunks: dict[int, bytes] = field(default_factory=dict)
    size: int = 0


class Chats:
    """``receive`` gets every data packet of a session. ValueError with a sentence for what is wrong; other topics are nothing."""

    def __init__(self) -> None:
        self._streams: dict[tuple[str, str], _Stream] = {}
        self._seen: OrderedDict[tuple[str, str, bytes], None] = OrderedDict()
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()  # by sender, also who left: octets left, when

    def receive(self, identity: str, data: bytes, now: float) -> Chat | None:
        """``now`` is monotonic seconds."""
        if len(data) > PACKET_LIMIT:
            raise ValueError("A data packet is larger than the limit.")
        try:
            packet = DataPacket.FromString(data)
        except DecodeError:
            raise ValueError("A data packet cannot be read.") from None
        kind = packet.WhichOneof("value")
        if kind == "chat_message":
            return self._message(identity, packet, now)
        if kind == "user":
            return self._user(identity, packet.user, now)
        if kind == "stream_header":
            return self._header(identity, packet.stream_header, now)
        if kind == "stream_chunk":
            self._chunk(identity, packet.stream_chunk)
        if kind == "stream_trailer":
            return self._trailer(identity, packet.stream_trailer, now)
        return None

    def left(self, identity: str) -> None:
        """What a sender did not finish is gone."""
        for key in [key for key in self._streams if key[0] == identity]:
            del self._streams[key]

    def _message(self, identity: str, packet: DataPacket, now: float) -> Chat | None:
        message = packet.chat_message
        text = message.message
        if len(text.encode()) > TEXT_LIMIT:
            raise ValueError("A chat message is longer than the limit.")
        data = {"id": message.id[:64]}
        if message.deleted:
            data["change"] = "deleted"
        elif message.HasField("edit_timestamp"):
            data["change"] = "edited"
        return self._once(Chat(identity, text, data), now)

    def _header(self, identity: str, header: DataStream.Header, now: float) -> Chat | None:
        if header.topic != TOPIC or header.WhichOneof("content_header") != "text_header":
            return self._announced(identity, header, now)
        if header.HasField("total_length") and header.total_length > TEXT_LIMIT:
            raise ValueError("A chat message is longer than the limit.")
        if header.compression not in (DataStream.NONE, DataStream.DEFLATE_RAW) or header.encryption_type:
            raise ValueError("A chat message is packed in a way that is not known.")
        data = {"id": header.stream_id[:64]}
        change = _CHANGES.get(header.text_header.operation_type)
        if change:
            data["change"] = change
        if header.text_header.reply_to_stream_id:
            data["reply_to"] = header.text_header.reply_to_stream_id[:64]
        stream = _Stream(now, header.compression == DataStream.DEFLATE_RAW, data)
        if header.HasField("inline_content"):
            stream.chunks[0] = header.inline_content
            return self._once(_text(identity, stream), now)
        for key in [key for key, old in self._streams.items() if now - old.began > _PATIENCE]:
            del self._streams[key]
        if len(self._streams) >= _STREAMS or sum(key[0] == identity for key in self._streams) >= _PER_SENDER:
            raise ValueError("Too many text streams are unfinished.")
        self._streams[identity, header.stream_id] = stream
        return None

    def _user(self, identity: str, user: UserPacket, now: float) -> Chat:
        self._spend(identity, _EACH + len(user.payload), now)
        payload = base64.b64encode(user.payload).decode()
        return Chat(identity, "", {"topic": user.topic[:_NAME], "payload": payload}, "data")

    def _announced(self, identity: str, header: DataStream.Header, now: float) -> Chat:
        self._spend(identity, _EACH, now)
        about = {"id": header.stream_id[:64], "topic": header.topic[:_NAME], "mime": header.mime_type[:_NAME]}
        about |= {"name": header.byte_header.name[:_NAME], "size": str(header.total_length)}
        return Chat(identity, "", about, "stream")

    def _chunk(self, identity: str, chunk: DataStream.Chunk) -> None:
        stream = self._streams.get((identity, chunk.stream_id))
        if stream is None or chunk.chunk_index in stream.chunks:
            return
        stream.size += len(chunk.content)
        if stream.size > TEXT_LIMIT or len(stream.chunks) >= 1024:
            del self._streams[identity, chunk.stream_id]
            raise ValueError("A chat message is longer than the limit.")
        stream.chunks[chunk.chunk_index] = chunk.content

    def _trailer(self, identity: str, trailer: DataStream.Trailer, now: float) -> Chat | None:
        stream = self._streams.pop((identity, trailer.stream_id), None)
        if stream is None or trailer.reason:  # the sender gave up
            return None
        if sorted(stream.chunks) != list(range(len(stream.chunks))):
            raise ValueError("A part of a chat message is missing.")
        return self._once(_text(identity, stream), now)

    def _once(self, chat: Chat, now: float) -> Chat | None:
        said = hashlib.sha256((chat.data.get("change", "") + chat.text).encode()).digest()
        key = (chat.identity, chat.data["id"], said)
        if chat.data["id"] and key in self._seen:
            return None
        self._spend(chat.identity, _EACH + len(chat.text.encode()), now)
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return chat

    def _spend(self, identity: str, octets: int, now: float) -> None:
        """What is written comes out of a hundred octets that unpack to 64 KiB: nobody fills the disk with it."""
        level, at = self._spent.pop(identity, (_BURST, now))
        level = min(_BURST, level + (now - at) * _RATE)
        short = level < octets
        self._spent[identity] = (level if short else level - octets, now)
        if len(self._spent) > _REMEMBERED:
            self._spent.popitem(last=False)
        if short:
            raise ValueError("Somebody writes more than is recorded of one.")


def _text(identity: str, stream: _Stream) -> Chat:
    data = b"".join(stream.chunks[index] for index in sorted(stream.chunks))
    if stream.compressed:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = inflate.decompress(data, TEXT_LIMIT + 1)
        except zlib.error:
            raise ValueError("A chat message cannot be unpacked.") from None
    if len(data) > TEXT_LIMIT:
        raise ValueError("A chat message is longer than the limit.")
    try:
        return Chat(identity, data.decode(), stream.data)
    except UnicodeDecodeError:
        raise ValueError("A chat message is not UTF-8.") from None
