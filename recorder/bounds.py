"""What a process may use that decodes what strangers sent."""

from __future__ import annotations

import resource

MEMORY = 2 << 30  # octets of addresses: libraries take most of them, a 4K picture the rest


def confine(cpu: int, memory: int = MEMORY) -> None:
    """``cpu`` seconds; nothing is written into any file."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
