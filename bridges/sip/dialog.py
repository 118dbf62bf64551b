"""Dialogs (RFC 3261 §12, §14, §15) of both sides: tags, routes, targets, the order of requests. No I/O, no clock.

A ``Dialog`` builds the requests inside of it and judges those that come; transactions carry them. ``Dialogs`` finds the one
that a
message belongs to. ``now`` is monotonic seconds.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable

from bridges.sip.fields import Address, CSeq, Uri
from bridges.sip.message import Headers, Message, Request, Response

LIMIT = 16_384
RETRY_AFTER = 5  # seconds; §14.2 wants 0 to 10
_REFRESH = {"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY"}  # these say anew where the peer is
_GONE = {408, 481}  # §12.2.1.2: the other side has lost the dialog

Key = tuple[str, str, str]


class State(enum.Enum):
    EARLY = enum.auto()
    CONFIRMED = enum.auto()
    ENDED = enum.auto()


class Dialog:
    """Made by ``called`` from our INVITE (or SUBSCRIBE) and its response, by ``calling`` from theirs and ours.

    ``target`` is the peer's Contact, for the request line only: where packets go is the flow's business, since behind a NAT a
    Contact
    is often an address of somebody else.
    """

    def __init__(
        self,
        call_id: str,
        local: Address,
        remote: Address,
        target: str,
        routes: Iterable[str],
        state: State,
        *,
        local_number: int,
        remote_number: int | None,
        owner: bool,
    ) -> None:
        self.call_id, self.local, self.remote, self.target = call_id, local, remote, target
        self.routes = list(routes)
        self.state = state
        self.local_number, self.remote_number = local_number, remote_number
        self.owner = owner  # of the Call-ID: decides who waits longer when both re-INVITE at once
        self.inviting = False  # our INVITE has no final answer
        self.invited = False  # theirs has none
        self.used_at = 0.0

    @classmethod
    def called(cls, request: Request, response: Response) -> Dialog:
        """The caller's side; ``response`` is a 1xx with a tag or a 2xx."""
        made = cls(
            request.call_id,
            request.sender,
            response.receiver,
            _contact(response) or request.uri,
            [],
            State.EARLY,
            local_number=request.cseq.number,
            remote_number=None,
            owner=True,
        )
        made._update(response)
        return made

    @classmethod
    def calling(cls, request: Request, response: Response) -> Dialog:
        """The callee's side; ``response`` is our own and has our tag."""
        return cls(
            request.call_id,
            response.receiver,
            request.sender,
            _contact(request) or request.sender.uri,
            request.headers.values("Record-Route"),
            State.CONFIRMED if response.final else State.EARLY,
            local_number=0,
            remote_number=request.cseq.number,
            owner=False,
        )

    @property
    def key(self) -> Key:
        return self.call_id, self.local.tag, self.remote.tag

    # ---- ours

    def request(self, method: str, *, body: bytes = b"", content_type: str = "", contact: str = "") -> Request:
        """The next request. ValueError when the dialog is over, or a second INVITE would cross the first one (§14.1)."""
        if self.state is State.ENDED:
            raise ValueError("The dialog is over.")
        if method == "INVITE":
            if self.inviting or self.invited:
                raise ValueError("An INVITE of this dialog is still open.")
            self.inviting = True
        self.local_number += 1
        made = self._built(method, self.local_number)
        if contact:
            made.headers.add("Contact", contact)
        if content_type:
            made.headers.add("Content-Type", content_type)
        made.body = body
        return made

    def ack(self, response: Response) -> Request:
        """To a 2xx to our INVITE: same number, no transaction (§13.2.2.4)."""
        return self._built("ACK", response.cseq.number)

    def bye(self) -> Request:
        """Ends the dialog here, whatever the answer will be (§15.1.1). An early one of ours is ended by CANCEL instead."""
        made = self.request("BYE")
        self.state = State.ENDED
        return made

    def answered(self, response: Response) -> None:
        """What came back to a request of ours: may confirm the dialog, move the target, or end it."""
        method = response.cseq.method
        if method == "INVITE" and response.final:
            self.inviting = False
        if response.status in _GONE or (response.status >= 300 and self.state is State.EARLY and method == "INVITE"):
            self.state = State.ENDED
        elif 200 <= response.status < 300 and method in _REFRESH and self.state is not State.ENDED:
            self._update(response)

    def glare_seconds(self, random: float) -> float:
        """How long to wait after 491 (§14.1); ``random`` from 0 to 1."""
        return 2.1 + random * 1.9 if self.owner else random * 2.0

    # ---- theirs

    def receive(self, request: Request) -> Response | None:
        """None when the request may be dealt with; else the response that refuses it. Judges each request once: repetitions
        are the
        transaction's."""
        if request.method in ("ACK", "CANCEL"):
            return None
        if self.state is State.ENDED:
            return request.reply(481)
        number = request.cseq.number
        if self.remote_number is not None and number < self.remote_number:
            return request.reply(500, reason="CSeq Out Of Order")  # §12.2.2
        self.remote_number = number
        if request.method == "INVITE":
            if self.inviting:
                return request.reply(491)
            if self.invited:
                refused = request.reply(500)
                refused.headers.add("Retry-After", RETRY_AFTER)
                return refused
            self.invited = True
        if request.method in _REFRESH and (contact := _contact(request)):
            self.target = contact
        if request.method == "BYE":
            self.state = State.ENDED
        return None

    def responded(self, response: Response) -> None:
        """What we answered to a request that ``receive`` let through."""
        if response.cseq.method == "INVITE" and response.final:
            self.invited = False
            if response.status < 300 and self.state is State.EARLY:
                self.state = State.CONFIRMED

    # ----

    def _update(self, response: Response) -> None:
        if self.state is State.EARLY:
            # The caller's route is the callee's backwards, and final with the 2xx (§12.1.2, §13.2.2.4).
            self.routes = response.headers.values("Record-Route")[::-1]
            self.remote = response.receiver
            if response.final:
                self.state = State.CONFIRMED
        self.target = _contact(response) or self.target

    def _built(self, method: str, number: int) -> Request:
        uri, routes = self.target, list(self.routes)
        if routes and not _loose(routes[0]):  # a proxy of RFC 2543: it wants to be the request's URI (§12.2.1.1)
            uri, routes = Address.parse(routes[0]).uri, [*routes[1:], f"<{self.target}>"]
        headers = Headers([("Route", route) for route in routes])
        headers.add("From", self.local)
        headers.add("To", self.remote)
        headers.add("Call-ID", self.call_id)
        headers.add("CSeq", CSeq(number, method))
        return Request(method, uri, headers=headers)


def _contact(message: Message) -> str:
    """The URI of the first Contact, "" when there is none that can be used."""
    try:
        contact = next(iter(message.contacts), None)
        if contact is None or contact.uri == "*":
            return ""
        Uri.parse(contact.uri)
    except ValueError:
        return ""
    return contact.uri


def _loose(route: str) -> bool:
    try:
        return "lr" in Uri.parse(Address.parse(route).uri).parameters
    except ValueError:
        return True


class Dialogs:
    """Those that are alive. ``idle`` seconds without a message make one stale; ``limit`` of them at once."""

    def __init__(self, *, idle: float = 3600.0, limit: int = LIMIT) -> None:
        self._idle, self._limit = idle, limit
        self._by_key: dict[Key, Dialog] = {}
        self._by_call: dict[str, list[Dialog]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, dialog: Dialog, now: float) -> None:
        """ValueError when there are too many."""
        if len(self._by_key) >= self._limit:
            raise ValueError("There are too many dialogs at once.")
        self.remove(dialog)
        dialog.used_at = now
        self._by_key[dialog.key] = dialog
        self._by_call.setdefault(dialog.call_id, []).append(dialog)

    def remove(self, dialog: Dialog) -> None:
        if self._by_key.pop(dialog.key, None) is None:
            return
        rest = [one for one in self._by_call[dialog.call_id] if one.key != dialog.key]
        if rest:
            self._by_call[dialog.call_id] = rest
        else:
            del self._by_call[dialog.call_id]

    def find(self, message: Message) -> Dialog | None:
        """By Call-ID and both tags. Where a device forgets one of the tags, and no other dialog has that Call-ID, by the
        Call-ID."""
        ours, theirs = message.receiver.tag, message.sender.tag
        if isinstance(message, Response):
            ours, theirs = theirs, ours
        found = self._by_key.get((message.call_id, ours, theirs))
        if found is None and len(candidates := self._by_call.get(message.call_id, [])) == 1:
            only = candidates[0]
            if ours in ("", only.local.tag) and theirs in ("", only.remote.tag):
                found = only
        return found

    def receive(self, request: Request, now: float) -> tuple[Dialog | None, Response | None]:
        """The dialog of a request and, when it is refused, with what. (None, None): it belongs to none and does not claim to."""
        dialog = self.find(request)
        if dialog is None:
            claims = request.receiver.tag and request.method not in ("ACK", "CANCEL")
            return None, request.reply(481) if claims else None
        dialog.used_at = now
        refused = dialog.receive(request)
        if dialog.state is State.ENDED:
            self.remove(dialog)
        return dialog, refused

    def stale(self, now: float) -> list[Dialog]:
        """Those nobody has heard of for too long: to be ended with ``bye`` and removed."""
        return [one for one in self._by_key.values() if now - one.used_at >= self._idle]
