from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commhub.api.gate import Buckets
from commhub.errors import Busy
from tests.support.hubs import Hub, serving


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def test_sign_in_who_am_i_sign_out(hub: Hub) -> None:
    async with hub.browser() as page:
        assert (await page.call("GET", "/session"))[0] == 401
        body = {"account": "water", "password": hub.passwords["water"]}
        async with await page.raw("POST", "/api/v1/session", json=body) as response:
            assert response.status == 200
            assert response.headers["Cache-Control"] == "no-store"
            cookie = response.headers["Set-Cookie"]
            session = await response.json()
        for part in ("__Host-commhub=", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"):
            assert part in cookie
        assert "Domain" not in cookie
        assert "Max-Age" not in cookie
        assert session["person"] == {
            "id": hub.ids["li-sihan"], "name": "李思涵", "account": "water", "post": "值班长", "level": 5,
            "org": {"id": hub.ids["water"], "name": "水务局"},
        }  # fmt: skip
        assert session["roles"] == [{"role": "dispatcher", "org_id": hub.ids["water"]}]
        assert "consultation.create" in session["permissions"]
        assert session["city"] == {"name": "云江市", "name_en": "Yunjiang City"}
        assert await page.ok("GET", "/session") == session
        status, problem = await page.call("DELETE", "/session")
        assert (status, problem["code"]) == (403, "csrf")
        page.csrf = session["csrf"]
        assert (await page.call("DELETE", "/session"))[0] == 204
        assert (await page.call("GET", "/session"))[0] == 401


@pytest.mark.parametrize(("language", "said"), [("zh-CN,zh;q=0.9,en;q=0.5", "账号或密码不正确"), ("en-GB", "The account or")])
async def test_a_failure_says_the_same_whatever_it_was(hub: Hub, language: str, said: str) -> None:
    async with hub.browser() as page:
        page.headers["Accept-Language"] = language
        answers = [
            await page.call("POST", "/session", {"account": account, "password": "wrong"}) for account in ("water", "nobody")
        ]
        assert answers[0] == answers[1]
        status, problem = answers[0]
        assert (status, problem["status"], problem["code"], problem["type"]) == (401, 401, "bad_credentials", "about:blank")
        assert problem["detail"].startswith(said)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "body.account"),
        ({"account": "water"}, "body.password"),
        ({"account": "", "password": "x"}, "body.account"),
        ({"account": "x", "password": "x" * 300}, "body.password"),
        ({"account": 5, "password": "x"}, "body.account"),
        ({"account": "x", "password": "x", "role": "admin"}, "body.role"),
        ([], "body"),
    ],
)
async def test_malformed_credentials(hub: Hub, body: object, where: str) -> None:
    async with hub.browser() as page:
        status, problem = await page.call("POST", "/session", body)
        assert (status, problem["code"], problem["errors"][0]["where"]) == (400, "invalid", where)


async def test_guessing_from_one_address_is_slowed(tmp_path: Path) -> None:
    async with serving(tmp_path, attempts=Buckets(3, 1000.0)) as hub, hub.browser() as page:
        right = {"account": "water", "password": hub.passwords["water"]}
        for _ in range(5):
            assert (await page.call("POST", "/session", right))[0] == 200  # who knows his password uses nothing up
        statuses = [(await page.call("POST", "/session", {"account": f"nobody{n}", "password": "x"}))[0] for n in range(5)]
        assert statuses == [401, 401, 401, 429, 429]


def test_buckets() -> None:
    buckets = Buckets(2, 10.0, capacity=3)
    buckets.take("a", 0)
    buckets.take("a", 0)
    for now in (0, 5):
        with pytest.raises(Busy):
            buckets.take("a", now)
    buckets.take("a", 10.1)
    buckets.give_back("a")
    buckets.take("a", 10.1)
    with pytest.raises(Busy):
        buckets.take("a", 10.1)
    for key in "bcd":
        buckets.take(key, 11)
    buckets.take("a", 11)  # nobody is remembered for ever: it is as if "a" had never been here


async def test_the_session_cookie_of_another_hub_is_nothing(hub: Hub, tmp_path: Path) -> None:
    async with hub.browser("water") as page:
        page.cookie = page.cookie[:-4] + "AAAA"
        assert (await page.call("GET", "/session"))[0] == 401
        page.cookie = "__Host-commhub=" + "x" * 4000
        assert (await page.call("GET", "/session"))[0] == 401
