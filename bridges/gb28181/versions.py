"""Versions of the standard, as ``X-GB-ver`` says them (GB/T 28181-2022, appendix I)."""

from __future__ import annotations

import re

OURS = "3.0"
V2016, V2022 = 2.0, 3.0


def number(said: str) -> float:
    """1.0 = 2011, 1.1 = its amendment, 2.0 = 2016, 3.0 = 2022; what cannot be read, or was not said, is 2016."""
    found = re.fullmatch(r"\s*([0-9])(?:\.([0-9]{1,2}))?\s*", said)
    return float(f"{found[1]}.{found[2] or 0}") if found else V2016
