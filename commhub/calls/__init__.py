"""Calls between people: a machine without I/O and clock (``machine``, ``board``, ``effects``), its records (``records``), and
what terminals, rooms and pages are told (``calls``, ``ringing``, ``lodging``)."""

from commhub.calls.calls import Calls, Wish
from commhub.calls.recorded import RecordedCalls

__all__ = ["Calls", "RecordedCalls", "Wish"]
