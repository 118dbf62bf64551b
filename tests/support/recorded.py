"""The session descriptions that real clients and LiveKit 1.13.3 exchanged (``tests/data/livekit``), in order.

Lines ``@<seconds> <connection> <kind> <json>`` head each entry; the text of a description follows. Very long offers were cut
while recording; of those only the sections before the cut are given.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "data" / "livekit"
CLIENTS = ("livekit-client-2.23", "livekit-python-1.2.1")


@dataclass(frozen=True)
class Entry:
    """``kind`` is offer, answer, add_track or track_published; ``facts`` what the message said besides ``sdp``."""

    seconds: float
    connection: str
    kind: str
    facts: dict[str, Any]
    sdp: str = field(default="", repr=False)


def conversation(client: str) -> list[Entry]:
    entries: list[Entry] = []
    for block in ("\n" + (FOLDER / f"{client}.sdp").read_text()).split("\n@")[1:]:
        head, _, text = block.partition("\n")
        seconds, connection, kind, facts = head.split(" ", 3)
        known = json.loads(facts)
        if text and not known["whole"]:
            text = _whole_sections(text)
        entries.append(
            Entry(float(seconds), connection, kind, known, text.strip("\n").replace("\n", "\r\n") + "\r\n" if text else "")
        )
    return entries


def _whole_sections(text: str) -> str:
    head, *sections = text.split("\nm=")
    sections.pop()
    lines = head.split("\n")
    for number, line in enumerate(lines):
        if line.startswith("a=group:BUNDLE"):
            lines[number] = " ".join(line.split()[: len(sections) + 1])
    return "\nm=".join(["\n".join(lines), *sections])
