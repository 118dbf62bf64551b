"""What a floor does, said a second time and another way: one list of who wants it, rules in prose, no table.

Everybody who wants the floor is in ``wants``, the holder apart. Everything is worked out from numbers, not from states.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from commhub.groups.floor import Talker, Times


@dataclass
class Model:
    """``log`` is what happened, as words: ``+a`` got the floor, ``-a:reason`` lost it, ``!a`` was warned, ``?a@2`` waits second,
    ``~a:reason`` waits no longer, ``x`` the call is over, ``no:a`` was refused."""

    times: Times
    idle_since: float
    log: list[str] = field(default_factory=list)
    who: str = ""
    level: int = 0
    urgent: bool = False
    got_at: float = 0.0
    warned_at: float | None = None
    quiet_since: float | None = None  # None while they speak
    over: bool = False
    wants: list[tuple[str, int, bool, int]] = field(default_factory=list)  # name, level, emergency, arrival
    arrivals: int = 0

    def in_order(self) -> list[str]:
        return [name for name, *_ in sorted(self.wants, key=lambda one: (0 if one[2] else 1, one[1], one[3]))]

    def pass_time(self, now: float) -> None:
        if self.over:
            return
        if not self.who:
            if self.times.hang and now - self.idle_since >= self.times.hang:
                self.over = True
                self.log.append("x")
        elif self.warned_at is not None:
            if now - self.warned_at >= self.times.grace:
                self.lose("limit", now)
        elif self.times.limit and now - self.got_at >= self.times.limit:
            if self.times.grace:
                self.warned_at = now
                self.log.append(f"!{self.who}")
            else:
                self.lose("limit", now)
        elif self.quiet_since is not None and self.times.silence and now - self.quiet_since >= self.times.silence:
            self.lose("silence", now)

    def lose(self, reason: str, now: float, *, to_next: bool = True) -> None:
        self.log.append(f"-{self.who}:{reason}")
        self.who, self.idle_since, self.warned_at = "", now, None
        if to_next and self.wants:
            first = self.in_order()[0]
            chosen = next(one for one in self.wants if one[0] == first)
            self.wants.remove(chosen)
            self.give(chosen[0], chosen[1], chosen[2], now)

    def give(self, name: str, level: int, urgent: bool, now: float) -> None:
        self.who, self.level, self.urgent, self.got_at, self.quiet_since, self.warned_at = name, level, urgent, now, now, None
        self.log.append(f"+{name}")

    def above(self, talker: Talker) -> bool:
        if talker.emergency != self.urgent:
            return talker.emergency
        return talker.level < self.level

    def request(self, talker: Talker, now: float) -> None:
        self.pass_time(now)
        if self.over:
            self.log.append(f"no:{talker.id}")
        elif not self.who:
            self.give(talker.id, talker.level, talker.emergency, now)
        elif self.who == talker.id and self.warned_at is None:
            self.urgent = self.urgent or talker.emergency
        elif self.who != talker.id and talker.emergency and not self.urgent:
            self.take("emergency", talker, now)
        else:
            self.wait(talker)

    def wait(self, talker: Talker) -> None:
        mine = [one for one in self.wants if one[0] == talker.id]
        if mine:
            arrival = mine[0][3]
            self.wants.remove(mine[0])
        else:
            self.arrivals += 1
            arrival = self.arrivals
        self.wants.append((talker.id, talker.level, talker.emergency, arrival))
        order = self.in_order()
        if len(order) > self.times.queue:
            last = order[-1]
            self.wants = [one for one in self.wants if one[0] != last]
            if last == talker.id:
                self.log.append(f"no:{talker.id}")
                return
            self.log.append(f"~{last}:displaced")
        self.log.append(f"?{talker.id}@{order.index(talker.id) + 1}")

    def take(self, reason: str, talker: Talker, now: float) -> None:
        self.wants = [one for one in self.wants if one[0] != talker.id]
        self.lose(reason, now, to_next=False)
        self.give(talker.id, talker.level, talker.emergency, now)

    def override(self, talker: Talker, now: float) -> None:
        self.pass_time(now)
        if self.over:
            self.log.append(f"no:{talker.id}")
        elif not self.who:
            self.give(talker.id, talker.level, talker.emergency, now)
        elif self.who == talker.id:
            if self.warned_at is None:
                self.urgent = self.urgent or talker.emergency
            else:
                self.log.append(f"no:{talker.id}")
        elif self.above(talker):
            self.take("emergency" if talker.emergency and not self.urgent else "overridden", talker, now)
        else:
            self.log.append(f"no:{talker.id}")

    def revoke(self, talker: Talker, now: float) -> None:
        self.pass_time(now)
        if self.over:
            self.log.append(f"no:{talker.id}")
        elif self.who and (self.who == talker.id or self.above(talker)):
            self.lose("revoked", now, to_next=False)
            self.log.extend(f"~{name}:revoked" for name in self.in_order())
            self.wants = []
        elif self.who:
            self.log.append(f"no:{talker.id}")

    def release(self, name: str, now: float) -> None:
        self.pass_time(now)
        if self.who == name:
            self.lose("released", now)

    def unqueue(self, name: str, now: float) -> None:
        self.pass_time(now)
        self.forget(name, "cancelled")

    def leave(self, name: str, now: float) -> None:
        self.pass_time(now)
        self.forget(name, "left")
        if self.who == name:
            self.lose("left", now)

    def forget(self, name: str, reason: str) -> None:
        if any(one[0] == name for one in self.wants):
            self.wants = [one for one in self.wants if one[0] != name]
            self.log.append(f"~{name}:{reason}")

    def speaking(self, name: str, speaks: bool, now: float) -> None:
        self.pass_time(now)
        if self.who == name:
            if speaks:
                self.quiet_since = None
            elif self.quiet_since is None:
                self.quiet_since = now

    def calm(self, now: float) -> None:
        self.pass_time(now)
        self.urgent = False
        self.wants = [(name, level, False, arrival) for name, level, _, arrival in self.wants]
