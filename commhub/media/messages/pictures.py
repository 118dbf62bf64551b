"""Bridge → hub: pictures that devices bring by themselves."""

from __future__ import annotations

from commhub.media.messages.common import BaseMessage


class PicturesBrought(BaseMessage, frozen=True):
    """UploadSnapShotFinished (GB/T 28181-2022 §9.14): ``files`` are the names of those that arrived, as the device says."""

    device: str
    channel: str
    session: str
    files: list[str] = []
