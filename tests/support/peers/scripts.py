"""What LiveKit 1.13.3 let each kind of client hear when the same script was played: ``tests/data/livekit/events-1.13.3.json``.

Written by a run against LiveKit with ``COMMHUB_TESTS_RECORD=1``; every other run, against either server, is compared with it.
"""

from __future__ import annotations

import json
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "data" / "livekit" / "events-1.13.3.json"
SOURCES = ("camera", "microphone", "screen_share", "screen_share_audio")
Heard = dict[str, list[str]]  # whom it is about → what was said of them, in order


def sorted_out(lines: list[str]) -> Heard:
    """By person and track: only within that is the order the same each time. What is about the listener is under ``me``.
    That a browser needs two attempts to get in is left out: it is the network's."""
    result: Heard = {}
    for line in lines[lines.index("Connected") if "Connected" in lines else 0 :]:
        name, *words = line.split(" ")
        if name == "LocalTrackSubscribed":
            subject = name
        else:
            own = name.startswith("LocalTrack") or not words or not (words[0].islower() and words[0].isalpha())
            source = next((word for word in words if word in SOURCES), "")
            subject = f"{'me' if own else words[0]} {source}".strip()
        result.setdefault(subject, []).append(line)
    if "LocalTrackSubscribed" in result:
        result["LocalTrackSubscribed"].sort()
    return dict(sorted(result.items()))


def compared(heard: Heard, expected: Heard) -> str:
    """For people: what is not as expected."""
    changed = [subject for subject in sorted({*heard, *expected}) if heard.get(subject) != expected.get(subject)]
    return "\n".join(f"{one}: {heard.get(one)}\n  instead of {expected.get(one)}" for one in changed)


def recorded(script: str, client: str) -> Heard:
    """KeyError when nobody recorded it."""
    heard: Heard = json.loads(FILE.read_text())[script][client]
    return heard


def record(script: str, client: str, heard: Heard) -> None:
    all_of_it = json.loads(FILE.read_text()) if FILE.exists() else {}
    all_of_it.setdefault(script, {})[client] = heard
    text = json.dumps(all_of_it, ensure_ascii=False, indent=1, sort_keys=True)
    FILE.write_text(text + "\n")
