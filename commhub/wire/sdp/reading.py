"""What a peer sent: parsed within limits. Attributes nobody here acts on are dropped."""

from __future__ import annotations

import re
from collections.abc import Callable

from commhub.wire.sdp.shapes import INACTIVE, RECVONLY, SENDONLY, SENDRECV, Candidate, Codec, Description, Section

MAX_SIZE = 512 << 10  # characters; Chromium writes 7,000 for a video section
MAX_LINE = 4_096
MAX_SECTIONS = 128
MAX_CODECS = 96
MAX_EXTENSIONS = 64
MAX_SSRCS = 32
MAX_RIDS = 8
MAX_CANDIDATES = 64  # more are left out: a client with many network interfaces has them, and ICE-lite calls on none

_DIRECTIONS = {SENDRECV, SENDONLY, RECVONLY, INACTIVE}
_SETUP = {"actpass", "active", "passive", "holdconn"}
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`{|}~]{1,64}\Z")  # RFC 8866 §9, token
_ICE = re.compile(r"[A-Za-z0-9+/]{4,256}\Z")  # RFC 8839 §5.4
# Chromium and Firefox write ids outside the token grammar into msid ("{uuid}", "PA_x|TR_y"), so only spaces end one.
_MSID = re.compile(r"\S{1,256}\Z")


def parse(text: str) -> Description:
    """Read an offer or an answer. ValueError with one sentence when it cannot be used."""
    if len(text) > MAX_SIZE:
        raise ValueError(f"A session description has at most {MAX_SIZE} characters.")
    lines = text.replace("\r\n", "\n").split("\n")
    if not lines or lines[0] != "v=0":
        raise ValueError("A session description begins with v=0.")
    result = Description()
    session = Section("")
    section = session
    for line in lines:
        if not line:
            continue
        if len(line) > MAX_LINE:
            raise ValueError(f"A line of a session description has at most {MAX_LINE} characters.")
        if line[1:2] != "=" or "\r" in line or "\0" in line:
            raise ValueError("A line of a session description is a letter, =, and a value.")
        kind, value = line[0], line[2:]
        if kind == "a":
            name, _, value = value.partition(":")
            if section is session and name in _SESSION:
                _SESSION[name](result, value)
            elif (read := _ATTRIBUTES.get(name)) is not None:
                read(section, value)
            elif name in _DIRECTIONS:
                section.direction = name
        elif kind == "m":
            if len(result.sections) >= MAX_SECTIONS:
                raise ValueError(f"A session description has at most {MAX_SECTIONS} media sections.")
            section = _media(value)
            section.direction = session.direction
            result.sections.append(section)
        elif kind == "o" and section is session:
            _origin(result, value)
    result.fingerprints = session.fingerprints
    for section in result.sections:
        _finish(section, session)
    _check(result)
    return result


def _media(value: str) -> Section:
    parts = value.split()
    if len(parts) < 4:
        raise ValueError("A media line has a kind, a port, a protocol and formats.")
    if parts[0] not in ("audio", "video", "application"):
        raise ValueError("A media section is audio, video or application.")
    port = parts[1].partition("/")[0]
    section = Section(parts[0], "", _number(port, 65535, "A media line's port is not one."), parts[2], parts[3:])
    if len(section.formats) > MAX_CODECS:
        raise ValueError(f"A media section has at most {MAX_CODECS} formats.")
    if section.kind != "application":
        for text in section.formats:
            number = _number(text, 127, "A payload type is a number up to 127.")
            # Static types (RFC 3551 §6) may come without rtpmap; those we know get their rtpmap here.
            name, rate = _STATIC.get(number, ("", 0))
            section.codecs[number] = Codec(number, name, rate)
    return section


_STATIC = {0: ("PCMU", 8000), 8: ("PCMA", 8000), 9: ("G722", 8000), 13: ("CN", 8000)}


def _finish(section: Section, session: Section) -> None:
    section.ufrag = section.ufrag or session.ufrag
    section.password = section.password or session.password
    section.fingerprints = section.fingerprints or session.fingerprints
    section.setup = section.setup or session.setup
    for number in [number for number, codec in section.codecs.items() if not codec.name]:
        del section.codecs[number]


def _check(result: Description) -> None:
    mids: set[str] = set()
    for section in result.sections:
        if section.mid in mids and section.mid:
            raise ValueError("Two media sections have the same mid.")
        if not section.mid and section.port:
            raise ValueError("A media section has no mid.")
        mids.add(section.mid)
    if any(mid not in mids for mid in result.bundle):
        raise ValueError("The bundle group names a mid that no section has.")


def _number(text: str, largest: int, sentence: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > largest:
        raise ValueError(sentence)
    return int(text)


# ---- session level


def _origin(result: Description, value: str) -> None:
    parts = value.split(" ")
    if len(parts) != 6 or not all(part.isascii() and part.isdigit() and len(part) <= 20 for part in parts[1:3]):
        raise ValueError("The origin line is not one.")
    result.session_id, result.version = int(parts[1]), int(parts[2])


def _group(result: Description, value: str) -> None:
    semantics, *mids = value.split()[: MAX_SECTIONS + 1] or [""]
    if semantics == "BUNDLE":
        result.bundle = mids


def _ice_lite(result: Description, value: str) -> None:
    result.ice_lite = True


def _allow_mixed(result: Description, value: str) -> None:
    result.allow_mixed = True


_SESSION: dict[str, Callable[[Description, str], None]] = {
    "group": _group,
    "ice-lite": _ice_lite,
    "extmap-allow-mixed": _allow_mixed,
}


# ---- media level


def _mid(section: Section, value: str) -> None:
    if not _TOKEN.match(value):
        raise ValueError("A mid is a token of at most 64 characters.")
    section.mid = value


def _ufrag(section: Section, value: str) -> None:
    if not _ICE.match(value):
        raise ValueError("An ICE username fragment has 4 to 256 of its characters.")
    section.ufrag = value


def _password(section: Section, value: str) -> None:
    if not _ICE.match(value) or len(value) < 22:
        raise ValueError("An ICE password has 22 to 256 of its characters.")
    section.password = value


def _fingerprint(section: Section, value: str) -> None:
    algorithm, _, digest = value.partition(" ")
    if not _TOKEN.match(algorithm) or not re.fullmatch(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){15,63}", digest):
        raise ValueError("A fingerprint is an algorithm and octets in hexadecimal.")
    if len(section.fingerprints) >= 8:
        raise ValueError("A media section has at most 8 fingerprints.")
    section.fingerprints.append((algorithm.lower(), digest.upper()))


def _setup(section: Section, value: str) -> None:
    if value not in _SETUP:
        raise ValueError("The setup attribute is actpass, active, passive or holdconn.")
    section.setup = value


def _rtpmap(section: Section, value: str) -> None:
    number, _, encoding = value.partition(" ")
    codec = section.codecs.get(_number(number, 127, "A payload type is a number up to 127."))
    name, _, rate = encoding.strip().partition("/")
    rate, _, channels = rate.partition("/")
    if not _TOKEN.match(name):
        raise ValueError("An rtpmap's encoding name is a token.")
    if codec is None:
        return
    codec.name = name
    codec.clock_rate = _number(rate, 1_000_000, "An rtpmap's clock rate is not one.")
    codec.channels = _number(channels, 255, "An rtpmap's channels are not a number.") if channels else 1


def _fmtp(section: Section, value: str) -> None:
    number, _, parameters = value.partition(" ")
    codec = section.codecs.get(_number(number, 127, "A payload type is a number up to 127."))
    if codec is not None:
        codec.fmtp = parameters.strip()


def _feedback(section: Section, value: str) -> None:
    number, _, kind = value.partition(" ")
    if number == "*":
        codecs = list(section.codecs.values())
    else:
        codec = section.codecs.get(_number(number, 127, "A payload type is a number up to 127."))
        codecs = [codec] if codec else []
    for codec in codecs:
        if len(codec.feedback) < 16:
            codec.feedback.append(kind.strip())


def _extension(section: Section, value: str) -> None:
    number, _, uri = value.partition(" ")
    uri = uri.split(" ", 1)[0]
    identifier = _number(number.partition("/")[0], 255, "A header extension's number is 1 to 255.")
    if not identifier or not uri:
        raise ValueError("A header extension has a number and a URI.")
    if len(section.extensions) >= MAX_EXTENSIONS:
        raise ValueError(f"A media section has at most {MAX_EXTENSIONS} header extensions.")
    section.extensions[uri] = identifier


def _msid(section: Section, value: str) -> None:
    parts = value.split()
    if not parts or not all(_MSID.match(part) for part in parts):
        raise ValueError("An msid is a stream and a track of at most 256 characters.")
    # One appearance per stream; the track is the same in all of them (RFC 8830 §2), so the first is enough.
    section.msid = section.msid or (parts[0], parts[1] if len(parts) > 1 else "")


def _rid(section: Section, value: str) -> None:
    name, direction = [*value.split(" "), "", ""][:2]
    if not _TOKEN.match(name) or direction not in ("send", "recv"):
        raise ValueError("A rid has a name and a direction.")
    if len(section.rids) >= MAX_RIDS:
        raise ValueError(f"A media section has at most {MAX_RIDS} rids.")
    section.rids[name] = direction


def _simulcast(section: Section, value: str) -> None:
    parts = value.split(" ")
    if len(parts) not in (2, 4):
        raise ValueError("A simulcast attribute is a direction and a list of rids, once or twice.")
    # "send f;h,~x;q": alternatives behind the comma and the pause mark are not used by any WebRTC client.
    section.simulcast = [item.partition(",")[0].removeprefix("~") for item in parts[1].split(";")][:MAX_RIDS]


def _ssrc(section: Section, value: str) -> None:
    number, _, attribute = value.partition(" ")
    ssrc = _number(number, 0xFFFFFFFF, "An SSRC is a number of 32 bits.")
    name, _, content = attribute.partition(":")
    if ssrc not in section.ssrcs and len(section.ssrcs) >= MAX_SSRCS:
        raise ValueError(f"A media section has at most {MAX_SSRCS} SSRCs.")
    attributes = section.ssrcs.setdefault(ssrc, {})
    if len(attributes) < 8:
        attributes[name] = content


def _ssrc_group(section: Section, value: str) -> None:
    semantics, *numbers = value.split() or [""]
    if len(section.groups) >= MAX_SSRCS or len(numbers) > MAX_SSRCS:
        raise ValueError(f"A media section has at most {MAX_SSRCS} SSRC groups.")
    section.groups.append((semantics, [_number(text, 0xFFFFFFFF, "An SSRC is a number of 32 bits.") for text in numbers]))


def _candidate(section: Section, value: str) -> None:
    parts = value.split()
    if len(parts) < 8 or parts[6] != "typ":
        raise ValueError("A candidate line is not one.")
    if len(section.candidates) >= MAX_CANDIDATES:
        return
    extra = dict(zip(parts[8::2], parts[9::2], strict=False))
    section.candidates.append(
        Candidate(
            parts[0],
            _number(parts[1], 256, "A candidate's component is a number up to 256."),
            parts[2].lower(),
            _number(parts[3], 0xFFFFFFFF, "A candidate's priority is a number of 32 bits."),
            parts[4],
            _number(parts[5], 65535, "A candidate's port is not one."),
            parts[7],
            extra.get("tcptype", ""),
        )
    )


def _flag(name: str) -> Callable[[Section, str], None]:
    return lambda section, value: setattr(section, name, True)


def _bundle_only(section: Section, value: str) -> None:
    section.port = section.port or 9  # 0 without being rejected: only the bundle carries it (RFC 9143, section 6; Firefox)


def _sctp_port(section: Section, value: str) -> None:
    section.sctp_port = _number(value, 65535, "An SCTP port is a number up to 65535.")


def _max_message_size(section: Section, value: str) -> None:
    section.max_message_size = min(_number(value, 0xFFFFFFFF, "A message size is a number of octets."), 1 << 30)


_ATTRIBUTES: dict[str, Callable[[Section, str], None]] = {
    "mid": _mid,
    "ice-ufrag": _ufrag,
    "ice-pwd": _password,
    "fingerprint": _fingerprint,
    "setup": _setup,
    "rtpmap": _rtpmap,
    "fmtp": _fmtp,
    "rtcp-fb": _feedback,
    "extmap": _extension,
    "msid": _msid,
    "rid": _rid,
    "simulcast": _simulcast,
    "ssrc": _ssrc,
    "ssrc-group": _ssrc_group,
    "candidate": _candidate,
    "end-of-candidates": _flag("end_of_candidates"),
    "rtcp-mux": _flag("rtcp_mux"),
    "rtcp-rsize": _flag("rtcp_rsize"),
    "bundle-only": _bundle_only,
    "sctp-port": _sctp_port,
    "max-message-size": _max_message_size,
}


def read_attribute(section: Section, name: str, value: str) -> None:
    """One attribute that is known here, for what is no whole description (RFC 8840)."""
    _ATTRIBUTES[name](section, value)
