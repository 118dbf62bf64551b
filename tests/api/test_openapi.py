"""The description of the interface is valid, complete, and true of every answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import create_model
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from commhub.api import openapi
from commhub.api.routes import Call, Routes
from tests.support.hubs import TERMINAL, Browser, Hub, serving


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def described(page: Browser) -> dict[str, Any]:
    async with await page.raw("GET", "/api/openapi.json") as response:
        assert response.content_type == "application/json"
        document: dict[str, Any] = await response.json()
        return document


async def test_every_route_is_described_with_its_permission(hub: Hub) -> None:
    assert hub.api is not None
    async with hub.browser() as page:
        document = await described(page)
    assert document["openapi"].startswith("3.1")
    found = {
        (method.upper(), path): operation["x-permission"]
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert found == {(route.method, openapi.PREFIX + route.path): route.permission for route in hub.api.routes}
    text = json.dumps(document)
    for name in ("Consultation", "RecordingDetail", "Camera", "Session", "Problem"):
        assert name in document["components"]["schemas"]
    for reference in set(_references(document)):
        assert reference.removeprefix("#/components/schemas/") in document["components"]["schemas"], reference
    assert "password" in text
    assert "argon2" not in text


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        here = [node["$ref"]] if "$ref" in node else []
        return here + [one for value in node.values() for one in _references(value)]
    return [one for value in node for one in _references(value)] if isinstance(node, list) else []


async def fill(hub: Hub, page: Browser) -> str:
    """A consultation with somebody in it and a camera."""
    made = await page.ok("POST", "/consultations", {"title": "内涝处置", "organisations": [hub.ids["water"]]})
    await hub.enter(await page.ok("POST", f"/consultations/{made['id']}/join", {"terminal": TERMINAL}))
    camera = hub.ids["camera simulated-underpass"]
    await page.ok("POST", f"/consultations/{made['id']}/cameras", {"camera_id": camera})
    return str(made["id"])


@pytest.mark.timeout(600)
async def test_what_the_hub_answers_is_what_it_says(hub: Hub) -> None:
    """Generated requests, valid and not, at every route: no answer outside its schema, no 500."""
    async with hub.browser("admin") as page:
        room = await fill(hub, page)
        document = await described(page)
        known = {"id": room, "identity": f"{page.me['person']['id']}:{TERMINAL}"}
        await asyncio.to_thread(explore, document, page, known)
        # And after all that the hub is well.
        assert (await page.ok("GET", "/session"))["person"]["account"] == "admin"


def explore(document: dict[str, Any], page: Browser, known: dict[str, str]) -> None:
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=page.base)
    cookie = SimpleCookie(page.cookie)["__Host-commhub"].value
    answers: dict[tuple[str, str], set[int]] = {}
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        if operation.path == "/api/v1/session" and operation.method != "get":
            continue  # it would sign the explorer out, or use up the attempts of its address

        @given(case=operation.as_strategy())
        @settings(
            max_examples=12,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def one(case: schemathesis.Case[Any]) -> None:
            for name in case.path_parameters:
                if name in known and len(str(case.path_parameters)) % 2:
                    case.path_parameters[name] = known[name]  # half of them reach something that is there
            headers = {"X-CSRF-Token": page.csrf, "Origin": page.base}
            response = case.call(headers=headers, cookies={"__Host-commhub": cookie})
            assert response.status_code < 500 or response.json()["code"] == "no_recorder"
            answers.setdefault((case.method, case.operation.path), set()).add(response.status_code)
            case.validate_response(
                response,
                checks=[
                    status_code_conformance,
                    content_type_conformance,
                    response_headers_conformance,
                    response_schema_conformance,
                ],
            )

        one()
    assert len(answers) == sum(len(one) for one in document["paths"].values()) - 2
    # It got through: not everything was refused at the door.
    assert sum(any(status < 300 for status in statuses) for statuses in answers.values()) >= 10, answers


def test_two_queries_may_have_one_name() -> None:
    routes = Routes()
    for name in ("cameras", "people"):
        query = create_model("Search", __module__=f"pages.{name}", words=(str, ""))

        async def answer(call: Call, query: Any) -> None: ...

        answer.__annotations__ = {"call": Call, "query": query, "return": None}
        routes.get(f"/{name}", "public", "Search.")(answer)
    document = openapi.document(routes.all)
    assert [one["get"]["parameters"][0]["name"] for one in document["paths"].values()] == ["words", "words"]
    assert set(document["components"]["schemas"]) == {"Problem"}
