"""A process that has no file descriptor left."""

from __future__ import annotations

import errno
import socket
from typing import Any


class Exhausted:
    """A listening socket that accepts nobody while ``full``; ``calls`` counts how often it was tried."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener, self.full, self.calls = listener, True, 0

    def accept(self) -> Any:
        self.calls += 1
        if self.full:
            raise OSError(errno.EMFILE, "Too many open files")
        return self.listener.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.listener, name)
