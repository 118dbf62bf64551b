"""Session descriptions of GB/T 28181 (2022 annex G; RFC 4566 with y= and f=), by lines: devices, and the standard itself, do not
keep to RFC 4566. What is written has the standard's order; what is read may have any. No I/O, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LIMIT = 16 << 10  # octets of a description
_LINES = 256
UDP, PASSIVE, ACTIVE = "udp", "tcp-passive", "tcp-active"  # ways of media, as seen from us
SSRC_LIMIT = 1_999_999_999

_BREAK = re.compile(r"\r\n|\r|\n")
_LINE = re.compile(r"\s*([a-zA-Z])\s*=\s*(.*?)\s*")
_MEDIA = re.compile(r"(\w+)\s+(\d{1,5})(?:/\d+)?\s+(\S+)((?:\s+\d{1,3})*)")
_RTPMAP = re.compile(r"rtpmap\s*:\s*(\d{1,3})\s+([A-Za-z0-9._-]{1,32})(?:/(\d{1,6}))?", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:IN\s+)?(?:IP([46])\s+)?([0-9A-Fa-f:.]{2,45})", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([A-Za-z0-9_.-]{1,32})\s*(?::\s*(.*))?")
_SOUND = {8: "PCMA", 0: "PCMU", 9: "G722", 18: "G729", 4: "G723"}  # without rtpmap (RFC 3551)


# ---- SSRC (annex G)


def ssrc(domain: str, number: int, *, history: bool) -> int:
    """The SSRC of a session that we choose: ``domain`` is our code, ``number`` is unique in it, 0 to 9999."""
    middle = domain[3:8] if len(domain) >= 8 and domain[3:8].isdigit() else "00000"
    return int(f"{int(history)}{middle}{number % 10_000:04d}")


def written(value: int) -> str:
    """As y= has it: ten digits."""
    return f"{value:010d}"


def read_ssrc(text: str) -> int | None:
    """The number in a y= line. None for none, for zeros, and for what is no SSRC: leading zeros may be missing, spaces may
    stand around it, and some write it in hexadecimal."""
    text = text.strip().strip('"')
    if re.fullmatch(r"[0-9]{1,10}", text):
        value = int(text)
    elif re.fullmatch(r"0[xX][0-9A-Fa-f]{1,8}", text):
        value = int(text, 16)
    else:
        return None
    return value if 0 < value <= 0xFFFF_FFFF else None


# ---- what we send


@dataclass(frozen=True, slots=True)
class Offer:
    """Ours. ``name``: Play, Playback, Download, Talk; ``begin`` and ``end`` are Unix seconds of a recording. ``layer``: main,
    sub or "" where the device has one stream (or is not to be told)."""

    code: str
    host: str
    port: int
    ssrc: int
    way: str = UDP
    name: str = "Play"
    channel: str = ""
    begin: int = 0
    end: int = 0
    kind: int = 0
    layer: str = ""
    speed: int = 0

    def text(self, version: str = "2.0") -> bytes:
        """``version`` is the device's, of X-GB-ver: before 3.0 it is also asked for its stream in the vendors' own ways."""
        family = "IP6" if ":" in self.host else "IP4"
        tcp = self.way != UDP
        sound = self.name == "Talk"
        lines = ["v=0", f"o={self.code} 0 0 IN {family} {self.host}", f"s={self.name}"]
        if self.name in ("Playback", "Download"):
            lines.append(f"u={self.channel}:{self.kind}")
        lines += [f"c=IN {family} {self.host}", f"t={self.begin} {self.end}"]
        profile = "TCP/RTP/AVP" if tcp else "RTP/AVP"
        if sound:
            lines += [f"m=audio {self.port} {profile} 8", "a=sendrecv", "a=rtpmap:8 PCMA/8000"]
        else:
            lines += [f"m=video {self.port} {profile} 96 97 98 99", "a=recvonly", "a=rtpmap:96 PS/90000",
                      "a=rtpmap:98 H264/90000", "a=rtpmap:97 MPEG4/90000", "a=rtpmap:99 H265/90000"]  # fmt: skip
        if tcp:
            lines += [f"a=setup:{'passive' if self.way == PASSIVE else 'active'}", "a=connection:new"]
        if self.speed:
            lines.append(f"a=downloadspeed:{self.speed}")
        if self.layer in _STREAMS and not sound:
            number = _STREAMS[self.layer]
            lines.append(f"a=streamnumber:{number}")
            if not version.startswith("3"):
                mode = "SUB" if number else "MAIN"
                lines += [f"a=stream:{number}", f"a=streamprofile:{number}", f"a=streamMode:{mode}"]
        lines.append(f"y={written(self.ssrc)}")
        if sound:
            lines.append("f=v/////a/1/8/1")
        return ("\r\n".join(lines) + "\r\n").encode()


_STREAMS = {"main": 0, "sub": 1}


def voice_answer(code: str, host: str, port: int, number: int, way: str = UDP) -> bytes:
    """Our answer to a device that is ready to speak what we send (§9.12.1)."""
    family = "IP6" if ":" in host else "IP4"
    lines = ["v=0", f"o={code} 0 0 IN {family} {host}", "s=Play", f"c=IN {family} {host}", "t=0 0",
             f"m=audio {port} {'RTP/AVP' if way == UDP else 'TCP/RTP/AVP'} 8", "a=sendonly", "a=rtpmap:8 PCMA/8000"]  # fmt: skip
    if way != UDP:
        lines += [f"a=setup:{'passive' if way == PASSIVE else 'active'}", "a=connection:new"]
    lines += [f"y={written(number)}", "f=v/////a/1/8/1"]
    return ("\r\n".join(lines) + "\r\n").encode()


# ---- what they send


@dataclass(slots=True)
class Description:
    """Theirs, of the first medium that we can use. ``host`` is "" where there is none that can be read; ``setup`` is active,
    passive or "". ``codecs`` are names in upper case by payload type. ``size`` is a=filesize, ``rtcp`` the port of a=rtcp (RFC
    3605)."""

    name: str = ""
    kind: str = ""
    host: str = ""
    port: int = 0
    tcp: bool = False
    setup: str = ""
    direction: str = ""
    ssrc: int | None = None
    codecs: dict[int, str] = field(default_factory=dict)
    size: int = 0
    rtcp: int | None = None
    format: str = ""

    @property
    def sound(self) -> str | None:
        """The codec of sound that f= (``a/1/8/1``) names, as the demuxer calls it."""
        found = re.search(r"a\s*/\s*([0-9]+)", self.format)
        return {"1": "pcma", "6": "aac"}.get(found[1]) if found else None


def parse(body: bytes) -> Description:
    """ValueError, one sentence, when nothing in it can be used: no medium, or one without a port."""
    if len(body) > LIMIT:
        raise ValueError("The session description is longer than 16 KiB.")
    lines = _BREAK.split(body.decode("utf-8", "replace").replace("\0", ""))
    if len(lines) > _LINES:
        raise ValueError("The session description has too many lines.")
    session, media = Description(), list[Description]()
    for line in lines:
        found = _LINE.fullmatch(line)
        if found:
            _read(found[1].lower(), found[2], session, media)
    usable = [one for one in media if one.kind in ("video", "audio")]
    if not usable:
        raise ValueError("The session description has no picture and no sound.")
    chosen = next((one for one in usable if one.kind == "video" and one.port), None) or usable[0]
    if not 0 < chosen.port < 65536:
        raise ValueError("The session description has no port for media.")
    chosen.name, chosen.format = session.name, session.format
    chosen.host = chosen.host or session.host
    chosen.setup = chosen.setup or session.setup
    chosen.direction = chosen.direction or session.direction
    chosen.ssrc = session.ssrc or chosen.ssrc
    chosen.tcp = chosen.tcp or bool(chosen.setup)
    chosen.size = chosen.size or session.size
    return chosen


def _read(letter: str, value: str, session: Description, media: list[Description]) -> None:
    one = media[-1] if media else session
    if letter == "s":
        session.name = value[:32]
    elif letter == "c":
        one.host = _host(value) or one.host
    elif letter == "o" and not session.host:
        session.host = _host(" ".join(value.split()[-2:]))
    elif letter == "m":
        made = _medium(value)
        if made is not None and len(media) < 8:
            media.append(made)
    elif letter == "y":
        session.ssrc = session.ssrc or read_ssrc(value)
    elif letter == "f":
        session.format = value[:128]
    elif letter == "a":
        _attribute(value, one)


def _medium(value: str) -> Description | None:
    found = _MEDIA.match(value)
    if found is None:
        return None
    numbers = [int(one) for one in found[4].split()[:32]]
    known = {number: _SOUND[number] for number in numbers if number in _SOUND}
    return Description(kind=found[1].lower(), port=int(found[2]), tcp="TCP" in found[3].upper(), codecs=known)


def _attribute(text: str, one: Description) -> None:
    mapped = _RTPMAP.match(text)
    if mapped:
        if len(one.codecs) < 32:
            one.codecs[int(mapped[1])] = mapped[2].upper()
        return
    found = _ATTRIBUTE.fullmatch(text)
    if found is None:
        return
    name, value = found[1].lower(), (found[2] or "").strip()
    if name == "setup" and value.lower() in ("active", "passive"):
        one.setup = value.lower()
    elif name == "setup" and value.lower() in ("actpass", "holdconn"):
        one.setup = one.setup or "active"
    elif name in ("sendonly", "recvonly", "sendrecv", "inactive"):
        one.direction = name
    elif name == "filesize" and re.fullmatch(r"[0-9]{1,18}", value):
        one.size = int(value)
    elif name == "rtcp" and (port := re.match(r"[0-9]{1,5}\b", value)) and 0 < int(port[0]) < 65536:
        one.rtcp = int(port[0])
    elif name == "ssrc" and one.ssrc is None:
        one.ssrc = read_ssrc(value.split(" ")[0])


def _host(text: str) -> str:
    found = _ADDRESS.fullmatch(text.partition("/")[0].strip())
    return found[2] if found else ""
