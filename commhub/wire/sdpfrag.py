"""Fragments of session descriptions that carry ICE alone (``application/trickle-ice-sdpfrag``, RFC 8840 §9).

WHIP and WHEP clients send one with candidates, or with new credentials for an ICE restart; the answer to a restart is one too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from commhub.wire import sdp

MAX_SIZE = 16 << 10  # characters
_KEPT = ("ice-ufrag", "ice-pwd", "candidate", "end-of-candidates", "mid")


@dataclass(slots=True)
class Fragment:
    """``ufrag`` and ``password`` are '' when the fragment does not say them."""

    ufrag: str = ""
    password: str = ""
    candidates: list[sdp.Candidate] = field(default_factory=list)
    end_of_candidates: bool = False


def parse(text: str) -> Fragment:
    """ValueError with one sentence. Sections of a bundle share one transport, so whose candidate it is does not matter."""
    if len(text) > MAX_SIZE:
        raise ValueError(f"An ICE fragment has at most {MAX_SIZE} characters.")
    result = Fragment()
    section = sdp.Section("")
    for line in text.replace("\r\n", "\n").split("\n"):
        if not line:
            continue
        if line[1:2] != "=" or "\r" in line or "\0" in line:
            raise ValueError("A line of an ICE fragment is a letter, =, and a value.")
        if line[0] == "m":
            _take(result, section)
            section = sdp.Section("")
        elif line[0] == "a":
            name, _, value = line[2:].partition(":")
            if name in _KEPT:
                sdp.read_attribute(section, name, value)
    _take(result, section)
    if bool(result.ufrag) != bool(result.password):
        raise ValueError("An ICE fragment has a username fragment and a password, or neither.")
    if not (result.ufrag or result.candidates or result.end_of_candidates):
        raise ValueError("An ICE fragment has credentials or candidates.")
    return result


def _take(result: Fragment, section: sdp.Section) -> None:
    result.ufrag, result.password = result.ufrag or section.ufrag, result.password or section.password
    result.candidates += section.candidates
    result.end_of_candidates |= section.end_of_candidates
    del result.candidates[sdp.MAX_CANDIDATES :]


def build(description: sdp.Description) -> str:
    """Our end of an ICE restart, as the answer ``description`` has it: credentials and candidates of the bundle's section."""
    section = next(one for one in description.sections if one.port)
    lines = ["a=ice-lite"] if description.ice_lite else []
    lines.append("a=group:BUNDLE " + " ".join(description.bundle))
    lines.append(f"m={section.kind} {section.port} {section.protocol} {' '.join(section.formats)}")
    lines += [f"a=mid:{section.mid}", f"a=ice-ufrag:{section.ufrag}", f"a=ice-pwd:{section.password}"]
    lines += sdp.candidate_lines(section)
    return "\r\n".join(lines) + "\r\n"
