"""GB/T 28181's platform without sockets: a device that writes wire octets by hand, and a table to put both on."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable
from typing import TypeVar

from bridges.gb28181 import manscdp, outs
from bridges.gb28181.manscdp import Document
from bridges.gb28181.outs import Out
from bridges.gb28181.platform import Identity, Platform
from bridges.gb28181.registrar import Policy
from bridges.sip import message as sip
from bridges.sip.message import Request, Response
from bridges.sip.transaction import Asked, Flow
from commhub.media.messages import Admitted, Message, Terms

PLATFORM, DEVICE, CHANNEL = "34020000002000000001", "34020000001110000001", "34020000001320000001"
DOMAIN = "3402000000"
NOON = 1_795_579_200_000_000_000  # UTC ns: 2026-11-25 04:00, noon in Beijing
FLOW = Flow("UDP", "192.0.2.64", 5060, "192.0.2.1:5060")

M = TypeVar("M")


def xml(root: str, command: str, inner: str = "", *, sn: int = 1, device: str = DEVICE, charset: str = "GB2312") -> bytes:
    text = f'<?xml version="1.0" encoding="{charset}"?>\r\n<{root}>\r\n<CmdType>{command}</CmdType>\r\n<SN>{sn}</SN>\r\n'
    encoding = {"GB2312": "gb18030", "GB18030": "gb18030"}.get(charset, charset)
    return (text + f"<DeviceID>{device}</DeviceID>\r\n{inner}\r\n</{root}>\r\n").encode(encoding)


def page(items: str, total: int, *, sn: int = 1, device: str = DEVICE, number: int | None = None) -> bytes:
    count = items.count("<Item>") if number is None else number
    return xml(
        "Response", "Catalog", f'<SumNum>{total}</SumNum><DeviceList Num="{count}">{items}</DeviceList>', sn=sn, device=device
    )


def item(code: str, name: str = "", more: str = "") -> str:
    return f"<Item><DeviceID>{code}</DeviceID><Name>{name}</Name><Status>ON</Status>{more}</Item>"


def camera(number: int) -> str:
    return f"3402000000131{number:07}"


class Table:
    """The platform, its time, and everything that it wanted done."""

    def __init__(self, *terms: Terms, policy: Policy | None = None, admitted: bool = True) -> None:
        self.now = 1000.0
        words = itertools.count(1)
        self.platform = Platform(
            Identity(PLATFORM, DOMAIN), policy or Policy(), b"k" * 32, self.utc, lambda: f"w{next(words):07}"
        )
        self.done: list[Out] = []
        self.numbers = itertools.count(1)
        self.answered: set[int] = set()
        if admitted:
            self.admit(*(terms or (Terms(DEVICE, "secret"),)))

    def utc(self) -> int:
        return NOON + round((self.now - 1000.0) * 1e9)

    def admit(self, *terms: Terms) -> None:
        self.take(self.platform.admit(Admitted(list(terms)), self.now))

    def take(self, todo: Iterable[Out]) -> list[Out]:
        found = list(todo)
        self.done += found
        return found

    def wait(self, seconds: float) -> list[Out]:
        """Time goes by, clock by clock."""
        until, found = self.now + seconds, list[Out]()
        while (due := self.platform.deadline) is not None and due <= until:
            self.now = max(self.now, due)
            found += self.take(self.platform.tick(self.now))
        self.now = until
        return found

    def receive(self, data: bytes, flow: Flow = FLOW) -> Response:
        """A datagram's answer."""
        request = sip.parse(data)
        assert isinstance(request, Request)
        key = ("server", next(self.numbers))
        found = self.take(self.platform.receive(Asked(key, request, flow), self.now))
        answers = [one.response for one in found if isinstance(one, outs.Respond) and one.key == key]
        assert len(answers) == 1, found
        return answers[0]

    # ---- what came of it

    def told(self, kind: type[M]) -> list[M]:
        return [one.message for one in self.done if isinstance(one, outs.Tell) and isinstance(one.message, kind)]

    def settled(self) -> list[Message]:
        return [one.message for one in self.done if isinstance(one, outs.Settle)]

    def refused(self) -> list[str]:
        return [one.code for one in self.done if isinstance(one, outs.Refuse)]

    def posts(self, method: str = "") -> list[outs.Post]:
        return [one for one in self.done if isinstance(one, outs.Post) and method in ("", one.request.method)]

    def documents(self, command: str = "") -> list[Document]:
        """Of our requests."""
        found = [manscdp.parse(one.request.body) for one in self.posts() if one.request.body]
        return [one for one in found if command in ("", one.command)]

    def forget(self) -> None:
        self.done.clear()

    def answer(self, post: outs.Post, status: int = 200, *headers: tuple[str, str]) -> list[Out]:
        response = post.request.reply(status, tag="device")
        for name, value in headers:
            response.headers.add(name, value)
        return self.take(self.platform.answered(post.number, response, self.now))

    def answer_all(self, status: int = 200) -> None:
        """Every request of ours that has no answer yet."""
        for one in self.posts():
            if one.number not in self.answered:
                self.answered.add(one.number)
                self.answer(one, status)


class Camera:
    """Writes what a device says, octet for octet as devices do."""

    def __init__(self, table: Table, code: str = DEVICE, password: str = "secret", flow: Flow = FLOW, **head: str) -> None:
        self.table, self.code, self.password, self.flow = table, code, password, flow
        self.head = {"User-Agent": "IP Camera", "X-GB-ver": "2.0"} | {
            name.replace("_", "-"): value for name, value in head.items()
        }
        self.call_id, self.cseq = "call-1", 0
        self.algorithm = "MD5"

    def request(self, method: str, body: bytes = b"", more: dict[str, str] | None = None, *, call_id: str = "") -> bytes:
        self.cseq += 1
        headers = {
            "Via": f"SIP/2.0/{self.flow.transport} {self.flow.host}:5060;rport;branch=z9hG4bK{next(self.table.numbers)}",
            "From": f"<sip:{self.code}@{DOMAIN}>;tag=1",
            "To": f"<sip:{self.code if method == 'REGISTER' else PLATFORM}@{DOMAIN}>",
            "Call-ID": call_id or f"m{self.cseq}",
            "CSeq": f"{self.cseq} {method}",
            **({"Content-Type": "Application/MANSCDP+xml"} if body else {}),
            **(more or {}),
            "Content-Length": str(len(body)),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} sip:{PLATFORM}@{DOMAIN} SIP/2.0\r\n{head}\r\n".encode() + body

    def ask(self, expires: int | None = 3600, proof: str = "", **more: str) -> Response:
        """One REGISTER."""
        head = {**self.head, "Contact": f"<sip:{self.code}@{self.flow.host}:5060>", **more}
        if expires is not None:
            head["Expires"] = str(expires)
        if proof:
            head["Authorization"] = proof
        return self.table.receive(self.request("REGISTER", more=head, call_id=self.call_id), self.flow)

    def proof(self, challenge: Response, password: str = "", uri: str = "") -> str:
        said = dict(re.findall(r'(\w+)="?([^",]*)"?', challenge.headers.get("WWW-Authenticate")))
        make = hashlib.sha256 if self.algorithm == "SHA-256" else hashlib.md5
        uri = uri or f"sip:{PLATFORM}@{DOMAIN}"

        def digest(text: str) -> str:
            return make(text.encode()).hexdigest()

        first = digest(f"{self.code}:{said['realm']}:{password or self.password}")
        second = digest(f"REGISTER:{uri}")
        qop = said.get("qop", "")
        middle = f"{said['nonce']}:00000001:cn:{qop}" if qop else said["nonce"]
        response = digest(f"{first}:{middle}:{second}")
        more = f', qop={qop}, nc=00000001, cnonce="cn"' if qop else ""
        return (
            f'Digest username="{self.code}", realm="{said["realm"]}", nonce="{said["nonce"]}", uri="{uri}", '
            f'response="{response}", algorithm={self.algorithm}{more}'
        )

    def register(self, expires: int | None = 3600, password: str = "", **more: str) -> Response:
        """Both of them."""
        challenge = self.ask(expires, **more)
        if challenge.status != 401:
            return challenge
        return self.ask(expires, self.proof(challenge, password), **more)

    def say(self, body: bytes, method: str = "MESSAGE", **more: str) -> Response:
        return self.table.receive(
            self.request(method, body, {name.replace("_", "-"): value for name, value in more.items()}), self.flow
        )

    def beat(self) -> Response:
        return self.say(xml("Notify", "Keepalive", "<Status>OK</Status>", device=self.code))

    def welcomed(self) -> None:
        """Registered, and all that is asked at the beginning is over."""
        assert self.register().status == 200
        for _ in range(12):
            self.table.wait(0.25)
            for post in self.table.posts():
                if post.number in self.table.answered:
                    continue
                self.table.answered.add(post.number)
                self.table.answer(post)
                document = manscdp.parse(post.request.body)
                if document.command == "DeviceInfo":
                    names = "<DeviceName>East</DeviceName><Result>OK</Result><Manufacturer>M</Manufacturer><Model>X</Model>"
                    self.say(xml("Response", "DeviceInfo", names + "<Firmware>1</Firmware>", sn=document.sn, device=self.code))
                elif document.command == "Catalog" and post.request.method == "MESSAGE":
                    self.say(page(item(CHANNEL, "Gate"), 1, sn=document.sn, device=self.code))
        self.table.forget()


def _named(words: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in words.items()}


def there(*terms: Terms, version: str = "2.0", flow: Flow = FLOW) -> tuple[Table, Camera]:
    """A device that has signed in and was asked everything."""
    table = Table(*terms)
    camera = Camera(table, flow=flow, X_GB_ver=version)
    camera.welcomed()
    table.wait(1)
    table.answer_all()
    table.forget()
    return table, camera
