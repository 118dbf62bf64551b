"""What a request must be before anybody looks at what it asks."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from commhub.api.gate import Gate
from commhub.api.problems import language
from commhub.api.routes import Call, Routes
from commhub.views import City
from tests.support.hubs import Hub, serving


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


NEW = {"title": "T", "organisations": [], "people": []}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"X-CSRF-Token": ""}, "csrf"),
        ({"X-CSRF-Token": "A" * 24}, "csrf"),
        ({"Origin": "https://evil.example"}, "origin"),
        ({"Origin": "null"}, "origin"),
        ({"Origin": "https://127.0.0.1"}, "origin"),  # another port, another scheme
    ],
)
async def test_forged_requests(hub: Hub, headers: dict[str, str], code: str) -> None:
    async with hub.browser("dispatcher") as page:
        status, problem = await page.call("POST", "/consultations", NEW, headers=headers)
        assert (status, problem["code"]) == (403, code)
        assert (await page.ok("GET", "/consultations"))["items"] == []


async def test_a_page_of_another_site_without_origin(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page:
        del page.headers["Origin"]
        status, problem = await page.call("POST", "/consultations", NEW, headers={"Sec-Fetch-Site": "cross-site"})
        assert (status, problem["code"]) == (403, "origin")
        assert (await page.call("POST", "/consultations", NEW))[0] == 201  # a program, not a page


@pytest.mark.parametrize(
    ("data", "type", "status", "code"),
    [
        (b"{", "application/json", 400, "invalid"),
        (b"\xff\xfe", "application/json", 400, "invalid"),
        (b"[" * 200_000, "application/json", 400, "invalid"),
        (b"title=T", "application/x-www-form-urlencoded", 415, "not_json"),
        (b'{"title":"T"}', "text/plain", 415, "not_json"),
        (b" " * (1 << 20) + b"{}", "application/json", 413, "too_large"),
    ],
)
async def test_bodies(hub: Hub, data: bytes, type: str, status: int, code: str) -> None:
    async with hub.browser("dispatcher") as page:
        more = {"data": data, "headers": {"Content-Type": type}}
        async with await page.raw("POST", "/api/v1/consultations", **more) as response:
            assert response.status == status
            assert response.content_type == "application/problem+json"
            assert (await response.json(content_type=None))["code"] == code


async def test_a_body_without_a_length_is_cut_off_at_the_limit(hub: Hub) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b" " * (64 << 10)

    async with hub.browser("dispatcher") as page:
        headers = {"Content-Type": "application/json"}
        async with await page.raw("POST", "/api/v1/consultations", data=endless(), headers=headers) as response:
            assert response.status == 413


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/consultations?stat=live", "query.stat"),
        ("/consultations?state=dead", "query.state"),
        ("/consultations?state=live&state=ended", "query.state"),
        ("/consultations?limit=0", "query.limit"),
        ("/consultations?cursor=x", "query.cursor"),
        ("/people?q=" + "x" * 200, "query.q"),
        ("/organisations?q=x", "query.q"),
        ("/session?x=1", "query.x"),
    ],
)
async def test_queries(hub: Hub, path: str, where: str) -> None:
    async with hub.browser("dispatcher") as page:
        status, problem = await page.call("GET", path)
        assert (status, problem["errors"][0]["where"]) == (400, where)


async def test_unknown_addresses_and_methods(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page:
        for method, path, status in (
            ("GET", "/nothing", 404),
            ("PUT", "/organisations", 405),
            ("PUT", "/session", 405),
            ("DELETE", "/consultations/x/nothing", 404),
        ):
            assert (await page.call(method, path))[0] == status, path
        async with await page.raw("GET", "/api/v2/session") as response:
            assert response.status == 404
            assert response.content_type == "application/problem+json"


async def test_our_own_fault_says_nothing_of_itself(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(hub.parts.directory, "organisations", fail)
    async with hub.browser("dispatcher") as page:
        status, problem = await page.call("GET", "/organisations")
        assert (status, problem["code"]) == (500, "internal")
        assert "secret" not in str(problem)


async def test_every_answer_carries_its_protection(hub: Hub) -> None:
    async with hub.browser("dispatcher") as page:
        for path in ("/api/v1/session", "/healthz", "/api/openapi.json", "/api/v1/nothing"):
            async with await page.raw("GET", path) as response:
                assert response.headers["X-Content-Type-Options"] == "nosniff"
                assert response.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "zh"), ("en", "en"), ("en-US,en;q=0.9", "en"), ("zh-CN,en", "zh"), ("zh;q=0.2, en;q=0.8", "en"), ("fr", "zh"),
        ("en;q=0", "zh"), ("en;q=x, zh", "zh"), (",;,", "zh"), ("EN", "en"), ("en;q=0.8, zh;q=nan", "en"),
    ],
)  # fmt: skip
def test_language(header: str, expected: str) -> None:
    assert language(header) == expected


def test_the_client_s_address_behind_a_proxy() -> None:
    def address(remote: str, *forwarded: str, trusted: str = "10.0.0.0/8") -> str:
        gate = Gate(None, None, [ipaddress.ip_network(trusted)])  # type: ignore[arg-type]
        lines = CIMultiDict(("X-Forwarded-For", one) for one in forwarded if one)
        request = make_mocked_request("GET", "/", headers=lines)
        return gate.address(request.clone(remote=remote))

    assert address("192.0.2.1", "203.0.113.5") == "192.0.2.1"  # nobody we trust says so
    assert address("10.0.0.1", "203.0.113.5") == "203.0.113.5"
    assert address("10.0.0.1", "spoofed, 203.0.113.5, 10.0.0.2") == "203.0.113.5"
    assert address("10.0.0.1", "127.0.0.1", "203.0.113.5") == "203.0.113.5"  # HAProxy leaves the client's line, adds its own
    assert address("10.0.0.1", "") == "10.0.0.1"
    assert address("::1", "203.0.113.5") == "::1"


@pytest.mark.parametrize("permission", ["", "consultation.explode", "Public"])
def test_a_route_without_a_permission_does_not_start(permission: str) -> None:
    with pytest.raises(ValueError, match="which nobody can hold"):

        @Routes().get("/x", permission, "Nothing.")
        async def handler(call: Call) -> None: ...


def test_a_handler_takes_what_routes_can_give() -> None:
    with pytest.raises(ValueError, match="takes call, body and query, not extra"):

        @Routes().get("/x", "directory.view", "Nothing.")
        async def handler(call: Call, extra: City) -> None: ...
