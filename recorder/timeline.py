"""RTP time to the session's clock. No I/O, no clock of its own.

Packets can only be late, so the earliest of some seconds tells how RTP time lies to the hub's time: a sliding minimum, which
follows a sender whose clock runs slow or fast. Once a sender report has come, all tracks of one sender are placed by the
sender's own clock (RFC 3550 §6.4.1), and so stand to each other as they left it, whatever the network did to either.
"""

from __future__ import annotations

SECOND = 1_000_000_000
_WINDOW = 10 * SECOND
_TRUST = 1 * SECOND  # a report may move a track by no more
_STEP = SECOND // 10  # a sender whose clock jumped
_REPORTS = 8  # are averaged: a busy sender's stamps are some 10 ms wrong now and then


class _Lowest:
    """Minimum over the last one to two windows (ns)."""

    def __init__(self) -> None:
        self._current: int | None = None
        self._previous: int | None = None
        self._until = 0

    def see(self, value: int, at: int) -> None:
        if at >= self._until:
            self._previous = self._current if at < self._until + _WINDOW else None
            self._current, self._until = None, at + _WINDOW
        if self._current is None or value < self._current:
            self._current = value

    @property
    def value(self) -> int | None:
        if self._previous is None or self._current is None:
            return self._current if self._current is not None else self._previous
        return min(self._current, self._previous)


class SenderClock:
    """How one sender's clock (NTP of its reports) lies to the hub's."""

    def __init__(self) -> None:
        self.offset = _Lowest()

    def reset(self) -> None:
        self.offset = _Lowest()


class Timeline:
    """Of one track. RTP times go on over wraps, except in reports."""

    def __init__(self, rate: int, sender: SenderClock) -> None:
        self._rate = rate
        self._sender = sender
        self._own = _Lowest()
        self._last_time = self._last_at = 0
        self._report: tuple[int, int] | None = None
        self._reports = 0
        self._early: tuple[int, int] | None = None

    @property
    def known(self) -> bool:
        return self._own.value is not None

    def _ns(self, time: int) -> int:
        return time * SECOND // self._rate

    def jumped(self, time: int, at: int, tolerance: int) -> bool:
        """Does RTP time disagree with the time that has passed since the last frame by more than ``tolerance`` ns?"""
        return self.known and abs(self._ns(time - self._last_time) - (at - self._last_at)) > tolerance

    def restart(self) -> None:
        """RTP time has begun anew."""
        self._own = _Lowest()
        self._report = None

    def arrived(self, time: int, at: int) -> None:
        self._last_time, self._last_at = time, at
        self._own.see(at - self._ns(time), at)
        if self._report is not None:
            self._sender.offset.see(at - self._ntp(time), at)
        elif self._early is not None:
            early, self._early = self._early, None
            self.report(*early)

    def report(self, rtp_time: int, ntp: int) -> None:
        """A sender report; ``rtp_time`` has 32 bits."""
        if not self.known:
            self._early = (rtp_time, ntp)
            return
        step = (rtp_time - self._last_time) & 0xFFFFFFFF
        time = self._last_time + (step if step < 0x80000000 else step - 0x100000000)
        off = ntp - self._ntp(time) if self._report is not None else 0
        if self._report is None or abs(off) > _STEP:
            self._reports = 1
            if self._report is not None:
                self._sender.reset()
        else:
            self._reports = min(self._reports + 1, _REPORTS)
            ntp += off // self._reports - off
        self._report = (time, ntp)
        self._sender.offset.see(self._last_at - self._ntp(self._last_time), self._last_at)

    def _ntp(self, time: int) -> int:
        assert self._report is not None
        return self._report[1] + self._ns(time - self._report[0])

    def sender(self, time: int) -> int:
        """NTP (UTC ns) of an RTP time by the sender's own clock; 0 before its first report."""
        return self._ntp(time) if self._report is not None else 0

    def place(self, time: int) -> int:
        """UTC ns of an RTP time. Only after the first :meth:`arrived`."""
        own = self._own.value
        assert own is not None
        arrival = self._ns(time) + own
        offset = self._sender.offset.value
        if self._report is None or offset is None:
            return arrival
        placed = self._ntp(time) + offset
        return placed if abs(placed - arrival) <= _TRUST else arrival
