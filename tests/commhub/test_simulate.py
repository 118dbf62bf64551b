"""`commhub simulate` as people start it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from tests.support.gb28181 import DEVICE, device_process, registrar


async def test_a_device_signs_in_and_out_as_a_process() -> None:
    async with registrar() as platform:
        async with device_process(platform.address, "--channels", "3", "--heartbeat", "1", "--name", "北匝道录像机"):
            await platform.until(lambda: DEVICE in platform.flows, 20)
            await platform.say("Query", "DeviceInfo", DEVICE)
            await platform.until(lambda: bool(platform.texts("DeviceInfo")))
            assert "<DeviceName>北匝道录像机</DeviceName>" in platform.texts("DeviceInfo")[0]
            assert "<Channel>3</Channel>" in platform.texts("DeviceInfo")[0]
        await platform.until(lambda: platform.registers[-1].expires == 0)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["gb28181", "--code", "123"], "A code has 20 digits; 123 has not."),
        (["gb28181", "--quirk", "nice"], "There is no quirk nice."),
        (["gb28181", "--platform", "there"], "there is not host:port."),
        (["platform", "--channels", "0"], "A platform brings 1 to 200,000 cameras."),
        (["rtsp", "--size", "big"], "a size is width x height"),
    ],
)
def test_mistakes_end_with_a_sentence(words: list[str], sentence: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "commhub", "simulate", *words],
        capture_output=True,
        text=True,
        timeout=30,
        env=os.environ,
        check=False,
    )
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr


async def test_quirks_are_listed() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "commhub", "simulate", "quirks", stdout=asyncio.subprocess.PIPE
    )
    text, _ = await asyncio.wait_for(process.communicate(), 30)
    assert b"no-psm" in text
    assert process.returncode == 0
