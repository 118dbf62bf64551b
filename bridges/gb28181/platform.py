"""The upper platform: everything that devices say and are told outside of calls. No I/O, no clock: ``now`` is monotonic seconds,
``utc`` gives UTC ns; what is to be done comes back as ``outs``, and ``tick`` wants to be called at ``deadline``.

``registrar`` knows who is there; ``asking``, ``subscriptions`` and ``moves`` speak with them, ``welcoming`` asks a device what
has to be known of it. Here messages find their way.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from bridges.gb28181 import codes, commands, manscdp, notices
from bridges.gb28181.asking import UNREACHABLE, Asking, Found, Refusal, Result
from bridges.gb28181.catalogue import channel as channel_of
from bridges.gb28181.devices import Device, Entry
from bridges.gb28181.manscdp import Document
from bridges.gb28181.moves import Moves
from bridges.gb28181.outs import (
    Broadcast,
    Clocks,
    Ended,
    Out,
    Refuse,
    Respond,
    Settle,
    Tell,
)
from bridges.gb28181.post import Office
from bridges.gb28181.registrar import Policy, Registrar
from bridges.gb28181.runs import Runs
from bridges.gb28181.subscriptions import Subscriptions
from bridges.gb28181.welcoming import Welcoming
from bridges.sip import digest
from bridges.sip.fields import Uri
from bridges.sip.message import Request, Response
from bridges.sip.transaction import Asked, Flow
from commhub import log as logs
from commhub.guard.rates import Rates
from commhub.media.messages import (
    Admitted,
    AlarmRaised,
    AskDevice,
    ChannelsChanged,
    Control,
    DeviceAnswer,
    Done,
    Message,
    Move,
)

log = logs.get(__name__)

WAITING_LIMIT = 4096  # requests that came before the hub said who is admitted
WAITING_SECONDS = 20.0
ALARMS_REMEMBERED = 32  # of one device, so that one that comes by NOTIFY and by MESSAGE is one
RESET_METHOD = 2  # after an alarm of the device itself it tells no other until it is reset (A.2.3.1.5)
ALARMS, NEWS = (50.0, 500.0), (1000.0, 5000.0)  # a second and at once, of one device; positions and changes are news
HOST = "{host}"  # in an address for a device: ours, as that device sees us
CHANGES_LIMIT = 2_000  # entries of one notification


@dataclass(frozen=True, slots=True)
class Identity:
    """Our code of 20 digits and our domain."""

    code: str
    domain: str


class Platform:
    def __init__(
        self,
        identity: Identity,
        policy: Policy,
        key: bytes,
        utc: Callable[[], int],
        token: Callable[[], str],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._outs: list[Out] = []
        self._identity, self._token = identity, token
        self._clocks = Clocks()
        self._office = Office(identity.code, identity.domain, token, self._outs)
        server = digest.Server(key, identity.domain, ("MD5", "SHA-256"))
        self._registrar = Registrar(server, policy, utc, token, self._clocks, self._outs, self.counts, self._began, self._ended)
        self._asking = Asking(self._office, self._clocks)
        self._subscriptions = Subscriptions(self._office, self._clocks)
        self._runs = Runs(identity.code, self._office, self._clocks, self._outs, self.counts, utc() // 1_000_000_000)
        self._welcoming = Welcoming(self._asking, self._runs, self._subscriptions, self._clocks, self._outs)
        self._moves = Moves(self._office)
        self._alarms: dict[str, deque[tuple[object, ...]]] = {}
        self._alarm_rate, self._news_rate = Rates(*ALARMS), Rates(*NEWS)
        self._admitted = False
        self._waiting: deque[tuple[Asked, float]] = deque()

    # ---- what others look at

    @property
    def deadline(self) -> float | None:
        return self._clocks.deadline

    def device(self, code: str) -> Device | None:
        """An admitted one, whether or not it is there."""
        return self._registrar.devices.get(code)

    @property
    def devices(self) -> list[Device]:
        return list(self._registrar.devices.values())

    def figures(self) -> dict[str, float]:
        """How much there is of everything that may not grow without end."""
        devices = self._registrar.devices.values()
        return {
            "admitted": len(devices),
            "registered": sum(one.registered for one in devices),
            "online": sum(one.online for one in devices),
            "questions": len(self._asking),
            "posted": len(self._office),
            "subscriptions": len(self._subscriptions),
            "runs": len(self._runs),
        }

    def here(self, flow: Flow) -> bool:
        """Whether a registered device lives at that address."""
        return self._registrar.here(flow)

    def restore(self, entries: Iterable[Entry], ways: Mapping[str, Flow], clock: float, now: float) -> list[Out]:
        """Registrations of the process before this one; they count once their devices are admitted. ``clock``: Unix seconds."""
        for entry in entries:
            self._registrar.restore(entry, ways[entry.device], clock, now)
        return self._out()

    # ---- from the network

    def receive(self, asked: Asked, now: float) -> list[Out]:
        """A request that belongs to no call."""
        if not self._admitted:
            # Who is admitted comes with the first hub, at once after the start. Refused now, devices would wait a minute.
            if len(self._waiting) >= WAITING_LIMIT:
                self._waiting.popleft()
            self._waiting.append((asked, now))
            return self._out()
        self._receive(asked, now)
        return self._out()

    def _receive(self, asked: Asked, now: float) -> None:
        match asked.request.method:
            case "REGISTER":
                self._registrar.register(asked, now)
            case "MESSAGE" | "NOTIFY" | "INFO":
                self._message(asked, now)
            case "SUBSCRIBE":
                self._respond(asked, 489)
            case "INVITE":
                self._respond(asked, 403)
            case _:
                self._respond(asked, 481 if asked.request.receiver.tag else 405)

    def answered(self, number: int, response: Response, now: float) -> list[Out]:
        self._office.came(number, response, now)
        return self._out()

    def failed(self, number: int, reason: str, now: float) -> list[Out]:
        self._office.came(number, reason, now)
        return self._out()

    def disconnected(self, flow: Flow, peers: list[str], now: float) -> list[Out]:
        self._registrar.lost(flow, [one.removesuffix(" also") for one in peers])
        return self._out()

    def tick(self, now: float) -> list[Out]:
        self._clocks.tick(now)
        return self._out()

    # ---- from the hub

    def admit(self, admitted: Admitted, now: float) -> list[Out]:
        guarded = {one.device for one in self._registrar.devices.values() if one.terms.guard}
        self._registrar.admit(admitted.devices, now)
        for device in self._registrar.devices.values():
            if device.online:
                self._welcoming.wanted(device, now, guard=device.device not in guarded)
        self._admitted = True
        while self._waiting:
            asked, at = self._waiting.popleft()
            if now - at < WAITING_SECONDS:
                self._receive(asked, now)
        return self._out()

    def states(self) -> list[Message]:
        """Of every admitted device."""
        return [one.state() for one in self._registrar.devices.values()]

    def ask(self, ask: AskDevice, number: int, now: float) -> list[Out]:
        device = self.device(ask.device)
        if device is None or not device.registered:
            self._refuse(number, UNREACHABLE)
        elif ask.what == "catalogue":
            self._runs.start(device, now, lambda result, at: self._run_began(number, result))
        else:
            try:
                order = commands.query(ask.what, ask.values)
            except ValueError as error:
                self._refuse(number, _invalid(error))
                return self._out()
            target = ask.channel or device.device
            self._asking.ask(
                device, order.root, order.command, target, order.fields,
                lambda result, at: self._found(number, ask.what, result), now, entries_of=order.entries_of,
            )  # fmt: skip
        return self._out()

    def control(self, control: Control, number: int, now: float) -> list[Out]:
        device = self.device(control.device)
        if device is None or not device.registered:
            self._refuse(number, UNREACHABLE)
            return self._out()
        values = dict(control.values)
        if device.flow is not None and HOST in values.get("url", ""):
            values["url"] = values["url"].replace(HOST, device.flow.local.rpartition(":")[0])
        try:
            order = commands.control(control.verb, values, device.version)
        except ValueError as error:
            self._refuse(number, _invalid(error))
            return self._out()
        target = control.channel or device.device

        def done(result: Result, at: float) -> None:
            if isinstance(result, Refusal):
                self._refuse(number, result)
            else:
                self._outs.append(Settle(number, Done()))

        if order.confirmed:
            self._asking.ask(device, order.root, order.command, target, order.fields, done, now, lenient=True)
        else:
            self._asking.tell(device, order.root, order.command, target, order.fields, done, now)
        return self._out()

    def move(self, move: Move, now: float) -> list[Out]:
        device = self.device(move.device)
        if device is not None:
            self.counts["moves"] += 1
            self._moves.move(device, move, now)
        return self._out()

    def stop_all(self, now: float) -> list[Out]:
        """The hub is gone, and with it every hand."""
        self._moves.stop_all(now)
        return self._out()

    # ---- from calls

    def key_frame(self, device: str, channel: str, now: float) -> list[Out]:
        one = self.device(device)
        if one is not None:
            order = commands.control("key_frame", {}, one.version)
            self._asking.tell(one, order.root, order.command, channel, order.fields, lambda *_: None, now)
        return self._out()

    def notify(self, device: str, body: dict[str, str]) -> tuple[str, list[Out]]:
        """A Notify of ours and its SN. KeyError when the device is not registered."""
        one = self.device(device)
        if one is None or not one.registered:
            raise KeyError(device)
        fields = [(name, value) for name, value in body.items() if name != "CmdType"]
        sn = self._office.message(one, "Notify", body["CmdType"], "", fields, lambda *_: None)
        return str(sn), self._out()

    # ---- messages

    def _message(self, asked: Asked, now: float) -> None:
        request, flow = asked.request, asked.flow
        document: Document | None = None
        fault = ""
        device = self._registrar.known(_user(request), flow)
        # Who is not known costs a look at a table, no parser.
        if device is None and not self._registrar.here(flow):
            self.counts["messages refused"] += 1
            self._respond(asked, 403)
            return
        if device is not None and not device.budget.take(len(request.body), now):
            self.counts["documents not read"] += 1
            self._respond(asked, 503)
            return
        if request.body:
            try:
                document = manscdp.parse(request.body)
            except ValueError as error:
                fault = str(error)
        if device is None and document is not None:
            # It signs with the channel's code, and may speak of nothing but that channel.
            device = self._registrar.known(document.device, flow) or self._registrar.at(flow)
        if device is None:
            self.counts["messages refused"] += 1
            self._respond(asked, 403)
            return
        beat = document is not None and document.root == "notify" and document.command.lower() == "keepalive"
        self._registrar.heard(device, flow, now, beat=beat)
        if fault:
            self.counts["unreadable documents"] += 1
            if logs.limited(("gb28181 document", device.device), 60) is not None:
                log.warning("document not read", device=device.device, reason=fault)
            self._respond(asked, 400, fault.rstrip("."))
            return
        self._respond(asked, 200)
        if document is not None:
            self._document(device, document, request, now)

    def _document(self, device: Device, document: Document, request: Request, now: float) -> None:
        command = document.command.lower()
        self.counts[f"{document.root} {command}" if command in _COUNTED else "other documents"] += 1
        if document.root == "response":
            if command == "catalog":
                self._runs.take(device, document, now)
            elif command == "broadcast":
                self._outs.append(Broadcast(device.device, str(document.sn), document.ok))
            elif not self._asking.take(device, document, now):
                self.counts["answers to nothing"] += 1
            return
        match command:
            case "keepalive":
                self._registrar.faults(device, notices.faulty(document))
            case "catalog":
                self._subscriptions.heard(device, request, "Catalog", now)
                self._changes(device, document, now)
            case "alarm":
                self._subscriptions.heard(device, request, "Alarm", now)
                self._alarm(device, document, request, now)
            case "mobileposition":
                self._subscriptions.heard(device, request, "MobilePosition", now)
                found = notices.found_positions(document, device.device, gcj02=device.terms.gcj02)
                self._news(device, found, now)
            case "uploadsnapshotfinished":
                self._news(device, [notices.pictures(document, device.device)], now)
            case "mediastatus":
                code = document.device if codes.is_code(document.device) else device.device
                self._outs.append(Ended(device.device, code, request))

    def _changes(self, device: Device, document: Document, now: float) -> None:
        found = [channel_of(one, us=self._identity.code, gcj02=device.terms.gcj02) for one in document.items()[:CHANGES_LIMIT]]
        channels = [one for one in found if one is not None]
        if channels:
            self._news(device, [ChannelsChanged(device=device.device, channels=channels)], now)

    def _news(self, device: Device, messages: Iterable[Message], now: float) -> None:
        """A device that does not stop talking is not the hub's burden."""
        for message in messages:
            if self._news_rate.take(device.device, now):
                self.counts["told too often"] += 1
            else:
                self._outs.append(Tell(message))

    def _alarm(self, device: Device, document: Document, request: Request, now: float) -> None:
        raised = notices.alarm(document, device.device, gcj02=device.terms.gcj02)
        if self._first_time(raised, document.sn):
            if self._alarm_rate.take(device.device, now):
                self.counts["told too often"] += 1
            else:
                self._outs.append(Tell(raised))
        if request.method == "MESSAGE" and device.flow is not None:
            body = manscdp.write("Response", "Alarm", document.sn, raised.channel, [("Result", "OK")], version=device.version)
            self._office.send(self._office.request("MESSAGE", device, body), device.flow, lambda *_: None)
        if device.terms.reset and raised.method == RESET_METHOD:
            values = {"method": str(raised.method), "kind": str(raised.kind) if raised.kind else ""}
            order = commands.control("alarm_reset", values, device.version)
            self._asking.tell(device, order.root, order.command, raised.channel, order.fields, lambda *_: None, now)

    def _first_time(self, raised: AlarmRaised, sn: int) -> bool:
        known = self._alarms.setdefault(raised.device, deque(maxlen=ALARMS_REMEMBERED))
        # Two ways of one alarm have the same time; without a time the number has to do.
        what = (raised.channel, raised.method, raised.kind, raised.at or f"sn {sn}")
        if what in known:
            self.counts["alarms twice"] += 1
            return False
        known.append(what)
        return True

    # ---- devices that come and go

    def _began(self, device: Device, restarted: bool, now: float) -> None:
        self._welcoming.begin(device, now)

    def _ended(self, device: Device, now: float) -> None:
        self._asking.drop(device, now)
        self._subscriptions.drop(device)
        self._runs.drop(device, now)
        self._moves.drop(device)
        self._welcoming.drop(device)
        self._alarms.pop(device.device, None)

    # ---- answers

    def _run_began(self, number: int, result: int | Refusal) -> None:
        if isinstance(result, Refusal):
            self._refuse(number, result)
        else:
            self._outs.append(Settle(number, DeviceAnswer(items=[{"run": str(result)}])))

    def _found(self, number: int, what: str, result: Result) -> None:
        if isinstance(result, Found):
            self._outs.append(Settle(number, DeviceAnswer(items=commands.items(what, result), complete=result.complete)))
        else:
            self._refuse(number, result)

    def _refuse(self, number: int, refusal: Refusal) -> None:
        self._outs.append(Refuse(number, refusal.code, refusal.text, refusal.text_zh))

    def _respond(self, asked: Asked, status: int, reason: str = "") -> None:
        self._outs.append(Respond(asked.key, asked.request.reply(status, tag=self._token(), reason=reason)))

    def _out(self) -> list[Out]:
        outs = list(self._outs)
        self._outs.clear()
        return outs


_COUNTED = {"keepalive", "catalog", "alarm", "mobileposition", "mediastatus", "recordinfo", "deviceinfo", "devicestatus"}


def _user(request: Request) -> str:
    try:
        return Uri.parse(request.sender.uri).user
    except ValueError:
        return ""


def _invalid(error: ValueError) -> Refusal:
    return Refusal("invalid_value", str(error), "请求的参数不正确。")
