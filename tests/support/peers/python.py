"""A participant with the PyPI livekit SDK, in this process."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any

import numpy
from livekit import rtc
from livekit.rtc._proto import room_pb2

from tests.support.peers.peer import Peer, PeerError

SOURCES = {1: "camera", 2: "microphone", 3: "screen_share", 4: "screen_share_audio"}
NUMBERS = {name: number for number, name in SOURCES.items()}
QUALITIES = ["poor", "good", "excellent", "lost"]
SCENARIOS = {
    "signal-reconnect": 0, "speaker": 1, "node-failure": 2, "server-leave": 3, "migration": 4, "force-tcp": 5, "force-tls": 6,
    "full-reconnect": 7, "disconnect-signal-on-resume": 8,
}  # fmt: skip


def _where(publication: Any) -> str:
    return SOURCES.get(getattr(publication, "source", 0), "unknown")


def _who(participant: Any) -> str:
    return getattr(participant, "identity", None) or "-"


def _packet(packet: Any) -> list[object]:
    return [_who(packet.participant), "reliable" if packet.kind == 1 else "lossy", packet.topic, packet.data.decode()]


def _json(attributes: dict[str, str]) -> str:
    return json.dumps(attributes, separators=(",", ":"), sort_keys=True)


# Event → what is noted of its arguments; the words of page.js.
NOTED: dict[str, Callable[..., list[object]]] = {
    "disconnected": lambda reason: [rtc.DisconnectReason.Name(reason)],
    "reconnecting": list,
    "reconnected": list,
    "moved": list,
    "participant_connected": lambda one: [_who(one)],
    "participant_disconnected": lambda one: [_who(one)],
    "track_published": lambda publication, one: [_who(one), _where(publication)],
    "track_unpublished": lambda publication, one: [_who(one), _where(publication)],
    "track_subscribed": lambda track, publication, one: [_who(one), _where(publication)],
    "track_unsubscribed": lambda track, publication, one: [_who(one), _where(publication)],
    "track_subscription_failed": lambda one, sid, error: [_who(one)],
    "track_muted": lambda one, publication: [_who(one), _where(publication)],
    "track_unmuted": lambda one, publication: [_who(one), _where(publication)],
    "local_track_published": lambda publication, track: [_where(publication)],
    "local_track_unpublished": lambda publication: [_where(publication)],
    "local_track_republished": lambda publication, before: [_where(publication)],
    "local_track_subscribed": lambda track: [],
    "participant_metadata_changed": lambda one, before, now: [_who(one), now],
    "participant_name_changed": lambda one, before, now: [_who(one), now],
    "participant_attributes_changed": lambda changed, one: [_who(one), _json(changed)],
    "participant_permissions_changed": lambda one, may: [_who(one)],
    "participant_encryption_status_changed": lambda one, on: [_who(one), str(on).lower()],
    "room_metadata_changed": lambda before, now: [now],
    "active_speakers_changed": lambda speakers: [",".join(sorted(map(_who, speakers)))],
    "connection_quality_changed": lambda one, quality: [_who(one), QUALITIES[quality]],
    "data_received": _packet,
}  # fmt: skip


class PythonPeer(Peer):
    def __init__(self, mode: str, identity: str) -> None:
        super().__init__("python", mode, identity)
        self._room = rtc.Room()
        self._lines: list[str] = []
        self._streams: list[dict[str, Any]] = []
        self._counts: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(lambda: {"count": 0, "height": 0}))
        self._making: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def _ask(self, verb: str, words: dict[str, Any]) -> Any:
        method = getattr(self, f"_do_{verb}", None)
        if method is None:
            raise PeerError("Unsupported", verb)
        try:
            return await method(**words)
        except rtc.RpcError as error:
            raise PeerError("RpcError", error.message, int(error.code), error.data or "") from error
        except TimeoutError:
            raise
        except Exception as error:
            raise PeerError(type(error).__name__, getattr(error, "message", str(error))) from error

    async def close(self) -> None:
        with contextlib.suppress(Exception):
            await super().close()
        for task in [*self._tasks, *self._making.values()]:
            task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _note(self, event: str, noted: Callable[..., list[object]]) -> Callable[..., None]:
        title = "".join(part.title() for part in event.split("_"))

        def note(*arguments: Any) -> None:
            words = [title, *(str(word) if word not in (None, "") else "-" for word in noted(*arguments))]
            self._lines.append(" ".join(words))

        return note

    async def _do_join(
        self, url: str, token: str, single: bool, passphrase: str = "", autoSubscribe: bool = True, dynacast: bool = True
    ) -> None:
        self._room = rtc.Room()
        for event, noted in NOTED.items():
            self._room.on(event, self._note(event, noted))  # type: ignore[arg-type]
        self._room.on("track_subscribed", lambda track, publication, one: self._watch(track, publication, one))
        self._room.register_text_stream_handler("text", lambda reader, who: self._keep(self._read_text(reader, who)))
        self._room.register_byte_stream_handler("bytes", lambda reader, who: self._keep(self._read_bytes(reader, who)))
        encryption = None
        if passphrase:
            encryption = rtc.E2EEOptions(key_provider_options=rtc.KeyProviderOptions(shared_key=passphrase.encode()))
        options = rtc.RoomOptions(
            auto_subscribe=autoSubscribe, dynacast=dynacast, encryption=encryption, single_peer_connection=single
        )
        await self._room.connect(url, token, options)
        me = self._room.local_participant

        async def echo(call: rtc.RpcInvocationData) -> str:
            return f"{call.caller_identity}:{call.payload}"

        async def refuse(call: rtc.RpcInvocationData) -> str:
            raise rtc.RpcError(4711, "不行", "because")

        async def never(call: rtc.RpcInvocationData) -> str:
            await asyncio.sleep(60)
            return ""

        for name, answer in (("echo", echo), ("refuse", refuse), ("never", never)):
            me.register_rpc_method(name, answer)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        self._spawn(work)

    async def _read_text(self, reader: rtc.TextStreamReader, who: str) -> None:
        try:
            self._streams.append({"from": who, "text": await reader.read_all()})
        except Exception as error:
            self._streams.append({"from": who, "error": str(error)})

    async def _read_bytes(self, reader: rtc.ByteStreamReader, who: str) -> None:
        octets = b"".join([part async for part in reader])
        fingerprint = hashlib.sha256(octets).hexdigest()
        self._streams.append({"from": who, "size": len(octets), "sha256": fingerprint, "name": reader.info.name})

    def _watch(self, track: Any, publication: Any, participant: Any) -> None:
        mine = self._counts[participant.identity][_where(publication)]

        async def watch() -> None:
            if track.kind == rtc.TrackKind.KIND_VIDEO:
                async for event in rtc.VideoStream(track):
                    mine["count"] += 1
                    mine["height"] = event.frame.height
            else:
                async for _ in rtc.AudioStream(track):
                    mine["count"] += 1

        self._spawn(watch())

    async def _do_leave(self) -> None:
        await self._room.disconnect()

    def _mine(self, source: str) -> Any:
        return next(one for one in self._room.local_participant.track_publications.values() if _where(one) == source)

    async def _do_publish(
        self, source: str, codec: str = "vp8", simulcast: bool = True, width: int = 640, height: int = 360, name: str = ""
    ) -> str:
        sound = source in ("microphone", "screen_share_audio")
        options = rtc.TrackPublishOptions(
            source=NUMBERS[source],  # type: ignore[arg-type]
            simulcast=simulcast and not sound,
            video_codec=rtc.VideoCodec.Value(codec.upper()),
            red=False,
            dtx=False,
        )
        if sound:
            voice = rtc.AudioSource(48000, 1)
            track: Any = rtc.LocalAudioTrack.create_audio_track(name or source, voice)
            self._making[source] = self._spawn(self._speak(voice))
        else:
            pictures = rtc.VideoSource(width, height)
            track = rtc.LocalVideoTrack.create_video_track(name or source, pictures)
            self._making[source] = self._spawn(self._paint(pictures, width, height))
        return (await self._room.local_participant.publish_track(track, options)).sid

    async def _paint(self, source: rtc.VideoSource, width: int, height: int) -> None:
        picture = numpy.full((height, width, 4), 40, dtype=numpy.uint8)
        number = 0
        while True:
            picture[:] = 40
            left = (number * 8) % (width - 40)
            picture[:, left : left + 40] = (200, 120, 40, 255)
            source.capture_frame(rtc.VideoFrame(width, height, rtc.VideoBufferType.RGBA, picture.tobytes()))
            number += 1
            await asyncio.sleep(1 / 15)

    async def _speak(self, source: rtc.AudioSource) -> None:
        tone = (numpy.sin(numpy.arange(480) * 2 * numpy.pi * 400 / 48000) * 9000).astype(numpy.int16).tobytes()
        while True:
            await source.capture_frame(rtc.AudioFrame(tone, 48000, 1, 480))

    async def _do_unpublish(self, source: str) -> None:
        self._making.pop(source).cancel()
        await self._room.local_participant.unpublish_track(self._mine(source).sid)

    async def _do_mute(self, source: str, on: bool) -> None:
        track = self._mine(source).track
        (track.mute if on else track.unmute)()

    async def _do_subscribe(self, identity: str, source: str, on: bool) -> None:
        tracks = self._room.remote_participants[identity].track_publications.values()
        next(one for one in tracks if _where(one) == source).set_subscribed(on)

    async def _do_allow(self, everybody: bool, people: list[dict[str, Any]] | None = None) -> None:
        permissions = [
            rtc.ParticipantTrackPermission(
                participant_identity=one["identity"], allow_all=one.get("all", False), allowed_track_sids=one.get("sids", [])
            )
            for one in people or []
        ]
        self._room.local_participant.set_track_subscription_permissions(
            allow_all_participants=everybody, participant_permissions=permissions
        )

    async def _do_data(self, text: str, reliable: bool = True, topic: str = "", to: list[str] | None = None) -> None:
        await self._room.local_participant.publish_data(
            text.encode(), reliable=reliable, topic=topic, destination_identities=to or []
        )

    async def _do_text(self, text: str, topic: str = "text", to: list[str] | None = None) -> None:
        await self._room.local_participant.send_text(text, topic=topic, destination_identities=to)

    async def _do_bytes(self, size: int, to: list[str] | None = None) -> str:
        octets = random.Random(1).randbytes(size)
        writer = await self._room.local_participant.stream_bytes(
            "noise", topic="bytes", total_size=size, destination_identities=to
        )
        await writer.write(octets)
        await writer.aclose()
        return hashlib.sha256(octets).hexdigest()

    async def _do_rpc(self, to: str, method: str, payload: str = "", timeout: float = 10) -> str:
        return await self._room.local_participant.perform_rpc(
            destination_identity=to, method=method, payload=payload, response_timeout=timeout
        )

    async def _do_describe(
        self, name: str | None = None, metadata: str | None = None, attributes: dict[str, str] | None = None
    ) -> None:
        me = self._room.local_participant
        if name is not None:
            await me.set_name(name)
        if metadata is not None:
            await me.set_metadata(metadata)
        if attributes is not None:
            await me.set_attributes(attributes)

    async def _do_simulate(self, scenario: str) -> None:
        await self._room.simulate_scenario(room_pb2.SimulateScenarioKind.ValueType(SCENARIOS[scenario]))

    async def _do_state(self) -> dict[str, Any]:
        room, me = self._room, self._room.local_participant

        def person(one: Any) -> dict[str, Any]:
            tracks = {
                _where(track): {
                    "sid": track.sid, "name": track.name, "kind": "video" if track.kind == rtc.TrackKind.KIND_VIDEO else "audio",
                    "muted": track.muted, "subscribed": track.track is not None, "mime": track.mime_type.lower(),
                    "simulcasted": track.simulcasted, "encrypted": bool(track.encryption_type),
                }
                for track in one.track_publications.values()
            }  # fmt: skip
            return {"name": one.name, "metadata": one.metadata, "attributes": one.attributes, "tracks": tracks, "sid": one.sid}

        may = me.permissions
        return {
            "state": "connected" if room.isconnected() else "disconnected",
            "room": {"name": room.name, "metadata": room.metadata, "recording": room.is_recording},
            "me": {"identity": me.identity, **person(me)},
            "may": {"publish": may.can_publish, "subscribe": may.can_subscribe, "data": may.can_publish_data},
            "others": {one.identity: person(one) for one in room.remote_participants.values()},
            "path": "",
        }

    async def _do_received(self) -> dict[str, Any]:
        return self._counts

    async def _do_streams(self) -> list[dict[str, Any]]:
        return self._streams

    async def _do_events(self) -> list[str]:
        return list(self._lines)
