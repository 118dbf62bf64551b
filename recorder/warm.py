"""What a recorder needs sooner or later, loaded before its turn comes: a spare is at work at once."""

from __future__ import annotations

import importlib

#: LiveKit's messages take the longest.
NEEDED = ("recorder.chat", "recorder.recorder", "cryptography.hazmat.primitives.asymmetric.ed25519")


def load() -> None:
    for name in NEEDED:
        importlib.import_module(name)
