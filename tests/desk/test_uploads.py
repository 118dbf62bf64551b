"""Pictures that devices bring: from whom, how many, how large, and what is done where none comes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from fractions import Fraction
from typing import Any, cast

import av
import pytest

from bridges.simulated.snapshots import jpeg as encoded
from commhub.desk import uploads
from commhub.desk.uploads import LIMIT, Uploads, unwrapped
from commhub.directory import CameraRecord
from commhub.errors import Conflict, Forbidden, HubError, Invalid, NotFound, Unavailable
from commhub.media.messages import Control, DeviceState, Done, Message, PicturesBrought
from commhub.wire import jpeg

DEVICE, CHANNEL = "11010500001180000001", "11010500001320000001"
HOST = "192.0.2.7"


def picture(width: int = 64, height: int = 48) -> bytes:
    frame = av.VideoFrame(width, height, "yuvj420p")
    frame.time_base = Fraction(1)
    return encoded(frame)


class Devices:
    """The bridge: remembers what it was asked; ``act`` is what the device then does."""

    up = True

    def __init__(self) -> None:
        self.asked: list[Control] = []
        self.refuses: HubError | None = None

    async def ask(self, message: Message, within: float = 10.0) -> Message:
        assert isinstance(message, Control)
        self.asked.append(message)
        if self.refuses is not None:
            raise self.refuses
        return Done()

    def tell(self, message: Message) -> None:
        raise AssertionError(message)

    @property
    def secret(self) -> str:
        return self.asked[-1].values["url"].rpartition("/")[2]


class Camera:
    protocol, device, channel = "gb28181", DEVICE, CHANNEL


CAMERA = cast(CameraRecord, Camera())


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for one in data:
        yield one


class House:
    def __init__(self, version: str = "3.0") -> None:
        self.devices = Devices()
        self.now = 0.0
        self.uploads = Uploads(cast(Any, self.devices), "http://{host}:8080", lambda: self.now)
        self.uploads.receive(DeviceState(device=DEVICE, online=True, version=version, address=f"{HOST}:5060"))

    async def bring(
        self, *data: bytes, secret: str = "", host: str = HOST, kind: str = "image/jpeg", length: int | None = None
    ) -> None:
        await self.uploads.take(secret or self.devices.secret, host, kind, length, pieces(*data))

    async def asked(self) -> asyncio.Task[bytes | None]:
        task = asyncio.create_task(self.uploads.picture(CAMERA))
        count = len(self.devices.asked)
        while len(self.devices.asked) == count:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0)
        return task


async def test_a_device_is_asked_as_the_standard_says_and_its_picture_is_taken() -> None:
    house, data = House(), picture()
    task = await house.asked()
    (asked,) = house.devices.asked
    assert (asked.device, asked.channel, asked.verb) == (DEVICE, CHANNEL, "snapshot")
    assert re.fullmatch(r"http://\{host\}:8080/api/v1/snapshots/upload/[\w-]{32}", asked.values["url"])
    assert 32 <= len(asked.values["session"]) <= 128
    await house.bring(data[:100], data[100:])
    assert await task == data
    with pytest.raises(NotFound):  # once
        await house.bring(data)


async def test_an_address_is_good_for_its_device_and_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    house, data = House(), picture()
    task = await house.asked()
    with pytest.raises(NotFound):
        await house.bring(data, secret="x" * 32)
    with pytest.raises(Forbidden):
        await house.bring(data, host="192.0.2.8")
    house.now += uploads.WITHIN + 1
    with pytest.raises(NotFound):
        await house.bring(data)
    house.now -= uploads.WITHIN + 1
    await house.bring(data)
    assert await task == data


async def test_what_is_no_picture_is_refused_and_an_address_wears_out() -> None:
    house = House()
    task = await house.asked()
    for _ in range(3):
        with pytest.raises(Invalid, match="begin as a JPEG"):
            await house.bring(b"GIF89a")
    with pytest.raises(NotFound):
        await house.bring(picture())
    task.cancel()


async def test_a_picture_is_counted_before_it_is_kept() -> None:
    house = House()
    task = await house.asked()
    with pytest.raises(Invalid) as said:
        await house.bring(length=LIMIT + 1)
    assert said.value.status == 413
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1 << 20
            yield bytes(1 << 20)

    with pytest.raises(Invalid):
        await house.uploads.take(house.devices.secret, HOST, "image/jpeg", None, endless())
    assert read <= LIMIT + (1 << 20)
    task.cancel()


async def test_two_at_once_at_one_address() -> None:
    house, data, gate = House(), picture(), asyncio.Event()
    task = await house.asked()

    async def slow() -> AsyncIterator[bytes]:
        await gate.wait()
        yield data

    first = asyncio.create_task(house.uploads.take(house.devices.secret, HOST, "image/jpeg", None, slow()))
    await asyncio.sleep(0)
    with pytest.raises(Conflict):
        await house.bring(data)
    gate.set()
    await first
    assert await task == data


async def test_a_device_that_does_not_do_it_is_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "WITHIN", 0.05)
    house = House()
    house.devices.refuses = Unavailable("It said no.")
    assert await house.uploads.picture(CAMERA) is None
    house.devices.refuses = None
    assert await house.uploads.picture(CAMERA) is None
    assert len(house.devices.asked) == 1
    house.now += uploads.SPARED + 1
    assert await house.uploads.picture(CAMERA) is None  # it agrees, and nothing comes
    assert len(house.devices.asked) == 2


async def test_a_device_that_says_it_brought_nothing_is_not_waited_for() -> None:
    house = House()
    task = await house.asked()
    house.uploads.receive(PicturesBrought(DEVICE, CHANNEL, "another session"))
    house.uploads.receive(PicturesBrought(DEVICE, CHANNEL, house.devices.asked[0].values["session"]))
    assert await asyncio.wait_for(task, 1) is None


@pytest.mark.parametrize("version", ["2.0", "1.0", ""])
async def test_older_devices_are_not_asked(version: str) -> None:
    house = House(version)
    assert await house.uploads.picture(CAMERA) is None
    assert house.devices.asked == []


def test_a_form_is_unwrapped() -> None:
    data = picture()
    form = b'--frontier\r\nContent-Disposition: form-data; name="n"\r\n\r\ntext\r\n--frontier\r\nContent-Type: image/jpeg\r\n\r\n'
    assert unwrapped(form + data + b"\r\n--frontier--\r\n", 'multipart/form-data; boundary="frontier"') == data
    assert unwrapped(data, "application/octet-stream") == data


def test_a_jpeg_is_known_by_its_markers() -> None:
    data = picture(64, 48)
    assert jpeg.size(data) == (64, 48)
    assert jpeg.size(data + b"\0\0") == (64, 48)
    for wrong, sentence in [
        (b"", "begin as a JPEG"),
        (data[:-2] + bytes(80), "no end"),
        (data[:2] + b"\xff\xd9", "torn"),
        (b"\xff\xd8\xff\xda\x00\x02\xff\xd9", "no frame"),
        (b"\xff\xd8\xff\xc0\x00\x08\x08" + bytes(4) + b"\x01\xff\xd9", "impossible size"),
    ]:
        with pytest.raises(ValueError, match=sentence):
            jpeg.size(wrong)
