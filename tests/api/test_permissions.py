"""Every route by every role, and by nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from commhub.api import openapi
from commhub.api.routes import PUBLIC, SIGNED_IN, Route
from commhub.model import PERMISSIONS, Role
from tests.support.hubs import Hub, serving

ACCOUNTS = {"participant": "emergency", "dispatcher": "dispatcher", "reviewer": "reviewer", "admin": "admin"}
#: Written down once more, so that a changed permission has to be meant.
EXPECTED = {
    "POST /session": "public",
    "GET /session": "signed-in",
    "DELETE /session": "signed-in",
    "GET /organisations": "participant dispatcher reviewer admin",
    "GET /people": "participant dispatcher reviewer admin",
    "POST /organisations": "admin",
    "GET /organisations/{id}": "participant dispatcher reviewer admin",
    "PATCH /organisations/{id}": "admin",
    "DELETE /organisations/{id}": "admin",
    "POST /people": "admin",
    "GET /people/{id}": "participant dispatcher reviewer admin",
    "PATCH /people/{id}": "admin",
    "DELETE /people/{id}": "admin",
    "GET /places": "participant dispatcher reviewer admin",
    "POST /places": "admin",
    "GET /places/{id}": "participant dispatcher reviewer admin",
    "PATCH /places/{id}": "admin",
    "DELETE /places/{id}": "admin",
    "GET /seats": "participant dispatcher reviewer admin",
    "POST /seats": "admin",
    "GET /seats/{id}": "participant dispatcher reviewer admin",
    "PATCH /seats/{id}": "admin",
    "DELETE /seats/{id}": "admin",
    "POST /seats/{id}/sign-on": "participant dispatcher admin",
    "POST /seats/{id}/sign-off": "participant dispatcher admin",
    "GET /endpoints": "participant dispatcher reviewer admin",
    "POST /endpoints": "admin",
    "GET /endpoints/{id}": "participant dispatcher reviewer admin",
    "PATCH /endpoints/{id}": "admin",
    "DELETE /endpoints/{id}": "admin",
    "GET /directory/search": "participant dispatcher reviewer admin",
    "GET /directory/tree": "participant dispatcher reviewer admin",
    "GET /directory/connectivity": "participant dispatcher reviewer admin",
    "POST /directory/resolution": "participant dispatcher reviewer admin",
    "GET /directory/contacts": "participant dispatcher reviewer admin",
    "PUT /directory/contacts/{id}": "participant dispatcher reviewer admin",
    "DELETE /directory/contacts/{id}": "participant dispatcher reviewer admin",
    "GET /directory/export": "admin",
    "POST /directory/import": "admin",
    "GET /cameras": "participant dispatcher admin",
    "GET /cameras/{id}": "participant dispatcher admin",
    "PUT /cameras/{id}/favourite": "participant dispatcher admin",
    "DELETE /cameras/{id}/favourite": "participant dispatcher admin",
    "GET /camera-tree": "participant dispatcher admin",
    "PATCH /camera-nodes/{id}": "admin",
    "GET /devices": "dispatcher admin",
    "POST /devices": "admin",
    "PATCH /devices/{id}": "admin",
    "POST /devices/{id}/admit": "admin",
    "POST /devices/{id}/refuse": "admin",
    "POST /devices/{id}/catalogue": "dispatcher admin",
    "DELETE /devices/{id}": "admin",
    "GET /alarms": "dispatcher admin",
    "POST /alarms/{id}/confirm": "dispatcher admin",
    "GET /audit": "admin",
    "GET /consultations": "participant dispatcher reviewer admin",
    "POST /consultations": "dispatcher admin",
    "GET /consultations/{id}": "participant dispatcher reviewer admin",
    "PATCH /consultations/{id}": "participant dispatcher admin",
    "POST /consultations/{id}/invitations": "dispatcher admin",
    "POST /consultations/{id}/join": "participant dispatcher admin",
    "POST /consultations/{id}/end": "participant dispatcher admin",
    "DELETE /consultations/{id}/participants/{identity}": "participant dispatcher admin",
    "POST /consultations/{id}/participants/{identity}/mute": "participant dispatcher admin",
    "POST /consultations/{id}/cameras": "dispatcher admin",
    "DELETE /consultations/{id}/cameras/{camera_id}": "dispatcher admin",
    "POST /consultations/{id}/recording": "dispatcher admin",
    "GET /consultations/{id}/stats": "participant dispatcher admin",
    "PUT /consultations/{id}/chair": "participant dispatcher admin",
    "PUT /consultations/{id}/co-chairs": "participant dispatcher admin",
    "PUT /consultations/{id}/stage": "participant dispatcher admin",
    "PUT /consultations/{id}/muting": "participant dispatcher admin",
    "POST /consultations/{id}/speakers": "participant dispatcher admin",
    "DELETE /consultations/{id}/speakers/{person}": "participant dispatcher admin",
    "PUT /consultations/{id}/broadcast": "participant dispatcher admin",
    "POST /consultations/{id}/sides": "participant dispatcher admin",
    "DELETE /consultations/{id}/sides/{side}": "participant dispatcher admin",
    "POST /consultations/{id}/hand": "participant dispatcher admin",
    "DELETE /consultations/{id}/hand": "participant dispatcher admin",
    "PUT /consultations/{id}/hands": "participant dispatcher admin",
    "DELETE /consultations/{id}/hands": "participant dispatcher admin",
    "POST /consultations/{id}/hands/{person}/call": "participant dispatcher admin",
    "DELETE /consultations/{id}/hands/{person}": "participant dispatcher admin",
    "GET /consultations/{id}/lobby": "participant dispatcher admin",
    "PUT /consultations/{id}/lobby": "participant dispatcher admin",
    "POST /consultations/{id}/lobby/admit": "participant dispatcher admin",
    "POST /consultations/{id}/lobby/refuse": "participant dispatcher admin",
    "POST /consultations/{id}/lobby/return": "participant dispatcher admin",
    "DELETE /consultations/{id}/wait": "participant dispatcher admin",
    "PUT /consultations/{id}/planned-end": "participant dispatcher admin",
    "POST /consultations/{id}/extension": "participant dispatcher admin",
    "GET /cameras/{id}/diagnosis": "dispatcher admin",
    "POST /cameras/{id}/retry": "dispatcher admin",
    "POST /cameras/{id}/lock": "dispatcher admin",
    "DELETE /cameras/{id}/lock": "dispatcher admin",
    "GET /cameras/{id}/presets": "dispatcher admin",
    "POST /cameras/{id}/control": "dispatcher admin",
    "GET /cameras/{id}/recordings": "dispatcher admin",
    "GET /playbacks": "dispatcher admin",
    "POST /playbacks": "dispatcher admin",
    "POST /playbacks/{id}": "dispatcher admin",
    "DELETE /playbacks/{id}": "dispatcher admin",
    "POST /cameras/{id}/downloads": "dispatcher admin",
    "GET /downloads": "dispatcher admin",
    "GET /downloads/{id}": "dispatcher admin",
    "GET /downloads/{id}/file": "dispatcher admin",
    "DELETE /downloads/{id}": "dispatcher admin",
    "POST /cameras/{id}/voice": "dispatcher admin",
    "DELETE /cameras/{id}/voice": "dispatcher admin",
    "POST /cameras/{id}/snapshots": "dispatcher admin",
    "GET /snapshots": "dispatcher admin",
    "POST /snapshots/upload/{secret}": "public",
    "GET /snapshots/{id}": "dispatcher admin",
    "GET /rounds": "dispatcher admin",
    "POST /rounds": "dispatcher admin",
    "PATCH /rounds/{id}": "dispatcher admin",
    "DELETE /rounds/{id}": "dispatcher admin",
    "GET /layouts": "dispatcher admin",
    "PUT /layouts": "dispatcher admin",
    "POST /views": "dispatcher admin",
    "PUT /views/{terminal}": "dispatcher admin",
    "DELETE /views/{terminal}": "dispatcher admin",
    "GET /calls": "participant dispatcher reviewer admin",
    "POST /calls": "participant dispatcher admin",
    "GET /calls/{id}": "participant dispatcher reviewer admin",
    "POST /calls/{id}/answer": "participant dispatcher admin",
    "POST /calls/{id}/decline": "participant dispatcher admin",
    "POST /calls/{id}/hangup": "participant dispatcher admin",
    "POST /calls/{id}/hold": "participant dispatcher admin",
    "POST /calls/{id}/resume": "participant dispatcher admin",
    "POST /calls/{id}/add": "participant dispatcher admin",
    "POST /calls/{id}/transfer": "participant dispatcher admin",
    "POST /calls/{id}/redial": "participant dispatcher admin",
    "POST /calls/{id}/join": "participant dispatcher admin",
    "GET /groups": "participant dispatcher admin",
    "POST /groups": "dispatcher admin",
    "GET /groups/{id}": "participant dispatcher admin",
    "PATCH /groups/{id}": "dispatcher admin",
    "DELETE /groups/{id}": "dispatcher admin",
    "POST /groups/{id}/affiliate": "participant dispatcher admin",
    "POST /groups/{id}/unaffiliate": "participant dispatcher admin",
    "POST /groups/{id}/call": "participant dispatcher admin",
    "POST /groups/{id}/join": "participant dispatcher admin",
    "POST /groups/{id}/end": "participant dispatcher admin",
    "POST /groups/{id}/floor": "participant dispatcher admin",
    "POST /groups/{id}/emergency": "participant dispatcher admin",
    "POST /groups/{id}/emergency/cancel": "dispatcher admin",
    "GET /emergencies": "participant dispatcher admin",
    "POST /emergencies/{id}/acknowledge": "dispatcher admin",
    "POST /consultations/{id}/roll-calls": "participant dispatcher admin",
    "POST /roll-calls": "dispatcher admin",
    "GET /roll-calls": "participant dispatcher reviewer admin",
    "GET /roll-calls/asked": "participant dispatcher admin",
    "GET /roll-calls/{id}": "participant dispatcher reviewer admin",
    "POST /roll-calls/{id}/step": "participant dispatcher admin",
    "POST /roll-calls/{id}/answer": "participant dispatcher admin",
    "GET /roll-calls/{id}/report": "participant dispatcher reviewer admin",
    "GET /dispatch": "participant dispatcher reviewer admin",
    "GET /dispatch/allowed": "dispatcher admin",
    "POST /dispatch/monitor": "dispatcher admin",
    "POST /dispatch/whisper": "dispatcher admin",
    "POST /dispatch/barge": "dispatcher admin",
    "POST /dispatch/release": "dispatcher admin",
    "POST /dispatch/takeover": "dispatcher admin",
    "POST /dispatch/preempt": "dispatcher admin",
    "DELETE /dispatch/{id}": "dispatcher admin",
    "GET /agenda": "participant dispatcher reviewer admin",
    "POST /agenda": "dispatcher admin",
    "POST /agenda/clashes": "dispatcher admin",
    "GET /agenda/{id}": "participant dispatcher reviewer admin",
    "PUT /agenda/{id}": "dispatcher admin",
    "POST /agenda/{id}/cancel": "dispatcher admin",
    "PATCH /agenda/{id}/occurrences/{at}": "dispatcher admin",
    "POST /agenda/{id}/reply": "participant dispatcher admin",
    "POST /agenda/{id}/occurrences/{at}/start": "dispatcher admin",
    "POST /agenda/{id}/occurrences/{at}/enter": "participant dispatcher admin",
    "GET /agenda/{id}/calendar": "participant dispatcher reviewer admin",
    "POST /agenda/{id}/materials": "dispatcher admin",
    "GET /agenda/{id}/materials/{material}": "participant dispatcher reviewer admin",
    "DELETE /agenda/{id}/materials/{material}": "dispatcher admin",
    "GET /agenda/{id}/occurrences/{at}/attendance": "participant dispatcher reviewer admin",
    "POST /agenda/{id}/occurrences/{at}/attendance": "participant dispatcher admin",
    "GET /agenda/{id}/occurrences/{at}/attendance/report": "participant dispatcher reviewer admin",
    "GET /agenda/{id}/occurrences/{at}/minutes": "participant dispatcher reviewer admin",
    "PUT /agenda/{id}/occurrences/{at}/minutes": "dispatcher admin",
    "POST /agenda/{id}/occurrences/{at}/minutes/sign": "dispatcher admin",
    "GET /agenda/{id}/occurrences/{at}/minutes/file": "participant dispatcher reviewer admin",
    "GET /link-tests": "dispatcher admin",
    "POST /link-tests": "dispatcher admin",
    "POST /link-tests/{id}/result": "participant dispatcher admin",
    "GET /recordings/{id}/keeping": "reviewer admin",
    "POST /recordings/{id}/holds": "reviewer admin",
    "POST /recordings/{id}/holds/{hold}/lift": "reviewer admin",
    "POST /recordings/{id}/deletion": "reviewer admin",
    "POST /recordings/{id}/deletion/confirm": "admin",
    "POST /recordings/{id}/deletion/refuse": "reviewer admin",
    "GET /deletions": "reviewer admin",
    "POST /recordings/{id}/exports": "reviewer admin",
    "GET /recordings/{id}/exports": "reviewer admin",
    "GET /recordings/{id}/exports/{export}": "reviewer admin",
    "GET /recordings/{id}/exports/{export}/file": "reviewer admin",
    "DELETE /recordings/{id}/exports/{export}": "reviewer admin",
    "POST /recordings/{id}/exports/{export}/approve": "admin",
    "POST /recordings/{id}/exports/{export}/refuse": "admin",
    "GET /exports/waiting": "admin",
    "GET /storage": "reviewer admin",
    "PUT /storage/{id}": "admin",
    "POST /calls/{id}/recording": "dispatcher admin",
    "GET /calls/{id}/recording": "participant dispatcher reviewer admin",
    "POST /groups/{id}/recording": "dispatcher admin",
    "GET /groups/{id}/recording": "participant dispatcher admin",
    "POST /cameras/{id}/recording": "dispatcher admin",
    "GET /cameras/{id}/recording": "participant dispatcher admin",
    "GET /recorded": "participant dispatcher admin",
    "GET /recording-policies": "admin",
    "GET /recording-policies/{kind}/{id}": "admin",
    "PUT /recording-policies/{kind}/{id}": "admin",
    "PUT /recordings/{id}/incident": "dispatcher admin",
    "GET /recordings": "reviewer admin",
    "GET /recordings/search": "reviewer admin",
    "GET /recordings/access": "admin",
    "POST /recordings/search/rebuild": "admin",
    "GET /recordings/access/report": "admin",
    "GET /recordings/{id}/lanes": "reviewer admin",
    "GET /recordings/{id}/pieces": "reviewer admin",
    "GET /recordings/{id}/marks": "reviewer admin",
    "POST /recordings/{id}/marks": "reviewer admin",
    "PATCH /recordings/{id}/marks/{mark}": "reviewer admin",
    "DELETE /recordings/{id}/marks/{mark}": "reviewer admin",
    "GET /recordings/{id}/thumbnails/{track}": "reviewer admin",
    "GET /recordings/{id}/thumbnails/{track}/{file}": "reviewer admin",
    "GET /recordings/{id}/waveforms/{track}": "reviewer admin",
    "GET /recordings/{id}": "reviewer admin",
    "GET /recordings/{id}/media/{track}/{file}": "reviewer admin",
}
REFUSED = "You do not have the permission for this."


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with serving(tmp_path) as hub:
        yield hub


def routes(hub: Hub) -> list[Route]:
    assert hub.api is not None
    return hub.api.routes


def address(route: Route) -> str:
    path = route.path
    for name in route.parameters:
        path = path.replace(f"{{{name}}}", "01K00000000000000000000000")
    return path + "?format=json" * (path == "/directory/export")  # the other form is no JSON


async def test_the_matrix_is_complete_and_as_meant(hub: Hub) -> None:
    found = {}
    for route in routes(hub):
        holders = [str(role) for role in Role if route.permission in PERMISSIONS[role]]
        open_to = route.permission if route.permission in (PUBLIC, SIGNED_IN) else " ".join(holders)
        found[f"{route.method} {route.path}"] = open_to
    assert found == EXPECTED


@pytest.mark.parametrize("role", list(ACCOUNTS))
async def test_every_route_by_role(hub: Hub, role: str) -> None:
    async with hub.browser(ACCOUNTS[role]) as page:
        for route in routes(hub):
            if route.permission in (PUBLIC, SIGNED_IN):
                continue
            allowed = role in EXPECTED[f"{route.method} {route.path}"].split()
            body: dict[str, str] | None = None if route.method == "GET" else {}
            status, answer = await page.call(route.method, address(route), body)
            refused = status == 403 and answer["detail"] == REFUSED
            assert refused is not allowed, (route.method, route.path, status, answer)


async def test_nobody_gets_anything(hub: Hub) -> None:
    async with hub.browser() as page:
        for route in routes(hub):
            if route.permission != PUBLIC:
                status, answer = await page.call(route.method, address(route), None if route.method == "GET" else {})
                assert (status, answer["code"]) == (401, "unauthenticated"), route.path


async def test_refusals_are_audited(hub: Hub) -> None:
    async with hub.browser("emergency") as page, hub.browser("admin") as admin:
        for _ in range(3):
            assert (await page.call("POST", "/consultations", {"title": "T"}))[0] == 403
        rows = (await admin.ok("GET", "/audit?action=consultation.create"))["items"]
        assert [(row["actor_name"], row["result"], row["org_name"]) for row in rows] == [("陈知行", "denied", "应急管理局")]


async def test_no_path_outside_the_list_answers_below_the_prefix(hub: Hub) -> None:
    assert hub.server is not None
    declared = {(route.method, openapi.PREFIX + route.path) for route in routes(hub)}
    for route in hub.server.app.router.routes():
        assert route.resource is not None
        path = route.resource.canonical
        if path.startswith(openapi.PREFIX) and route.method != "HEAD":
            assert (route.method, path) in declared
