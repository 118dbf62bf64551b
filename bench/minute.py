"""From ``make run`` on an installed machine to two browsers that see each other, in seconds. The goal is 60.

python -m bench.minute
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import tempfile
import time
from pathlib import Path

from playwright.async_api import expect

from tests.support import free_port
from tests.support.browser import chromium, visitor
from tests.support.installation import REPOSITORY, SignIn
from tests.support.pages import OTHER, moves, sign_in

ROW = re.compile(r"│\s*(\w+)\s*│\s*(\S+)\s*│\s*(\S+)\s*│\s*(\S+)\s*│")


async def until_ready(process: asyncio.subprocess.Process) -> tuple[str, list[SignIn]]:
    """Reads what `make run` prints to people: the URL, and the sign-ins."""
    assert process.stdout is not None
    people = []
    async for raw in process.stdout:
        line = raw.decode()
        if row := ROW.search(line):
            people.append(SignIn(row[3], row[4], row[2], row[1]))
        if found := re.search(r"https?://\S+", line):
            return found[0], people
    raise RuntimeError("make run ended")


async def meet(base: str, people: list[SignIn]) -> None:
    host, guest = (next(one for one in people if one.role == role) for role in ("dispatcher", "participant"))
    async with chromium() as browser:
        _, first = await visitor(browser, base, width=1280, height=720)
        _, second = await visitor(browser, base, width=1280, height=720)
        await asyncio.gather(sign_in(first, host), sign_in(second, guest))
        await first.get_by_test_id("consultation-create").click()
        await first.get_by_test_id("create-title").fill("第一分钟")
        await first.get_by_test_id("invitee-search").fill(guest.name)
        await first.get_by_test_id("invitee-person").filter(has_text=guest.name).click()
        await first.get_by_test_id("create-submit").click()
        await second.get_by_test_id("ring-accept").click(timeout=20_000)
        for page in (first, second):
            await expect(page.get_by_test_id("room")).to_be_visible(timeout=20_000)
            await moves(page, OTHER)


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="minute"))
    port, media, camera = free_port(), free_port(), free_port()
    environment = {
        **os.environ,
        "COMMHUB_DATA_DIR": str(folder / "data"),
        "COMMHUB_HTTP__PORT": str(port),
        "COMMHUB_MEDIA__PORT": str(media),
        "COMMHUB_MEDIA__ADDRESS": "127.0.0.1",
    }
    start = time.monotonic()
    # What `make run` does once it has found that everything is built.
    process = await asyncio.create_subprocess_shell(
        f"make build && exec .venv/bin/commhub run --camera-port {camera}",
        cwd=REPOSITORY, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        base, people = await asyncio.wait_for(until_ready(process), 120)
        ready = time.monotonic() - start
        await meet(base, people)
        print(f"URL and sign-ins after {ready:.1f} s, two browsers see each other after {time.monotonic() - start:.1f} s")
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main())
