"""The bounds of the HTTP port, as they are configured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and counts. The defaults let a hall of two hundred people behind one address come at the same moment."""

    connections: int = 4_000
    connections_per_address: int = 2_000
    connects_per_second: float = 100.0  # of one address; BURST seconds' worth at once
    joins_per_second: float = 20.0  # likewise
    failures_per_minute: float = 60.0  # forged, expired, missing tokens of one address; a minute's worth at once
    requests_per_second: float = 100.0  # signalling messages of one client
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    idle_seconds: float = 75.0


BURST_SECONDS = 20.0
