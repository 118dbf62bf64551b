"""A client's session descriptions, written as livekit-client writes them but small enough to read."""

from __future__ import annotations

from commhub.media import plane
from commhub.wire import sdp

FINGERPRINT = [("sha-256", ":".join(["AB"] * 32))]
EXTENSIONS = {
    plane.AUDIO_LEVEL: 1,
    plane.ABS_SEND_TIME: 2,
    plane.TRANSPORT_CC: 3,
    plane.MID: 4,
    plane.RID: 10,
    plane.REPAIRED_RID: 11,
}
_VIDEO = ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"]
H264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"


class Offer:
    """Sections in the order in which they are added; mids count up."""

    def __init__(self, ufrag: str = "them", *, data: bool = True) -> None:
        self.ufrag, self.setup = ufrag, "actpass"
        self.sections: list[sdp.Section] = []
        if data:
            self._add(sdp.Section("application", formats=["webrtc-datachannel"], protocol="UDP/DTLS/SCTP"))
            self.sections[-1].sctp_port, self.sections[-1].max_message_size = 5000, 262_144

    def _add(self, section: sdp.Section) -> str:
        section.mid = str(len(self.sections))
        section.ufrag, section.password, section.fingerprints = self.ufrag, "p" * 24, FINGERPRINT
        self.sections.append(section)
        return section.mid

    def receive(self, kind: str, count: int = 1) -> Offer:
        for _ in range(count):
            self._add(_section(kind, sdp.RECVONLY))
        return self

    def send(self, kind: str, cid: str, rids: list[str] | None = None) -> Offer:
        section = _section(kind, sdp.SENDONLY)
        section.msid = ("stream", cid)
        section.rids, section.simulcast = dict.fromkeys(rids or [], "send"), rids or []
        self._add(section)
        return self

    def stop(self, mid: str) -> Offer:
        """No longer sends in it (the client unpublished)."""
        section = self.sections[int(mid)]
        section.direction, section.msid, section.rids, section.simulcast = sdp.INACTIVE, None, {}, []
        return self

    def text(self) -> str:
        description = sdp.Description(self.sections, session_id=1, version=1, allow_mixed=True, fingerprints=FINGERPRINT)
        description.bundle = [section.mid for section in self.sections if section.port]
        for section in self.sections:
            section.setup, section.ufrag = self.setup, self.ufrag
        return sdp.build(description)


def _section(kind: str, direction: str) -> sdp.Section:
    section = sdp.Section(kind, direction=direction, extensions=dict(EXTENSIONS), rtcp_mux=True)
    if kind == "audio":
        section.codecs = {
            111: sdp.Codec(111, "opus", 48_000, 2, "minptime=10;useinbandfec=1", ["transport-cc"]),
            63: sdp.Codec(63, "red", 48_000, 2, "111/111"),
            0: sdp.Codec(0, "PCMU", 8_000),
        }
        return section
    for number, name, fmtp in ((96, "VP8", ""), (102, "H264", H264), (98, "VP9", "profile-id=0")):
        section.codecs[number] = sdp.Codec(number, name, 90_000, 1, fmtp, list(_VIDEO))
        section.codecs[number + 1] = sdp.Codec(number + 1, "rtx", 90_000, 1, f"apt={number}")
    return section


def answer(offer: str, *, ufrag: str = "them", without: tuple[str, ...] = ()) -> str:
    """A client's answer to a server's offer. ``without``: encoding names it does not know."""
    offered = sdp.parse(offer)
    result = sdp.Description(bundle=offered.bundle, fingerprints=FINGERPRINT, allow_mixed=True)
    for section in offered.sections:
        mine = sdp.Section(section.kind, section.mid, formats=section.formats, protocol=section.protocol)
        mine.ufrag, mine.password, mine.setup, mine.fingerprints = ufrag, "p" * 24, "active", FINGERPRINT
        mine.sctp_port, mine.max_message_size = section.sctp_port, section.max_message_size
        mine.extensions = dict(section.extensions)
        mine.codecs = {number: codec for number, codec in section.codecs.items() if codec.name not in without}
        if section.kind != "application":
            mine.direction = sdp.RECVONLY if section.direction == sdp.SENDONLY else sdp.INACTIVE
        result.sections.append(mine)
    return sdp.build(result)
