# ruff: noqa: SIM117 - who depends on whom reads better nested
"""The whole bridge between a hub, media workers and cameras, in one process and on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from bridges import process, rtsp, rtsp_video
from bridges.rtsp_message import Request
from bridges.timeline import signed32, unwrap
from bridges.transcode_video import Transcodes
from commhub.errors import HubError
from commhub.media.messages import Pull, SourceState
from commhub.wire import h264, h265
from tests.support import free_port, until
from tests.support import h265 as support_h265
from tests.support.bridge import Hub, bridge, camera, continuous, marked
from tests.support.h264 import decode, pictures, stream
from tests.support.media_worker import MediaWorker
from tests.support.rtsp_server import Conversation, RtspServer, sdp


async def test_a_camera_plays(tmp_path: Path) -> None:
    async with camera(user="admin", password="right", audio=True) as device, MediaWorker(tmp_path) as worker:
        async with bridge(tmp_path, f"127.0.0.1:{device.port}"), Hub(tmp_path) as hub:
            assert hub.snapshot.sources == []
            hub.pull(f"rtsp://127.0.0.1:{device.port}/live", "media-0", user="admin", password="right")
            live = await hub.turns("live")
            await until(lambda: marked(worker.of("cam")) >= 12 and len(worker.of("cam", "audio")) >= 20)
            video, audio = live.streams
            assert (video.kind, video.codec.mime, video.width, video.height) == ("video", "video/H264", 320, 180)
            assert (audio.kind, audio.codec.mime, audio.codec.clock_rate, audio.codec.channels) == (
                "audio",
                "audio/opus",
                48000,
                2,
            )
            assert "profile-level-id=42" in video.codec.fmtp
            assert worker.streams("cam") == live.streams
            packets = worker.of("cam")
            assert worker.unknown == 0
            assert continuous(packets)
            assert len(decode(packets)) >= 12
            assert continuous(worker.of("cam", "audio"))
            await until(lambda: worker.clocks)
            hub.pull("", source="cam")
            await hub.turns("idle")
            await until(lambda: worker.ended == ["cam"])
            await until(lambda: not device._clients)
        assert [state.state for state in hub.states] == ["connecting", "live", "idle"]


async def test_one_pull_for_many_workers_and_they_come_and_go(tmp_path: Path) -> None:
    async with camera() as device, bridge(tmp_path, f"127.0.0.1:{device.port}"), Hub(tmp_path) as hub:
        async with MediaWorker(tmp_path, "media-0") as one, MediaWorker(tmp_path, "media-1") as two:
            url = f"rtsp://127.0.0.1:{device.port}/live"
            hub.pull(url, "media-0")
            await until(lambda: one.of("cam"))
            hub.pull(url, "media-0", "media-1")
            await until(lambda: marked(two.of("cam")) > 3)
            assert device.connections == 1
            assert set(two.of("cam")) & set(one.of("cam"))  # the very same packets
            hub.pull(url, "media-1")
            await until(lambda: one.ended == ["cam"])
            count, before = len(one.packets), len(two.of("cam"))
            await until(lambda: len(two.of("cam")) > before + 10)
            assert len(one.packets) <= count + 2
            assert continuous(two.of("cam"))
            assert device.connections == 1


async def test_a_worker_that_dies_is_found_again(tmp_path: Path) -> None:
    async with camera() as device, bridge(tmp_path, f"127.0.0.1:{device.port}"), Hub(tmp_path) as hub:
        hub.pull(f"rtsp://127.0.0.1:{device.port}/live", "media-0")
        async with MediaWorker(tmp_path) as worker:
            await until(lambda: marked(worker.of("cam")) > 3)
            first = worker.of("cam")
        await asyncio.sleep(0.3)
        async with MediaWorker(tmp_path) as worker:
            await until(lambda: marked(worker.of("cam")) > 12)
            second = worker.of("cam")
            assert worker.streams("cam")[0].handle
            assert continuous(second)
            assert signed32(unwrap(second[0]).timestamp - unwrap(first[-1]).timestamp) > 0
        assert device.connections == 1
        assert [state.state for state in hub.states] == ["connecting", "live"]


async def test_a_camera_that_restarts_goes_on(tmp_path: Path) -> None:
    async with MediaWorker(tmp_path) as worker:
        async with camera() as device:
            port = device.port
        async with bridge(tmp_path, f"127.0.0.1:{port}"), Hub(tmp_path) as hub:
            hub.pull(f"rtsp://127.0.0.1:{port}/live", "media-0")
            await hub.turns("failed", "refused")
            async with camera(port):
                await hub.turns("live")
                await until(lambda: marked(worker.of("cam")) > 5)
            await hub.turns("failed", "refused")
            assert "connecting" in [state.state for state in hub.states if state.code == "closed"]
            count = len(worker.of("cam"))
            async with camera(port, width=640, height=360):
                back = await hub.turns("live", seconds=5)
                await until(lambda: marked(worker.of("cam")[count:]) > 12)
            packets = worker.of("cam")
            assert continuous(packets)
            assert decode(packets[count:])[0].width == 640
            assert (back.streams[0].width, back.streams[0].height) == (640, 360)
            assert worker.streams("cam") == back.streams


async def test_pulls_outlive_the_hub(tmp_path: Path) -> None:
    async with camera() as device, bridge(tmp_path, f"127.0.0.1:{device.port}"), MediaWorker(tmp_path) as worker:
        async with Hub(tmp_path) as hub:
            hub.pull(f"rtsp://127.0.0.1:{device.port}/live", "media-0")
            await hub.turns("live")
        count = len(worker.packets)
        await until(lambda: len(worker.packets) > count + 20)
        async with Hub(tmp_path, epoch=2) as hub:
            assert [(state.source, state.state) for state in hub.snapshot.sources] == [("cam", "live")]
            assert hub.snapshot.sources[0].streams
            with pytest.raises(HubError) as caught:
                await Hub(tmp_path, epoch=1).__aenter__()
            assert caught.value.code == "stale_epoch"
            hub.pull("", source="cam")
            await hub.turns("idle")
        assert device.connections == 1


async def test_new_credentials_are_tried_at_once(tmp_path: Path) -> None:
    async with camera(user="admin", password="right", algorithm="SHA-256") as device, MediaWorker(tmp_path):
        async with bridge(tmp_path, f"127.0.0.1:{device.port}"), Hub(tmp_path) as hub:
            url = f"rtsp://127.0.0.1:{device.port}/live"
            hub.pull(url, "media-0", user="admin", password="wrong")
            state = await hub.turns("failed", "unauthorized")
            assert "密码" in state.text_zh
            hub.pull(url, "media-0", user="admin", password="right")
            await hub.turns("live")


async def test_udp(tmp_path: Path) -> None:
    async with camera(transports=frozenset({"udp"})) as device, MediaWorker(tmp_path) as worker:
        async with bridge(tmp_path, f"127.0.0.1:{device.port}"), Hub(tmp_path) as hub:
            hub.pull(f"rtsp://127.0.0.1:{device.port}/live", "media-0")  # TCP is answered with 461
            await hub.turns("live")
            await until(lambda: marked(worker.of("cam")) > 12)
            assert continuous(worker.of("cam"))
            assert len(decode(worker.of("cam"))) >= 12


@pytest.mark.parametrize(
    ("url", "allow", "code"),
    [
        ("rtsp://127.0.0.1:{port}/live", "127.0.0.0/8:*", "not_allowed"),
        ("rtsp://localhost:{port}/live", "10.0.0.0/8:*", "not_allowed"),
        ("rtsp://[::ffff:127.0.0.1]:{port}/live", "0.0.0.0/0:*", "not_allowed"),
        ("rtsp://2130706433:{port}/live", "127.0.0.1:{port}", "bad_address"),
        ("rtsp://u:p@127.0.0.1:{port}/live", "127.0.0.1:{port}", "bad_address"),
        ("rtsp://127.0.0.1:0/live", "127.0.0.1:{port}", "bad_address"),
        ("http://127.0.0.1:{port}/live", "127.0.0.1:{port}", "bad_address"),
        ("rtsp://no.such.name.invalid:{port}/live", "127.0.0.1:{port}", "name_not_found"),
    ],
)
async def test_addresses_that_are_not_connected(tmp_path: Path, url: str, allow: str, code: str) -> None:
    async with RtspServer() as server, bridge(tmp_path, allow.format(port=server.port)), Hub(tmp_path) as hub:
        hub.pull(url.format(port=server.port), "media-0")
        state = await hub.turns("failed", code)
        assert state.text.endswith(".")
        assert state.text_zh.endswith("。")
        assert server.conversations == []


async def test_a_name_is_resolved_once_and_that_address_is_connected(tmp_path: Path) -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["10.66.66.66", "127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    async with camera() as device, MediaWorker(tmp_path) as worker:
        made = process.Bridge(tmp_path, "bridge-rtsp", [f"127.0.0.1:{device.port}"], resolve)
        await made._pull(Pull(source="cam", url=f"rtsp://cam.example:{device.port}/live", workers=["media-0"]))
        await until(lambda: worker.of("cam"))
        assert asked == ["cam.example"]
        await made.close()


async def test_a_redirect_is_checked_like_the_first_address(tmp_path: Path) -> None:
    async with RtspServer() as forbidden, camera(user="u", password="p") as device, MediaWorker(tmp_path):
        target = f"rtsp://127.0.0.1:{forbidden.port}/inner"

        async def describe(conversation: Conversation, request: Request) -> bytes:
            return conversation.reply(request, 302, "Moved", Location=target)

        async with RtspServer({"DESCRIBE": describe}) as server:
            allow = [f"127.0.0.1:{server.port}", f"127.0.0.1:{device.port}"]
            async with bridge(tmp_path, *allow), Hub(tmp_path) as hub:
                hub.pull(server.url, "media-0", user="u", password="p")
                await hub.turns("failed", "not_allowed")
                assert forbidden.conversations == []
                target = f"rtsp://127.0.0.1:{device.port}/live"  # allowed, but the password was meant for another host
                hub.pull(server.url + "2", "media-0", user="u", password="p")
                await hub.turns("failed", "unauthorized")
                target = server.url
                hub.pull(server.url + "3", "media-0")
                await hub.turns("failed", "protocol")


def playing(data_of: object) -> dict[str, object]:
    """A server that sends this after PLAY, again and again."""

    async def play(conversation: Conversation, request: Request) -> bytes:
        async def media() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    conversation.writer.write(data_of(conversation))  # type: ignore[operator]
                    await conversation.writer.drain()
                    await asyncio.sleep(0.01)

        conversation.server.spawn(media())
        return conversation.reply(request, Session="12345678")

    return {"PLAY": play}


async def shown(tmp_path: Path, server: RtspServer, state: str, code: str, seconds: float = 10) -> SourceState:
    async with MediaWorker(tmp_path), bridge(tmp_path, f"127.0.0.1:{server.port}"), Hub(tmp_path) as hub:
        hub.pull(server.url, "media-0")
        return await hub.turns(state, code, seconds=seconds)


NEEDED = ("main", "main/H264")  # by somebody who decodes H.264 as every browser does, and nothing else


def sending(film: list[tuple[bytes, int, bool]], codec: str) -> Any:
    """A server that sends a film again and again."""
    at = itertools.count()

    def one(conversation: Conversation) -> bytes:
        turn, number = divmod(next(at), len(film))
        data, shown, _ = film[number]
        conversation.time = 90_000 + (turn * len(film) + shown) * 3600
        split = h264.split_annex_b(data)
        payloads = h265.packets(split, 1400) if codec == "H265" else list(h264.aggregate(split, 1400))
        return b"".join(conversation.interleaved(payload, number == len(payloads)) for number, payload in enumerate(payloads, 1))

    return playing(one)


@pytest.mark.parametrize("said", ["H264/90000", "H265/90000"])
async def test_h265_passes_unit_by_unit_also_where_h264_was_said(tmp_path: Path, said: str) -> None:
    film = support_h265.film()
    async with RtspServer(sending(film, "H265"), description=sdp(said, sprop=False)) as server:
        async with MediaWorker(tmp_path) as worker, bridge(tmp_path, f"127.0.0.1:{server.port}"), Hub(tmp_path) as hub:
            hub.pull(server.url, "media-0")
            live = await hub.turns("live")
            (stream,) = live.streams
            assert (stream.codec.mime, stream.width, stream.height) == ("video/H265", 320, 180)
            assert (stream.backups, stream.made, stream.stored) == (("video/H264",), False, False)
            assert "profile-id=1" in stream.codec.fmtp
            await until(lambda: marked(worker.of("cam")) >= 60)
            packets = worker.of("cam")
            assert continuous(packets)
            assert len(support_h265.decode(packets)) >= 59
            sent, got = support_h265.units(film * 12), support_h265.received(packets)
            begins = next(at for at in range(len(sent)) if sent[at : at + 8] == got[:8])
            assert got == sent[begins : begins + len(got)]
            assert support_h265.children() == []


async def test_h264_is_made_of_it_while_somebody_needs_it(tmp_path: Path) -> None:
    """Nobody who gets the original notices any of it: that it begins, that its process dies, that it ends."""
    server = RtspServer(sending(support_h265.film(50, 50), "H265"), description=sdp("H265/90000", sprop=False))
    async with server, MediaWorker(tmp_path) as worker, bridge(tmp_path, f"127.0.0.1:{server.port}"), Hub(tmp_path) as hub:
        hub.pull(server.url, "media-0")
        await hub.turns("live")
        await until(lambda: marked(worker.of("cam")) >= 5)
        hub.pull(server.url, "media-0", layers=NEEDED)
        await until(lambda: marked(worker.of("cam", made=True)) >= 10)
        original, made = worker.streams("cam")
        assert (made.codec.mime, made.made, made.width) == ("video/H264", True, 320)
        assert len(decode(worker.of("cam", made=True))) >= 10
        (child,) = support_h265.children()
        hub.pull(server.url, "media-0", layers=("main", "sub/H264", "main/H264"))
        os.kill(child, signal.SIGKILL)
        await hub.turns("live", "transcode_failed")
        before, passed = marked(worker.of("cam", made=True)), marked(worker.of("cam"))
        await hub.turns("live")
        await until(lambda: marked(worker.of("cam", made=True)) >= before + 10)
        assert marked(worker.of("cam")) > passed
        assert child not in support_h265.children()
        hub.pull(server.url, "media-0", layers=("main",))
        await until(lambda: worker.streams("cam") == [original])
        await until(lambda: not support_h265.children())
        await until(lambda: marked(worker.of("cam")) >= passed + 60)
        assert continuous(worker.of("cam"))
        assert len(server.conversations) == 1


async def test_of_b_frames_the_original_is_for_recorders(tmp_path: Path) -> None:
    film = stream("libx264", 320, 180, 50, {"preset": "veryfast", "bf": "2", "g": "50"})
    async with RtspServer(sending(film, "H264")) as server:
        async with MediaWorker(tmp_path) as worker, bridge(tmp_path, f"127.0.0.1:{server.port}"), Hub(tmp_path) as hub:
            hub.pull(server.url, "media-0", layers=NEEDED)
            await until(lambda: marked(worker.of("cam", made=True)) >= 30)
            await hub.turns("live")
            packets = worker.of("cam", made=True)
            assert continuous(packets)
            assert len(decode(packets)) >= 30
            assert [(one.made, one.stored) for one in worker.streams("cam")] == [(False, True), (True, False)]
            assert "b_frames" not in {state.code for state in hub.states}
            pairs = itertools.pairwise([unwrap(packet) for packet in worker.of("cam")])
            assert all((later.sequence - one.sequence) & 0xFFFF == 1 for one, later in pairs)
            hub.pull(server.url, "media-0")
            await until(lambda: [one.made for one in worker.streams("cam")] == [False])
            await until(lambda: not support_h265.children())


async def test_what_is_h264_already_is_never_made(tmp_path: Path) -> None:
    async with camera() as device, MediaWorker(tmp_path) as worker, bridge(tmp_path, f"127.0.0.1:{device.port}"):
        async with Hub(tmp_path) as hub:
            hub.pull(f"rtsp://127.0.0.1:{device.port}/live", "media-0", layers=NEEDED)
            await until(lambda: marked(worker.of("cam")) >= 70)
            assert [(one.made, one.backups) for one in worker.streams("cam")] == [(False, ())]
            assert support_h265.children() == []


async def test_where_no_more_can_be_converted_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who decodes it sees it all the same; the others are told that nothing is made for them."""
    monkeypatch.setattr(process, "Transcodes", lambda limit: Transcodes(0))
    async with RtspServer(sending(support_h265.film(), "H265"), description=sdp("H265/90000", sprop=False)) as server:
        async with MediaWorker(tmp_path) as worker, bridge(tmp_path, f"127.0.0.1:{server.port}"), Hub(tmp_path) as hub:
            hub.pull(server.url, "media-0")
            await hub.turns("live")
            hub.pull(server.url, "media-0", layers=NEEDED)
            state = await hub.turns("live", "transcodes_full")
            assert "转码" in state.text_zh
            assert worker.streams("cam")[0].backups == ()
            hub.pull(server.url, "media-0")
            await hub.turns("live")
            assert worker.streams("cam")[0].backups == ("video/H264",)


# ---- two streams of one camera


def layers(worker: MediaWorker) -> list[str]:
    return sorted(one.layer for one in worker.streams("cam") if one.kind == "video")


def of_layer(worker: MediaWorker, layer: str) -> list[bytes]:
    handles = {one.handle for push in worker.pushes for one in push.streams if one.layer == layer and one.kind == "video"}
    return [heard.packet for heard in worker.packets if heard.handle in handles]


async def test_main_and_sub_stream_are_pulled_as_they_are_taken(tmp_path: Path) -> None:
    async with camera(audio=True) as main, camera(width=160, height=96, audio=True) as sub, MediaWorker(tmp_path) as worker:
        allow = (f"127.0.0.1:{main.port}", f"127.0.0.1:{sub.port}")
        async with bridge(tmp_path, *allow), Hub(tmp_path) as hub:
            urls = f"rtsp://127.0.0.1:{main.port}/live", f"rtsp://127.0.0.1:{sub.port}/live"

            def take(*taken: str) -> None:
                hub.pull(urls[0], "media-0", sub_url=urls[1], layers=taken)

            take("sub")
            await hub.turns("live")
            await until(lambda: len(of_layer(worker, "sub")) >= 10 and len(worker.of("cam", "audio")) >= 10)
            assert (layers(worker), main.connections) == (["sub"], 0)
            take("sub", "main")
            await until(lambda: layers(worker) == ["main", "sub"] and len(of_layer(worker, "main")) >= 10)
            sizes = {one.layer: (one.width, one.height) for one in worker.streams("cam") if one.kind == "video"}
            assert sizes == {"main": (320, 180), "sub": (160, 96)}
            newest = [unwrap(of_layer(worker, layer)[-1]).timestamp for layer in ("main", "sub")]
            assert abs(signed32(newest[0] - newest[1])) < 45_000  # one clock
            take("main")
            await until(lambda: layers(worker) == ["main"])
            await until(lambda: not sub._clients)
            sounds = len(worker.of("cam", "audio"))
            await until(lambda: len(worker.of("cam", "audio")) > sounds + 20)  # it goes on from the other stream
            assert continuous(worker.of("cam", "audio"))
            assert continuous(of_layer(worker, "main"))
            assert (main.connections, sub.connections) == (1, 1)
            take("sub")  # the picture stays until the other one is there
            await until(lambda: layers(worker) == ["sub"])
            await until(lambda: not main._clients)
            assert continuous(of_layer(worker, "sub"))
            assert {state.state for state in hub.states[1:]} == {"live"}


async def test_a_stream_that_cannot_be_had_is_stood_in_for_by_the_other_one(tmp_path: Path) -> None:
    port = free_port()
    async with camera() as main, MediaWorker(tmp_path) as worker:
        async with bridge(tmp_path, f"127.0.0.1:{main.port}", f"127.0.0.1:{port}"), Hub(tmp_path) as hub:
            urls = f"rtsp://127.0.0.1:{main.port}/live", f"rtsp://127.0.0.1:{port}/live"
            hub.pull(urls[0], "media-0", sub_url=urls[1], layers=("sub",))
            await hub.turns("live", "refused")
            assert layers(worker) == ["main"]
            async with camera(port, width=160, height=96):
                await hub.turns("live")
                await until(lambda: layers(worker) == ["sub"])
                await until(lambda: not main._clients)


async def test_no_parameter_sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp_video, "_NO_PICTURE", 300_000_000)
    bare = playing(lambda conversation: b"".join(conversation.picture(picture) for picture in pictures()))
    async with RtspServer(bare, description=sdp(sprop=False)) as server:  # type: ignore[arg-type]
        state = await shown(tmp_path, server, "failed", "no_parameters")
        assert "SPS" in state.text_zh


async def test_mjpeg_only(tmp_path: Path) -> None:
    async with RtspServer(description=sdp("", 26)) as server:
        assert "MJPEG" in (await shown(tmp_path, server, "failed", "codec_unsupported")).text


async def test_torn_interleaving_still_plays(tmp_path: Path) -> None:
    def torn(conversation: Conversation) -> bytes:
        data = b"".join(conversation.picture(picture) for picture in pictures())
        return data[:3000] + data[3700:]

    async with RtspServer(playing(torn)) as server:  # type: ignore[arg-type]
        async with MediaWorker(tmp_path) as worker, bridge(tmp_path, f"127.0.0.1:{server.port}"), Hub(tmp_path) as hub:
            hub.pull(server.url, "media-0")
            await hub.turns("live")
            await until(lambda: marked(worker.of("cam")) > 50)
            assert len(server.conversations) == 1


async def test_garbage_after_play_reconnects(tmp_path: Path) -> None:
    async with RtspServer(playing(lambda conversation: b"\x01garbage" * 4000)) as server:  # type: ignore[arg-type]
        async with MediaWorker(tmp_path), bridge(tmp_path, f"127.0.0.1:{server.port}"), Hub(tmp_path) as hub:
            hub.pull(server.url, "media-0")
            await hub.turns("failed", "protocol")
            await until(lambda: len(server.conversations) >= 2)


async def test_silence_reconnects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "MEDIA_TIMEOUT", 0.2)
    async with RtspServer() as server, bridge(tmp_path, f"127.0.0.1:{server.port}"), Hub(tmp_path) as hub:
        hub.pull(server.url, "media-0")
        await hub.turns("failed", "no_media")
        await until(lambda: len(server.conversations) >= 2)


async def test_the_other_transport_is_tried_when_one_brings_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtsp, "MEDIA_TIMEOUT", 0.3)

    async def setup(conversation: Conversation, request: Request) -> bytes:
        return conversation.reply(request, Transport=request.get("transport") + ";server_port=9-10", Session="1")

    def over_tcp(conversation: Conversation) -> bytes:
        tcp = any("TCP" in request.get("transport") for request in conversation.requests)
        return b"".join(conversation.picture(picture) for picture in pictures()) if tcp else b""

    async with RtspServer({"SETUP": setup, **playing(over_tcp)}) as server:  # type: ignore[dict-item]
        async with MediaWorker(tmp_path) as worker, bridge(tmp_path, f"127.0.0.1:{server.port}"), Hub(tmp_path) as hub:
            hub.pull(server.url, "media-0", transport="udp")  # a firewall in between lets nothing through
            await hub.turns("failed", "no_media")
            await hub.turns("live")
            await until(lambda: worker.of("cam"))


async def test_picture_and_sound_are_told_the_same_time(tmp_path: Path) -> None:
    async with camera(audio=True) as device, MediaWorker(tmp_path) as worker:
        async with bridge(tmp_path, f"127.0.0.1:{device.port}"), Hub(tmp_path) as hub:
            hub.pull(f"rtsp://127.0.0.1:{device.port}/live", "media-0")
            await hub.turns("live")
            await until(lambda: len({clock.handle for clock in worker.clocks}) == 2)
            await until(lambda: len(worker.of("cam", "audio")) > 30)
            for stream in worker.streams("cam"):
                clock = next(clock for clock in reversed(worker.clocks) if clock.handle == stream.handle)
                heard = worker.heard("cam", stream.kind)[-1]
                ahead = signed32(heard.rtp.timestamp - clock.rtp_time) / stream.codec.clock_rate
                assert clock.ntp / 1e9 + ahead == pytest.approx(heard.at / 1e9, abs=0.15), stream.kind


async def test_another_camera_under_the_same_name_starts_anew(tmp_path: Path) -> None:
    async with camera() as one, camera(width=640, height=360) as two, MediaWorker(tmp_path) as worker:
        async with bridge(tmp_path, f"127.0.0.1:{one.port}", f"127.0.0.1:{two.port}"), Hub(tmp_path) as hub:
            hub.pull(f"rtsp://127.0.0.1:{one.port}/live", "media-0")
            await hub.turns("live")
            await until(lambda: marked(worker.of("cam")) > 3)
            hub.pull(f"rtsp://127.0.0.1:{two.port}/live", "media-0")
            await until(lambda: worker.streams("cam")[0].width == 640)
            await until(lambda: hub.state().state == "live" and marked(worker.of("cam")) > 20)
            assert continuous(worker.of("cam"))
            await until(lambda: not one._clients)


async def test_nothing_secret_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with camera(user="admin", password="right") as device, MediaWorker(tmp_path):
        async with bridge(tmp_path, f"127.0.0.1:{device.port}"), Hub(tmp_path) as hub, RtspServer() as server:
            with caplog.at_level("DEBUG"):
                url = f"rtsp://127.0.0.1:{device.port}/user=admin_password=hunter2"
                hub.pull(url, "media-0", user="admin", password="hunter2")
                await hub.turns("failed", "unauthorized")
                hub.pull(url, "media-0", user="admin", password="right")
                await hub.turns("live")
                hub.pull(f"rtsp://admin:hunter2@127.0.0.1:{server.port}/", "media-0", source="other")
                await hub.turns("failed", "bad_address", source="other")
            said = caplog.text + repr(hub.states)
            assert "hunter2" not in said
            assert "right" not in said


async def test_a_worker_that_does_not_read_costs_nobody_else(tmp_path: Path) -> None:
    async with camera() as device, MediaWorker(tmp_path, "media-0") as slow, MediaWorker(tmp_path, "media-1") as good:
        async with bridge(tmp_path, f"127.0.0.1:{device.port}"), Hub(tmp_path) as hub:
            hub.pull(f"rtsp://127.0.0.1:{device.port}/live", "media-0", "media-1")
            await until(lambda: slow.of("cam") and good.of("cam"))
            packets = slow.links[-1].packets
            assert packets is not None
            asyncio.get_running_loop().remove_reader(packets._sock.fileno())
            count = len(good.packets)
            await until(lambda: len(good.packets) > count + 30)
            assert continuous(good.of("cam"))


def test_every_fault_has_both_sentences() -> None:
    from bridges import faults

    for code in faults._SENTENCES:
        english, chinese = faults.sentences(code, "X")
        assert english.endswith(".")
        assert chinese.endswith("。")
        assert "{" not in english + chinese
