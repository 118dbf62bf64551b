"""The address book in the browser: found by a few letters and called; seats; files in, with the wrong rows named."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.browser import chromium, screenshot
from tests.support.installation import Installation
from tests.support.pages import signed_in

pytestmark = [pytest.mark.peer, pytest.mark.timeout(480)]

HEAD = "type,key,name,kind,parent,connectivity,org,post,level,owner,address\n"
GOOD = HEAD + "".join(
    [
        "organisation,jiangtan,江滩街道,street,binjiang,phone,,,,,\n",
        "person,qin,秦叔宝,,,,jiangtan,街道主任,7,,\n",
        "endpoint,qin-mobile,,phone,,,,,,person:qin,13800001234\n",
        *(f"person,many-{n},张{n:03},,,,jiangtan,网格员,9,,\n" for n in range(600)),
    ]
)


async def open_book(page: Page) -> None:
    await page.get_by_role("link", name="通讯录").click()
    await expect(page.get_by_test_id("directory")).to_be_visible()
    await expect(page.get_by_test_id("book-org").first).to_be_visible()


async def find(page: Page, words: str, name: str) -> None:
    await page.keyboard.press("/")
    await page.keyboard.type(words)
    await expect(page.get_by_test_id("book-entry").filter(has_text=name).first).to_be_visible()


async def test_somebody_is_found_and_called(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, chromium() as browser:
        dispatcher, participant = hub.who("dispatcher"), hub.who("participant")
        first = await signed_in(browser, hub, "dispatcher")
        second = await signed_in(browser, hub, "participant")
        await open_book(first)
        staffed = first.locator('[data-testid="book-org"][data-name="民政局"] [data-connectivity="staffed"]')
        await expect(staffed).to_be_visible()

        # By initials of the organisation, from the keyboard alone.
        await find(first, "yjj", participant.name)
        row = first.get_by_test_id("book-entry").filter(has_text=participant.name).first
        await expect(row.locator("[data-presence]")).to_have_attribute("data-presence", "idle")
        await screenshot(first, "book-search")
        await row.click()
        await expect(first.get_by_test_id("book-card")).to_have_attribute("data-name", participant.name)
        await first.get_by_test_id("book-star").click()
        await screenshot(first, "book-card")
        await first.keyboard.press("v")
        await expect(second.get_by_test_id("call-card")).to_contain_text(dispatcher.name, timeout=15_000)
        await second.keyboard.press("F1")
        await expect(first.get_by_test_id("call-who")).to_have_attribute("data-situation", "talking", timeout=15_000)
        await expect(row.locator("[data-presence]")).to_have_attribute("data-presence", "busy")
        for page in (first, second):  # his picture and one's own
            await expect(page.locator('[data-testid="call-face"][data-live="true"]')).to_have_count(2, timeout=20_000)
        await screenshot(first, "call-pictures")
        await first.keyboard.press("Shift+V")
        await expect(second.locator('[data-testid="call-face"][data-live="true"]')).to_have_count(1)
        await first.keyboard.press("F4")
        await expect(row.locator("[data-presence]")).to_have_attribute("data-presence", "idle", timeout=20_000)

        await first.get_by_test_id("book-favourites").click()
        await expect(first.get_by_test_id("book-entry")).to_have_count(1)
        await first.get_by_test_id("book-recent").click()
        await expect(first.get_by_test_id("book-entry").filter(has_text=participant.name)).to_have_count(1)

        # A seat: one signs on, somebody else takes it over with a reason.
        await find(first, "民政驻点", "民政驻点坐席")
        await first.get_by_test_id("book-entry").first.click()
        await first.get_by_test_id("seat-on").click()
        await expect(first.get_by_test_id("seat-sitting")).to_contain_text(dispatcher.name)
        await first.locator('[data-testid="book-org"][data-name="城市运行管理中心"]').click()
        await expect(first.get_by_test_id("book-entry").filter(has_text="民政驻点坐席")).to_contain_text(dispatcher.name)
        await first.get_by_test_id("book-entry").filter(has_text="民政驻点坐席").click()
        await expect(first.get_by_test_id("seat-off")).to_be_visible()
        await expect(first.get_by_test_id("book-endpoint").first).to_be_visible()
        await screenshot(first, "address-book")
        await first.set_viewport_size({"width": 390, "height": 800})
        await screenshot(first, "book-phone-card")
        assert first.complaints == second.complaints == []  # type: ignore[attr-defined]


async def test_an_administrator_keeps_the_book(tmp_path: Path) -> None:
    async with Installation(tmp_path) as hub, chromium() as browser:
        page = await signed_in(browser, hub, "admin")
        await open_book(page)
        await page.locator('[data-testid="book-org"][data-name="滨江区"]').click()

        await page.get_by_test_id("book-admin").click()
        await page.get_by_test_id("book-import").click()
        wrong = GOOD.replace("qin,秦叔宝", "Qin!,秦叔宝").replace(",7,,", ",17,,")
        await page.get_by_test_id("import-file").set_input_files(
            {"name": "book.csv", "mimeType": "text/csv", "buffer": wrong.encode("gb18030")}
        )
        rows = page.get_by_test_id("import-wrong").locator("tbody tr")
        await expect(rows.first).to_contain_text("3")
        await screenshot(page, "book-import")
        await page.get_by_test_id("import-file").set_input_files(
            {"name": "book.csv", "mimeType": "text/csv", "buffer": GOOD.encode()}
        )
        await expect(page.get_by_test_id("import-fits")).to_contain_text("603", timeout=30_000)
        await page.get_by_test_id("import-submit").click()
        await expect(page.get_by_test_id("import-file")).to_have_count(0, timeout=30_000)

        # The tree has it by the event; six hundred people are a window of rows.
        await page.locator('[data-testid="book-org"][data-name="滨江区"] [data-testid="book-twist"]').click()
        await page.locator('[data-testid="book-org"][data-name="江滩街道"]').click()
        await expect(page.get_by_test_id("book-count")).to_contain_text("601", timeout=20_000)
        await expect(page.get_by_test_id("book-entry").first).to_be_visible()
        assert await page.get_by_test_id("book-entry").count() < 60
        await screenshot(page, "book-many")

        await find(page, "qsb", "秦叔宝")
        await page.get_by_test_id("book-entry").filter(has_text="秦叔宝").first.click()
        await expect(page.get_by_test_id("book-endpoint")).to_contain_text("13800001234")
        await page.get_by_test_id("book-edit").click()
        await page.get_by_test_id("field-post").fill("街道书记")
        await page.get_by_test_id("entry-save").click()
        await expect(page.get_by_test_id("book-card")).to_contain_text("街道书记")
        assert page.complaints == []  # type: ignore[attr-defined]
