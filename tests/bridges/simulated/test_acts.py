"""What a simulated device does besides playing: speaks, uploads, reboots, downloads, tells of changes, follows a redirect."""

from __future__ import annotations

import asyncio
import re
import socket
import time

import av
import pytest
from aiohttp import web

from bridges.sip.message import Request, Response
from commhub.wire import rtp
from tests.support import until
from tests.support.gb28181 import DEVICE, PLATFORM, Call, Registrar, device, packets, registrar, sdp

CAMERA, FIXED = "11010500001310000001", "11010500001320000002"


def _answering(platform: Registrar, answer: str) -> list[Request]:
    """The device's INVITEs, answered 200 with that SDP."""
    invites: list[Request] = []

    def say(request: Request) -> Response | None:
        if request.method != "INVITE":
            return None
        invites.append(request)
        response = request.reply(200, tag="platform", body=answer.replace("\n", "\r\n").encode(), content_type="application/sdp")
        response.headers.add("Contact", f"<sip:{PLATFORM}@127.0.0.1:{platform.port}>")
        return response

    platform.answer = say
    return invites


@pytest.mark.parametrize("tcp", [False, True])
async def test_a_loudspeaker_calls_and_hears(tcp: bool) -> None:
    quirks = ["tcp-passive-only"] if tcp else []
    async with registrar() as platform, device(platform.address, quirks=quirks) as made:
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        sound = b"\x2a" * 160
        invites = _answering(
            platform,
            f"v=0\no={PLATFORM} 0 0 IN IP4 127.0.0.1\ns=Play\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 8\na=sendonly\n",
        )
        await platform.say("Notify", "Broadcast", CAMERA, f"<SourceID>{PLATFORM}</SourceID>\n<TargetID>{CAMERA}</TargetID>\n")
        await until(lambda: bool(made.calls.speakers) and made.calls.speakers[CAMERA].dialog is not None)
        assert "<Result>OK</Result>" in platform.texts("Broadcast")[0]
        assert invites[0].uri.startswith(f"sip:{PLATFORM}@")
        assert b"a=recvonly" in invites[0].body
        speaker = made.calls.speakers[CAMERA]
        packet = rtp.build(sound, ssrc=1, sequence=1, timestamp=0, payload_type=8)
        if tcp:
            listening.settimeout(5)
            connection, _ = await asyncio.to_thread(listening.accept)
            with connection:
                connection.sendall(len(packet).to_bytes(2, "big") + packet)
                await until(lambda: speaker.packets == 1)
        else:
            said = re.search(rb"m=audio (\d+)", invites[0].body)
            assert said
            with socket.socket(type=socket.SOCK_DGRAM) as sending:
                sending.sendto(packet, ("127.0.0.1", int(said[1])))
                await until(lambda: speaker.packets == 1)
        assert (speaker.octets, speaker.loud, bytes(speaker.heard)) == (160, 1, sound)
        listening.close()


async def test_snapshots_are_uploaded_and_reported() -> None:
    pictures: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        pictures.append(await request.read())
        return web.Response(status=200 if len(pictures) < 2 else 500)

    application = web.Application()
    application.router.add_post("/shot", take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        async with registrar() as platform, device(platform.address):
            block = (
                "<SnapShotConfig><SnapNum>2</SnapNum><Interval>1</Interval>"
                f"<UploadURL>http://127.0.0.1:{port}/shot</UploadURL><SessionID>{'s' * 32}</SessionID></SnapShotConfig>\n"
            )
            await platform.say("Control", "DeviceConfig", CAMERA, block)
            await platform.until(lambda: bool(platform.texts("UploadSnapShotFinished")))
            assert "<Result>OK</Result>" in platform.texts("DeviceConfig")[0]
            finished = platform.texts("UploadSnapShotFinished")[0]
            assert f"<SessionID>{'s' * 32}</SessionID>" in finished
            assert finished.count("<SnapShotFileID>") == 1  # the other one was not taken
    finally:
        await runner.cleanup()
    picture = av.CodecContext.create("mjpeg", "r").decode(av.Packet(pictures[0]))[0]
    assert isinstance(picture, av.VideoFrame)
    assert (picture.width, picture.height) == (320, 180)


async def test_a_download_hurries_and_says_its_size() -> None:
    async with registrar() as platform, device(platform.address) as made, packets() as into:
        end = int(time.time()) // 3600 * 3600 - 7 * 3600
        offer = sdp(into.port, session="Download", t=f"{end - 4} {end}", extra="a=downloadspeed:8\n", ssrc="1105000001")
        call = await platform.invite(CAMERA, offer)
        assert isinstance(call, Call)
        assert f"a=filesize:{4 * 60_000}" in call.answer
        began = time.monotonic()
        await platform.until(lambda: bool(platform.texts("MediaStatus")))
        assert time.monotonic() - began < 3.5  # four seconds of pictures
        assert len({packet[4:8] for packet in into.packets}) in (100, 101)
        assert (await platform.send(call.dialog.bye())).status == 200
        await until(lambda: made.plays == 0)


async def test_changes_of_the_catalogue_go_to_who_subscribed() -> None:
    async with registrar() as platform, device(platform.address) as made:
        made.entries[FIXED].online = False
        await platform.subscribe("Catalog")
        await platform.until(lambda: len(platform.texts("Catalog")) == 1)
        first = platform.texts("Catalog")[0]
        assert f"<DeviceID>{FIXED}</DeviceID>\r\n<Event>OFF</Event>" in first
        made.change("ON", made.entries[FIXED])
        await platform.until(lambda: len(platform.texts("Catalog")) == 2)
        assert "<Event>ON</Event>" in platform.texts("Catalog")[1]
        assert made.entries[FIXED].online


async def test_a_reboot_signs_in_anew() -> None:
    async with registrar() as platform, device(platform.address):
        before = len(platform.registers)
        await platform.say("Control", "DeviceControl", DEVICE, "<TeleBoot>Boot</TeleBoot>\n")
        await platform.until(lambda: len(platform.registers) > before)
        assert platform.registers[-1].call_id != platform.registers[0].call_id


async def test_guard_record_and_home_are_confirmed() -> None:
    async with registrar() as platform, device(platform.address) as made:
        for number, inside in enumerate(
            (
                "<GuardCmd>SetGuard</GuardCmd>",
                "<RecordCmd>StopRecord</RecordCmd>",
                "<HomePosition><Enabled>1</Enabled><ResetTime>60</ResetTime><PresetIndex>2</PresetIndex></HomePosition>",
            ),
            1,
        ):
            await platform.say("Control", "DeviceControl", CAMERA, inside)
            await platform.until(lambda number=number: len(platform.texts("DeviceControl")) == number)  # type: ignore[misc]
        assert all("<Result>OK</Result>" in text for text in platform.texts("DeviceControl"))
        assert made.facts.guarded
        assert not made.facts.recording
        assert made.mounts[CAMERA].home == 2


async def test_precise_moves_and_a_drawn_frame_move_the_picture() -> None:
    async with registrar() as platform, device(platform.address) as made:
        mount = made.mounts[CAMERA]
        precise = "<PTZPreciseCtrl><Pan>225</Pan><Tilt>15</Tilt><Zoom>2</Zoom></PTZPreciseCtrl>"
        await platform.say("Control", "DeviceControl", CAMERA, precise)
        view = mount.view(time.monotonic())
        assert (view.pan, view.tilt, view.zoom) == (0.5, 0.5, 2.0)
        drawn = "<Length>100</Length><Width>100</Width><MidPointX>50</MidPointX><MidPointY>50</MidPointY><LengthX>50</LengthX>"
        await platform.say("Control", "DeviceControl", CAMERA, f"<DragZoomIn>{drawn}<LengthY>50</LengthY></DragZoomIn>")
        assert mount.view(time.monotonic()).zoom == 4.0
        assert [one.what for one in made.commands] == ["PTZPreciseCtrl", "DragZoomIn"]


async def test_a_redirect_is_followed() -> None:
    async with registrar() as first, registrar() as second:
        first.redirect = second.port
        async with device(first.address):
            await until(lambda: DEVICE in second.flows)
            assert not first.flows


@pytest.mark.parametrize(("quirk", "status"), [("no-scale", 400), ("", 200)])
async def test_a_speed_is_taken_or_not(quirk: str, status: int) -> None:
    async with registrar() as platform, device(platform.address, quirks=[quirk] if quirk else []) as made, packets() as into:
        end = int(time.time()) // 3600 * 3600 - 7 * 3600
        call = await platform.invite(CAMERA, sdp(into.port, session="Playback", t=f"{end - 60} {end}"))
        assert isinstance(call, Call)
        await into.until(3)
        info = call.dialog.request(
            "INFO", body=b"PLAY RTSP/1.0\r\nCSeq: 2\r\nScale: 2.0\r\n\r\n", content_type="Application/MANSRTSP"
        )
        assert (await platform.send(info)).status == status
        assert made.counts["MANSRTSP PLAY"] == 1
