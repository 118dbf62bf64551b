"""Every route that names something, asked by who is in charge of a sibling: what he may not know is answered exactly as what is
not there. The routes come from the router, bodies from their models: a new route is asked too, and a new kind of thing fails here
until it is said how one is made. The directory's own are in ``tests/directory/test_siblings``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from commhub.api.routes import PUBLIC, SIGNED_IN, Route
from commhub.model import new_id
from commhub.store import Transaction, tables
from tests.support.hubs import TERMINAL, Browser, Hub, serving

NOTHING = "01K00000000000000000000000"
DIRECTORY = {"organisations", "places", "seats", "people", "endpoints", "directory"}
#: What lives only while media or terminals do, and the test that asks a stranger for it. Views are named by one's own terminal:
#: nobody else's can be said.
ELSEWHERE = {
    "playbacks": "tests/desk/test_playbacks.py::test_it_is_a_participant_of_the_wall_that_obeys",
    "views": "tests/desk/test_walls.py::test_a_wall_is_what_the_page_says_last",
    "dispatch": "tests/dispatch/test_matrix.py::test_strangers_get_the_shape_of_what_is_not_there",
    "link-tests": "tests/linktests/test_linktests.py::test_a_terminal_is_told_measures_and_the_directory_knows",
}
#: What comes after the first name in a path; whatever it is, the first is judged first.
INNER = {
    "identity": f"{NOTHING}:{NOTHING}", "camera_id": NOTHING, "person": NOTHING, "side": NOTHING, "at": "1800000000",
    "material": NOTHING, "kind": "call", "hold": NOTHING, "track": "TR_x", "file": "x.webm", "mark": NOTHING,
}  # fmt: skip


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        async with hub.parts.store.transaction() as transaction:
            for role in ("admin", "reviewer"):
                grant = {"person_id": hub.ids["zhao-jingyi"], "role": role, "org_id": hub.ids["binjiang"]}
                await transaction.insert(tables.grants, grant)
        yield hub


async def things(hub: Hub, zhou: Browser, admin: Browser) -> dict[str, str]:
    """One of every kind that is none of the sibling's business, by the first word of its path."""
    wu = hub.ids["wu-chengze"]
    body = {"name": "大厅", "kind": "fixed", "members": [hub.ids["zhou-mingyuan"], wu]}
    planned = {"title": "例会", "starts_at": "2036-01-01T09:00:00+08:00", "minutes": 60, "people": [wu]}
    device = {"code": "34020000001320000001", "name": "录像机", "org_id": hub.ids["ops"]}
    async with hub.parts.store.transaction() as transaction:
        camera = await transaction.value(sa.select(tables.cameras.c.id).where(tables.cameras.c.org_id == hub.ids["yunhu"]))
        recording = {
            "id": new_id(), "consultation_id": NOTHING, "org_id": hub.ids["ops"], "label": "internal", "title": "T", "code": "C",
            "started_at": 1, "duration_ms": 1, "state": "complete", "tracks": 0, "bytes": 0, "people": "[]",
        }  # fmt: skip
        await transaction.insert(tables.recordings, recording)
        about = {"org_id": hub.ids["ops"], "label": "internal", "camera_id": camera, "person_id": wu, "taken_by": wu}
        rows = {
            "alarms": await row(transaction, tables.alarms, about),
            "downloads": await row(transaction, tables.downloads, about),
            "snapshots": await row(transaction, tables.snapshots, about),
            "camera-nodes": await row(transaction, tables.camera_nodes, about),
        }
    call = {"to": [{"person": wu}], "terminal": TERMINAL}
    called = (await zhou.ok("POST", "/calls", call))["id"]
    round = {"name": "巡", "cameras": [camera], "tiles": 1, "dwell_seconds": 30}
    group = (await zhou.ok("POST", "/groups", body))["id"]
    alarm = {"kind": "alarm", "terminal": TERMINAL, "reason": "落水"}
    return {
        **rows,
        "emergencies": (await zhou.ok("POST", f"/groups/{group}/emergency", alarm))["id"],
        "consultations": (await zhou.ok("POST", "/consultations", {"title": "内部"}))["id"],
        "calls": called,
        "recording-policies": called,
        "groups": group,
        "roll-calls": (await zhou.ok("POST", "/roll-calls", {"title": "点名", "people": [wu]}))["id"],
        "agenda": (await zhou.ok("POST", "/agenda", planned))["id"],
        "devices": (await admin.ok("POST", "/devices", device))["device"]["id"],
        "rounds": (await zhou.ok("POST", "/rounds", round))["id"],
        "cameras": camera,
        "recordings": recording["id"],
        "storage": hub.ids["yunhu"],
    }


async def row(transaction: Transaction, table: sa.Table, values: dict[str, Any]) -> str:
    """The id of one in this table, of which nothing matters but whose it is."""
    plain: dict[type, Any] = {str: "x", int: 1, float: 1.0, bool: False}
    needed = {
        column.name: plain[column.type.python_type] for column in table.columns if not column.nullable and column.default is None
    }
    made = {**needed, **{name: value for name, value in values.items() if name in table.columns}, "id": new_id()}
    await transaction.insert(table, made)
    return str(made["id"])


def least(model: type[BaseModel]) -> Any:
    """The smallest body that is well-formed."""
    schema = model.model_json_schema()

    def of(part: dict[str, Any]) -> Any:
        if "$ref" in part:
            return of(schema["$defs"][part["$ref"].rpartition("/")[2]])
        for several in ("anyOf", "oneOf", "allOf"):
            if several in part:
                return of(next((one for one in part[several] if one.get("type") != "null"), part[several][0]))
        if "const" in part or "enum" in part:
            return part.get("const", part.get("enum", [None])[0])
        match part.get("type"):
            case "object":
                return {name: of(part["properties"][name]) for name in part.get("required", [])}
            case "array":
                return [of(part["items"])] * part.get("minItems", 0)
            case "integer" | "number":
                return max(part.get("minimum", 0), part.get("exclusiveMinimum", -1) + 1)
            case "boolean":
                return True
            case "string" if part.get("format") == "date-time":
                return "2036-01-01T09:00:00+08:00"
            case "string" if "pattern" in part:
                return NOTHING
            case _:
                return "x" * max(1, part.get("minLength", 1))

    return of(schema)


#: Bodies and questions that their models alone do not describe.
TIMES = {"from": "2025-01-01T00:00:00Z", "to": "2025-01-01T01:00:00Z"}
BODIES: dict[str, Any] = {
    "POST /calls/{id}/add": {"to": [{"person": NOTHING}]},
    "POST /calls/{id}/transfer": {"to": {"person": NOTHING}},
    "PUT /agenda/{id}": {"title": "x", "starts_at": "2036-01-01T09:00:00+08:00", "minutes": 30},
    "POST /cameras/{id}/control": {"verb": "reboot"},
    "POST /cameras/{id}/downloads": TIMES,
}
QUERIES = {
    "GET /cameras/{id}/recordings": f"?from={TIMES['from']}&to={TIMES['to']}",
    "POST /agenda/{id}/materials": "?name=x.txt",
    "GET /recordings/{id}/pieces": "?of=TR_x/x.webm:0-1",
}
#: Nothing is there to be taken away, whatever is named: that says nothing either.
IDEMPOTENT = {"DELETE /cameras/{id}/favourite", "DELETE /cameras/{id}/lock", "DELETE /cameras/{id}/voice"}


def asked(hub: Hub) -> list[Route]:
    assert hub.api is not None
    named = [route for route in hub.api.routes if route.parameters and route.permission not in (PUBLIC, SIGNED_IN)]
    return [route for route in named if route.path.split("/")[1] not in DIRECTORY | ELSEWHERE.keys()]


async def ask(page: Browser, route: Route, id: str) -> tuple[int, Any]:
    path = route.path.replace("{id}", id)
    for name, value in INNER.items():
        path = path.replace(f"{{{name}}}", value)
    name = f"{route.method} {route.path}"
    path += QUERIES.get(name, "")
    body = BODIES.get(name) or (least(route.body) if route.body is not None else None)
    headers = {"If-Match": "1"} if "If-Match" in route.headers else {}
    status, answer = await page.call(route.method, path, body, headers=headers)
    return status, answer if isinstance(answer, dict) else {}


async def test_a_sibling_cannot_tell_what_is_there(hub: Hub) -> None:
    wrong, count = [], 0
    async with hub.browser("dispatcher") as zhou, hub.browser("admin") as admin, hub.browser("binjiang") as page:
        theirs = await things(hub, zhou, admin)
        for route in asked(hub):
            kind = route.path.split("/")[1]
            assert kind in theirs, f"{kind} is new: say how one is made that is none of a sibling's business"
            status, answer = await ask(page, route, theirs[kind])
            missing = await ask(page, route, NOTHING)
            name = f"{route.method} {route.path}"
            quiet = status == 204 and name in IDEMPOTENT
            if (status not in (403, 404) and not quiet) or missing != (status, answer):
                wrong.append(f"{route.method} {route.path}: {status} {answer.get('detail')} — {missing}")
            count += 1
    assert not wrong, "\n".join(wrong)
    assert count >= 90


@pytest.mark.parametrize("kind", list(ELSEWHERE))
def test_what_is_asked_elsewhere_is_asked_there(kind: str) -> None:
    """The test that is named is there, and knows the path and the answer of what is not there."""
    file, _, name = ELSEWHERE[kind].partition("::")
    text = (Path(__file__).parents[2] / file).read_text("utf-8")
    body = text.partition(f"async def {name}(")[2].partition("\nasync def ")[0]
    assert f"/{kind}" in body, f"{ELSEWHERE[kind]} asks for no {kind}"
    assert "404" in body


async def test_lists_hold_nothing_of_a_sibling(hub: Hub) -> None:
    assert hub.api is not None
    async with hub.browser("dispatcher") as zhou, hub.browser("admin") as admin, hub.browser("binjiang") as page:
        theirs = await things(hub, zhou, admin)
        seen = set()
        for route in hub.api.routes:
            kind = route.path.split("/")[1]
            if route.method != "GET" or route.parameters or route.result is None or kind in DIRECTORY or route.media:
                continue
            path = route.path + ("?limit=200" if route.query is not None and "limit" in route.query.model_fields else "")
            text = str(await page.call("GET", path))
            found = [what for what, id in theirs.items() if id in text]
            assert found == [], route.path
            everybody = str(await admin.call("GET", path)) + str(await zhou.call("GET", path))
            seen |= {what for what, id in theirs.items() if id in everybody}
        assert seen >= {"consultations", "calls", "groups", "agenda", "devices", "cameras", "recordings"}  # the lists are real


async def test_a_word_about_something_of_a_sibling_is_answered_as_about_nothing(hub: Hub) -> None:
    """Every word of the socket that names something."""
    assert hub.api is not None
    async with hub.browser("dispatcher") as zhou, hub.browser("admin") as admin, hub.browser("binjiang") as page:
        theirs = await things(hub, zhou, admin)
        named: dict[str, Callable[[str], dict[str, Any]]] = {
            "move": lambda id: {"camera": id, "act": "move", "pan": 0.5},
            "floor": lambda id: {"group": id, "action": "request"},
            "watch": lambda id: {"orgs": [hub.ids["yunhu"] if id != NOTHING else id], "people": []},
        }
        nothing = {"resume", "subscribe", "terminal", "presence", "used", "ack"}  # of the page itself
        assert set(named) | nothing == set(hub.api.streams.words), "a new word: say what it names"
        about = {"move": theirs["cameras"], "floor": theirs["groups"], "watch": theirs["groups"]}
        async with page.events() as heard:
            await heard.socket.send_json({"type": "terminal", "id": TERMINAL, "kind": "page", "name": "A"})
            for word, say in named.items():
                answers = []
                for id in (about[word], NOTHING):
                    await heard.socket.send_json({"type": word, **say(id)})
                    while (message := await heard.message())["type"] in ("terminal", "event"):
                        pass
                    answers.append(str(message).replace(id, "it"))
                assert answers[0] == answers[1], word
