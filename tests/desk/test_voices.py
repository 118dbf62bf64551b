"""Speaking through a camera."""

from __future__ import annotations

from typing import Any

from commhub.errors import Conflict
from commhub.media.messages import Voice, VoiceState
from tests.support.hubs import TERMINAL, Browser
from tests.support.recorders import RECORDER, House

TARGET = f"{RECORDER}/34020000001320000001"


def voices(house: House) -> list[Voice]:
    return [one for one in house.bridge.told if isinstance(one, Voice)]


async def enter(house: House, page: Browser) -> dict[str, Any]:
    joining: dict[str, Any] = await page.ok("POST", "/views", {"terminal": TERMINAL})
    await house.hub.enter(joining)
    return joining


async def test_the_microphone_of_the_view_goes_to_the_device(house: House) -> None:
    async with house.hub.browser("dispatcher") as page, house.hub.browser("admin") as admin, page.events() as stream:
        joining = await enter(house, page)
        for _ in range(2):
            await page.ok("POST", f"/cameras/{house.camera}/voice", {"terminal": TERMINAL})
        (asked,) = house.bridge.asked
        assert isinstance(asked, Voice)
        assert (asked.worker, asked.room, asked.identity, asked.targets) == (
            "media-0", joining["room"], joining["identity"], [TARGET],
        )  # fmt: skip
        await enter(house, admin)
        status, answer = await admin.call("POST", f"/cameras/{house.camera}/voice", {"terminal": TERMINAL})
        assert (status, answer["code"]) == (409, "speaking")
        house.hub.parts.desk.voices.receive(VoiceState(asked.voice, TARGET, "speaking"))
        assert (await stream.event("camera.voice"))["data"]["state"] == "speaking"
        await admin.ok("DELETE", f"/cameras/{house.camera}/voice")  # not his
        assert voices(house) == []
        await page.ok("DELETE", f"/cameras/{house.camera}/voice")
        assert [one.targets for one in voices(house)] == [[]]
        await admin.ok("POST", f"/cameras/{house.camera}/voice", {"terminal": TERMINAL})
        rows = (await admin.ok("GET", "/audit?action=camera.voice"))["items"]
        assert len(rows) == 2


async def test_a_refusal_is_the_answer_and_leaves_nothing(house: House) -> None:
    house.bridge.answers[Voice] = Conflict("It has no loudspeaker.", "设备没有喇叭。", code="no_speaker")
    async with house.hub.browser("dispatcher") as page:
        await enter(house, page)
        status, answer = await page.call("POST", f"/cameras/{house.camera}/voice", {"terminal": TERMINAL})
        assert (status, answer["code"], answer["detail"]) == (409, "no_speaker", "It has no loudspeaker.")
        del house.bridge.answers[Voice]
        await page.ok("POST", f"/cameras/{house.camera}/voice", {"terminal": TERMINAL})


async def test_who_leaves_has_stopped(house: House) -> None:
    async with house.hub.browser("dispatcher") as page:
        joining = await enter(house, page)
        await page.ok("POST", f"/cameras/{house.camera}/voice", {"terminal": TERMINAL})
        house.hub.parts.desk.voices.look()
        assert voices(house) == []
        await house.hub.conference.leave(joining["room"], joining["identity"])
        house.hub.parts.desk.voices.look()
        assert [one.targets for one in voices(house)] == [[]]


async def test_a_bridge_that_dies_ends_it(house: House) -> None:
    async with house.hub.browser("dispatcher") as page, page.events() as stream:
        await enter(house, page)
        await page.ok("POST", f"/cameras/{house.camera}/voice", {"terminal": TERMINAL})
        house.hub.parts.desk.voices.unlinked()
        event = await stream.event("camera.voice")
        assert (event["data"]["state"], event["data"]["reason"]["code"]) == ("ended", "bridge_down")
        await page.ok("POST", f"/cameras/{house.camera}/voice", {"terminal": TERMINAL})
        assert len(house.bridge.asked) == 2
