"""The seam between the platform (who is registered, how they are reached) and media (calls, streams, playback, voice)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bridges.sip.message import Request
from bridges.sip.transaction import Flow
from bridges.sip.transport import Endpoint, Told
from commhub.media.messages import Pull, SourceState
from commhub.media.messages.devices import Replay, Terms, Voice
from commhub.media.messages.downloads import Download


@dataclass(frozen=True, slots=True)
class Us:
    """Our code of 20 digits, and the domain that stands in our addresses (its first 10 digits, or what is set)."""

    code: str
    domain: str

    @property
    def uri(self) -> str:
        return f"sip:{self.code}@{self.domain}"


class Devices(Protocol):
    """What calls ask of the platform. All of it answers at once, from memory."""

    @property
    def endpoint(self) -> Endpoint: ...
    @property
    def us(self) -> Us: ...
    def route(self, device: str) -> tuple[Flow, str] | None:
        """The way to a registered device and our own ``host:port`` as it sees us (for Contact, and as the host of media when
        none is set); None when it is not registered."""

    def terms(self, device: str) -> Terms | None:
        """None when it is not admitted."""

    def version(self, device: str) -> str:
        """Of ``X-GB-ver``: "2.0" is 2016 (and what is not said), "3.0" is 2022."""

    def key_frame(self, device: str, channel: str) -> None:
        """Sends IFrameCmd. Never waits, nobody hears of its end; the caller limits the rate."""

    def notify(self, device: str, body: dict[str, str]) -> str:
        """Sends a MANSCDP ``Notify`` with these elements in their order after SN ({"CmdType": "Broadcast", "SourceID": …}) and
        gives its SN. KeyError when the device is not registered."""


class Media(Protocol):
    """What the platform hands on; ``Calls`` is it. Only ``replay`` and ``voice`` wait for a device."""

    def begin(self) -> None:
        """Once SIP's sockets are open."""

    def told(self, event: Told) -> bool:
        """Every event of INVITE, ACK, BYE, CANCEL, INFO, of MESSAGE inside a dialog, and every Stray and Failed, before the
        platform looks. True: it was ours, and has been answered."""

    def media_status(self, device: str, channel: str, request: Request) -> None:
        """MediaStatus 121 outside of any dialog; the platform answers the MESSAGE itself."""

    def broadcast_answer(self, device: str, sn: str, accepted: bool) -> None:
        """Of ``Devices.notify`` with CmdType Broadcast: the device's Response."""

    def online(self, device: str) -> None:
        """Registered (again, or from another place)."""

    def offline(self, device: str) -> None:
        """Unregistered, silent for too long, or restarted (a new Call-ID): its calls are over."""

    def pull(self, pull: Pull) -> None: ...
    async def replay(self, replay: Replay) -> None:
        """HubError with a sentence when there is no such playback, or the device refuses."""

    async def voice(self, voice: Voice) -> None:
        """Returns when one device takes it; HubError when none does."""

    def download(self, download: Download) -> None: ...
    async def stop_download(self, download: str) -> None:
        """Returns once nothing is written any more."""

    def states(self) -> list[SourceState]:
        """Of every Source that is pulled, for the snapshot of a link."""

    async def close(self) -> None: ...
