"""A session description in parts."""

from __future__ import annotations

from dataclasses import dataclass, field

SENDRECV, SENDONLY, RECVONLY, INACTIVE = "sendrecv", "sendonly", "recvonly", "inactive"


@dataclass(slots=True)
class Codec:
    """A payload type. ``name`` as written (``opus``, ``VP8``, ``rtx``); ``fmtp`` is '' when there is none."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    fmtp: str = ""
    feedback: list[str] = field(default_factory=list)  # "nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"

    def parameters(self) -> dict[str, str]:
        """The ``name=value`` pairs of ``fmtp``, names in lower case."""
        pairs = (item.strip().partition("=") for item in self.fmtp.split(";"))
        return {name.lower(): value for name, _, value in pairs if name}


@dataclass(slots=True)
class Candidate:
    """An ICE candidate line (RFC 8839 §5.1); ``tcptype`` is '' for UDP."""

    foundation: str
    component: int
    transport: str  # udp, tcp
    priority: int
    host: str
    port: int
    kind: str = "host"
    tcptype: str = ""


@dataclass(slots=True)
class Section:
    """One ``m=`` section. ``port`` 0 means that it is rejected or stopped."""

    kind: str  # audio, video, application
    mid: str = ""
    port: int = 9
    protocol: str = "UDP/TLS/RTP/SAVPF"
    formats: list[str] = field(default_factory=list)
    direction: str = SENDRECV
    ufrag: str = ""
    password: str = ""
    fingerprints: list[tuple[str, str]] = field(default_factory=list)  # (sha-256, AB:CD…)
    setup: str = ""
    codecs: dict[int, Codec] = field(default_factory=dict)  # by payload type, in the order of preference
    extensions: dict[str, int] = field(default_factory=dict)  # URI → number
    msid: tuple[str, str] | None = None  # (stream, track)
    rids: dict[str, str] = field(default_factory=dict)  # rid → send, recv
    simulcast: list[str] = field(default_factory=list)  # rids in the order of a=simulcast, alternatives dropped
    ssrcs: dict[int, dict[str, str]] = field(default_factory=dict)  # SSRC → cname, msid …
    groups: list[tuple[str, list[int]]] = field(default_factory=list)  # ("FID", [media, rtx]), ("SIM", [low, …])
    candidates: list[Candidate] = field(default_factory=list)
    end_of_candidates: bool = False
    rtcp_mux: bool = False
    rtcp_rsize: bool = False
    sctp_port: int = 0
    max_message_size: int = 0  # octets; 0 = not said

    @property
    def sends(self) -> bool:
        return self.direction in (SENDRECV, SENDONLY)

    @property
    def receives(self) -> bool:
        return self.direction in (SENDRECV, RECVONLY)


@dataclass(slots=True)
class Description:
    """A session description. ICE credentials, fingerprints and setup of the session level are already in every section."""

    sections: list[Section] = field(default_factory=list)
    session_id: int = 0
    version: int = 0
    bundle: list[str] = field(default_factory=list)  # mids
    ice_lite: bool = False
    allow_mixed: bool = False
    fingerprints: list[tuple[str, str]] = field(default_factory=list)  # written at session level by build
