"""Open pages are looked after together: whose sign-in goes on, what each may now, and who takes nothing any more.

One look for all, in a few queries however many there are; at once when the directory has changed in this process. An open page
keeps its sign-in alive.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from commhub import log as logs
from commhub.auth import Auth
from commhub.events import Published
from commhub.model import Actor
from commhub.tasks import Tasks

log = logs.get(__name__)

CHECK_SECONDS = 12.0  # how long what another process has changed may go unnoticed
AT_LEAST_SECONDS = 0.5  # between two looks, whatever changes
CHANGES = frozenset({"directory.changed"})  # events after which somebody may be, or may do, something else


class Open(Protocol):
    """An open page, as far as this looks at it. ``token`` is the sign-in's."""

    token: str

    def is_now(self, actor: Actor) -> None:
        """Who it is, as he is now; often the same."""

    def signed_out(self) -> None:
        """Close it, with the reason."""

    def tired(self) -> bool:
        """Does it take nothing any more? It is cut then, by itself."""


class Checking:
    """``pages`` are those that are open at the moment."""

    def __init__(self, auth: Auth, pages: Callable[[], Collection[Open]]) -> None:
        self._auth, self._pages = auth, pages
        self._soon = asyncio.Event()
        self._tasks: Tasks | None = None
        self._ended = auth.listen(self._signed_out)

    def begin(self) -> None:
        """Idempotent; inside the loop."""
        if self._tasks is None:
            self._tasks = Tasks("pages")
            self._tasks.spawn(self._run(), "check")

    async def close(self) -> None:
        self._ended()
        if self._tasks is not None:
            await self._tasks.close()

    def heard(self, published: Published) -> None:
        if published.event.type in CHANGES:
            self._soon.set()

    def _signed_out(self, token: str) -> None:
        for page in list(self._pages()):
            if page.token == token:
                page.signed_out()

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), CHECK_SECONDS)
            self._soon.clear()
            try:
                await self.look()
            except SQLAlchemyError:
                log.exception("open pages not looked after")
            await asyncio.sleep(min(AT_LEAST_SECONDS, CHECK_SECONDS))

    async def look(self) -> None:
        pages = [page for page in self._pages() if not page.tired()]
        known: Mapping[str, Actor] = await self._auth.all_who([page.token for page in pages])
        for page in pages:
            if (actor := known.get(page.token)) is None:
                page.signed_out()
            else:
                page.is_now(actor)
