"""Through HTTP: what pages do, one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.hubs import TERMINAL, Hub, serving, ticket_of

STRANGE = "01K00000000000000000000000"


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


async def test_two_people_meet(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li, li.events() as heard:
        body = {"title": "  长江大道\n内涝处置 ", "organisations": [hub.ids["water"]], "people": []}
        status, made = await zhou.call("POST", "/consultations", body)
        assert (status, made["title"], made["label"], made["recording"]["state"]) == (201, "长江大道 内涝处置", "internal", "off")
        rings = await heard.event("consultation.invited")
        assert rings["data"]["people"] == [hub.ids["li-sihan"]]
        joining = await li.ok("POST", f"/consultations/{made['id']}/join", {"terminal": TERMINAL})
        assert joining["url"] == zhou.base.replace("http://", "ws://")
        assert joining["identity"] == f"{hub.ids['li-sihan']}:{TERMINAL}"
        assert ticket_of(joining["token"]).room == joining["room"] == made["id"]
        await hub.enter(joining)
        joined = await heard.event("consultation.joined")
        assert [(one["name"], one["org_name"], one["kind"]) for one in joined["data"]["consultation"]["present"]] == [
            ("李思涵", "水务局", "person")
        ]
        seen = await zhou.ok("GET", f"/consultations/{made['id']}")
        assert [one["identity"] for one in seen["present"]] == [joining["identity"]]
        identity = joining["identity"]
        muted = await zhou.call("POST", f"/consultations/{made['id']}/participants/{identity}/mute", {"source": "camera"})
        assert muted == (204, None)
        assert await zhou.call("DELETE", f"/consultations/{made['id']}/participants/{identity}") == (204, None)
        await heard.event("consultation.left")
        status, problem = await li.call("POST", f"/consultations/{made['id']}/join", {"terminal": TERMINAL})
        assert (status, problem["code"]) == (403, "removed")
        ended = await zhou.ok("POST", f"/consultations/{made['id']}/end")
        assert ended["state"] == "ended"
        assert (await li.ok("GET", "/consultations?state=live"))["items"] == []
        assert [one["id"] for one in (await li.ok("GET", "/consultations?state=ended"))["items"]] == [made["id"]]


async def test_idempotency_key(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou:
        body, key = {"title": "T", "organisations": [], "people": []}, {"Idempotency-Key": "01K0-page-1"}
        first = await zhou.ok("POST", "/consultations", body, headers=key)
        again = await zhou.ok("POST", "/consultations", body, headers=key)
        assert again["id"] == first["id"]
        status, problem = await zhou.call("POST", "/consultations", {**body, "title": "U"}, headers=key)
        assert (status, problem["code"]) == (409, "key_reused")
        status, _ = await zhou.call("POST", "/consultations", body, headers={"Idempotency-Key": "x" * 300})
        assert status == 400
        assert len((await zhou.ok("GET", "/consultations"))["items"]) == 1
        path = f"/consultations/{first['id']}/invitations"
        invited = await zhou.ok("POST", path, {"organisations": [hub.ids["fire"]]}, headers={"Idempotency-Key": "i"})
        again = await zhou.ok("POST", path, {"organisations": [hub.ids["fire"]]}, headers={"Idempotency-Key": "i"})
        assert again["rev"] == invited["rev"]  # nobody rings twice


@pytest.mark.parametrize(
    ("match", "status", "code"),
    [
        ('"1"', 200, ""), ('W/"1"', 200, ""), ("1", 200, ""), ('"2"', 409, "stale"), ('"x"', 409, "stale"),
        ("", 428, "if_match"), ('"' + "9" * 40 + '"', 409, "stale"), ('"²"', 409, "stale"),
    ],
)  # fmt: skip
async def test_if_match(hub: Hub, match: str, status: int, code: str) -> None:
    async with hub.browser("dispatcher") as zhou:
        made = await zhou.ok("POST", "/consultations", {"title": "T"})
        headers = {"If-Match": match} if match else {}
        answered, body = await zhou.call("PATCH", f"/consultations/{made['id']}", {"locked": True}, headers=headers)
        assert answered == status
        assert body.get("code", "") == code or status == 200
        assert (await zhou.ok("GET", f"/consultations/{made['id']}"))["locked"] is (status == 200)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"title": ""}, "body.title"),
        ({"title": "   "}, "body.title"),
        ({"title": "x" * 101}, "body.title"),
        ({"title": "a\u0000b"}, "body.title"),
        ({"title": "a\u202eb"}, "body.title"),
        ({"title": "T", "label": "secret"}, "body.label"),
        ({"title": "T", "people": ["x"]}, "body.people.0"),
        ({"title": "T", "people": [STRANGE] * 501}, "body.people"),
        ({"title": "T", "record": "perhaps"}, "body.record"),
        ({"title": "T", "host": STRANGE}, "body.host"),
    ],
)
async def test_malformed(hub: Hub, body: dict[str, object], where: str) -> None:
    async with hub.browser("dispatcher") as zhou:
        status, problem = await zhou.call("POST", "/consultations", body)
        assert (status, problem["errors"][0]["where"]) == (400, where)


async def test_what_is_not_there(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou:
        made = await zhou.ok("POST", "/consultations", {"title": "T"})
        for method, path, body in (
            ("GET", f"/consultations/{STRANGE}", None),
            ("GET", "/consultations/..%2F..%2Fetc", None),
            ("POST", f"/consultations/{STRANGE}/join", {"terminal": TERMINAL}),
            ("POST", f"/consultations/{made['id']}/cameras", {"camera_id": STRANGE}),
            ("DELETE", f"/consultations/{made['id']}/cameras/{STRANGE}", None),
            ("DELETE", f"/consultations/{made['id']}/participants/nobody", None),
            ("GET", f"/recordings/{STRANGE}", None),
        ):
            status, problem = await zhou.call(method, path, body)
            assert status in (403, 404), path
            assert problem["status"] == status


async def test_cameras(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("emergency") as chen, chen.events() as heard:
        found = await zhou.ok("GET", "/cameras?q=qsqxc")
        assert [one["name"] for one in found["items"]] == ["青石桥下穿 东口", "青石桥下穿 西口"]
        camera = found["items"][0]
        assert (camera["state"], camera["reason"], camera["place"], camera["label"]) == (
            "idle", None, "青石桥下穿通道", "internal",
        )  # fmt: skip
        assert "url" not in camera
        made = await zhou.ok("POST", "/consultations", {"title": "T", "people": [hub.ids["chen-zhixing"]]})
        path = f"/consultations/{made['id']}/cameras"
        status, shown = await zhou.call("POST", path, {"camera_id": camera["id"]})
        assert (status, [one["id"] for one in shown["cameras"]]) == (201, [camera["id"]])
        # He has nothing to do with the camera but through the consultation.
        news = await heard.event("camera.state")
        assert (news["subject"], news["data"]["camera"]["state"]) == (camera["id"], "connecting")
        shown = (await zhou.ok("GET", "/cameras?q=qsqxc"))["items"][0]
        assert shown["reason"] == {"code": "bridge_down", "text": "The process that opens cameras is being restarted."}
        assert await zhou.call("DELETE", f"{path}/{camera['id']}") == (204, None)


async def test_people_and_organisations(hub: Hub) -> None:
    async with hub.browser("dispatcher") as zhou, hub.browser("water") as li:
        orgs = (await zhou.ok("GET", "/organisations"))["items"]
        assert orgs[0]["kind"] == "city"
        assert orgs[0]["parent_id"] is None
        assert len([one for one in orgs if one["kind"] == "department"]) == 14
        (person,) = (await zhou.ok("GET", "/people?q=lisihan"))["items"]
        assert (person["name"], person["org"]["short"], person["online"]) == ("李思涵", "水务", False)
        async with li.events():
            assert (await zhou.ok("GET", "/people?q=lisihan"))["items"][0]["online"] is True
