"""Our own descriptions as text."""

from __future__ import annotations

from commhub.wire.sdp.shapes import Description, Section


def build(description: Description) -> str:
    """The text of a description, lines ended by CR LF. Fingerprints stand at session level."""
    lines = [
        "v=0",
        f"o=- {description.session_id} {description.version} IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=msid-semantic:WMS *",
    ]
    if description.ice_lite:
        lines.append("a=ice-lite")
    lines += [f"a=fingerprint:{algorithm} {digest}" for algorithm, digest in description.fingerprints]
    if description.allow_mixed:
        lines.append("a=extmap-allow-mixed")
    if description.bundle:
        lines.append("a=group:BUNDLE " + " ".join(description.bundle))
    for section in description.sections:
        _write_section(lines, section, description)
    return "\r\n".join(lines) + "\r\n"


def _write_section(lines: list[str], section: Section, description: Description) -> None:
    formats = section.formats if section.kind == "application" or not section.codecs else [str(n) for n in section.codecs]
    lines.append(f"m={section.kind} {section.port} {section.protocol} {' '.join(formats)}")
    lines.append("c=IN IP4 0.0.0.0")
    for name, value in (
        ("mid", section.mid),
        ("setup", section.setup),
        ("ice-ufrag", section.ufrag),
        ("ice-pwd", section.password),
    ):
        if value:
            lines.append(f"a={name}:{value}")
    if section.fingerprints != description.fingerprints:
        lines += [f"a=fingerprint:{algorithm} {digest}" for algorithm, digest in section.fingerprints]
    lines.append(f"a={section.direction}")
    if section.rtcp_mux:
        lines.append("a=rtcp-mux")
    if section.rtcp_rsize:
        lines.append("a=rtcp-rsize")
    if section.sctp_port:
        lines += [f"a=sctp-port:{section.sctp_port}", f"a=max-message-size:{section.max_message_size}"]
    for codec in section.codecs.values():
        channels = f"/{codec.channels}" if codec.channels > 1 else ""
        lines.append(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}")
        if codec.fmtp:
            lines.append(f"a=fmtp:{codec.payload_type} {codec.fmtp}")
        lines += [f"a=rtcp-fb:{codec.payload_type} {kind}" for kind in codec.feedback]
    lines += [f"a=extmap:{number} {uri}" for uri, number in section.extensions.items()]
    if section.msid:
        lines.append(f"a=msid:{section.msid[0]} {section.msid[1]}")
    lines += [f"a=rid:{name} {direction}" for name, direction in section.rids.items()]
    if section.simulcast:
        direction = next(iter(section.rids.values()), "recv")
        lines.append(f"a=simulcast:{direction} {';'.join(section.simulcast)}")
    lines += [f"a=ssrc-group:{semantics} {' '.join(map(str, ssrcs))}" for semantics, ssrcs in section.groups]
    for ssrc, attributes in section.ssrcs.items():
        lines += [f"a=ssrc:{ssrc} {name}:{value}" for name, value in attributes.items()]
    lines += candidate_lines(section)


def candidate_lines(section: Section) -> list[str]:
    """``a=candidate:…`` of a section, and that there are no more."""
    lines = []
    for candidate in section.candidates:
        tcp = f" tcptype {candidate.tcptype}" if candidate.tcptype else ""
        lines.append(
            f"a=candidate:{candidate.foundation} {candidate.component} {candidate.transport} {candidate.priority}"
            f" {candidate.host} {candidate.port} typ {candidate.kind}{tcp}"
        )
    if section.end_of_candidates:
        lines.append("a=end-of-candidates")
    return lines
