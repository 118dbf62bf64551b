"""A camera of a device as a Source: its main and its sub stream, each a play of its own, under one clock; or a recording of it.

A device that gives the same picture for both has one stream, which is then announced without a layer.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from bridges.backup import needed
from bridges.gb28181.ladder import State
from bridges.gb28181.play import Play
from bridges.gb28181.replay import Replayer
from bridges.gb28181.report import Verdict, report
from bridges.gb28181.standing import LOOK_SECONDS, Teller
from bridges.gb28181.stream import Picture
from bridges.source import Sound, Source, opus
from commhub import log as logs
from commhub.errors import Conflict
from commhub.media.messages import Pull

if TYPE_CHECKING:
    from bridges.gb28181.calls import Calls

log = logs.get(__name__)

LINGER_SECONDS = 3.0  # a layer that nobody takes any more is kept so long: a wall is being rearranged
LOCAL_SECONDS = 8 * 3600  # Beijing time
KEY_FRAME_SECONDS = 1.0  # between two requests for a key frame
_NO_SUCH_STREAM = {"not_acceptable", "channel_unknown", "refused"}  # what devices say of a stream they do not have
_URL = re.compile(r"gb28181://([^/?#\s]{1,64})/([^/?#\s]{1,64})(?:\?(.{0,256}))?")


def parse_url(url: str) -> tuple[str, str, tuple[int, int] | None]:
    """``(device, channel, the recording's beginning and end)``. ValueError when the URL is not one of ours."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError("The address is not gb28181://device/channel.")
    values = parse_qs(found[3] or "")
    if "from" not in values and "to" not in values:
        return found[1], found[2], None
    try:
        begin, end = int(values["from"][0]), int(values["to"][0])
    except (KeyError, ValueError):
        raise ValueError("The recording's times are not Unix seconds.") from None
    if not 0 < begin < end < 1 << 40:
        raise ValueError("The recording ends before it begins.")
    return found[1], found[2], (begin, end)


class Channel:
    """``begin`` after making it; ``update`` with each word of the hub; ``close`` at the end."""

    def __init__(self, calls: Calls, pull: Pull) -> None:
        """ValueError for a URL that is not ours."""
        self.device, self.channel, self.recording = parse_url(pull.url)
        self._calls, self._pull = calls, pull
        self.source = Source(pull.source, calls.outlets, calls.tell, self._key_frame_wanted)
        self._sound = Sound(self.source, calls.transcoder)
        self._plays: dict[str, Play] = {}
        self._lingering: dict[str, asyncio.TimerHandle] = {}
        self._asked_at = 0.0
        self._reported: tuple[str, str] = ("", "")
        self._over = False
        self._shown = False  # there has been a picture
        self._replayer: Replayer | None = None
        self._teller = Teller()
        self._looking: asyncio.TimerHandle | None = None

    @property
    def plays(self) -> list[Play]:
        return list(self._plays.values())

    def begin(self) -> None:
        self.source.say()
        self.source.attach(self._pull.workers)
        self._want(self._pull.layers)

    def update(self, pull: Pull) -> None:
        before, self._pull = self._pull, pull
        self.source.attach(pull.workers)
        if parse_url(pull.url) != parse_url(before.url):
            self._stop_plays()
            self.device, self.channel, self.recording = parse_url(pull.url)
            self._over = False
            self.source.turn("connecting")
        if not self._over:
            self._want(pull.layers)

    def close(self) -> None:
        self._stop_plays()
        self._sound.close()
        self.source.attach([])
        self.source.turn("idle")

    def _stop_plays(self) -> None:
        if self._replayer is not None:
            self._replayer.close()
            self._replayer = None
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        for timer in self._lingering.values():
            timer.cancel()
        self._lingering.clear()
        for play in self._plays.values():
            play.leave()
            play.picture.end()
        self._plays.clear()
        self.source.announce([])

    def online(self) -> None:
        for play in self.plays:
            play.online()

    def offline(self) -> None:
        for play in self.plays:
            play.offline()

    # ---- layers

    def _want(self, layers: tuple[str, ...]) -> None:
        wanted = {layer for layer in layers if layer in ("main", "sub")} or {"main"}
        if self.recording is not None or (self.device, self.channel) in self._calls.single:
            wanted = {""}
        for layer in sorted(wanted):
            if (timer := self._lingering.pop(layer, None)) is not None:
                timer.cancel()
            if layer not in self._plays:
                self._plays[layer] = play = self._play(layer)
                play.want()
        for layer in set(self._plays) - wanted:
            if layer not in self._lingering:
                self._lingering[layer] = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._drop, layer)
        self._want_backups()

    def _want_backups(self) -> None:
        for layer, play in self._plays.items():
            play.picture.want_backup(needed(layer, self._pull.layers))

    def _play(self, layer: str) -> Play:
        def changed() -> None:
            if play.state is State.LIVE:
                self._live()
            else:
                play.look()  # workers have to know of it before its first packet leaves

        def unfit(code: str, codec: str) -> None:
            if play.state in (State.OPENING, State.LIVE):
                asyncio.get_running_loop().call_soon(play.fail, Verdict(code, codec))

        picture = Picture(self.source, layer, self._calls.transcodes, changed, self._ask_key_frame, unfit)
        play = Play(self._calls, self, self.device, self.channel, picture, self.source.flush, recording=self._asked_times(),
                    source=self.source.source)  # fmt: skip
        if play.recording is not None:
            self._replayer = Replayer(play, *play.recording, self._calls.tasks)
            if self._pull.at:
                self._replayer.rebase(self._pull.at)
            self._replayer.held = self._pull.paused
            self._look()
        return play

    def _asked_times(self) -> tuple[int, int] | None:
        """Of the recording, as this device reads them: the standard counts from 1970, some take it as their local time."""
        if self.recording is None:
            return None
        terms = self._calls.devices.terms(self.device)
        ahead = LOCAL_SECONDS if terms is not None and terms.local_times else 0
        return self.recording[0] + ahead, self.recording[1] + ahead

    def _drop(self, layer: str) -> None:
        self._lingering.pop(layer, None)
        play = self._plays.pop(layer, None)
        if play is not None:
            play.leave()
            play.picture.end()
            self._live()

    def _one_stream(self, keep: Play) -> None:
        """Both are the same picture: one call is enough, from now on and for ever."""
        self._calls.single.add((self.device, self.channel))
        log.info("camera has one stream", source=self.source.source)
        for layer in [layer for layer, play in self._plays.items() if play is not keep]:
            self._drop(layer)
        self._plays = {"": keep}
        keep.layer = keep.picture.layer = ""
        self._want_backups()

    # ---- from plays

    def shown(self, play: Play) -> None:
        self._shown = True
        self._live()
        self._report(play)
        if self._replayer is not None:
            self._replayer.shown()

    def failed(self, play: Play, verdict: Verdict, *, live: bool) -> None:
        others = [one for one in self.plays if one is not play and one.state is State.LIVE]
        if play.layer == "sub" and others and not live and verdict.code in _NO_SUCH_STREAM:
            self._one_stream(others[0])
            self._live()
            return
        if play.layer == "sub" and len(self._plays) == 1 and not live and verdict.code in _NO_SUCH_STREAM and not self._shown:
            self._calls.single.add((self.device, self.channel))
            self._drop("sub")
            self._want(self._pull.layers)
            return
        if live and self._replayer is not None and play is self._replayer.play:
            self._interrupted(self._replayer, verdict)
        elif others:
            self._live()
        elif live:
            self.source.turn("connecting", verdict)
        else:
            self.source.turn("failed", verdict)
        self._report(play)

    def _interrupted(self, replayer: Replayer, verdict: Verdict) -> None:
        """A recording goes on where it stopped; one that was nearly over is over, for not every device says so."""
        if replayer.nearly_over:
            replayer.play.leave()
            self.finished(replayer.play)
        else:
            self.source.turn("connecting", verdict)
            replayer.rebase(replayer.position)

    def finished(self, play: Play) -> None:
        self._over = True
        self._stand(sure=True)
        self.source.turn("idle", Verdict("ended"))
        self._report(play)

    def _live(self) -> None:
        """Which streams there are is known, or has changed."""
        live = [play for play in self.plays if play.state is State.LIVE and play.picture.size[0]]
        if len(live) > 1 and _same(live[0], live[1]):
            keep = next(play for play in live if play.layer == "main")
            self._one_stream(keep)
            live = [keep]
        if not live:
            return
        live.sort(key=lambda play: play.layer)  # main before sub
        for play in self.plays:
            picture = play.picture
            if play is live[0]:
                picture.sound = self._sound
            elif picture.sound is not None:
                picture.mute()
                picture.sound = None
        streams = [stream for play in live for stream in play.picture.streams()]
        if self._sound.running:
            streams.append(opus(self._sound.handle))
        self.source.announce(streams)
        faults = [fault for play in live if (fault := play.picture.fault)]
        self.source.turn("live", Verdict(faults[0]) if faults else None)

    def _report(self, play: Play) -> None:
        self._calls.tell(report(play.story))

    # ---- key frames

    def _key_frame_wanted(self, number: int) -> None:
        for play in self.plays:
            if play.picture.handle == number:
                self._ask_key_frame()
            elif play.picture.backup.handle == number:
                play.picture.backup.want_key_frame()

    def _ask_key_frame(self) -> None:
        """IFrameCmd is of the channel; recordings have none."""
        now = time.monotonic()
        if self.recording is None and now - self._asked_at >= KEY_FRAME_SECONDS:
            self._asked_at = now
            self._calls.devices.key_frame(self.device, self.channel)

    # ---- recordings

    async def replay(self, verb: str, value: float) -> None:
        """HubError when this is no recording, or the device refuses."""
        if self._replayer is None:
            raise Conflict("This is not a recording.", "这不是录像回放。")
        if self._over:
            self._over = False
            self.source.turn("connecting")
        await self._replayer.act(verb, value)
        self._stand(sure=True)

    def _look(self) -> None:
        self._looking = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)
        self._stand()

    def _stand(self, *, sure: bool = False) -> None:
        """Tell where the recording stands, if listeners would be wrong about it."""
        if (replayer := self._replayer) is not None:
            now = time.time_ns()
            standing = self._teller.look(
                replayer.position, replayer.speed, replayer.playing, now, paused=replayer.held, slack=replayer.slack, sure=sure
            )
            if standing is not None:
                self.source.stand(standing)


def _same(one: Play, other: Play) -> bool:
    return one.picture.size == other.picture.size
