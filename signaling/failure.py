"""What a caller of the server API is told beside a sentence."""

from __future__ import annotations

from collections.abc import Mapping

from commhub.errors import HubError


class Failure(HubError):
    """A HubError that says more: ``meta`` goes into the answer, ``twirp`` is the Twirp code if the status does not say it."""

    def __init__(
        self,
        message: str,
        message_zh: str = "",
        *,
        status: int,
        code: str = "",
        twirp: str = "",
        meta: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, message_zh, code=code, status=status)
        self.twirp, self.meta = twirp, dict(meta or {})
