"""A POST that is sent twice with one Idempotency-Key is done once."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from commhub.errors import Conflict
from commhub.model import utc_ns
from commhub.store import Reading, Transaction, tables

_KEPT = 24 * 3600 * 1_000_000_000
_r = tables.repeats.c


@dataclass(frozen=True, slots=True)
class Once:
    """A POST's Idempotency-Key; ``fingerprint`` is a hash of route and body."""

    key: str
    fingerprint: str


async def repeated(reading: Reading, person: str, once: Once | None) -> str | None:
    """What this key made before. Conflict when it is used for something else."""
    if once is None:
        return None
    row = await reading.first(sa.select(_r.fingerprint, _r.subject).where(_r.person_id == person, _r.key == once.key))
    if row is None:
        return None
    if row.fingerprint != once.fingerprint:
        raise Conflict("This Idempotency-Key was used for another request.", "该幂等键已用于其他请求。", code="key_reused")
    return str(row.subject)


async def remember(transaction: Transaction, person: str, once: Once | None, subject: str) -> None:
    if once is None:
        return
    now = utc_ns()
    await transaction.run(sa.delete(tables.repeats).where(_r.at < now - _KEPT))
    values = {"person_id": person, "key": once.key, "fingerprint": once.fingerprint, "subject": subject, "at": now}
    await transaction.insert(tables.repeats, values)
