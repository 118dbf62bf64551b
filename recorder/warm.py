"""What a recorder needs sooner or later and what takes long to load: beside whatever it does first, so that neither the first one
starts late nor a spare has to load anything when its turn comes."""

from __future__ import annotations

import importlib
import threading

NEEDED = ("recorder.chat", "cryptography.hazmat.primitives.asymmetric.ed25519")  # LiveKit's messages take the longest


def begin() -> threading.Thread:
    """In a thread of its own, which may be left alone."""
    thread = threading.Thread(target=lambda: [importlib.import_module(name) for name in NEEDED], name="load", daemon=True)
    thread.start()
    return thread
