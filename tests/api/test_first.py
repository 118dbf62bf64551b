from __future__ import annotations

from pathlib import Path

from tests.support.hubs import TERMINAL, serving


async def test_two_people_meet(tmp_path: Path) -> None:
    async with serving(tmp_path) as hub, hub.browser("dispatcher") as zhou, hub.browser("water") as li, li.events() as heard:
        made = await zhou.ok(
            "POST", "/consultations", {"title": "长江大道内涝处置", "organisations": [hub.ids["water"]], "people": []}
        )
        assert made["may"][0] == "join"
        rings = await heard.event("consultation.invited")
        assert rings["data"]["people"] == [hub.ids["li-sihan"]]
        joining = await li.ok("POST", f"/consultations/{made['id']}/join", {"terminal": TERMINAL})
        await hub.enter(joining)
        joined = await heard.event("consultation.joined")
        assert [one["name"] for one in joined["data"]["consultation"]["present"]] == ["李思涵"]
