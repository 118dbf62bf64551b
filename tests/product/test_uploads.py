"""A device of 2022 brings the picture that somebody takes; of others it is a frame of the stream."""

from __future__ import annotations

import io
from pathlib import Path

import av
import pytest

from tests.product.test_downloads import fetched
from tests.support.camera_house import PICTURE, House, admitted, cameras, gb28181
from tests.support.gb28181 import device

pytestmark = [pytest.mark.peer, pytest.mark.timeout(240)]


@pytest.mark.parametrize(("version", "brought"), [("3.0", True), ("2.0", False)])
async def test_a_snapshot_is_brought_or_taken_of_the_stream(tmp_path: Path, version: str, brought: bool) -> None:
    async with House(tmp_path) as hub:
        admin, password = await admitted(hub)
        async with device(hub.address, password=password, style=PICTURE, version=version, movable=0) as one:
            (camera, *_) = await cameras(admin, gb28181, 1, within=60)
            made = await admin.call("POST", f"/cameras/{camera['id']}/snapshots")
            configured = [said for said in one.commands if said.what == "SnapShotConfig"]
            assert (bool(configured), one.counts["INVITE"] == 0) == (brought, brought)
            status, data = await fetched(admin, made["url"])
            with av.open(io.BytesIO(data), "r", format="mjpeg") as picture:
                frame = next(picture.decode(video=0))
            assert (status, frame.width, frame.height) == (200, *PICTURE.main)
            listed = (await admin.call("GET", f"/snapshots?camera={camera['id']}"))["items"]
            assert listed == [made]
