"""All calls with media in them: which message belongs to which, and what the hub wants of them.

The platform hands on what may be ours (``told``) before it looks itself. A dialog that is open when this process dies is written
down beside its sockets, and hung up by the next one.
"""

from __future__ import annotations

import itertools
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bridges.gb28181.call import Held, Wiring, dismissed
from bridges.gb28181.channel import Channel
from bridges.gb28181.download import Downloads
from bridges.gb28181.offer import ssrc
from bridges.gb28181.ports import Ports
from bridges.gb28181.receive import Poll
from bridges.gb28181.report import private
from bridges.gb28181.seam import Devices, Media, Us
from bridges.gb28181.stale import Open, Stale
from bridges.gb28181.voice import Voices
from bridges.sip.dialog import Dialogs, State
from bridges.sip.message import Request
from bridges.sip.transaction import Answered, Asked, Failed, Stray
from bridges.sip.transport import Told
from bridges.transcode import Transcoder
from bridges.transcode_video import LIMIT, Transcodes
from commhub import log as logs
from commhub.addresses import AllowList, is_own, is_special, plain
from commhub.errors import NotFound
from commhub.media.messages import Message, Pull, SourceState
from commhub.media.messages.devices import Replay, Voice
from commhub.media.messages.downloads import Download
from commhub.media.outlet import Outlets
from commhub.tasks import Tasks

log = logs.get(__name__)

__all__ = ["Calls", "Devices", "Media", "Place", "Us"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where media comes to. ``host`` is what devices are told, "" for the address at which each of them sees us; ``bind`` is what
    sockets are bound to, "" for every address. ``ports`` (first, last): (0, 0) lets the system choose. ``allow`` are addresses
    that we may connect or send to where a device names one that is not its own. ``transcodes`` are made at a time at most."""

    host: str = ""
    bind: str = ""
    ports: tuple[int, int] = (30_000, 30_998)
    allow: AllowList = field(default_factory=lambda: AllowList([]))
    transcodes: int = LIMIT


BAD_ADDRESS_ZH = "摄像机地址无法识别。"


class Calls:
    """``begin`` once the SIP sockets are open; ``close`` at the end. ``tell`` gets what the hub is to hear."""

    def __init__(self, devices: Devices, outlets: Outlets, transcoder: Transcoder, tell: Callable[[Message], None],
                 run_dir: Path, place: Place | None = None) -> None:  # fmt: skip
        self.devices, self.outlets, self.transcoder, self.tell = devices, outlets, transcoder, tell
        self.place = place or Place()
        self.transcodes = Transcodes(self.place.transcodes)
        self.ports = Ports(*self.place.ports)
        self.poll = Poll()
        self.tasks = Tasks("calls")
        self.wiring = Wiring(devices, opened=self._opened, closed=self._closed)
        self.single: set[tuple[str, str]] = set()  # channels that turned out to have one stream
        self.run_dir = run_dir
        self._voices = Voices(self)
        self._downloads = Downloads(self)
        self._stale = Stale(run_dir / "calls.json", self.tasks)
        self._dialogs = Dialogs(idle=float("inf"))
        self._calls: dict[tuple[str, str, str], Held] = {}  # by dialog
        self._channels: dict[str, Channel] = {}  # by source
        self._numbers = itertools.count(random.randrange(10_000))
        self.worked: dict[str, str] = {}  # device → the way its media came last

    def begin(self) -> None:
        """Hangs up what the process before this one has left open."""
        for one in self._stale.left():
            self._hang_up(one)

    async def close(self) -> None:
        """Hangs everything up. The BYEs are on their way when this returns."""
        for channel in list(self._channels.values()):
            channel.close()
        self._channels.clear()
        self._voices.close()
        self._downloads.close()
        await self.transcodes.close()
        await self.tasks.close()
        self._stale.close()

    @property
    def ports_shown(self) -> str:
        first, last = self.place.ports
        return f"{first}–{last}" if first else ""

    # ---- numbers

    def ssrc(self, history: bool) -> int:
        """A fresh one (annex G)."""
        return ssrc(self.devices.us.code, next(self._numbers), history=history)

    # ---- the hub

    def pull(self, pull: Pull) -> None:
        channel = self._channels.get(pull.source)
        if not pull.workers:
            if channel is not None:
                del self._channels[pull.source]
                channel.close()
            return
        try:
            if channel is not None:
                channel.update(pull)
                return
            self._channels[pull.source] = channel = Channel(self, pull)
        except ValueError as error:
            log.warning("camera not pulled", source=pull.source, why=str(error))
            self.tell(
                SourceState(source=pull.source, state="failed", code="bad_address", text=str(error), text_zh=BAD_ADDRESS_ZH)
            )
            return
        channel.begin()

    def states(self) -> list[SourceState]:
        return [channel.source.state for channel in self._channels.values()]

    async def replay(self, replay: Replay) -> None:
        channel = self._channels.get(replay.source)
        if channel is None:
            raise NotFound("There is no such playback.", "没有这一回放。")
        await channel.replay(replay.verb, replay.value)

    async def voice(self, voice: Voice) -> None:
        await self._voices.act(voice)

    def download(self, download: Download) -> None:
        self._downloads.want(download)

    async def stop_download(self, download: str) -> None:
        await self._downloads.stop(download)

    # ---- the platform

    def online(self, device: str) -> None:
        for one in self._stale.of(device):
            self._hang_up(one)
        for channel in list(self._channels.values()):
            if channel.device == device:
                channel.online()
        self._downloads.online(device)

    def offline(self, device: str) -> None:
        self._voices.offline(device)
        self._downloads.offline(device)
        for channel in list(self._channels.values()):
            if channel.device == device:
                channel.offline()

    def media_status(self, device: str, channel: str, request: Request) -> None:
        """Outside of a dialog it says only the channel: of its calls the recording is meant, and if there are several a download
        that is nearly over, else what is looked at, else what began first."""
        calls = [call for call in self._calls.values() if call.device == device and call.history]
        of_channel = [call for call in calls if call.channel == channel] or calls
        ready = [call for call in of_channel if self._downloads.nearly_over(call)]
        shown = [call for call in of_channel if not self._downloads.has(call)]
        for call in (ready or shown or of_channel)[:1]:
            call.hung_up("file")

    def broadcast_answer(self, device: str, sn: str, accepted: bool) -> None:
        self._voices.answered(device, sn, accepted)

    def told(self, event: Told) -> bool:
        if isinstance(event, Answered | Failed):
            heard = self.wiring.waiting.get(event.key)
            if heard is None:
                return False
            final = isinstance(event, Failed) or event.response.final
            if final and event.key[-1] != "INVITE":
                del self.wiring.waiting[event.key]
            heard(event)
            return True
        if isinstance(event, Stray):
            return dismissed(self.wiring, event.response, event.flow)
        if isinstance(event, Asked):
            return self._asked(event)
        return False

    def _asked(self, event: Asked) -> bool:
        request, endpoint = event.request, self.devices.endpoint
        if request.method == "INVITE" and not request.receiver.tag:
            return self._invited(event)
        if not request.receiver.tag or request.method not in ("BYE", "INFO", "MESSAGE", "INVITE", "UPDATE"):
            return False
        dialog = self._dialogs.find(request)
        if dialog is None:
            if request.method == "MESSAGE":
                return False
            endpoint.respond(event.key, request.reply(481))
            return True
        file = b"MediaStatus" in request.body
        if request.method == "MESSAGE" and not file:
            return False
        _, refused = self._dialogs.receive(request, time.monotonic())
        if refused is None and request.method in ("INVITE", "UPDATE"):
            refused = request.reply(488)
        answer = refused or request.reply(200)
        endpoint.respond(event.key, answer)
        dialog.responded(answer)
        call = self._calls.get(dialog.key)
        if call is not None and refused is None:
            if request.method == "BYE":
                call.hung_up("bye")
            elif file:
                call.hung_up("file")
        return True

    def _invited(self, event: Asked) -> bool:
        """Devices call only who has asked them to."""
        if not self._voices.invited(event):
            self.devices.endpoint.respond(event.key, event.request.reply(403, tag=secrets.token_hex(4)))
        return True

    # ---- dialogs

    def hang_up(self, call: Held) -> None:
        """BYE, in a dialog that the other side has begun."""
        dialog = call.dialog
        self._closed(call)
        route = self.devices.route(call.device)
        flow = route[0] if route is not None else call.flow
        if dialog is not None and dialog.state is not State.ENDED and flow is not None:
            self.wiring.waiting[self.devices.endpoint.request(dialog.bye(), flow)] = lambda event: None

    def reach(self, host: str, port: int, signalling: str) -> tuple[str, int] | None:
        """Where to send or connect to on a device's word: its own address, one that is allowed, or its own where it names an
        inner one; never ourselves."""
        if not host or host == signalling:
            return signalling, port
        try:
            address = plain(host)
        except ValueError:
            return None
        own = is_own(address)
        if self.place.allow.permits(address, port, own=own):
            return str(address), port
        return (signalling, port) if private(host, signalling) and not own and not is_special(address) else None

    def _opened(self, call: Held) -> None:
        dialog = call.dialog
        if dialog is None:
            return
        try:
            self._dialogs.add(dialog, time.monotonic())
        except ValueError:
            return
        self._calls[dialog.key] = call
        self._stale.add(call)

    def _closed(self, call: Held) -> None:
        dialog = call.dialog
        if dialog is not None:
            self._dialogs.remove(dialog)
            self._calls.pop(dialog.key, None)
            self._stale.remove(dialog.key)

    def _hang_up(self, one: Open) -> None:
        """Of an earlier process."""
        route = self.devices.route(one.device)
        if route is not None:
            flow = route[0]
        elif one.transport == "UDP":
            flow = self.devices.endpoint.towards(one.host, one.port)
        else:
            return  # it will register again
        self._stale.forget(one)
        key = self.devices.endpoint.request(one.dialog().bye(), flow)
        self.wiring.waiting[key] = lambda event: None
