from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from bridges.gb28181.ear import Alaw
from bridges.gb28181.offer import Description, parse
from bridges.sip import message as codec
from bridges.sip.message import Headers, Request, Response
from bridges.timeline import unwrap
from bridges.transcode import Encoder
from commhub.errors import HubError
from commhub.media.link import RECORD, Link
from commhub.media.messages import Codec, Done, Hello, Message, OpenSink, SinkTrack
from commhub.media.messages.devices import Voice, VoiceState
from commhub.wire import rtp
from tests.support import until
from tests.support.gb_device import CHANNEL, DEVICE, US, Platform
from tests.support.media_worker import MediaWorker

TARGET = f"{DEVICE}/{CHANNEL}"


class Room(MediaWorker):
    """A worker with somebody in a room who speaks as long as there is a sink."""

    sinks: list[OpenSink]

    def _receive(self, link: Link, message: Message) -> Message | None:
        if isinstance(message, Hello):
            assert message.role == "record"
            self.sinks = []
        if isinstance(message, OpenSink):
            self.sinks.append(message)
            opus = Codec(mime="audio/opus", clock_rate=48_000, channels=2)
            link.tell(SinkTrack(sink=message.sink, handle=7, track="TR_1", peer="PA_1", identity="speaker", kind="audio",
                                source="microphone", open=True, at=1, codec=opus))  # fmt: skip
            self.speaking = asyncio.ensure_future(self._speak(link))
        return Done()

    async def _speak(self, link: Link) -> None:
        encoder = Encoder("PCMA", 8000, 1, {})
        for number in range(400):
            sound = bytes((0x2A, 0xAA)) * 80  # a tone
            for payload, at in encoder.feed(sound, number * 160):
                packet = rtp.build(payload, ssrc=1, sequence=number & 0xFFFF, timestamp=at, payload_type=111)
                if link.packets is not None:
                    link.packets.send(RECORD.pack(7, 1, len(packet)) + packet)
            await asyncio.sleep(0.02)


class Loudspeaker:
    """Calls us as a device does that was asked to."""

    def __init__(self, platform: Platform, setup: str = "") -> None:
        self.packets: list[bytes] = []
        self.answers: list[Response] = []
        self.asked: list[str] = []
        self._setup = setup
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.media = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for one in (self.sip, self.media):
            one.bind(("127.0.0.1", 0))
            one.setblocking(False)
        self.port: int = self.sip.getsockname()[1]
        self._address = ("127.0.0.1", platform.endpoint.port)
        loop = asyncio.get_running_loop()
        loop.add_reader(self.sip, self._heard)
        loop.add_reader(self.media, self._sound)
        self._writer: asyncio.StreamWriter | None = None

    def call(self, host: str = "127.0.0.1", kind: str = "audio") -> None:
        self._send("INVITE", self._offer(host, kind), "")

    def _offer(self, host: str, kind: str) -> bytes:
        lines = ["v=0", f"o={CHANNEL} 0 0 IN IP4 {host}", "s=Play", f"c=IN IP4 {host}", "t=0 0",
                 f"m={kind} {self.media.getsockname()[1]} {'TCP/' if self._setup else ''}RTP/AVP 8", "a=recvonly",
                 "a=rtpmap:8 PCMA/8000", "y=0200000077"]  # fmt: skip
        if self._setup:
            lines += [f"a=setup:{self._setup}", "a=connection:new"]
        return ("\r\n".join(lines) + "\r\n").encode()

    def _send(self, method: str, body: bytes, to_tag: str) -> None:
        headers = Headers()
        headers.add("Via", f"SIP/2.0/UDP 127.0.0.1:{self.port};rport;branch=z9hG4bK{method}{to_tag}")
        headers.add("Max-Forwards", 70)
        headers.add("From", f"<sip:{CHANNEL}@3402000000>;tag=speaker")
        headers.add("To", f"<sip:{US}@3402000000>" + (f";tag={to_tag}" if to_tag else ""))
        headers.add("Call-ID", "loudspeaker")
        headers.add("CSeq", f"{2 if method == 'BYE' else 1} {method}")
        headers.add("Contact", f"<sip:{CHANNEL}@127.0.0.1:{self.port}>")
        headers.add("Subject", f"{US}:0,{CHANNEL}:1")
        if body:
            headers.add("Content-Type", "application/sdp")
        request = Request(method, f"sip:{US}@127.0.0.1", headers=headers, body=body)
        self.sip.sendto(codec.serialize(request), self._address)

    def _heard(self) -> None:
        message = codec.parse(self.sip.recv(65_535))
        if isinstance(message, Request):
            self.asked.append(message.method)
            self.sip.sendto(codec.serialize(message.reply(200)), self._address)
        elif message.final and message.cseq.method == "INVITE":
            self.answers.append(message)
            self._send("ACK", b"", message.receiver.tag)

    def _sound(self) -> None:
        self.packets.append(self.media.recv(4096))

    async def dial(self, port: int) -> None:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while len(self.packets) < 5:
                self.packets.append(await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big")))

    def hang_up(self) -> None:
        self._send("BYE", b"", self.answers[0].receiver.tag)

    def answer(self) -> Description:
        return parse(self.answers[-1].body)

    def close(self) -> None:
        for one in (self.sip, self.media):
            asyncio.get_running_loop().remove_reader(one)
            one.close()
        if self._writer is not None:
            self._writer.close()


def states(platform: Platform) -> list[tuple[str, str]]:
    return [(one.state, one.code) for one in platform.told if isinstance(one, VoiceState)]


def registered(platform: Platform, speaker: Loudspeaker) -> None:
    platform.flows[DEVICE] = platform.endpoint.towards("127.0.0.1", speaker.port)


def voice(*targets: str) -> Voice:
    return Voice(voice="v1", worker="media-0", room="r", identity="speaker", targets=list(targets))


def test_opus_becomes_a_law() -> None:
    encoder, alaw = Encoder("PCMA", 8000, 1, {}), Alaw()
    out = b"".join(
        sound
        for number in range(50)
        for packet, at in encoder.feed(bytes((0x2A, 0xAA)) * 80, number * 160)
        for sound, _ in alaw.feed(packet, at)
    )
    assert 7000 <= len(out) <= 8000  # a second
    assert sum(octet not in (0xD5, 0x55) for octet in out) > 4000


async def test_a_participant_is_heard_at_a_loudspeaker(tmp_path: Path) -> None:
    async with Room(tmp_path) as room, Platform(tmp_path) as platform:
        speaker = Loudspeaker(platform)
        registered(platform, speaker)
        asking = asyncio.ensure_future(platform.calls.voice(voice(TARGET)))
        await until(lambda: bool(platform.notices))
        assert platform.notices == [{"CmdType": "Broadcast", "SourceID": US, "TargetID": CHANNEL}]
        platform.calls.broadcast_answer(DEVICE, "1", True)
        speaker.call()
        await asyncio.wait_for(asking, 5)
        assert states(platform) == [("calling", ""), ("speaking", "")]
        answer = speaker.answer()
        assert (answer.kind, answer.direction, answer.codecs, answer.ssrc) == ("audio", "sendonly", {8: "PCMA"}, 200_000_077)
        await until(lambda: len(speaker.packets) >= 10)
        heard = [unwrap(packet) for packet in speaker.packets]
        assert {(one.payload_type, len(one.payload), one.ssrc) for one in heard} == {(8, 800, 200_000_077)}
        assert {later.timestamp - one.timestamp for one, later in zip(heard, heard[1:], strict=False)} == {800}  # noqa: RUF007
        assert [(one.kind, one.source, one.identity) for one in room.sinks[0].only] == [("audio", "microphone", "speaker")]
        await platform.calls.voice(voice())
        await until(lambda: "BYE" in speaker.asked)
        assert states(platform)[-1] == ("ended", "")
        assert platform.calls.ports.used == 0
        speaker.close()


async def test_a_loudspeaker_over_tcp_dials_us(tmp_path: Path) -> None:
    async with Room(tmp_path), Platform(tmp_path) as platform:
        speaker = Loudspeaker(platform, "active")
        registered(platform, speaker)
        asking = asyncio.ensure_future(platform.calls.voice(voice(TARGET)))
        await until(lambda: bool(platform.notices))
        speaker.call()
        await asyncio.wait_for(asking, 5)
        assert speaker.answer().setup == "passive"
        await asyncio.wait_for(speaker.dial(speaker.answer().port), 5)
        assert {len(unwrap(packet).payload) for packet in speaker.packets} == {800}
        speaker.hang_up()
        await until(lambda: states(platform)[-1] == ("ended", "hung_up"))
        assert platform.calls.ports.used == 0
        speaker.close()


async def test_a_device_that_refuses_a_broadcast_is_called_itself(tmp_path: Path) -> None:
    async with Platform(tmp_path) as platform:
        speaker = Loudspeaker(platform)
        registered(platform, speaker)
        asking = asyncio.ensure_future(platform.calls.voice(voice(TARGET)))
        await until(lambda: bool(platform.notices))
        platform.calls.broadcast_answer(DEVICE, "1", False)
        await until(lambda: "INVITE" in speaker.asked)  # s=Talk; this one's 200 has no description
        with pytest.raises(HubError) as refused:
            await asyncio.wait_for(asking, 5)
        assert refused.value.message_zh == "没有设备接听喊话。"
        assert states(platform) == [("calling", ""), ("failed", "refused")]
        speaker.close()


@pytest.mark.parametrize(("host", "kind"), [("11.22.33.44", "audio"), ("127.0.0.9", "audio"), ("127.0.0.1", "video")])
async def test_a_description_that_points_elsewhere_is_refused(tmp_path: Path, host: str, kind: str) -> None:
    async with Platform(tmp_path) as platform:
        speaker = Loudspeaker(platform)
        registered(platform, speaker)
        asking = asyncio.ensure_future(platform.calls.voice(voice(TARGET)))
        await until(lambda: bool(platform.notices))
        speaker.call(host, kind)
        with pytest.raises(HubError):
            await asyncio.wait_for(asking, 5)
        await until(lambda: [answer.status for answer in speaker.answers] == [488])
        assert platform.calls.ports.used == 0
        speaker.close()


async def test_who_was_not_asked_may_not_call(tmp_path: Path) -> None:
    async with Platform(tmp_path) as platform:
        speaker = Loudspeaker(platform)
        registered(platform, speaker)
        speaker.call()
        await until(lambda: [answer.status for answer in speaker.answers] == [403])
        speaker.close()


async def test_a_device_that_is_not_there_fails_at_once(tmp_path: Path) -> None:
    async with Platform(tmp_path) as platform:
        with pytest.raises(HubError):
            await platform.calls.voice(voice(TARGET))
        assert states(platform) == [("calling", ""), ("failed", "not_registered")]
