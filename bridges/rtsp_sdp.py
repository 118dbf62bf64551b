"""The SDP of RTSP servers (RFC 8866, RFC 2326 appendix C, RFC 6184, RFC 3640), read with all the tolerance cameras need.
No I/O, no clock."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

MEDIA_LIMIT = 32
_STATIC = {0: ("PCMU", 8000, 1), 8: ("PCMA", 8000, 1), 26: ("JPEG", 90000, 1), 32: ("MPV", 90000, 1), 33: ("MP2T", 90000, 1)}
_CONTROL = re.compile(r"[\x21-\x7e]{1,1024}")


@dataclass(slots=True)
class Media:
    """One ``m=`` section. ``codec`` is the encoding name in upper case, '' when the SDP does not say."""

    kind: str
    payload_type: int
    codec: str = ""
    clock_rate: int = 0
    channels: int = 1
    fmtp: dict[str, str] = field(default_factory=dict)
    control: str = ""
    feedback: bool = False  # RTP/AVPF: early RTCP such as PLI is understood
    backchannel: bool = False  # what we would send to the camera's loudspeaker

    @property
    def parameter_sets(self) -> list[bytes]:
        """NAL units of ``sprop-parameter-sets``, of H.265 ``sprop-vps`` and its kin; unreadable ones are left out."""
        units = []
        parts = [self.fmtp.get(name, "") for name in ("sprop-vps", "sprop-sps", "sprop-pps", "sprop-parameter-sets")]
        for part in ",".join(filter(None, parts)).split(","):
            try:
                unit = base64.b64decode(part + "=" * (-len(part) % 4), validate=True)
            except (binascii.Error, ValueError):
                continue
            unit = unit.removeprefix(b"\0\0\0\1").rstrip(b"\0")
            if unit:
                units.append(unit)
        return units


@dataclass(slots=True)
class Description:
    control: str = ""
    media: list[Media] = field(default_factory=list)


def parse(body: bytes) -> Description:
    """ValueError when it is no SDP at all; lines that cannot be read are passed over."""
    text = body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    result = Description()
    current: Media | None = None
    seen = False
    for line in text.split("\n"):
        key, equals, value = line.strip().partition("=")
        if not equals or len(key) != 1:
            continue
        seen = seen or key == "v"
        if key == "m":
            current = _media(value)
            if current is not None:
                if len(result.media) >= MEDIA_LIMIT:
                    raise ValueError("The SDP has more than 32 media.")
                result.media.append(current)
        elif key == "a":
            _attribute(result, current, value)
    if not seen and not result.media:
        raise ValueError("The camera's description is not SDP.")
    return result


def _media(value: str) -> Media | None:
    words = value.split()
    if len(words) < 4 or not words[3].isdigit() or int(words[3]) > 127:
        return Media(words[0].lower() if words else "", -1)
    media = Media(words[0].lower(), int(words[3]), feedback="AVPF" in words[2].upper())
    if media.payload_type in _STATIC:
        media.codec, media.clock_rate, media.channels = _STATIC[media.payload_type]
    return media


def _attribute(result: Description, media: Media | None, value: str) -> None:
    name, _, rest = value.partition(":")
    rest = rest.strip()
    if name == "control":
        if _CONTROL.fullmatch(rest):
            if media is None:
                result.control = rest
            else:
                media.control = rest
        return
    if media is None:
        return
    if name == "sendonly":
        media.backchannel = media.kind == "audio"  # some cameras write it at their picture, and mean themselves
    elif name == "rtpmap":
        _rtpmap(media, rest)
    elif name == "fmtp":
        _fmtp(media, rest)


def _rtpmap(media: Media, value: str) -> None:
    words = value.split(None, 1)
    if len(words) != 2 or words[0] != str(media.payload_type):
        return
    parts = [part.strip() for part in words[1].split("/")]
    if len(parts) < 2 or not parts[1].isdigit() or not 0 < int(parts[1]) <= 192_000:
        return
    media.codec, media.clock_rate = parts[0].upper(), int(parts[1])
    if len(parts) > 2 and parts[2].isdigit() and 1 <= int(parts[2]) <= 8:
        media.channels = int(parts[2])


def _fmtp(media: Media, value: str) -> None:
    number, _, rest = value.partition(" ")
    if number != str(media.payload_type):
        return
    for part in rest.split(";"):
        name, _, content = part.strip().partition("=")
        if name:
            media.fmtp[name.strip().lower()] = content.strip()


def join(base: str, control: str) -> str:
    """The URL of a control attribute. As every RTSP client does it: joined with a slash, not by RFC 3986, because cameras
    have queries in the base (``rtsp://…/cam?channel=1`` + ``trackID=1``)."""
    if not control or control == "*":
        return base
    if control.lower().startswith(("rtsp://", "rtsps://", "rtspu://")):
        return control
    return base.rstrip("/") + "/" + control.lstrip("/")
