"""Pictures that devices take themselves and bring here (GB/T 28181-2022 §9.14): sharper than a frame of the stream.

A device gets an address with a secret that is good for one picture, for some seconds, from where that device stands. What
comes is counted before it is kept, and has to be a JPEG. A device that does not do it is not asked again for a while.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from commhub import log as logs
from commhub.control import Devices
from commhub.directory import CameraRecord
from commhub.errors import Conflict, Forbidden, HubError, Invalid, NotFound
from commhub.media.messages import Control, DeviceState, Message, PicturesBrought
from commhub.wire import jpeg

log = logs.get(__name__)

LIMIT = 8 << 20  # octets of a picture
WITHIN = 4.0  # seconds from the question to the picture
TRIES = 3  # that one address is good for something that is no picture
SPARED = 600.0  # seconds for which a device that does not do it is not asked
VERSION = "3"  # X-GB-ver of 2022
PATH = "/api/v1/snapshots/upload/"
HOST = "{host}"  # the bridge writes our address there as the device sees it
_PLATFORM = "200"  # of a code: cameras of a lower platform may stand anywhere


@dataclass(slots=True, eq=False)
class _Session:
    device: str
    id: str
    host: str  # where it must come from; "" is anywhere
    until: float
    picture: asyncio.Future[bytes] = field(repr=False)
    tries: int = 0
    taking: bool = False


class Uploads:
    """``origin`` is how devices reach this hub: ``http://host:port``, where ``{host}`` stands for what they know us as; "" asks
    no device. A user of the bridge's link."""

    def __init__(self, devices: Devices, origin: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._devices, self._origin, self._clock = devices, origin, clock
        self._there: dict[str, tuple[str, str]] = {}  # device → version, host
        self._sessions: dict[str, _Session] = {}  # by secret
        self._spared: dict[str, float] = {}

    # ---- the bridge

    def linked(self, snapshot: Message, tell: Callable[[Message], None]) -> None:
        """It tells every device that is there."""

    def unlinked(self) -> None:
        self._there.clear()

    def receive(self, message: Message) -> None:
        if isinstance(message, DeviceState):
            if message.online:
                self._there[message.device] = (message.version, message.address.rpartition(":")[0].strip("[]"))
            else:
                self._there.pop(message.device, None)
        elif isinstance(message, PicturesBrought) and not message.files:
            for one in self._sessions.values():
                if (one.device, one.id) == (message.device, message.session) and not one.picture.done():
                    one.picture.set_exception(NotFound("The device brought no picture."))

    # ---- asking

    async def picture(self, camera: CameraRecord) -> bytes | None:
        """None where the device does not do it, or not now."""
        version, host = self._there.get(camera.device, ("", ""))
        if not self._origin or camera.protocol != "gb28181" or not version.startswith(VERSION):
            return None
        if self._clock() < self._spared.get(camera.device, 0.0):
            return None
        secret = secrets.token_urlsafe(24)
        where = "" if camera.device[10:13] == _PLATFORM else host
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        made = _Session(camera.device, secrets.token_hex(16), where, self._clock() + WITHIN, future)
        values = {"count": "1", "interval": "1", "url": f"{self._origin}{PATH}{secret}", "session": made.id}
        self._sessions[secret] = made
        try:
            async with asyncio.timeout(WITHIN):
                await self._devices.ask(Control(camera.device, camera.channel, "snapshot", values))
                return await made.picture
        except (HubError, TimeoutError) as error:
            self._spared[camera.device] = self._clock() + SPARED
            log.info("device brings no picture", device=camera.device, reason=str(error) or "timeout")
            return None
        finally:
            del self._sessions[secret]
            if not made.picture.done():
                made.picture.cancel()
            elif not made.picture.cancelled():
                made.picture.exception()  # seen, wherever it came from

    # ---- what comes

    async def take(self, secret: str, address: str, kind: str, length: int | None, body: AsyncIterator[bytes]) -> None:
        """A picture is brought. ``kind`` is its content type, ``length`` what it says to have. NotFound for an address that is
        not good (any more), Forbidden from elsewhere, Invalid for what is no picture."""
        made = self._session(secret)
        if made.host and made.host != address:
            log.warning("picture from elsewhere", device=made.device, address=address)
            raise Forbidden("This picture comes from elsewhere.", "图片来源地址与设备不符。")
        if made.taking:
            raise Conflict("A picture is being brought there.", "该地址正在接收图片。")
        if (length or 0) > LIMIT:
            raise Invalid("The picture is too large.", "图片过大。", code="too_large", status=413)
        made.taking = True
        try:
            data = bytearray()
            async for piece in body:
                data += piece
                if len(data) > LIMIT:
                    raise Invalid("The picture is too large.", "图片过大。", code="too_large", status=413)
            picture = unwrapped(bytes(data), kind)
            try:
                jpeg.size(picture)
            except ValueError as error:
                made.tries += 1
                raise Invalid(str(error), "上传内容不是有效的 JPEG。", code="no_jpeg") from None
        finally:
            made.taking = False
        if made.picture.done():
            raise _gone()
        made.picture.set_result(picture)

    def _session(self, secret: str) -> _Session:
        """Compared in constant time with each: there are few."""
        found = next((one for known, one in self._sessions.items() if hmac.compare_digest(known.encode(), secret.encode())), None)
        if found is None or found.picture.done() or found.tries >= TRIES or self._clock() > found.until:
            raise _gone()
        return found


def _gone() -> NotFound:
    return NotFound("There is nothing at this address.", "此地址没有内容。")


def unwrapped(data: bytes, kind: str) -> bytes:
    """The picture of a form (RFC 7578), which some devices send; anything else is the picture itself."""
    if not kind.lower().startswith("multipart/"):
        return data
    _, _, boundary = kind.partition("boundary=")
    mark = b"--" + boundary.split(";")[0].strip().strip('"').encode()
    for part in data.split(mark)[1:65] if len(mark) > 2 else []:
        _, _, content = part.partition(b"\r\n\r\n")
        if content.startswith(b"\xff\xd8"):
            return content.removesuffix(b"\r\n")
    return data


__all__ = ["LIMIT", "PATH", "Uploads"]
