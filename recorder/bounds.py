"""What a process may use that decodes what strangers sent, and how it answers whoever began it."""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable

MEMORY = 2 << 30  # octets of addresses: libraries take most of them, a 4K picture the rest


def confine(cpu: int, memory: int = MEMORY) -> None:
    """``cpu`` seconds; nothing is written into any file."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def answer(work: Callable[[], bytes], cpu: int, *wrong: type[Exception], memory: int = MEMORY) -> int:
    """All that such a process does: what ``work`` makes goes over stdout, or one sentence over stderr. The exit is what is
    returned: 1 after ValueError, OSError, MemoryError and what ``wrong`` names."""
    confine(cpu, memory)
    expected: tuple[type[Exception], ...] = (ValueError, OSError, MemoryError, *wrong)
    try:
        data = work()
    except expected as error:
        sys.stderr.write(str(error)[:500])
        return 1
    sys.stdout.buffer.write(data)
    return 0
