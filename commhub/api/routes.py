"""Typed routes: a handler's annotations are its schema, and every route declares the permission it needs.

    @routes.post("/consultations", "consultation.create", "Start a consultation.", status=201)
    async def create(call: Call, body: NewConsultation) -> Consultation: ...

``body`` and ``query`` are pydantic models; the result is one, or None (204). The permission is a ``noun.verb`` of
:data:`commhub.model.PERMISSIONS`, or :data:`SIGNED_IN`, or :data:`PUBLIC`. It is checked before the handler runs; what depends
on the object is checked by the domain.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel

from commhub.api.problems import language
from commhub.model import PERMISSIONS, Actor

PUBLIC = "public"
SIGNED_IN = "signed-in"
KNOWN = {PUBLIC, SIGNED_IN}.union(*PERMISSIONS.values())
_PARAMETER = re.compile(r"{(\w+)}")


@dataclass(slots=True)
class Call:
    """One request, understood. ``token`` is the session cookie's value."""

    request: web.Request
    actor: Actor
    token: str = ""
    #: Called with the answer, for what the result's model does not hold: cookies.
    finish: Callable[[web.StreamResponse], None] | None = None

    @property
    def english(self) -> bool:
        return language(self.request.headers.get("Accept-Language", "")) == "en"

    def path(self, name: str) -> str:
        return self.request.match_info[name]


Handler = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    path: str
    permission: str
    summary: str
    status: int
    handler: Handler
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    result: Any  # a model, or None
    headers: dict[str, str]  # header → what it is for
    media: str = ""  # content type, when it answers bytes
    takes: tuple[str, ...] = ()  # content types of a body that the handler reads itself

    @property
    def parameters(self) -> list[str]:
        return _PARAMETER.findall(self.path)


class Routes:
    """A list of routes under ``/api/v1``."""

    def __init__(self) -> None:
        self.all: list[Route] = []

    def add(
        self,
        method: str,
        path: str,
        permission: str,
        summary: str,
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        media: str = "",
        takes: tuple[str, ...] = (),
    ) -> Callable[[Handler], Handler]:
        if permission not in KNOWN:
            raise ValueError(f"{method} {path} declares the permission {permission!r}, which nobody can hold.")

        def register(handler: Handler) -> Handler:
            hints = typing.get_type_hints(handler)
            signature = inspect.signature(handler)
            for name in list(signature.parameters)[1:]:
                if name not in ("body", "query"):
                    raise ValueError(f"{method} {path}: a handler takes call, body and query, not {name}.")
            result = hints.get("return")
            if result is type(None):
                result = None
            self.all.append(
                Route(
                    method, path, permission, summary, status, handler, hints.get("body"), hints.get("query"), result,
                    headers or {}, media, takes,
                )
            )  # fmt: skip
            return handler

        return register

    def get(self, path: str, permission: str, summary: str, **more: Any) -> Callable[[Handler], Handler]:
        return self.add("GET", path, permission, summary, **more)

    def post(self, path: str, permission: str, summary: str, **more: Any) -> Callable[[Handler], Handler]:
        return self.add("POST", path, permission, summary, **more)

    def put(self, path: str, permission: str, summary: str, **more: Any) -> Callable[[Handler], Handler]:
        return self.add("PUT", path, permission, summary, **more)

    def patch(self, path: str, permission: str, summary: str, **more: Any) -> Callable[[Handler], Handler]:
        return self.add("PATCH", path, permission, summary, **more)

    def delete(self, path: str, permission: str, summary: str, **more: Any) -> Callable[[Handler], Handler]:
        return self.add("DELETE", path, permission, summary, status=204, **more)
