"""Chat out of data packets: streams whole and in parts, packed, doubled, too long, torn."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.protocol.models import ChatMessage, DataPacket, DataStream, UserPacket

from recorder.chat import TEXT_LIMIT, Chats

TEXT = "三环涵洞水深 40 厘米，请求封闭"


def header(stream: str = "s1", topic: str = "lk.chat", **more: object) -> bytes:
    head = DataStream.Header(stream_id=stream, topic=topic, mime_type="text/plain", **more)  # type: ignore[arg-type]
    head.text_header.operation_type = DataStream.CREATE
    return DataPacket(stream_header=head).SerializeToString()


def chunk(index: int, content: bytes, stream: str = "s1") -> bytes:
    return DataPacket(stream_chunk=DataStream.Chunk(stream_id=stream, chunk_index=index, content=content)).SerializeToString()


def trailer(stream: str = "s1", reason: str = "") -> bytes:
    return DataPacket(stream_trailer=DataStream.Trailer(stream_id=stream, reason=reason)).SerializeToString()


def all_of(chats: Chats, *packets: bytes, identity: str = "p1:t1") -> list[str]:
    found = [chats.receive(identity, packet, 0.0) for packet in packets]
    return [chat.text for chat in found if chat is not None and chat.kind == "chat"]


def test_a_stream_in_parts_cut_inside_characters() -> None:
    data = TEXT.encode()
    parts = [chunk(n, data[n * 7 : n * 7 + 7]) for n in range(len(data) // 7 + 1)]
    assert all_of(Chats(), header(total_length=len(data)), parts[1], parts[0], *parts[2:], parts[2], trailer()) == [TEXT]


def test_a_stream_in_its_header() -> None:
    assert all_of(Chats(), header(inline_content=TEXT.encode())) == [TEXT]


@pytest.mark.parametrize("inline", [True, False])
def test_a_packed_stream(inline: bool) -> None:
    squeeze = zlib.compressobj(wbits=-15)
    data = squeeze.compress(TEXT.encode()) + squeeze.flush()
    if inline:
        assert all_of(Chats(), header(inline_content=data, compression=DataStream.DEFLATE_RAW)) == [TEXT]
    else:
        assert all_of(Chats(), header(compression=DataStream.DEFLATE_RAW), chunk(0, data), trailer()) == [TEXT]


def test_nobody_fills_the_disk_with_chat() -> None:
    """A hundred octets unpack to 64 KiB."""
    squeeze = zlib.compressobj(9, wbits=-15)
    packed = squeeze.compress(bytes(TEXT_LIMIT)) + squeeze.flush()
    assert len(packed) < 120
    chats = Chats()
    said: list[str] = []

    def send(stream: str, now: float, identity: str = "p1:t1") -> bool:
        packet = header(stream, inline_content=packed, compression=DataStream.DEFLATE_RAW)
        try:
            return chats.receive(identity, packet, now) is not None
        except ValueError as error:
            said.append(str(error))
            return False

    assert [send(str(number), 0.0) for number in range(6)] == [True, True, True, False, False, False]
    chats.left("p1:t1")
    assert not send("7", 0.0)
    assert set(said) == {"Somebody writes more than is recorded of one."}
    assert send("8", 1.0, "p2:t2")
    assert send("9", 20.0)


def test_a_message_of_older_clients_and_its_change() -> None:
    chats = Chats()
    first = ChatMessage(id="m1", message=TEXT)
    edited = ChatMessage(id="m1", message="已封闭", edit_timestamp=5)
    packets = [DataPacket(chat_message=message).SerializeToString() for message in (first, first, edited)]
    found = [chats.receive("p1:t1", packet, 0.0) for packet in packets]
    assert [(chat.text, chat.data) for chat in found if chat] == [
        (TEXT, {"id": "m1"}),
        ("已封闭", {"id": "m1", "change": "edited"}),
    ]


def test_one_message_sent_both_ways_counts_once_and_per_sender() -> None:
    chats = Chats()
    old = DataPacket(chat_message=ChatMessage(id="s1", message=TEXT)).SerializeToString()
    assert all_of(chats, old, header(inline_content=TEXT.encode())) == [TEXT]
    assert all_of(chats, old, identity="p2:t1") == [TEXT]


def test_other_topics_and_packets_are_no_chat() -> None:
    user = DataPacket(user=UserPacket(payload=b"x", topic="lk.chat")).SerializeToString()
    assert all_of(Chats(), user, header(topic="board"), chunk(0, b"x"), trailer(), b"") == []


def test_streams_of_the_same_name_are_apart_by_sender() -> None:
    chats = Chats()
    for who in ("a", "b"):
        assert all_of(chats, header(), chunk(0, who.encode()), identity=who) == []
    assert all_of(chats, trailer(), identity="b") == ["b"]
    assert all_of(chats, trailer(), identity="a") == ["a"]


def test_who_left_or_gave_up_said_nothing() -> None:
    chats = Chats()
    all_of(chats, header(), chunk(0, b"x"))
    chats.left("p1:t1")
    assert all_of(chats, trailer()) == []
    assert all_of(chats, header("s2"), chunk(0, b"x", "s2"), trailer("s2", reason="cancelled")) == []


def test_streams_that_never_end_are_few_and_forgotten() -> None:
    chats = Chats()
    for number in range(4):
        chats.receive("a", header(f"s{number}"), 0.0)
    with pytest.raises(ValueError, match=r"^Too many text streams are unfinished\.$"):
        chats.receive("a", header("s9"), 30.0)
    assert chats.receive("a", header("s9"), 61.0) is None


@pytest.mark.parametrize(
    ("packets", "sentence"),
    [
        ([b"\xff" * 40], "A data packet cannot be read."),
        ([b"\x00" * (200 << 10)], "A data packet is larger than the limit."),
        ([header(total_length=TEXT_LIMIT + 1)], "A chat message is longer than the limit."),
        ([header(), *(chunk(n, b"x" * 15_000) for n in range(5))], "A chat message is longer than the limit."),
        ([header(inline_content=b"x" * (TEXT_LIMIT + 1))], "A chat message is longer than the limit."),
        ([header(), chunk(0, b"a"), chunk(2, b"b"), trailer()], "A part of a chat message is missing."),
        ([header(inline_content=b"\xff\xfe")], "A chat message is not UTF-8."),
        ([header(compression=DataStream.DEFLATE_RAW, inline_content=b"\xff" * 9)], "A chat message cannot be unpacked."),
        (
            [header(compression=DataStream.DEFLATE_RAW, inline_content=zlib.compress(bytes(20 << 20), 9)[2:-4])],
            "A chat message is longer than the limit.",  # a bomb
        ),
        ([header(encryption_type=1)], "A chat message is packed in a way that is not known."),
    ],
)
def test_what_is_wrong_is_said(packets: list[bytes], sentence: str) -> None:
    chats = Chats()
    for packet in packets[:-1]:
        assert chats.receive("a", packet, 0.0) is None
    with pytest.raises(ValueError) as caught:
        chats.receive("a", packets[-1], 0.0)
    assert str(caught.value) == sentence


@given(st.lists(st.binary(max_size=60), max_size=20))
@settings(max_examples=80, deadline=None)
def test_noise_breaks_nothing(packets: list[bytes]) -> None:
    chats = Chats()
    for packet in packets:
        try:
            chats.receive("a", packet, 0.0)
        except ValueError:
            pass


def test_what_programs_send_each_other_is_kept_as_it_was_sent() -> None:
    packet = DataPacket(user=UserPacket(payload=b"\x00\xffptz", topic="camera")).SerializeToString()
    said = Chats().receive("p1:t1", packet, 0.0)
    assert said is not None
    assert (said.kind, said.identity, said.data) == ("data", "p1:t1", {"topic": "camera", "payload": "AP9wdHo="})


def test_of_a_file_stands_what_was_announced() -> None:
    head = DataStream.Header(stream_id="f1", topic="files", mime_type="application/pdf", total_length=5_000_000)
    head.byte_header.name = "预案.pdf"
    said = Chats().receive("p1:t1", DataPacket(stream_header=head).SerializeToString(), 0.0)
    assert said is not None
    assert said.kind == "stream"
    assert said.data == {"id": "f1", "topic": "files", "mime": "application/pdf", "name": "预案.pdf", "size": "5000000"}


def test_nobody_fills_the_disk_with_data() -> None:
    chats = Chats()
    packet = DataPacket(user=UserPacket(payload=bytes(60_000))).SerializeToString()
    for _ in range(4):
        assert chats.receive("p1:t1", packet, 0.0) is not None
    with pytest.raises(ValueError, match=r"^Somebody writes more than is recorded of one\.$"):
        chats.receive("p1:t1", packet, 0.0)
    assert chats.receive("p2:t1", packet, 0.0) is not None
