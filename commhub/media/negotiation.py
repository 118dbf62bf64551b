"""Offer → answer, as pure functions: which codec, which header extensions, what each section of an answer says.

The shapes are those that livekit-client and the Rust SDKs accept; why each line is as it is stands in the code beside it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace

from commhub.media import plane, variants
from commhub.media.messages import Codec, Layer
from commhub.wire import sdp

#: What may be forwarded, by lower-case encoding name, in the order in which we prefer it when nobody says more.
FORWARDED = {
    "audio": {"opus": "audio/opus"},
    "video": {"vp8": "video/VP8", "h264": "video/H264", "vp9": "video/VP9", "av1": "video/AV1", "h265": "video/H265"},
}
#: Accepted in *every* section, also those that carry nothing yet: libwebrtc refuses its own later simulcast offer when an
#: earlier answer of the same transceiver had declined the rid extension.
ACCEPTED = (
    plane.MID,
    plane.RID,
    plane.REPAIRED_RID,
    plane.AUDIO_LEVEL,
    plane.TRANSPORT_CC,
    plane.ABS_SEND_TIME,
    plane.DEPENDENCY,
)
#: What a copy to a subscriber carries. Without transport-cc: subscribers estimate by REMB, which wants the send time.
SENT = (plane.MID, plane.AUDIO_LEVEL, plane.ABS_SEND_TIME, plane.DEPENDENCY)
#: What a publisher's packets carry.
RECEIVED = (plane.MID, plane.RID, plane.REPAIRED_RID, plane.AUDIO_LEVEL, plane.TRANSPORT_CC, plane.DEPENDENCY)
RED = "audio/red"
_PUBLISHER_FEEDBACK = ("transport-cc", "ccm fir", "nack", "nack pli")
_SUBSCRIBER_FEEDBACK = ("goog-remb", "ccm fir", "nack", "nack pli")
MAX_MESSAGE_SIZE = 65_535
LOWEST_FIRST = ("q", "h", "f")  # the rids of LiveKit's clients


@dataclass(frozen=True, slots=True)
class Local:
    """Our end of a connection, as it stands in a description."""

    ufrag: str
    password: str
    fingerprints: list[tuple[str, str]]
    candidates: list[sdp.Candidate]
    session_id: int
    version: int = 1


@dataclass(frozen=True, slots=True)
class Sending:
    """What a section carries to a subscriber. ``stream`` and ``track`` make the msid, by which clients know whose it is.
    ``codec`` None: nothing yet, in whatever codec it comes."""

    stream: str
    track: str
    codec: Codec | None
    ssrc: int
    rtx_ssrc: int = 0
    redundant: bool = False  # audio that comes with redundancy, for who takes it


@dataclass(frozen=True, slots=True)
class Slot:
    """A section of our own offer (dual mode); ``sending`` None keeps it, inactive, for later."""

    mid: str
    kind: str
    sending: Sending | None = None


@dataclass(slots=True)
class Announcement:
    """What the binding needs of a track. ``bound`` maps mid → the msid's track id at the time of binding."""

    track: str
    kind: str
    cids: dict[str, str]
    bound: dict[str, str] = field(default_factory=dict)


def mime(section: sdp.Section, codec: sdp.Codec) -> str:
    """``video/H264``; '' for what cannot be forwarded (rtx, red, ulpfec, comfort noise …)."""
    return FORWARDED.get(section.kind, {}).get(codec.name.lower(), "")


def is_publication(section: sdp.Section) -> bool:
    """Does the client send in it? A sendrecv transceiver without a track of its own is a place to receive in."""
    if section.kind == "application" or not section.port or not section.sends:
        return False
    return section.direction == sdp.SENDONLY or section.msid is not None


def is_slot(section: sdp.Section) -> bool:
    """May a subscription be put into it?"""
    return section.kind != "application" and section.port != 0 and section.receives and not is_publication(section)


# ---- which track is in which section


def bind(sections: Iterable[sdp.Section], announced: Sequence[Announcement]) -> dict[str, str]:
    """mid → track for every section that publishes something announced; ``announced`` is oldest first.

    By ``a=msid:<stream> <cid>``. Firefox writes ids of its own there: those sections take the oldest announced track of
    their kind that nothing else claims.
    """
    result: dict[str, str] = {}
    taken: set[str] = set()
    unclaimed: list[sdp.Section] = []
    for section in sections:
        if not is_publication(section):
            continue
        cid = section.msid[1] if section.msid else ""
        match = _by_cid(section, cid, announced, taken)
        if match is None:
            unclaimed.append(section)
        else:
            result[section.mid] = match.track
            taken.add(f"{match.track} {cid}")
    claimed = set(result.values())
    for section in unclaimed:
        cid = section.msid[1] if section.msid else ""
        free = [one for one in announced if one.kind == section.kind and one.track not in claimed]
        known = [one for one in free if one.bound.get(section.mid) == cid]
        match = next(iter(known or [one for one in free if not one.bound]), None)
        if match is not None:
            result[section.mid] = match.track
            claimed.add(match.track)
    return result


def _by_cid(section: sdp.Section, cid: str, announced: Sequence[Announcement], taken: set[str]) -> Announcement | None:
    candidates = [
        one for one in announced if one.kind == section.kind and cid and cid in one.cids and f"{one.track} {cid}" not in taken
    ]
    # A client publishes the same MediaStreamTrack again under a new sid: what is bound here stays, else the newest counts.
    here = [one for one in candidates if section.mid in one.bound]
    free = [one for one in candidates if not one.bound]
    return next(iter(here or free[::-1] or candidates[::-1]), None)


# ---- codecs


def choose(section: sdp.Section, wanted: str = "") -> sdp.Codec | None:
    """The one codec in which a track is to be published: ``wanted`` (a mime, '' for any), else the first we can forward."""
    known = [codec for codec in section.codecs.values() if mime(section, codec)]
    named = [codec for codec in known if mime(section, codec).lower() == wanted.lower()] or known
    if not named:
        return None
    first = named[0].name.lower()
    # The variant most receivers decode is the best to publish; max() keeps the client's order among equals.
    return max((codec for codec in named if codec.name.lower() == first), key=variants.published)


def accept(section: sdp.Section, sent: Codec) -> sdp.Codec | None:
    """The payload type under which a subscriber takes ``sent``; None when it cannot decode it."""
    want = sdp.Codec(0, "", 0, fmtp=sent.fmtp).parameters()
    named = [codec for codec in section.codecs.values() if mime(section, codec).lower() == sent.mime.lower()]
    known = [codec for codec in named if variants.decodes(codec, want)]
    return max(known, key=lambda codec: variants.likeness(codec.parameters(), want), default=None)


def rtx_of(section: sdp.Section, payload_type: int) -> int:
    """The RTX payload type of a codec (RFC 4588), 0 without one."""
    for codec in section.codecs.values():
        if codec.name.lower() == "rtx" and codec.parameters().get("apt") == str(payload_type):
            return codec.payload_type
    return 0


def red_of(section: sdp.Section, payload_type: int) -> int:
    """The payload type of redundant audio (RFC 2198) made of a codec's frames, 0 without one."""
    for codec in section.codecs.values():
        if codec.name.lower() == "red" and codec.fmtp.partition("/")[0].strip() == str(payload_type):
            return codec.payload_type
    return 0


# ---- answers


def answer(
    offer: sdp.Description,
    local: Local,
    publishing: dict[str, sdp.Codec],
    sending: dict[str, Sending],
    redundant: Container[str] = (),
) -> sdp.Description:
    """The answer to a client's offer. ``publishing`` has the codec of every section that may send (``redundant`` ones with
    redundancy), ``sending`` what is put into sections that receive; every other section is kept inactive (or rejected when
    nothing in it is of use)."""
    result = sdp.Description(session_id=local.session_id, version=local.version, ice_lite=True, allow_mixed=offer.allow_mixed)
    result.fingerprints = local.fingerprints
    for offered in offer.sections:
        # Without BUNDLE a section would need a port of its own.
        if not offered.port or offered.mid not in offer.bundle:
            section = _rejected(offered)
        elif offered.kind == "application":
            section = _application()
        elif offered.mid in publishing:
            section = _receiving_section(offered, publishing[offered.mid], offered.mid in redundant)
        else:
            section = _sending_section(offered, sending.get(offered.mid))
        section.kind, section.mid, section.protocol = offered.kind, offered.mid, offered.protocol
        if section.port:
            _connect(section, local, _answered_setup(offered.setup))
            section.rtcp_rsize = offered.rtcp_rsize
            result.bundle.append(section.mid)
        result.sections.append(section)
    _place_candidates(result, local)
    return result


def _answered_setup(offered: str) -> str:
    # The server is the DTLS client wherever it may choose: it then starts the handshake with the first valid check.
    return "passive" if offered == "active" else "active"


def _connect(section: sdp.Section, local: Local, setup: str) -> None:
    section.ufrag, section.password, section.setup = local.ufrag, local.password, setup
    section.fingerprints = local.fingerprints
    if section.kind != "application":
        section.rtcp_mux = section.rtcp_rsize = True


def _place_candidates(result: sdp.Description, local: Local) -> None:
    """In the first section that lives: it is the one the bundle's transport belongs to (RFC 9143 §7.3)."""
    for section in result.sections:
        if section.port:
            section.candidates = local.candidates
            section.end_of_candidates = True
            return


def _rejected(offered: sdp.Section) -> sdp.Section:
    return sdp.Section(offered.kind, port=0, formats=offered.formats, direction=sdp.INACTIVE)


def _application() -> sdp.Section:
    section = sdp.Section("application", formats=["webrtc-datachannel"], sctp_port=5000, max_message_size=MAX_MESSAGE_SIZE)
    section.protocol = "UDP/DTLS/SCTP"
    return section


def _accepted_extensions(offered: sdp.Section) -> dict[str, int]:
    return {uri: offered.extensions[uri] for uri in ACCEPTED if uri in offered.extensions}


def _published_extensions(offered: sdp.Section, codec: sdp.Codec) -> dict[str, int]:
    accepted = _accepted_extensions(offered)
    if codec.name.lower() == "vp8":
        # libwebrtc leaves picture ids and layers out of VP8's own descriptor where it may say them in the other one.
        accepted.pop(plane.DEPENDENCY, None)
    return accepted


def _receiving_section(offered: sdp.Section, codec: sdp.Codec, redundant: bool) -> sdp.Section:
    section = sdp.Section(offered.kind, direction=sdp.RECVONLY, extensions=_published_extensions(offered, codec))
    if redundant and (red := red_of(offered, codec.payload_type)):
        section.codecs[red] = replace(offered.codecs[red], feedback=[])  # first: that is what a sender then sends
    section.codecs[codec.payload_type] = _with_feedback(codec, _PUBLISHER_FEEDBACK)
    rtx = rtx_of(offered, codec.payload_type)
    if rtx:
        section.codecs[rtx] = replace(offered.codecs[rtx], feedback=[])
    sent = [name for name in offered.simulcast if offered.rids.get(name) == "send"]
    if sent:
        section.rids = dict.fromkeys(sent, "recv")
        section.simulcast = sent
    return section


def _sending_section(offered: sdp.Section, sending: Sending | None) -> sdp.Section:
    section = sdp.Section(offered.kind, direction=sdp.INACTIVE, extensions=_accepted_extensions(offered))
    codecs = [codec for codec in offered.codecs.values() if mime(offered, codec)]
    if not codecs:
        return _rejected(offered)
    first = accept(offered, sending.codec) if sending and sending.codec else None
    for codec in sorted(codecs, key=lambda codec: codec is not first):
        section.codecs[codec.payload_type] = _with_feedback(codec, _SUBSCRIBER_FEEDBACK)
        rtx = rtx_of(offered, codec.payload_type)
        if rtx:
            section.codecs[rtx] = replace(offered.codecs[rtx], feedback=[])
    if first is not None and sending and sending.redundant and (red := red_of(offered, first.payload_type)):
        section.codecs = {red: replace(offered.codecs[red], feedback=[]), **section.codecs}
    if sending and (first or sending.codec is None):
        section.direction = sdp.SENDONLY
        _identify(section, sending)
    return section


def _with_feedback(codec: sdp.Codec, kinds: tuple[str, ...]) -> sdp.Codec:
    return replace(codec, feedback=[kind for kind in kinds if kind in codec.feedback])


def _identify(section: sdp.Section, sending: Sending) -> None:
    section.msid = (sending.stream, sending.track)
    about = {"cname": sending.stream, "msid": f"{sending.stream} {sending.track}"}
    section.ssrcs[sending.ssrc] = about
    if sending.rtx_ssrc:
        section.groups.append(("FID", [sending.ssrc, sending.rtx_ssrc]))
        section.ssrcs[sending.rtx_ssrc] = about


# ---- our own offers (dual mode)

_H264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="
_H265 = "level-id=186;tier-flag=0;tx-mode=SRST;profile-id="  # 6.2: the answer says what the client decodes
_OFFERED: dict[str, list[tuple[int, str, int, int, str]]] = {
    "audio": [(111, "opus", 48_000, 2, "minptime=10;useinbandfec=1")],
    "video": [
        (96, "VP8", 90_000, 1, ""),
        (102, "H264", 90_000, 1, _H264 + "42e01f"),
        (104, "H264", 90_000, 1, _H264 + "4d001f"),
        (106, "H264", 90_000, 1, _H264 + "640c1f"),
        (98, "VP9", 90_000, 1, "profile-id=0"),
        (45, "AV1", 90_000, 1, ""),
        (116, "H265", 90_000, 1, _H265 + "1"),
        (118, "H265", 90_000, 1, _H265 + "2"),
    ],
}
_OFFERED_EXTENSIONS = {
    plane.AUDIO_LEVEL: 1,
    plane.ABS_SEND_TIME: 2,
    plane.TRANSPORT_CC: 3,
    plane.MID: 4,
    plane.RID: 10,
    plane.REPAIRED_RID: 11,
    plane.DEPENDENCY: 12,
}


def offer(local: Local, slots: Sequence[Slot], data_mid: str = "0") -> sdp.Description:
    """The server's offer for a subscriber connection: the data channels' section first, then every slot."""
    result = sdp.Description(session_id=local.session_id, version=local.version, ice_lite=True, allow_mixed=True)
    result.fingerprints = local.fingerprints
    data = _application()
    data.mid = data_mid
    result.sections.append(data)
    for slot in slots:
        template = sdp.Section(slot.kind, slot.mid, extensions=dict(_OFFERED_EXTENSIONS))
        if slot.kind == "audio":
            del template.extensions[plane.DEPENDENCY]
        for number, name, rate, channels, fmtp in _OFFERED[slot.kind]:
            template.codecs[number] = sdp.Codec(number, name, rate, channels, fmtp, list(_SUBSCRIBER_FEEDBACK))
            if slot.kind == "video":
                template.codecs[number + 1] = sdp.Codec(number + 1, "rtx", rate, fmtp=f"apt={number}")
            else:
                template.codecs[number].feedback = ["nack"]
                template.codecs[63] = sdp.Codec(63, "red", rate, channels, f"{number}/{number}")
        section = _sending_section(template, slot.sending)
        section.mid = slot.mid
        result.sections.append(section)
    for section in result.sections:
        _connect(section, local, "actpass")
    result.bundle = [section.mid for section in result.sections]
    _place_candidates(result, local)
    return result


# ---- what the data plane is told


def layer_rids(section: sdp.Section, announced: Sequence[Layer] = ()) -> list[str]:
    """The rids of a simulcast publication, lowest layer first; [] for one layer."""
    rids = [name for name in section.simulcast if section.rids.get(name) == "send"]
    named = {layer.rid: layer.quality for layer in announced if layer.rid}
    if all(rid in named for rid in rids):
        return sorted(rids, key=lambda rid: named[rid])
    if all(rid in LOWEST_FIRST for rid in rids):
        return sorted(rids, key=LOWEST_FIRST.index)
    return rids


def receiver_spec(
    transport: int, section: sdp.Section, codec: sdp.Codec, announced: Sequence[Layer] = (), redundant: bool = False
) -> plane.ReceiverSpec:
    """How packets of a publication are recognised: by the SSRCs of the offer, else by mid and rid. ``redundant``: audio may
    come with redundancy."""
    rtx = rtx_of(section, codec.payload_type)
    rids = layer_rids(section, announced)
    repairs = {ssrcs[1]: ssrcs[0] for semantics, ssrcs in section.groups if semantics == "FID" and len(ssrcs) == 2}
    simulcast = next((ssrcs for semantics, ssrcs in section.groups if semantics == "SIM" and ssrcs), [])
    plain = [ssrc for ssrc in section.ssrcs if ssrc not in repairs]
    media = simulcast or ([] if rids else plain[:1])
    payload_types = {codec.payload_type: mime(section, codec)}
    # As answered: what was declined is not offered again, and is then no change.
    extensions = _published_extensions(section, codec)
    if redundant and (red := red_of(section, codec.payload_type)):
        payload_types[red] = RED
    return plane.ReceiverSpec(
        transport=transport,
        kind=section.kind,
        clock_rate=codec.clock_rate,
        payload_types=payload_types,
        rtx={rtx: codec.payload_type} if rtx else {},
        mid=section.mid,
        ssrcs={ssrc: layer for layer, ssrc in enumerate(media[:3])},
        rtx_ssrcs={rtx_ssrc: ssrc for rtx_ssrc, ssrc in repairs.items() if ssrc in media} if rtx else {},
        rids={rid: layer for layer, rid in enumerate(rids[:3])},
        layers=max(1, min(3, len(rids) or len(media))),
        extensions={uri: extensions[uri] for uri in RECEIVED if uri in extensions},
        nack="nack" in codec.feedback,
    )


def described(section: sdp.Section, codec: sdp.Codec) -> Codec:
    """A negotiated codec as the rest of the system names it."""
    return Codec(mime(section, codec), codec.clock_rate, codec.channels, variants.sent(codec))


def sent_extensions(section: sdp.Section) -> dict[str, int]:
    """What a copy into this section may carry. One-byte header extensions end at 14 (RFC 8285 §4.2)."""
    return {uri: section.extensions[uri] for uri in SENT if 0 < section.extensions.get(uri, 0) < 15}


def host_candidates(addresses: Sequence[tuple[str, int]]) -> list[sdp.Candidate]:
    """Host candidates of every announced address, UDP before TCP (RFC 8445 §5.1.2.1, RFC 6544 §4.2)."""
    result = []
    for index, (host, port) in enumerate(addresses):
        result.append(sdp.Candidate(f"u{index}", 1, "udp", (126 << 24) + ((65_535 - index) << 8) + 255, host, port))
    for index, (host, port) in enumerate(addresses):
        # Direction preference 2 (passive) in the upper bits, below every UDP candidate.
        local = (2 << 13) + 8_191 - index
        result.append(sdp.Candidate(f"t{index}", 1, "tcp", (90 << 24) + (local << 8) + 255, host, port, tcptype="passive"))
    return result
