"""Who has subscribed to what of a device (GB/T 28181-2022 §9.11, annex N): dialogs made by SUBSCRIBE, NOTIFYs within them."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridges.simulated import answers, xml
from bridges.sip.dialog import Dialog
from bridges.sip.message import Request
from bridges.sip.transaction import Asked, Flow

if TYPE_CHECKING:
    from bridges.simulated.device import Device

_EXPIRES = 600


@dataclass(slots=True, eq=False)
class _Subscription:
    command: str
    event: str
    dialog: Dialog
    flow: Flow
    ends: float
    interval: float


class Subscriptions:
    def __init__(self, device: Device) -> None:
        self._device = device
        self._all: dict[str, _Subscription] = {}  # by Call-ID

    def __len__(self) -> int:
        return len(self._all)

    def clear(self) -> None:
        self._all.clear()

    def wanted(self, command: str) -> bool:
        return any(one.command == command and one.ends > time.monotonic() for one in self._all.values())

    def asked(self, asked: Asked) -> None:
        request, device = asked.request, self._device
        known = self._all.get(request.call_id)
        expires = _EXPIRES if request.expires is None else request.expires
        if known is None and request.receiver.tag:
            device.agent.respond(asked, 481)
            return
        if known is not None and (refused := known.dialog.receive(request)):
            device.agent.endpoint.respond(asked.key, refused)
            return
        tag = known.dialog.local.tag if known else secrets.token_hex(4)
        text = xml.decoded(request.body)
        command = xml.said(text, "CmdType", known.command if known else "")
        device.counts[f"SUBSCRIBE {command}"] += 1
        response = request.reply(200, tag=tag)
        response.headers.add("Expires", expires)
        response.headers.add("Contact", device.agent.contact)
        device.agent.endpoint.respond(asked.key, response)
        if known is None:
            interval = xml.said(text, "Interval", "5")
            known = _Subscription(
                command, request.headers.get("Event", "presence"), Dialog.calling(request, response), asked.flow, 0.0,
                float(interval) if re.fullmatch(r"\d{1,5}", interval) else 5.0,
            )  # fmt: skip
            self._all[request.call_id] = known
            if command == "Catalog":  # who subscribes believes everything to be ON
                off = [("OFF", entry) for entry in device.entries.values() if entry.camera and not entry.online]
                if off:
                    self._notify(known, answers.changed(device.facts, device.number(), off), "active")
        known.ends = time.monotonic() + expires
        if not expires:
            del self._all[request.call_id]
            self._notify(known, b"", "terminated")

    def forget(self) -> None:
        """As if the device had lost them: the next SUBSCRIBE of a dialog is answered 481."""
        self._all.clear()

    def tell(self, command: str, body: bytes) -> bool:
        """Whether anybody has subscribed to that."""
        now = time.monotonic()
        found = [one for one in self._all.values() if one.command == command and one.ends > now]
        for one in found:
            self._notify(one, body, "active")
        return bool(found)

    def _notify(self, one: _Subscription, body: bytes, state: str) -> None:
        request = one.dialog.request("NOTIFY", body=body, content_type="Application/MANSCDP+xml" if body else "")
        request.headers.add("Event", one.event)
        left = max(0, round(one.ends - time.monotonic()))
        request.headers.add("Subscription-State", f"active;expires={left}" if state == "active" else state)
        self._device.tasks.spawn(self._send(request), "notify")

    async def _send(self, request: Request) -> None:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(8):
                await self._device.agent.send(request)
