"""Who may come in, who is there, and who is gone (GB/T 28181-2022, 9.1 and 9.6). No I/O, no clock: ``now`` is monotonic seconds,
``utc`` gives UTC ns.

Whoever proves the password it was given is registered, and where that came from is where it is. Messages of a registered device
are believed from that address only; from anybody else's they are refused, so that who has moved registers again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bridges.gb28181 import codes, times, versions
from bridges.gb28181.devices import REASONS, Device, Entry, Heartbeat
from bridges.gb28181.outs import Clocks, Forget, Learn, Offline, Online, Out, Respond, Tell
from bridges.sip.digest import Credentials, Server, Verdict
from bridges.sip.fields import Uri
from bridges.sip.message import Request, Response
from bridges.sip.transaction import Asked, Flow
from commhub import log as logs
from commhub.guard.origins import group
from commhub.guard.rates import Rates
from commhub.media.messages import DeviceSeen, Terms

log = logs.get(__name__)

EXPIRES, LEAST_EXPIRES, MOST_EXPIRES = 3600, 30, 7 * 86400
EXPIRY_GRACE = 30.0  # seconds after which a registration that was not renewed is over
SEEN_SECONDS, SEEN_LIMIT = 60.0, 4096
SEEN_PER_SECOND, SEEN_BURST = 5.0, 100.0  # of all codes together: a flood of invented ones is not the hub's
# Wrong passwords: of one address for one device, and for one device from wherever it is not.
WRONG_PER_SECOND, WRONG_BURST = 1 / 30, 5.0
ALL_WRONG_PER_SECOND, ALL_WRONG_BURST = 0.5, 30.0


@dataclass(frozen=True, slots=True)
class Policy:
    """``date``: whether devices are told the time at all. ``redirect``: ``<code>@<host>:<port>`` of another server, for all."""

    date: bool = True
    redirect: str = ""


class Registrar:
    """``began(device, restarted)`` hears of every device that is there again."""

    def __init__(
        self,
        digest: Server,
        policy: Policy,
        utc: Callable[[], int],
        token: Callable[[], str],
        clocks: Clocks,
        outs: list[Out],
        counts: Counter[str],
        began: Callable[[Device, bool, float], None],
        ended: Callable[[Device, float], None],
    ) -> None:
        self.devices: dict[str, Device] = {}
        self._digest, self._policy, self._utc, self._token = digest, policy, utc, token
        self._clocks, self._outs, self._counts = clocks, outs, counts
        self._began, self._ended = began, ended
        self._wrong = Rates(WRONG_PER_SECOND, WRONG_BURST)
        self._all_wrong = Rates(ALL_WRONG_PER_SECOND, ALL_WRONG_BURST)
        self._seen: dict[str, float] = {}
        self._restored: dict[str, tuple[Entry, Flow, float]] = {}
        self._hosts: Counter[str] = Counter()  # where registered devices live, and how many
        self._seen_rate = Rates(SEEN_PER_SECOND, SEEN_BURST, 1)

    # ---- who may

    def admit(self, terms: Iterable[Terms], now: float) -> None:
        """All that may register from now on."""
        admitted = {one.device: one for one in terms if codes.is_device(one.device)}
        for code in set(self.devices) - set(admitted):
            gone = self.devices.pop(code)
            if gone.registered:
                self._end(gone, now)
        for code, one in admitted.items():
            device = self.devices.get(code)
            if device is None:
                self.devices[code] = Device(one)
                self._seen.pop(code, None)
                self._again(self.devices[code], now)
                continue
            changed = (device.terms.password, device.terms.algorithm) != (one.password, one.algorithm)
            device.terms = one
            if changed and device.registered:
                self.gone(device, "changed", now)

    def restore(self, entry: Entry, flow: Flow, clock: float, now: float) -> None:
        """Of the process before this one. ``clock`` are Unix seconds."""
        self._restored[entry.device] = (entry, flow, clock - now)

    def _again(self, device: Device, now: float) -> None:
        """It is admitted: if it was registered, it is, until it misses its heartbeats."""
        entry, flow, ahead = self._restored.pop(device.device, (None, None, 0.0))
        if entry is None or flow is None or entry.ends - ahead <= now:
            return
        device.flow, device.host, device.call_id = flow, flow.host, entry.call_id
        device.registered, device.registered_at, device.expires = True, now, entry.ends - ahead - now
        device.version, device.agent, device.name = entry.version, entry.agent, entry.name
        device.manufacturer, device.model, device.firmware = entry.manufacturer, entry.model, entry.firmware
        device.heart.seconds = entry.heartbeat
        self._hosts[flow.host] += 1
        self._outs.append(Learn(device.device, flow))
        self._alive(device, now)
        self._began(device, False, now)

    # ---- REGISTER

    def register(self, asked: Asked, now: float) -> None:
        request, flow = asked.request, asked.flow
        code = _who(request)
        if not codes.is_device(code):
            self._counts["registrations refused"] += 1
            self._respond(asked, 403)
            return
        device = self.devices.get(code)
        if device is None:
            self._stranger(code, request, flow, now)
            self._respond(asked, 403, reason="Device Not Admitted")
            return
        if wait := self._brake(device, flow, now):
            self._counts["registrations slowed"] += 1
            self._respond(asked, 403, reason="Too Many Wrong Passwords", headers=[("Retry-After", str(int(wait) + 1))])
            return
        verdict, algorithm = self._proof(device, request, flow, now)
        if verdict is None or verdict is Verdict.STALE:
            self._challenge(asked, device, now, stale=verdict is Verdict.STALE)
        elif verdict is Verdict.WRONG:
            self._refused(asked, device, algorithm, now)
        else:
            self._welcome(asked, device, now)

    def _proof(self, device: Device, request: Request, flow: Flow, now: float) -> tuple[Verdict | None, str]:
        """None: it has not tried, or tried with something unreadable. And the algorithm it used."""
        said = request.headers.get("Authorization")
        if not said:
            return None, ""
        try:
            credentials = Credentials.parse(said)
        except ValueError:
            self._counts["malformed"] += 1
            return None, ""
        algorithms = [device.terms.algorithm]
        verdict = self._digest.verify(credentials, device.terms.password, request.method, flow.host, now, algorithms=algorithms)
        if verdict is Verdict.WRONG and not self._digest.gave(credentials.nonce, flow.host, now):
            return None, ""  # perhaps not even sent from there: it counts against nobody
        return verdict, credentials.algorithm

    def _challenge(self, asked: Asked, device: Device, now: float, *, stale: bool) -> None:
        self._counts["stale nonces" if stale else "challenges"] += 1
        algorithm = device.terms.algorithm
        # Devices of 2011 and 2016 know the form without qop; who knows SHA-256 knows qop too.
        headers = self._digest.challenge(asked.flow.host, now, stale=stale, algorithms=[algorithm], qop=algorithm != "MD5")
        self._respond(asked, 401, headers=[("WWW-Authenticate", one) for one in headers])

    def _brake(self, device: Device, flow: Flow, now: float) -> float:
        """Seconds for which this address is not listened to. Where the device lives, strangers' failures do not count."""
        wait = self._wrong.wait(f"{device.device} {group(flow.host)}", now)
        if not wait and flow.host != device.host:
            wait = self._all_wrong.wait(device.device, now)
        return wait

    def _refused(self, asked: Asked, device: Device, algorithm: str, now: float) -> None:
        self._counts["wrong passwords"] += 1
        self._wrong.take(f"{device.device} {group(asked.flow.host)}", now)
        self._all_wrong.take(device.device, now)
        code = "wrong_password" if algorithm == device.terms.algorithm else "wrong_algorithm"
        if logs.limited(("gb28181 password", device.device), 60) is not None:
            log.warning("device refused", device=device.device, code=code, host=asked.flow.host)
        if not device.registered and device.code != code:
            device.code = code
            device.text, device.text_zh = REASONS[code]
            self._outs.append(Tell(device.state()))
        self._respond(asked, 403, reason="Wrong Password")

    def _welcome(self, asked: Asked, device: Device, now: float) -> None:
        request = asked.request
        device.agent = _plain(request.headers.get("User-Agent"), 128)
        device.version = _plain(request.headers.get("X-GB-ver"), 8) or "2.0"
        if self._policy.redirect:
            self._counts["redirected"] += 1
            contact = ("Contact", f"<sip:{self._policy.redirect}>")
            self._respond(asked, 302, headers=[contact, ("Expires", str(EXPIRES))])
            if device.registered:
                self.gone(device, "moved", now)
            return
        said = request.expires
        expires = EXPIRES if said is None else said and min(max(said, LEAST_EXPIRES), MOST_EXPIRES)
        headers = [("Contact", one) for one in request.headers.all("Contact")] + [("Expires", str(expires))]
        if self._policy.date and device.terms.date:
            headers.append(("Date", times.write(self._utc(), fraction=True)))
        self._respond(asked, 200, headers=headers)
        if not expires:
            self._counts["sign-outs"] += 1
            if device.registered:
                self.gone(device, "signed_out", now)
            return
        self._enter(device, asked, expires, now)

    def _enter(self, device: Device, asked: Asked, expires: float, now: float) -> None:
        flow, call_id = asked.flow, asked.request.call_id
        fresh = not device.registered
        restarted = not fresh and not self._refreshes(device, flow, call_id, now)
        if device.registered:
            self._leaves(device.host)
        self._hosts[flow.host] += 1
        device.host, device.flow, device.call_id = flow.host, flow, call_id
        device.registered, device.registered_at, device.expires = True, now, expires
        self._counts["registrations"] += 1
        self._outs.append(Learn(device.device, flow))
        if fresh or restarted:
            log.info("device registered", device=device.device, host=flow.host, transport=flow.transport, version=device.version)
            device.heart = device.heart if restarted else Heartbeat()
            device.heart.pause()
        if restarted:
            self._counts["restarts"] += 1
            self._ended(device, now)
            self._outs.append(Offline(device.device))
        self._alive(device, now, tell=fresh or restarted, entered=fresh or restarted)
        if fresh or restarted:
            self._began(device, restarted, now)

    @staticmethod
    def _refreshes(device: Device, flow: Flow, call_id: str, now: float) -> bool:
        """The same registration goes on: by its Call-ID, its TCP connection, or because it comes when it was to come, from one
        who has lived until now: some take a new Call-ID every time."""
        if call_id == device.call_id:
            return True
        if flow.connection and device.flow == flow:
            return True
        due = now - device.registered_at >= 0.4 * device.expires
        return due and device.online and now - device.heard_at <= 1.5 * device.heart.seconds

    # ---- signs of life

    def known(self, code: str, flow: Flow) -> Device | None:
        """The registered device that this may come from."""
        device = self.devices.get(code)
        return device if device is not None and device.registered and device.host == flow.host else None

    def here(self, flow: Flow) -> bool:
        """Whether a registered device lives at that address."""
        return flow.host in self._hosts

    def at(self, flow: Flow) -> Device | None:
        """The device that is reached just there, and no other is."""
        place = (flow.transport, flow.host, flow.port, flow.connection)
        found = [
            one for one in self.devices.values()
            if one.registered and (way := one.flow) and (way.transport, way.host, way.port, way.connection) == place
        ]  # fmt: skip
        return found[0] if len(found) == 1 else None

    def heard(self, device: Device, flow: Flow, now: float, *, beat: bool = False) -> None:
        """A message of it was believed. Where it is reached follows its port and, once a connection is gone, the next one; what
        it sends by the other transport (long messages by TCP) does not move it."""
        old = device.flow
        moves = old is None or (old.transport == flow.transport and not flow.reliable)
        if moves:
            device.flow = flow
        self._outs.append(Learn(device.device if moves or old == flow else f"{device.device} also", flow))
        if beat:
            device.heart.beat(now)
        self._alive(device, now, tell=beat and device.beats_otherwise)

    def faults(self, device: Device, faulty: tuple[str, ...]) -> None:
        """What of it does not work, as it says with each sign of life; told when that is something else than before."""
        if faulty != device.faulty:
            device.faulty = faulty
            log.info("device's faults", device=device.device, number=len(faulty))
            self._outs.append(Tell(device.state()))

    def _alive(self, device: Device, now: float, *, tell: bool = False, entered: bool = False) -> None:
        device.heard_at = now
        came = not device.online
        if came:
            device.online, device.since, device.code = True, self._utc(), ""
        if came or tell:
            device.told_heartbeat = device.heart.seconds
            self._outs.append(Tell(device.state()))
        if came or entered:
            self._outs.append(Online(device.device))
        self._arm(device)

    def _arm(self, device: Device) -> None:
        """One clock that counts for each device: the earliest."""
        ends = device.ends_at + EXPIRY_GRACE
        due = min(device.silent_at, ends) if device.online else ends
        if due < device.watched_until:
            device.watched_until = due
            self._clocks.at(due, lambda at: self._watch(device, due, at))

    def _watch(self, device: Device, due: float, now: float) -> None:
        if device.watched_until != due:
            return
        device.watched_until = float("inf")
        if not device.registered or self.devices.get(device.device) is not device:
            return
        if now >= device.ends_at + EXPIRY_GRACE:
            self.gone(device, "expired", now)
            return
        if device.online and now >= device.silent_at:
            self.lose(device, "silent")
        self._arm(device)

    def lost(self, flow: Flow, peers: Iterable[str]) -> None:
        """A TCP connection is gone, by which these were learned."""
        for peer in peers:
            device = self.devices.get(peer)
            if device is not None and device.flow is not None and device.flow.connection == flow.connection:
                self.lose(device, "disconnected")
                device.flow = None

    def lose(self, device: Device, code: str) -> None:
        """Not there for now; its registration stands, so that the next message brings it back."""
        if not device.online:
            return
        device.online, device.since, device.code = False, self._utc(), code
        device.text, device.text_zh = REASONS[code]
        device.heart.pause()
        log.warning("device lost", device=device.device, code=code)
        self._outs += [Tell(device.state()), Offline(device.device)]

    def gone(self, device: Device, code: str, now: float) -> None:
        """Not registered any more."""
        if device.online:
            self.lose(device, code)
        elif device.code != code:
            device.code = code
            device.text, device.text_zh = REASONS[code]
            self._outs.append(Tell(device.state()))
        self._end(device, now)

    def _end(self, device: Device, now: float) -> None:
        if device.online:  # it is not admitted any more
            self._outs.append(Offline(device.device))
        if device.registered:
            self._leaves(device.host)
        device.registered = device.online = False
        device.flow = None
        self._ended(device, now)
        self._outs.append(Forget(device.device))

    def _leaves(self, host: str) -> None:
        self._hosts[host] -= 1
        if self._hosts[host] <= 0:
            del self._hosts[host]

    # ----

    def _stranger(self, code: str, request: Request, flow: Flow, now: float) -> None:
        self._counts["strangers"] += 1
        if now - self._seen.get(code, float("-inf")) < SEEN_SECONDS or self._seen_rate.take("", now):
            return
        self._seen.pop(code, None)
        if len(self._seen) >= SEEN_LIMIT:
            del self._seen[next(iter(self._seen))]
        self._seen[code] = now
        version, agent = _plain(request.headers.get("X-GB-ver"), 8), _plain(request.headers.get("User-Agent"), 128)
        host = f"[{flow.host}]" if ":" in flow.host else flow.host
        seen = DeviceSeen(device=code, address=f"{host}:{flow.port}", transport=flow.transport, version=version, agent=agent)
        self._outs.append(Tell(seen))

    def _respond(self, asked: Asked, status: int, *, reason: str = "", headers: Iterable[tuple[str, str]] = ()) -> None:
        response: Response = asked.request.reply(status, tag=self._token(), reason=reason)
        for name, value in headers:
            response.headers.add(name, value)
        response.headers.add("X-GB-ver", versions.OURS)
        self._outs.append(Respond(asked.key, response))


def _who(request: Request) -> str:
    """The code in From; where that is none, the one in To or Contact."""
    for address in (request.sender, request.receiver, *request.contacts[:1]):
        try:
            user = Uri.parse(address.uri).user
        except ValueError:
            continue
        if codes.is_device(user):
            return user
    return ""


def _plain(header: str, limit: int) -> str:
    """A header's text as it may be told: in whatever charset it came."""
    return header.encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip()[:limit]
