"""What a client is made of, and what follows from that: which responses it understands, which codecs it cannot be trusted with.

The limits are LiveKit's own (its ``ProtocolVersion``, ``ClientInfo`` and static client configurations). No I/O, no clock.
"""

from __future__ import annotations

import msgspec
from livekit.protocol import models

_LONGEST = 64  # characters of what a client says of itself

SDK = models.ClientInfo.SDK


class Client(msgspec.Struct, frozen=True, omit_defaults=True):
    """``sdk`` is LiveKit's ClientInfo.SDK, ``protocol`` its protocol version; 0 is unknown."""

    sdk: int = 0
    protocol: int = 0
    version: str = ""
    os: str = ""
    browser: str = ""
    browser_version: str = ""
    device_model: str = ""

    @property
    def takes_answers(self) -> bool:
        """``request_response`` and ``track_subscribed``: Rust clients before protocol 10 cannot decode them."""
        return self.sdk != SDK.RUST or self.protocol >= 10

    @property
    def takes_success(self) -> bool:
        """``request_response`` that only says OK."""
        return self.takes_answers and self.protocol > 14

    @property
    def takes_red(self) -> bool:
        """Redundant audio: Firefox does not know it, Safari plays it badly (LiveKit's list)."""
        return self.browser not in ("firefox", "firefox mobile", "safari")

    def configuration(self) -> models.ClientConfiguration | None:
        """What this client must not do; None when it may do everything."""
        disabled = models.DisabledCodecs()
        if self.browser == "safari":
            disabled.codecs.add(mime="video/AV1")
            if _number(self.browser_version) > (18, 3):
                disabled.publish.add(mime="video/VP9")
        firefox = self.browser in ("firefox", "firefox mobile") and self.os in ("linux", "android")
        if firefox or (self.device_model == "xiaomi 2201117ti" and self.os == "android"):
            disabled.publish.add(mime="video/H264")
        if not disabled.codecs and not disabled.publish:
            return None
        return models.ClientConfiguration(disabled_codecs=disabled)

    def publishes(self, mimes: tuple[str, ...]) -> list[str]:
        """Which of these it may publish."""
        configured = self.configuration()
        if configured is None:
            return list(mimes)
        struck = {codec.mime for codec in (*configured.disabled_codecs.codecs, *configured.disabled_codecs.publish)}
        return [mime for mime in mimes if mime not in struck]


UNKNOWN = Client()


def client_of(about: models.ClientInfo) -> Client:
    """From what it says of itself; nothing of that is trusted with more than its own comfort."""

    def text(value: str) -> str:
        return value[:_LONGEST].lower()

    return Client(
        sdk=int(about.sdk),
        protocol=max(0, min(about.protocol, 1000)),
        version=text(about.version),
        os=text(about.os),
        browser=text(about.browser),
        browser_version=text(about.browser_version),
        device_model=text(about.device_model),
    )


def _number(version: str) -> tuple[int, ...]:
    parts = version.split(".")[:3]
    return tuple(int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 6)
