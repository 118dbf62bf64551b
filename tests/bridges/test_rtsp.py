"""Conversations with servers that follow a script: what is said, what is refused, and with which words."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bridges import rtsp, rtsp_auth
from bridges.faults import Fault, Redirected
from bridges.rtsp_message import Request
from tests.support import until
from tests.support.h264 import pictures
from tests.support.rtsp_server import Answer, Conversation, RtspServer, sdp


class Client:
    """A session and what it handed on."""

    def __init__(self, server: RtspServer, **camera: str) -> None:
        self.packets: list[tuple[rtsp.Track, bytes]] = []
        self.clocks: list[tuple[int, int]] = []
        self.session = rtsp.Session(
            rtsp.Camera(server.url, "127.0.0.1", server.port, **camera),
            lambda track, packet, now: self.packets.append((track, packet)),
            lambda track, rtp_time, ntp: self.clocks.append((rtp_time, ntp)),
            lambda: None,
        )

    async def open(self) -> None:
        await self.session.open()
        await self.session.play()

    async def fault(self) -> str:
        """The code with which opening ends."""
        with pytest.raises(Fault) as caught:
            await self.open()
        self.session.close()
        assert caught.value.text
        assert caught.value.text_zh
        return caught.value.code


def answering(status: int, reason: str = "No", **headers: str) -> Callable[[Conversation, Request], Awaitable[bytes]]:
    async def answer(conversation: Conversation, request: Request) -> bytes:
        return conversation.reply(request, status, reason, b"", **headers)

    return answer


def saying(data: bytes) -> Callable[[Conversation, Request], Awaitable[bytes]]:
    async def answer(conversation: Conversation, request: Request) -> bytes:
        return data

    return answer


async def test_an_ordinary_conversation() -> None:
    async with RtspServer() as server:
        client = Client(server)
        await client.open()
        client.session.close()
        await until(lambda: server.methods()[-1] == "TEARDOWN")
        assert server.methods() == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY", "TEARDOWN"]
        _, describe, setup, play, teardown = server.conversations[0].requests
        assert describe.get("accept") == "application/sdp"
        assert setup.url == server.url + "/trackID=1"
        assert setup.get("transport") == "RTP/AVP/TCP;unicast;interleaved=0-1"
        assert (play.url, play.get("session")) == (server.url, "12345678")
        assert teardown.get("session") == "12345678"
        assert [request.get("cseq") for request in server.conversations[0].requests] == ["1", "2", "3", "4", "5"]


async def test_control_urls_follow_content_base() -> None:
    async def describe(conversation: Conversation, request: Request) -> bytes:
        return conversation.reply(request, body=sdp(control="video"), Content_Base="rtsp://10.99.0.1:554/other/")

    async with RtspServer({"DESCRIBE": describe}) as server:
        client = Client(server)
        await client.open()
        client.session.close()
        assert server.conversations[0].requests[2].url == "rtsp://10.99.0.1:554/other/video"  # named, never connected
        assert len(server.conversations) == 1


async def test_packets_and_sender_reports_are_handed_on() -> None:
    async def play(conversation: Conversation, request: Request) -> bytes:
        report = bytes.fromhex("80c80006 00000007 e8a0f78000000000 00015f90 00000001 00000002".replace(" ", ""))
        data = conversation.reply(request) + conversation.picture(pictures()[0])
        return data + b"$\x01" + len(report).to_bytes(2, "big") + report

    async with RtspServer({"PLAY": play}) as server:
        client = Client(server)
        await client.open()
        await until(lambda: client.clocks)
        assert {track.kind for track, _ in client.packets} == {"video"}
        assert client.clocks[0][0] == 0x15F90
        client.session.close()


async def test_other_channels_than_asked_for_are_taken() -> None:
    async def setup(conversation: Conversation, request: Request) -> bytes:
        return conversation.reply(request, Transport="RTP/AVP/TCP;unicast;interleaved=4-5", Session="1")

    async def play(conversation: Conversation, request: Request) -> bytes:
        return conversation.reply(request) + conversation.interleaved(b"\x41abc", channel=4)

    async with RtspServer({"SETUP": setup, "PLAY": play}) as server:
        client = Client(server)
        await client.open()
        await until(lambda: client.packets)
        client.session.close()


@pytest.mark.parametrize("status", [461])
async def test_udp_when_tcp_is_not_supported(status: int) -> None:
    async def setup(conversation: Conversation, request: Request) -> bytes:
        transport = request.get("transport")
        if "TCP" in transport:
            return conversation.reply(request, status, "Unsupported Transport")
        return conversation.reply(request, Transport=transport + ";server_port=9-10", Session="1")

    async with RtspServer({"SETUP": setup}) as server:
        client = Client(server)
        await client.open()
        assert client.session.tracks[0].pair is not None
        client.session.close()
        assert server.methods()[:4] == ["OPTIONS", "DESCRIBE", "SETUP", "SETUP"]


async def test_tcp_when_udp_was_wanted_but_is_not_supported() -> None:
    async def setup(conversation: Conversation, request: Request) -> bytes:
        transport = request.get("transport")
        if "TCP" not in transport:
            return conversation.reply(request, 461, "Unsupported Transport")
        return conversation.reply(request, Transport=transport, Session="1")

    async with RtspServer({"SETUP": setup}) as server:
        client = Client(server, transport="udp")
        await client.open()
        assert client.session.tracks[0].pair is None
        client.session.close()


async def test_keep_alive_and_receiver_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    async def setup(conversation: Conversation, request: Request) -> bytes:
        return conversation.reply(request, Transport=request.get("transport"), Session="1;timeout=2")

    heard = bytearray()

    async def play(conversation: Conversation, request: Request) -> bytes:
        return conversation.reply(request) + conversation.picture(pictures()[0])

    answers: dict[str, Answer] = {"SETUP": setup, "PLAY": play, "OPTIONS": answering(200, "OK", Public="OPTIONS, GET_PARAMETER")}
    async with RtspServer(answers) as server:
        client = Client(server)
        await client.open()
        monkeypatch.setattr(client.session, "_send_control", lambda track, data: heard.extend(data))
        watching = asyncio.ensure_future(client.session.watch())
        await until(lambda: "GET_PARAMETER" in server.methods(), 5)
        assert server.conversations[0].requests[-1].get("session") == "1"
        await until(lambda: heard, 5)
        assert heard[1] == 201
        watching.cancel()
        client.session.close()


async def test_a_camera_without_get_parameter_is_kept_with_options() -> None:
    async def setup(conversation: Conversation, request: Request) -> bytes:
        return conversation.reply(request, Transport=request.get("transport"), Session="1;timeout=2")

    async with RtspServer({"SETUP": setup}) as server:
        client = Client(server)
        await client.open()
        watching = asyncio.ensure_future(client.session.watch())
        await until(lambda: server.methods().count("OPTIONS") == 2, 5)
        watching.cancel()
        client.session.close()


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"DESCRIBE": answering(404, "Not Found")}, "not_found"),
        ({"DESCRIBE": answering(403, "Forbidden")}, "unauthorized"),
        ({"DESCRIBE": answering(401, "Unauthorized", WWW_Authenticate='Basic realm="x"')}, "unauthorized"),
        ({"DESCRIBE": answering(453, "Not Enough Bandwidth")}, "busy"),
        ({"DESCRIBE": answering(500, "Oops")}, "protocol"),
        ({"DESCRIBE": answering(200, "OK")}, "protocol"),
        ({"SETUP": answering(461, "Unsupported Transport")}, "protocol"),
        ({"SETUP": answering(200, "OK", Transport="RTP/AVP;unicast;client_port=5000-5001", Session="1")}, "protocol"),
        ({"SETUP": answering(200, "OK", Transport="RTP/AVP/TCP;interleaved=0-1")}, "protocol"),
        ({"PLAY": answering(454, "Session Not Found")}, "closed"),
        ({"OPTIONS": saying(b"HTTP/1.1 400 Bad Request\r\n\r\n")}, "protocol"),
        ({"OPTIONS": saying(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nX: " + b"y" * 20_000)}, "protocol"),
        ({"DESCRIBE": saying(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 99999999\r\n\r\n")}, "protocol"),
        ({"DESCRIBE": saying(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: -5\r\n\r\n")}, "protocol"),
        ({"OPTIONS": saying(b"\x16\x03\x01 binary " * 20_000)}, "protocol"),
    ],
)
async def test_servers_that_refuse_or_lie(answers: dict[str, Answer], code: str) -> None:
    async with RtspServer(answers) as server:
        assert await Client(server).fault() == code


@pytest.mark.parametrize(
    ("description", "code"),
    [
        (b"v=0\r\n", "no_video"),
        (b"v=0\r\nm=audio 0 RTP/AVP 8\r\n", "no_video"),
        (sdp("MP4V-ES/90000"), "codec_unsupported"),
        (sdp("", 26), "codec_unsupported"),
        (sdp("VND.STRANGE/90000"), "codec_unsupported"),
        (sdp().replace(b"packetization-mode=1", b"packetization-mode=2"), "codec_unsupported"),
        (b"<html>", "protocol"),
    ],
)
async def test_descriptions_without_a_picture_for_browsers(description: bytes, code: str) -> None:
    async with RtspServer(description=description) as server:
        assert await Client(server).fault() == code


async def test_faults_name_the_codec_in_both_languages() -> None:
    named = (sdp("MP4V-ES/90000"), "MPEG-4", "MPEG-4")
    for description, english, chinese in (named, (sdp("X/90000"), "unknown codec", "未知编码")):
        async with RtspServer(description=description) as server:
            with pytest.raises(Fault) as caught:
                await Client(server).open()
            assert english in caught.value.text
            assert chinese in caught.value.text_zh


async def test_a_wrong_content_length_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "REPLY_TIMEOUT", 0.2)
    answer = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 4000\r\n\r\n" + sdp()
    async with RtspServer({"DESCRIBE": saying(answer)}) as server:
        with pytest.raises(Fault, match="ends before its announced length"):
            await Client(server).open()


async def test_a_silent_server_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "REPLY_TIMEOUT", 0.1)

    async def nothing(conversation: Conversation, request: Request) -> None:
        return None

    async with RtspServer({"OPTIONS": nothing}) as server:
        assert await Client(server).fault() == "timeout"


async def test_nobody_listens() -> None:
    async with RtspServer() as server:
        pass
    assert await Client(server).fault() == "refused"


async def test_a_redirect_is_reported_not_followed() -> None:
    async with RtspServer({"DESCRIBE": answering(302, "Moved", Location="rtsp://127.0.0.1:1/evil")}) as server:
        with pytest.raises(Redirected) as caught:
            await Client(server).open()
        assert caught.value.url == "rtsp://127.0.0.1:1/evil"
        assert len(server.conversations) == 1


class Guard:
    """A server's digest authentication, written from RFC 2617 for the tests."""

    def __init__(self, *, lifetime: int = 1000, stale: bool = True, headers: str = "") -> None:
        self.lifetime, self.stale, self.uses, self.number, self.refused = lifetime, stale, 0, 0, 0
        self.headers = headers

    def wrap(self, server: RtspServer) -> None:
        for method in ("DESCRIBE", "SETUP", "PLAY"):
            server.answers[method] = self.answer

    async def answer(self, conversation: Conversation, request: Request) -> bytes | None:
        given = request.get("authorization")
        nonce = f"nonce{self.number}"
        self.uses += 1
        if f'nonce="{nonce}"' in given and self.uses <= self.lifetime:
            first, second = rtsp_auth.digest("MD5", "u:here:p"), rtsp_auth.digest("MD5", f"{request.method}:{request.url}")
            assert f'response="{rtsp_auth.digest("MD5", f"{first}:{nonce}:{second}")}"' in given
            return await conversation.server._ordinary(conversation, request)
        self.refused += 1
        self.number += 1
        self.uses = 0
        stale = ", stale=true" if self.stale and given else ""
        challenge = f'Digest realm="here", nonce="nonce{self.number}"{stale}'
        return conversation.reply(request, 401, "Unauthorized", WWW_Authenticate=challenge)


@pytest.mark.parametrize(("lifetime", "stale", "refused"), [(1000, True, 1), (1, True, 3), (1, False, 3)])
async def test_digest_with_nonces_that_run_out(lifetime: int, stale: bool, refused: int) -> None:
    async with RtspServer() as server:
        guard = Guard(lifetime=lifetime, stale=stale)
        guard.wrap(server)
        client = Client(server, user="u", password="p")
        await client.open()
        client.session.close()
        assert guard.refused == refused


@pytest.mark.parametrize("stale", ["", ", stale=true"])
async def test_a_loop_of_401_ends(stale: str) -> None:
    challenge = f'Digest realm="x", nonce="n"{stale}'
    async with RtspServer({"DESCRIBE": answering(401, "Unauthorized", WWW_Authenticate=challenge)}) as server:
        assert await Client(server, user="u", password="p").fault() == "unauthorized"
        assert server.methods().count("DESCRIBE") <= 3


async def test_a_camera_that_hangs_up_after_asking_for_the_password() -> None:
    async with RtspServer() as server:
        guard = Guard()
        guard.wrap(server)

        async def describe(conversation: Conversation, request: Request) -> bytes | None:
            if request.get("authorization"):
                return await guard.answer(conversation, request)
            conversation.writer.write(await guard.answer(conversation, request) or b"")
            conversation.writer.close()
            return None

        server.answers["DESCRIBE"] = describe
        client = Client(server, user="u", password="p")
        await client.open()
        client.session.close()
        assert len(server.conversations) == 2
        assert server.methods(0) == ["OPTIONS", "DESCRIBE"]
        assert server.methods(1)[:3] == ["DESCRIBE", "SETUP", "PLAY"]


async def test_what_is_not_of_the_medium_is_left_out() -> None:
    async def play(conversation: Conversation, request: Request) -> bytes:
        def other(payload_type: int) -> bytes:
            packet = bytearray(conversation.interleaved(b"\x41abc"))
            packet[5] = payload_type
            return bytes(packet)

        media = [other(97), conversation.interleaved(b"\x41abc"), other(98), other(200), conversation.interleaved(b"\x41abc")]
        return conversation.reply(request) + b"".join(media) + b"$\x00\x00\x02\x80\x60"

    async with RtspServer({"PLAY": play}) as server:
        client = Client(server)
        await client.open()
        await until(lambda: len(client.packets) >= 3)
        await asyncio.sleep(0.05)
        assert [packet[1] for _, packet in client.packets] == [97, 96, 96]  # the first might have been an SDP that is wrong
        client.session.close()


class Full(asyncio.Transport):
    """A connection whose other side does not read."""

    aborted = False

    def get_write_buffer_size(self) -> int:
        return 1 << 20

    def write(self, data: bytes | bytearray | memoryview) -> None:
        raise AssertionError("Nothing more may be written.")

    def abort(self) -> None:
        self.aborted = True


async def test_a_camera_that_asks_without_reading_is_cut() -> None:
    session = Client(RtspServer()).session
    transport = Full()
    session.connection_made(transport)
    session.data_received(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n" * 100)
    assert transport.aborted


async def test_the_password_is_never_sent_when_digest_is_offered() -> None:
    async def describe(conversation: Conversation, request: Request) -> bytes:
        return conversation.reply(request, 401, "Unauthorized", WWW_Authenticate='Digest realm="x", nonce="n", Basic realm="x"')

    async with RtspServer({"DESCRIBE": describe}) as server:
        await Client(server, user="u", password="p").fault()
        assert all("Basic" not in request.get("authorization") for request in server.conversations[0].requests)


async def test_the_server_may_ask_and_end() -> None:
    async def play(conversation: Conversation, request: Request) -> bytes:
        return (
            conversation.reply(request) + b"OPTIONS * RTSP/1.0\r\nCSeq: 77\r\n\r\nTEARDOWN rtsp://x/ RTSP/1.0\r\nCSeq: 78\r\n\r\n"
        )

    async with RtspServer({"PLAY": play}) as server:
        client = Client(server)
        await client.open()
        with pytest.raises(Fault) as caught:
            await client.session.watch()
        assert caught.value.code == "closed"
        client.session.close()


async def test_no_media_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "MEDIA_TIMEOUT", 0.1)
    async with RtspServer() as server:
        client = Client(server)
        await client.open()
        with pytest.raises(Fault) as caught:
            await client.session.watch()
        assert caught.value.code == "no_media"
        client.session.close()


async def test_sound_that_cannot_be_set_up_does_not_cost_the_picture() -> None:
    async def setup(conversation: Conversation, request: Request) -> bytes:
        if request.url.endswith("trackID=2"):
            return conversation.reply(request, 500, "No")
        return conversation.reply(request, Transport=request.get("transport"), Session="1")

    more = "m=audio 0 RTP/AVP 8\r\na=control:trackID=2"
    async with RtspServer({"SETUP": setup}, description=sdp(more=more)) as server:
        client = Client(server)
        await client.open()
        assert [track.kind for track in client.session.tracks] == ["video"]
        client.session.close()


def test_a_camera_does_not_print_its_password() -> None:
    assert "secret" not in repr(rtsp.Camera("rtsp://h/", "10.0.0.1", 554, "u", "secret"))
