"""Hub ↔ bridge: recordings on devices that become files here."""

from __future__ import annotations

from commhub.media.messages.common import BaseMessage


class Download(BaseMessage, frozen=True, kw_only=True):
    """Have this recording written to ``path`` (a file's path without its ending; ``.mp4`` is the film). Idempotent: one that is
    known tells its state again, one that an earlier process began goes on. ``begin`` and ``end`` are Unix seconds; ``speed`` is
    asked of the device; ``limit`` octets the film may have, ``free`` octets the disk must keep."""

    download: str
    device: str
    channel: str
    begin: int
    end: int
    path: str
    limit: int
    free: int = 0
    speed: int = 4


class StopDownload(BaseMessage, frozen=True):
    """Forget it; what is written is the hub's. Answered by Done once nothing is written any more. Idempotent."""

    download: str


class DownloadState(BaseMessage, frozen=True, kw_only=True):
    """``state``: connecting, receiving, done, failed. ``seconds`` of film that are kept, ``octets`` that came of ``size`` (0: the
    device did not say), ``pictures`` kept, ``lost`` times that something was missing. ``bytes`` and ``sha256`` are the file's,
    once there is one: a failed download may have a file, too. ``code`` is stable, the texts are for people."""

    download: str
    state: str
    seconds: float = 0.0
    octets: int = 0
    size: int = 0
    pictures: int = 0
    lost: int = 0
    bytes: int = 0
    sha256: str = ""
    code: str = ""
    text: str = ""
    text_zh: str = ""
