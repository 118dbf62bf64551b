"""The processes of a measurement, each with a role of its own: told over stdin, heard over stdout, a line of JSON at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ENDS = 5  # seconds that a process has to end by itself


class Role:
    """``script`` takes ``--role`` and ``--setup``, and ends with its stdin. A context manager.

    >>> with Role("sink", {"count": 50}, __file__) as sink:
    ...     ports = sink.read()
    """

    def __init__(self, role: str, setup: dict[str, Any], script: str, *, quiet: bool = False) -> None:
        command = [sys.executable, os.path.abspath(script), "--role", role, "--setup", json.dumps(setup)]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        pipe = subprocess.PIPE
        errors = subprocess.DEVNULL if quiet else None
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, text=True, env=environment)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    def tell(self, line: str = "") -> None:
        self._in.write(line + "\n")
        self._in.flush()

    def read(self) -> Any:
        return json.loads(self._out.readline())

    def ask(self, line: str = "") -> Any:
        self.tell(line)
        return self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._in.close()
        try:
            self._process.wait(ENDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
