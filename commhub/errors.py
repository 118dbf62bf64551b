"""Errors that people and programs meet: one small closed family.

A codec raises ``ValueError`` with one exact sentence; the connection that fed it turns that into
:class:`PeerError` and ends that peer only. Everything a caller of the hub may get back is a
:class:`HubError`; the API renders it as RFC 9457 problem+json, the signalling as an HTTP status or a
Twirp error.
"""

from __future__ import annotations

from collections.abc import Sequence


class HubError(Exception):
    """Something the caller is told.

    ``code`` is stable and for programs, ``message`` and ``message_zh`` are sentences for people,
    ``status`` is the HTTP status.
    """

    status = 500
    code = "internal"

    def __init__(self, message: str, message_zh: str = "", *, code: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.message_zh = message_zh or message
        if code:
            self.code = code
        if status:
            self.status = status


class Invalid(HubError):
    """The request itself is wrong; sending it again unchanged cannot help."""

    status, code = 400, "invalid"


class Unfit(HubError):
    """Well-formed, but it cannot be so (a loop in the tree); ``errors`` names the fields: ``[{"where": …, "text": …}]``."""

    status, code = 422, "unfit"

    def __init__(self, field: str, message: str, message_zh: str = "", *, code: str = "") -> None:
        super().__init__(message, message_zh, code=code)
        self.errors: list[dict[str, str | int]] = [{"where": field, "text": self.message, "text_zh": self.message_zh}]


class Unauthenticated(HubError):
    """Nobody is signed in, or the credential is forged or expired."""

    status, code = 401, "unauthenticated"


class Forbidden(HubError):
    """Somebody is signed in, but may not do this."""

    status, code = 403, "forbidden"


class NotFound(HubError):
    """There is no such thing, or the caller may not know that there is."""

    status, code = 404, "not_found"


class Conflict(HubError):
    """The state does not allow it (stale revision, locked, already there)."""

    status, code = 409, "conflict"


class NotNow(Conflict):
    """This step is not possible in this state; ``allowed`` are those that would be."""

    code = "not_now"

    def __init__(self, message: str, message_zh: str = "", *, allowed: Sequence[str]) -> None:
        super().__init__(message, message_zh)
        self.allowed = list(allowed)


class Busy(HubError):
    """A limit is reached; later it may work: after ``retry_after`` seconds, where that is known."""

    status, code = 429, "busy"

    def __init__(self, message: str, message_zh: str = "", *, retry_after: int = 0, code: str = "", status: int = 0) -> None:
        super().__init__(message, message_zh, code=code, status=status)
        self.retry_after = retry_after


class Unavailable(HubError):
    """A part of the hub is not there right now; it is being restarted."""

    status, code = 503, "unavailable"


class PeerError(Exception):
    """A peer broke its protocol. Ends that peer only; the sentence goes into one log line."""
