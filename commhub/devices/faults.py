"""What devices say of themselves does not work (the Info of a Keepalive, GB/T 28181-2022 §9.6): a camera with a fault stays where
it is and may be opened, and people see that it is said to be broken.

Nothing is stored: a bridge tells it again to every hub.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from commhub.events import Events
from commhub.store import Transaction, tables

NEWS_LIMIT = 100  # cameras of one change that people hear of at once; of others when they look again
_c = tables.cameras.c


class Faults:
    def __init__(self, events: Events) -> None:
        self._events = events
        self._of: dict[str, frozenset[str]] = {}  # by the device's code: its channels' codes

    def has(self, device: str, channel: str) -> bool:
        """``device`` and ``channel`` are codes; "" for a camera without a device."""
        return channel in self._of.get(device, ())

    async def take(self, transaction: Transaction, id: str, code: str, channels: Collection[str]) -> None:
        """All that do not work now, of this device."""
        before, now = self._of.get(code, frozenset()), frozenset(channels)
        if before == now:
            return
        transaction.after(lambda: self._keep(code, now))
        changed = sorted(before ^ now)[:NEWS_LIMIT]
        here = (_c.device_id == id, _c.channel.in_(changed), _c.gone.is_(False))
        for row in await transaction.all(sa.select(_c.id, _c.name, _c.org_id, _c.label, _c.channel).where(*here)):
            told = {"id": row.id, "name": row.name, "faulty": row.channel in now}
            await self._events.emit(
                transaction, "camera.fault", subject=row.id, org=row.org_id, label=row.label, data={"camera": told}
            )

    def _keep(self, code: str, channels: frozenset[str]) -> None:
        if channels:
            self._of[code] = channels
        else:
            self._of.pop(code, None)
