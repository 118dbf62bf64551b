"""The SDP of an INVITE as a device reads and answers it (GB/T 28181-2022 annex G). No I/O, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bridges.simulated.packing import ES_TYPE, PS_TYPE

_SUB = re.compile(r"^a=(?:streamnumber:1|stream:1|streamprofile:1|streamMode:SUB)\s*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Offer:
    """``way``: udp, tcp-passive (who offers listens), tcp-active. ``ssrc`` is None without y=. ``end`` 0: live."""

    session: str  # Play, Playback, Download, Talk
    host: str
    port: int
    way: str
    ssrc: int | None
    sub: bool = False
    start: int = 0
    end: int = 0
    speed: int = 1
    audio: bool = False

    @property
    def history(self) -> bool:
        return self.session in ("playback", "download")


def _line(text: str, pattern: str) -> re.Match[str] | None:
    return re.search(rf"^{pattern}", text, re.MULTILINE | re.IGNORECASE)


def parse(body: bytes) -> Offer:
    """ValueError when a device could do nothing with it."""
    text = body.decode("utf-8", "replace").replace("\r\n", "\n")
    media = _line(text, r"m=(video|audio) (\d{1,5}) (\S+)")
    host = _line(text, r"c=IN IP[46] (\S+)")
    if media is None or host is None or not 0 < int(media[2]) < 65_536:
        raise ValueError("The SDP has no medium or no address.")
    setup = _line(text, r"a=setup:(active|passive)")
    tcp = "TCP" in media[3].upper() or setup is not None
    session = _line(text, r"s=(\S+)")
    ssrc, times, speed = _line(text, r"y=(\d{1,10})"), _line(text, r"t=(\d+) (\d+)"), _line(text, r"a=downloadspeed:(\d+)")
    return Offer(
        session[1].lower() if session else "play",
        host[1],
        int(media[2]),
        f"tcp-{setup[1].lower() if setup else 'passive'}" if tcp else "udp",
        int(ssrc[1]) if ssrc else None,
        bool(_SUB.search(text)),
        int(times[1]) if times else 0,
        int(times[2]) if times else 0,
        max(1, int(speed[1])) if speed else 1,
        media[1].lower() == "audio",
    )


def answer(
    offer: Offer, channel: str, host: str, port: int, ssrc: int | None, quirks: frozenset[str], *, codec: str, size: int = 0
) -> bytes:
    """The SDP of the 200. ``ssrc`` None: without y=. ``size``: octets of a download."""
    if "wrong-address" in quirks:
        host = "10.255.0.9"
    profile = "TCP/RTP/AVP" if offer.way != "udp" else "RTP/AVP"
    lines = [
        "v=0",
        f"o={channel} 0 0 IN IP4 {host}",
        f"s={offer.session.capitalize()}",
        f"c=IN IP4 {host}",
        f"t={offer.start} {offer.end}",
    ]
    if offer.audio:
        lines += [f"m=audio {port} {profile} 8", "a=recvonly", "a=rtpmap:8 PCMA/8000"]
    elif "es" in quirks:
        lines += [f"m=video {port} {profile} {ES_TYPE}", "a=sendonly", f"a=rtpmap:{ES_TYPE} {codec.upper()}/90000"]
    else:
        lines += [f"m=video {port} {profile} {PS_TYPE}", "a=sendonly", f"a=rtpmap:{PS_TYPE} PS/90000"]
    if offer.way != "udp":
        lines += [f"a=setup:{'active' if offer.way == 'tcp-passive' else 'passive'}", "a=connection:new"]
    if size:
        lines.append(f"a=filesize:{size}")
    if "zero-y" in quirks:
        lines.append("y=0000000000")
    elif ssrc is not None and "no-y" not in quirks:
        lines.append(f"y={ssrc}" if "short-y" in quirks else f"y={ssrc:010d}")
    lines.append(f"f=v/{5 if codec == 'h265' else 2}/{'4' if offer.sub else '5'}/12/2/{512 if offer.sub else 2048}a/1/8/1")
    return "\r\n".join([*lines, ""]).encode()
