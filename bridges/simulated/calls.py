"""The plays of a device: INVITE to BYE (GB/T 28181-2022 §9.2, §9.8, §9.9), MANSRTSP within (annex B), and its loudspeaker."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridges.simulated import model, offer, xml
from bridges.simulated.offer import Offer
from bridges.simulated.speaker import Speaker
from bridges.simulated.stream import Archive, Live, Source, Stream
from bridges.sip.dialog import Dialog, Dialogs
from bridges.sip.fields import Uri
from bridges.sip.message import Request, Response
from bridges.sip.transaction import Acknowledged, Asked, Cancelled, Failed, Key

if TYPE_CHECKING:
    from bridges.simulated.device import Device

_SDP, _RTSP, _XML = "application/sdp", "Application/MANSRTSP", "Application/MANSCDP+xml"
_SLOW_SECONDS = 3.0
_STALL_SECONDS = 4.0  # of film
_BYTES_PER_SECOND = 60_000
_WAYS = {"udp-only": "udp", "tcp-passive-only": "tcp-passive", "tcp-active-only": "tcp-active"}


@dataclass(slots=True, eq=False)
class Play:
    channel: str
    serial: str  # of the Subject: the same one again replaces this play
    dialog: Dialog
    stream: Stream
    invite: Key
    session: str = "play"


class Calls:
    def __init__(self, device: Device) -> None:
        self._device = device
        self._dialogs = Dialogs()
        self._plays: dict[Dialog, Play] = {}
        self._pending: dict[Key, asyncio.Task[None]] = {}
        self.speakers: dict[str, Speaker] = {}
        self.sent: list[tuple[str, int]] = []  # of plays that have ended: the session's name, pictures
        self._broken: dict[str, int] = {}  # channel → Unix seconds, where its file is broken

    def __len__(self) -> int:
        return len(self._plays)

    @property
    def plays(self) -> list[Play]:
        return list(self._plays.values())

    async def close(self, *, farewell: bool) -> None:
        for play in self.plays:
            await self._end(play, bye=farewell)
        for speaker in list(self.speakers.values()):
            await speaker.close(bye=farewell)
        self.speakers.clear()
        self._dialogs = Dialogs()

    def want_key(self, channel: str) -> None:
        for play in self.plays:
            if play.channel == channel:
                play.stream.source.want_key()

    # ---- what comes

    def asked(self, asked: Asked) -> None:
        request, device = asked.request, self._device
        dialog, refused = self._dialogs.receive(request, time.monotonic())
        if refused is not None:
            device.agent.endpoint.respond(asked.key, refused)
        elif request.method == "INVITE":
            if dialog is None:
                self._invited(asked)
            else:
                device.agent.respond(asked, 488)
        elif dialog is None:
            device.agent.respond(asked, 481)
        elif request.method == "BYE":
            device.agent.respond(asked, 200)
            if play := self._plays.get(dialog):
                device.tasks.spawn(self._end(play, bye=False), "end")
            for speaker in self.speakers.values():
                speaker.hung_up(dialog)
        else:
            self._info(asked, self._plays.get(dialog))

    def acknowledged(self, told: Acknowledged) -> None:
        for play in self._plays.values():
            if play.invite == told.key:
                play.stream.start()
                if "hangs-up" in self._device.nature.quirks:
                    self._device.tasks.spawn(self._hang_up(play), "hang up")

    def failed(self, told: Cancelled | Failed) -> None:
        if task := self._pending.pop(told.key, None):
            task.cancel()
        for play in self.plays:
            if play.invite == told.key:
                self._device.tasks.spawn(self._end(play, bye=isinstance(told, Failed)), "end")

    # ---- INVITE

    def _invited(self, asked: Asked) -> None:
        quirks = self._device.nature.quirks
        if "no-200" in quirks:
            return
        if "slow-answer" in quirks:
            self._pending[asked.key] = self._device.tasks.spawn(self._later(asked), "slow answer")
        else:
            self._accept(asked)

    async def _later(self, asked: Asked) -> None:
        await asyncio.sleep(_SLOW_SECONDS)
        self._pending.pop(asked.key, None)
        self._accept(asked)

    def _accept(self, asked: Asked) -> None:
        device, request = self._device, asked.request
        quirks = device.nature.quirks
        try:
            channel = Uri.parse(request.uri).user
            wanted = offer.parse(request.body)
        except ValueError:
            device.agent.respond(asked, 488)
            return
        device.counts[f"INVITE {channel}"] += 1
        entry = device.entries.get(channel)
        serial = request.headers.get("Subject").partition(",")[0]
        for play in self.plays:  # annex K c: who asks for the same stream again does not need the old one
            if serial and play.serial == serial and play.channel == channel:
                device.tasks.spawn(self._end(play, bye=False), "replaced")
        refusal = self._refusal(entry, wanted)
        if refusal:
            device.agent.respond(asked, refusal)
            return
        assert entry is not None
        ssrc, told = self._ssrc(wanted)
        source = self._source(entry, wanted)
        stream = Stream(wanted, ssrc, source, device.account.host, quirks)
        only = {way for quirk, way in _WAYS.items() if quirk in quirks}
        stale = "stale-session" in quirks and any(play.channel == channel for play in self.plays)
        stream.mute = "no-media" in quirks or stale or bool(only and wanted.way not in only)
        tells = wanted.session == "download" and not quirks & {"stalling-download", "broken-file"}
        size = (wanted.end - wanted.start) * _BYTES_PER_SECOND if tells else 0
        body = offer.answer(
            wanted,
            channel,
            device.account.host,
            stream.open(),
            told,
            quirks,
            codec=device.look(entry, sub=wanted.sub).codec,
            size=size,
        )
        response = device.agent.respond(asked, 200, body=body, content_type=_SDP)
        dialog = Dialog.calling(request, response)
        dialog.responded(response)
        self._dialogs.add(dialog, time.monotonic())
        self._plays[dialog] = Play(channel, serial, dialog, stream, asked.key, wanted.session)

    def _refusal(self, entry: model.Entry | None, wanted: Offer) -> int:
        device = self._device
        quirks = device.nature.quirks
        if entry is None or not entry.camera:
            return 404
        if wanted.session not in ("play", "playback", "download") or wanted.audio:
            return 488
        if not entry.online:
            return 480
        if wanted.session == "download" and "broken-file" in quirks:
            broken = self._broken.setdefault(entry.code, (wanted.start + wanted.end) // 2)
            if wanted.start >= broken:
                return 404
        if "busy" in quirks or len(self._plays) >= device.nature.sessions:
            return 486
        only = {way for quirk, way in _WAYS.items() if quirk in quirks}
        if only and wanted.way not in only and "mute-refusal" not in quirks:
            return 488
        return 0

    def _ssrc(self, wanted: Offer) -> tuple[int, int | None]:
        """What is sent, and what is said."""
        quirks = self._device.nature.quirks
        own = 200_000_000 + secrets.randbelow(10_000)
        if "own-ssrc" in quirks or wanted.ssrc is None:
            return own, own
        return (own if "other-ssrc" in quirks else wanted.ssrc), wanted.ssrc

    def _source(self, entry: model.Entry, wanted: Offer) -> Source:
        device = self._device
        look = device.look(entry, sub=wanted.sub)
        if not wanted.history:
            mount = device.mounts.get(entry.code) if look.movable else None
            view = (lambda: mount.view(time.monotonic())) if mount is not None else None
            film = device.studio.film(look, entry.code if mount is not None else "", view)
            return Live(film, device.studio.tasks, late="late-key" in device.nature.quirks)
        download = wanted.session == "download"
        hurry = wanted.speed if download and "slow-download" not in device.nature.quirks else 1
        kept = next(model.recordings(wanted.start, wanted.end, int(time.time())), None)
        start = max(wanted.start, kept.start) if kept else wanted.end
        stop = float("inf")
        if download and "stalling-download" in device.nature.quirks:
            stop = start + _STALL_SECONDS
        elif download and "broken-file" in device.nature.quirks:
            stop = self._broken[entry.code]
        archive = Archive(
            look, start, min(wanted.end, time.time()), lambda: self._over(archive), hurry=hurry, stop=stop,
            stopped=lambda: self._stopped(archive),
        )  # fmt: skip
        return archive

    # ---- while it goes on

    def _stopped(self, archive: Archive) -> None:
        """In the middle of a download."""
        play = next((play for play in self.plays if play.stream.source is archive), None)
        if play is not None and "broken-file" in self._device.nature.quirks:
            self._device.tasks.spawn(self._end(play, bye=True), "broken")

    def _over(self, archive: Archive) -> None:
        """The end of a recording (§9.8.2.3)."""
        device = self._device
        play = next((play for play in self.plays if play.stream.source is archive), None)
        if play is None or "no-121" in device.nature.quirks:
            return
        inside = xml.tag("DeviceID", play.channel) + xml.tag("NotifyType", 121)
        body = xml.document("Notify", "MediaStatus", device.number(), inside, device.nature.quirks, device.account.version)
        if "info-121" in device.nature.quirks:
            request = play.dialog.request("INFO", body=body, content_type=_XML)
        elif device.account.version >= "3.0":
            request = play.dialog.request("MESSAGE", body=body, content_type=_XML)
        else:
            request = device.agent.request("MESSAGE", body, _XML)
        device.tasks.spawn(self._send(request), "over")

    def _info(self, asked: Asked, play: Play | None) -> None:
        text = asked.request.body.decode("utf-8", "replace")
        device = self._device
        if play is None or not isinstance(play.stream.source, Archive):
            device.agent.respond(asked, 481)
            return
        archive = play.stream.source
        verb = text.partition(" ")[0].strip().upper()
        number = re.search(r"^CSeq:\s*(\d+)", text, re.MULTILINE | re.IGNORECASE)
        scale = re.search(r"^Scale:\s*(-?[\d.]+)", text, re.MULTILINE | re.IGNORECASE)
        span = re.search(r"^Range:\s*npt=\s*(now|[\d.]+)", text, re.MULTILINE | re.IGNORECASE)
        device.counts[f"MANSRTSP {verb}"] += 1
        device.commands.append(model.Command(time.monotonic(), play.channel, "MANSRTSP", text))
        if scale and "no-scale" in device.nature.quirks:
            device.agent.respond(asked, 400)
            return
        if verb == "PAUSE":
            archive.pause()
        elif verb == "PLAY":
            if scale:
                archive.scale = float(scale[1]) or 1.0
            if span and span[1] != "now":
                archive.seek(float(span[1]))
            else:
                archive.resume()
        body = f"RTSP/1.0 200 OK\r\nCSeq: {number[1] if number else 0}\r\nRange: npt={archive.position:.3f}-\r\n\r\n"
        device.agent.respond(asked, 200, body=body.encode(), content_type=_RTSP)
        if verb == "TEARDOWN":
            device.tasks.spawn(self._end(play, bye=True), "teardown")

    async def _hang_up(self, play: Play) -> None:
        await asyncio.sleep(3)
        await self._end(play, bye=True)

    async def _end(self, play: Play, *, bye: bool) -> None:
        if self._plays.pop(play.dialog, None) is None:
            return
        self._dialogs.remove(play.dialog)
        self.sent.append((play.session, play.stream.pictures))
        await play.stream.close()
        if bye:
            with suppress(ValueError):
                await self._send(play.dialog.bye())

    async def _send(self, request: Request) -> Response | None:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(2):
                return await self._device.agent.send(request)
        return None

    # ---- the loudspeaker

    def broadcast(self, text: str) -> None:
        """§9.12.1: says OK, then calls who wants to speak."""
        device = self._device
        source, target, number = xml.said(text, "SourceID"), xml.said(text, "TargetID"), xml.said(text, "SN")
        entry = device.entries.get(target)
        able = target == device.account.code or (entry is not None and (entry.kind == "137" or entry.camera))
        body = device.facts.document("Response", "Broadcast", number, target, xml.tag("Result", "OK" if able else "ERROR"))
        device.tasks.spawn(device.say(body), "broadcast")
        if able and target not in self.speakers:
            speaker = Speaker(device, source, target, lambda: self.speakers.pop(target, None), self._dialogs)
            self.speakers[target] = speaker
            device.tasks.spawn(speaker.call(), "speaker")
