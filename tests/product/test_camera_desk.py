"""What people do at the camera page in Chromium, with a simulated recorder that says what really happened: talking, zooming,
taking a camera over, presets, recordings whose place on the strip is the device's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import av
import pytest
from playwright.async_api import Page, Request, expect

from bridges.simulated.device import Device
from bridges.simulated.model import Mount
from bridges.simulated.stream import Archive
from tests.product.test_camera_page import STOP, found, opened, recorder
from tests.support import until
from tests.support.browser import chromium, screenshot, visitor
from tests.support.camera_house import House
from tests.support.installation import SECRET, Person
from tests.support.pages import moves
from tests.support.receiver import WebhookHost

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]

CAMERA = "临江大堤 K08"
#: Of the day, in this browser's time: ms.
MIDNIGHT = "new Date().setHours(0, 0, 0, 0)"


async def shown(page: Page, hub: House, name: str = CAMERA) -> None:
    """The camera is open on a wall of one and selected."""
    await opened(page, hub)
    await page.get_by_test_id("wall-1").click()
    await found(page, "ljdd", 5)
    await page.get_by_test_id("tree-camera").filter(has_text=name).dblclick()
    await expect(page.locator('[data-testid="spot"][data-state="live"]')).to_have_count(1, timeout=20_000)
    await expect(page.get_by_test_id("camera-side")).to_contain_text(name)


def commands(made: Device, what: str) -> list[str]:
    return [one.value for one in made.commands if one.what == what]


def mount_of(made: Device, name: str = CAMERA) -> Mount:
    return made.mounts[next(code for code, entry in made.entries.items() if entry.name == name)]


async def talks(page: Page, made: Device) -> None:
    """The microphone of the page comes out of the loudspeaker at the camera, and falls silent when it is let go."""
    await page.get_by_test_id("speak").click()
    await until(lambda: any(one.loud > 10 for one in made.calls.speakers.values()), 20, "a voice at the camera")
    speaker = next(iter(made.calls.speakers.values()))
    before = speaker.packets
    await until(lambda: speaker.packets >= before + 10, 10, "a voice that goes on")
    await page.get_by_test_id("speak").click()
    await until(lambda: not made.calls.speakers, 10, "silence")


async def zooms(page: Page, made: Device) -> None:
    """A frame drawn on the picture makes its middle the picture's, and what is in it large."""
    box = await page.get_by_test_id("drag-zoom").bounding_box()
    assert box is not None
    left, top = box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.25
    await page.mouse.move(left, top)
    await page.mouse.down()
    await page.mouse.move(left + box["width"] * 0.25, top + box["height"] * 0.25, steps=4)
    await page.mouse.up()
    await until(lambda: commands(made, "DragZoomIn"), 10, "a frame")
    values = {name: int(value) for name, value in tags(commands(made, "DragZoomIn")[-1]).items()}
    assert abs(values["MidPointX"] / values["Length"] - 0.625) < 0.01
    assert abs(values["MidPointY"] / values["Width"] - 0.375) < 0.01
    assert abs(values["LengthX"] / values["Length"] - 0.25) < 0.01
    assert mount_of(made).zoom == pytest.approx(4, rel=0.05)
    assert mount_of(made).pan > 0


def tags(text: str) -> dict[str, str]:
    parts = text.replace("</", "<").split("<")
    return {one.partition(">")[0]: one.partition(">")[2].strip() for one in parts if one.partition(">")[2].strip()}


async def keeps_presets(page: Page, made: Device) -> None:
    """Kept by the device under a name, called with a click, gone when it is deleted."""
    mount = mount_of(made)
    await page.get_by_test_id("preset-new").click()
    await page.get_by_test_id("preset-number").fill("7")
    await page.get_by_test_id("preset-name").fill("水尺")
    await page.get_by_test_id("preset-save").click()
    kept = page.locator('[data-testid="preset"][data-number="7"]')
    await expect(kept).to_have_text("7 水尺", timeout=10_000)
    assert mount.presets[7][0] == "水尺"
    at = mount.presets[7][1]
    await page.keyboard.down("ArrowLeft")
    await until(lambda: mount.speeds[0] < 0, 10, "a turn to the left")
    await page.keyboard.up("ArrowLeft")
    await until(lambda: commands(made, "PTZCmd")[-1] == STOP, 5, "a stop")
    assert mount.pan < at.pan
    await kept.click()
    await until(lambda: mount.pan == at.pan, 10, "the preset's view")
    await page.get_by_test_id("preset-new").click()
    await page.get_by_test_id("preset-number").fill("7")
    await page.get_by_test_id("preset-delete").click()
    await expect(kept).to_have_count(0, timeout=10_000)
    assert 7 not in mount.presets


async def is_taken_over(page: Page, made: Device, hub: House) -> None:
    """Somebody of a lower rank has it; the dispatcher's page takes it over, and the other one is told."""
    await page.get_by_test_id("lock-mine").click()
    other = await hub.sign_in(hub.who("admin"))
    async with other.session.ws_connect(f"{hub.base}/events", headers={"Origin": hub.base}) as words:
        camera = await page.get_by_test_id("camera-side").get_attribute("data-camera")
        await words.send_json({"type": "move", "camera": camera, "pan": 0.5})
        await page.get_by_test_id("lock-seize").click(timeout=10_000)
        await expect(page.get_by_test_id("lock-mine")).to_be_visible(timeout=10_000)
        await until(lambda: commands(made, "PTZCmd")[-1] == STOP, 5, "a stop")
        while (said := await words.receive_json(timeout=60))["type"] != "refused":
            pass
        assert (said["code"], said["camera"]) == ("locked", camera)


def was_told(made: Device, what: str, value: str) -> bool:
    return any(one.startswith(value) for one in commands(made, what))


async def is_told(page: Page, made: Device) -> None:
    """What is in the menu reaches the device; a restart is asked about first."""
    for act, what, value in (
        ("record_start", "RecordCmd", "Record"),
        ("guard_on", "GuardCmd", "SetGuard"),
        ("aux_on", "PTZCmd", "A50F018C"),
    ):
        await page.get_by_test_id("acts").click()
        await screenshot(page, "camera-acts")
        await page.get_by_test_id(f"act-{act}").click()
        await until(partial(was_told, made, what, value), 10, act)
    await page.get_by_test_id("acts").click()
    await page.get_by_test_id("act-reboot").click()
    await expect(page.get_by_test_id("confirm")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("confirm")).to_be_hidden()
    assert commands(made, "TeleBoot") == []


async def goes_round(page: Page, person: Person) -> None:
    """The camera of the next screen is opened while the one before it is still shown."""
    items = {one["name"]: one["id"] for one in (await person.call("GET", "/cameras?limit=200"))["items"]}
    first, second = items["临江大堤 K12"], items["临江大堤 K14"]
    body = {"name": "大堤", "tiles": 1, "dwell_seconds": 10, "cameras": [first, second]}
    await person.call("POST", "/rounds", body)
    wanted: list[list[str]] = []

    def asked(request: Request) -> None:
        if request.method == "PUT" and "/views/" in request.url:
            wanted.append((request.post_data_json or {}).get("cameras", []))

    page.on("request", asked)
    await page.reload()
    await page.get_by_test_id("round-start").click(timeout=20_000)
    spot = page.locator('[data-testid="spot"][data-camera]')
    await expect(spot).to_have_attribute("data-camera", first, timeout=20_000)
    await expect(spot).to_have_attribute("data-camera", second, timeout=30_000)
    assert any({first, second} <= set(cameras) for cameras in wanted), wanted
    await expect(page.locator('[data-testid="spot"][data-state="live"]')).to_have_count(1, timeout=20_000)
    await page.get_by_test_id("round-stop").click()


async def is_narrow(page: Page) -> None:
    """Below 1600 px the controls lie over the wall while they are asked for."""
    for width in (1920, 1600, 1366):
        await page.set_viewport_size({"width": width, "height": 1080 if width > 1366 else 768})
        await expect(page.get_by_test_id("camera-side")).to_be_visible(visible=width >= 1600)
        await screenshot(page, f"cameras-{width}")
    await page.get_by_test_id("side-switch").click()
    await expect(page.get_by_test_id("ptz")).to_be_visible()
    await screenshot(page, "cameras-1366-controls")
    for name in ("bring", "shoot-all", "side-switch", "downloads-open", "day-live", "day-strip"):
        await page.get_by_test_id(name).click(trial=True)  # the controls do not lie over it
    await page.get_by_test_id("side-hide").click()
    await expect(page.get_by_test_id("ptz")).to_be_hidden()
    await page.set_viewport_size({"width": 1920, "height": 1080})


class Playing:
    """A recording that plays on the page, and the truth about it."""

    def __init__(self, page: Page, made: Device, person: Person, midnight: float) -> None:
        self.page, self.made, self.person, self.midnight = page, made, person, midnight
        self.start = 0.0  # Unix seconds

    @property
    def archive(self) -> Archive:
        return next(one.stream.source for one in self.made.calls.plays if isinstance(one.stream.source, Archive))

    async def begin(self) -> None:
        await self.page.get_by_test_id("day-play").click()
        await expect(self.page.locator(".spot-badge.inverse")).to_be_visible(timeout=15_000)
        (one,) = (await self.person.call("GET", "/playbacks"))["items"]
        self.id, self.start = one["id"], datetime.fromisoformat(one["start"]).timestamp()
        self.seconds = datetime.fromisoformat(one["end"]).timestamp() - self.start

    async def cursor(self) -> float:
        """Seconds after the beginning, as the strip says it."""
        value = await self.page.get_by_test_id("day-strip").get_attribute("aria-valuenow")
        return self.midnight + float(value or 0) - self.start

    async def agrees(self, within: float) -> None:
        """The strip comes to where the device is."""
        last = asyncio.get_running_loop().time() + 20
        while abs((shown := await self.cursor()) - (real := self.archive.position)) > within:
            assert asyncio.get_running_loop().time() < last, (shown, real)
            await asyncio.sleep(0.2)


async def until_cursor(playing: Playing, what: Callable[[float], bool], words: str) -> None:
    async def there() -> bool:
        return what(await playing.cursor())

    await until_true(there, words)


async def until_true(what: Callable[[], Awaitable[bool]], words: str, within: float = 30) -> None:
    last = asyncio.get_running_loop().time() + within
    while not await what():
        assert asyncio.get_running_loop().time() < last, words
        await asyncio.sleep(0.2)


async def plays(page: Page, playing: Playing) -> None:
    """The strip's cursor is where the device is: while it plays, stands, leaps and hurries."""
    await playing.begin()
    await until_cursor(playing, lambda at: at >= 2, "the strip's cursor moves")
    await playing.agrees(2)

    await page.get_by_test_id("day-play").click()
    await until(lambda: not playing.archive.playing, 10, "a pause")
    await playing.agrees(2)
    stands = await playing.cursor()
    await asyncio.sleep(1.2)
    assert await playing.cursor() == stands
    await page.get_by_test_id("day-play").click()
    await until_cursor(playing, lambda at: at > stands, "it plays on")

    await page.get_by_test_id("day-strip").focus()
    await page.keyboard.press("Shift+ArrowRight")
    await until(lambda: playing.archive.position > 590, 10, "a leap of ten minutes")
    await playing.agrees(2)
    await moves(page, '[data-testid="spot"] video')

    await page.get_by_test_id("day-speed").click()
    await page.get_by_role("menuitem", name="4×").click()
    await until(lambda: playing.archive.scale == 4, 10, "four times as fast")
    fast = await playing.cursor()
    await until_cursor(playing, lambda at: at > fast + 12, "the cursor is fast, too")
    await playing.agrees(4)


async def outlives_the_hub(page: Page, playing: Playing, hub: House) -> None:
    """The recording plays on, and the hub after it goes on with the same one."""
    calls = playing.made.counts["INVITE"]
    hub.kill("hub")
    await hub.ready()
    await page.get_by_test_id("day-speed").click()
    await page.get_by_role("menuitem", name="1×").click()
    await until(lambda: playing.archive.scale == 1, 20, "as fast as it was")
    await playing.agrees(2)
    assert playing.made.counts["INVITE"] == calls


async def ends(page: Page, playing: Playing) -> None:
    await playing.person.call("POST", f"/playbacks/{playing.id}", {"action": "seek", "value": playing.seconds - 3})
    await expect(page.get_by_test_id("day-status")).to_have_text("录像已放完", timeout=20_000)
    await screenshot(page, "camera-playback-over")
    await page.get_by_test_id("day-live").click()
    await expect(page.locator(".spot-badge.inverse")).to_be_hidden()


async def chosen(page: Page) -> tuple[int, int]:
    """The span on the strip, seconds of the day."""
    edges = [page.get_by_test_id(f"day-edge-{name}") for name in ("from", "to")]
    first, second = [int(await one.get_attribute("aria-valuenow") or -1) for one in edges]
    return first, second


async def is_chosen(page: Page) -> None:
    """A span of yesterday: drawn with the pointer, its edges moved by keys, marked with letters, let go with Escape."""
    await page.get_by_role("button", name="前一天").click()
    piece = page.get_by_test_id("day-piece").first
    await expect(piece).to_be_visible(timeout=15_000)
    box, strip = await piece.bounding_box(), await page.get_by_test_id("day-strip").bounding_box()
    assert box is not None
    assert strip is not None
    begin, middle = box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2
    await page.mouse.move(begin, middle)
    await page.mouse.down()
    await page.mouse.move(begin + 40, middle, steps=4)
    await page.mouse.up()
    await expect(page.get_by_test_id("day-span")).to_be_visible()
    await expect(page.get_by_test_id("day-status")).to_contain_text("已选")
    first, second = await chosen(page)
    assert abs(first - (begin - strip["x"]) / strip["width"] * 86_400) <= 2
    assert abs(second - first - 40 / strip["width"] * 86_400) <= 2
    assert not await page.locator(".spot-badge.inverse").is_visible()  # nothing plays: it was no click

    await page.get_by_test_id("day-edge-to").focus()
    await page.keyboard.press("ArrowLeft")
    assert await chosen(page) == (first, second - 10)
    edge = await page.get_by_test_id("day-edge-from").bounding_box()
    assert edge is not None
    await page.mouse.move(edge["x"] + edge["width"] / 2, middle)
    await page.mouse.down()
    await page.mouse.move(edge["x"] + edge["width"] / 2 + 10, middle, steps=2)
    await page.mouse.up()
    drawn, end = await chosen(page)
    assert (drawn > first, end) == (True, second - 10)
    await page.get_by_test_id("day-strip").focus()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("day-span")).to_be_hidden()
    await page.keyboard.press("i")
    first, second = await chosen(page)
    assert second - first == 600


async def downloads(page: Page, made: Device, folder: Path) -> None:
    """The span that was chosen stands in the dialog's fields; fifteen seconds of it become a file."""
    await is_chosen(page)
    await page.get_by_test_id("downloads-open").click()
    fields = page.get_by_test_id("downloads").locator("input[type=datetime-local]")
    begin = datetime.fromisoformat(await fields.first.input_value())
    assert datetime.fromisoformat(await fields.last.input_value()) - begin == timedelta(minutes=10)
    begin += timedelta(minutes=1)
    await fields.first.fill(begin.isoformat())
    await fields.last.fill((begin + timedelta(seconds=15)).isoformat())
    first, second = await chosen(page)
    assert second - first == 15
    await page.get_by_test_id("download-start").click()
    row = page.get_by_test_id("download")
    await expect(row).to_have_count(1, timeout=10_000)
    await screenshot(page, "camera-download")
    await expect(row).to_have_attribute("data-state", "done", timeout=60_000)
    assert any(session == "download" for session, _ in made.calls.sent)
    await screenshot(page, "camera-download-done")
    async with page.expect_download() as coming:
        await row.get_by_role("link").click()
    await (await coming.value).save_as(folder / "film.mp4")
    with av.open(str(folder / "film.mp4")) as film:
        assert film.duration is not None
        assert film.duration / 1e6 == pytest.approx(15, abs=0.5)
    await row.get_by_test_id("download-remove").click()
    await expect(row).to_have_count(0, timeout=10_000)
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("downloads")).to_be_hidden()
    await page.get_by_role("button", name="后一天").click()


def webhooks(receiver: WebhookHost) -> dict[str, str]:
    """Of a key that sees every room."""
    return {
        "COMMHUB_KEYS": json.dumps({"city": {"secret": SECRET, "scope": "all"}}),
        "COMMHUB_WEBHOOKS__RECEIVERS": json.dumps([{"url": receiver.url, "key": "city"}]),
        "COMMHUB_WEBHOOKS__ALLOW": receiver.allow,
    }


async def nobody_is_told(page: Page, hub: House, receiver: WebhookHost, person: Person) -> None:
    """Webhooks hear of consultations, and not of who looks at which camera."""
    items = (await person.call("GET", "/cameras?limit=200"))["items"]
    closed = next(one["id"] for one in items if one["name"] == "临江大堤 K16")
    await person.call("POST", f"/cameras/{closed}/snapshots")
    body = {"title": "大堤巡查", "label": "internal", "organisations": [], "people": [], "record": False}
    made = await person.call("POST", "/consultations", body)
    await person.call("POST", f"/consultations/{made['id']}/cameras", {"camera_id": closed})
    await until(lambda: any(one.room.name == made["id"] for one in receiver.events), 10, "a webhook")
    assert {one.room.name for one in receiver.events} == {made["id"]}
    assert receiver.bad == []


async def test_a_camera_is_talked_through_zoomed_taken_over_and_played_back(tmp_path: Path) -> None:
    async with (
        WebhookHost("city", SECRET) as receiver,
        House(tmp_path, **webhooks(receiver)) as hub,
        recorder(hub) as made,
        chromium() as browser,
    ):
        _, page = await visitor(browser, hub.base)
        await shown(page, hub)
        await talks(page, made)
        await zooms(page, made)
        await keeps_presets(page, made)
        await is_taken_over(page, made, hub)
        await is_told(page, made)
        await is_narrow(page)
        await downloads(page, made, tmp_path)
        midnight = float(await page.evaluate(MIDNIGHT)) / 1000
        playing = Playing(page, made, await hub.sign_in(hub.who("dispatcher")), midnight)
        await plays(page, playing)
        await outlives_the_hub(page, playing, hub)
        await ends(page, playing)
        await goes_round(page, playing.person)
        await nobody_is_told(page, hub, receiver, playing.person)
        assert page.complaints == []  # type: ignore[attr-defined]
