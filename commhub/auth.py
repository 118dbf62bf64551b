"""Who is there: accounts, sign-ins and lock-out. What he may do is :meth:`commhub.model.Actor.may`."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from commhub import audit
from commhub.errors import Unauthenticated
from commhub.model import Actor, By, Grant, Role, Tree, utc_ns
from commhub.store import Reading, Store, tables

_SECOND = 1_000_000_000
_SEEN_EVERY = 60 * _SECOND  # how exact "last seen" is: not one write per request
PASSWORD_LIMIT = 256  # characters; argon2 would read megabytes


@dataclass(frozen=True, slots=True)
class Rules:
    """Seconds, but for ``failures``."""

    failures: int = 5
    lockout: int = 15 * 60
    idle: int = 8 * 3600
    absolute: int = 12 * 3600


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in as the cookie carries it: ``token`` is known to the browser only, the database holds its hash."""

    token: str
    actor: Actor

    @property
    def csrf(self) -> str:
        digest = hmac.digest(self.token.encode(), b"csrf", "sha256")
        return base64.urlsafe_b64encode(digest[:18]).decode()


def fold(account: str) -> str:
    """Accounts are the same in any case and width."""
    return unicodedata.normalize("NFKC", account).strip().casefold()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _refusal() -> Unauthenticated:
    return Unauthenticated(
        "The account or the password is wrong, or there were too many attempts: wait 15 minutes then.",
        "账号或密码不正确；若多次尝试，请 15 分钟后再试。",
        code="bad_credentials",
    )


class Auth:
    def __init__(
        self,
        store: Store,
        *,
        rules: Rules | None = None,
        hasher: PasswordHasher | None = None,
        clock: Callable[[], int] = utc_ns,
    ) -> None:
        self._store = store
        self.rules = rules or Rules()
        self._hasher = hasher or PasswordHasher()
        self._clock = clock
        # Each hash takes 64 MiB and a core for a while: a crowd at the door waits here instead of starving the hub.
        self._threads = ThreadPoolExecutor(2, "argon2")
        # Of nobody's password; made beside the start of the hub.
        self._stranger = self._threads.submit(self._hasher.hash, secrets.token_hex(16))
        self._tree, self._tree_version = Tree({}), -1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    # ---- passwords

    async def hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, password)

    async def _right(self, stored: str, password: str) -> bool:
        def verify() -> bool:
            try:
                return self._hasher.verify(stored, password)
            except (VerificationError, InvalidHashError):
                return False

        return await asyncio.get_running_loop().run_in_executor(self._threads, verify)

    # ---- signing in and out

    async def sign_in(self, account: str, password: str, address: str) -> SignIn:
        """Unauthenticated with one and the same sentence whatever was wrong, after the same work."""
        a, p = tables.accounts.c, tables.people.c
        name = fold(account)
        query = sa.select(tables.accounts, p.name, p.active).join_from(tables.accounts, tables.people)
        async with self._store.reading() as reading:
            row = await reading.first(query.where(a.account == name))
        # Whoever is unknown or has no password yet costs the same work.
        stored = row.password_hash if row is not None else ""
        right = await self._right(stored or await asyncio.wrap_future(self._stranger), password[:PASSWORD_LIMIT])
        now = self._clock()
        unlocked = row is not None and row.active and row.locked_until <= now
        if row is None or not right or not unlocked:
            await self._refuse(row, counts=bool(unlocked), account=name, address=address, now=now)
            raise _refusal()
        token = secrets.token_urlsafe(32)
        async with self._store.transaction() as transaction:
            actor = await self._actor(transaction, row.person_id)
            # Asked again: while the hash was computed, others may have used up the attempts.
            unlock = sa.update(tables.accounts).where(a.person_id == row.person_id, a.locked_until <= now).values(failures=0)
            if actor is None or not await transaction.run(unlock):
                raise _refusal()
            values = {"token_hash": _hash(token), "person_id": row.person_id, "created_at": now, "seen_at": now}
            await transaction.insert(tables.sign_ins, values)
            await transaction.run(
                sa.delete(tables.sign_ins).where(tables.sign_ins.c.created_at < now - self.rules.absolute * _SECOND)
            )
            await audit.record(transaction, replace(actor, address=address), "session.create", row.person_id)
        return SignIn(token, replace(actor, address=address))

    async def _refuse(self, row: sa.Row[tuple[object]] | None, *, counts: bool, account: str, address: str, now: int) -> None:
        a = tables.accounts.c
        async with self._store.transaction() as transaction:
            by = By(account[:64], address=address)
            if row is not None:
                by = By(row.name, row.person_id, address)
            await audit.record(transaction, by, "session.create", row.person_id if row else "", result="refused")
            if row is None or not counts:
                return
            mine = a.person_id == row.person_id
            await transaction.run(sa.update(tables.accounts).where(mine).values(failures=a.failures + 1))
            failures = await transaction.value(sa.select(a.failures).where(mine))
            if failures >= self.rules.failures:
                until = now + self.rules.lockout * _SECOND
                await transaction.run(sa.update(tables.accounts).where(mine).values(failures=0, locked_until=until))
                await audit.record(transaction, by, "session.lock", row.person_id)

    async def sign_out(self, sign_in: SignIn) -> None:
        async with self._store.transaction() as transaction:
            gone = await transaction.run(sa.delete(tables.sign_ins).where(tables.sign_ins.c.token_hash == _hash(sign_in.token)))
            if gone:
                await audit.record(transaction, sign_in.actor, "session.delete", sign_in.actor.id)

    async def who(self, token: str, address: str = "") -> SignIn | None:
        """Whose cookie this is; None when it was never given, has ended or was idle too long."""
        if not token or len(token) > 100:
            return None
        s, now = tables.sign_ins.c, self._clock()
        async with self._store.reading() as reading:
            row = await reading.first(sa.select(tables.sign_ins).where(s.token_hash == _hash(token)))
            if row is None:
                return None
            idle, age = now - row.seen_at, now - row.created_at
            if idle > self.rules.idle * _SECOND or age > self.rules.absolute * _SECOND:
                return None
            actor = await self._actor(reading, row.person_id)
        if actor is None:
            return None
        if idle > _SEEN_EVERY:
            async with self._store.transaction() as transaction:
                await transaction.run(sa.update(tables.sign_ins).where(s.token_hash == row.token_hash).values(seen_at=now))
        return SignIn(token, replace(actor, address=address))

    # ---- people

    async def actor(self, person: str) -> Actor | None:
        async with self._store.reading() as reading:
            return await self._actor(reading, person)

    async def _actor(self, reading: Reading, person: str) -> Actor | None:
        p, o, a, g = tables.people.c, tables.organisations.c, tables.accounts.c, tables.grants.c
        query = (
            sa.select(p.id, p.name, p.post, p.level, p.org_id, o.name.label("org_name"), a.account)
            .join_from(tables.people, tables.organisations)
            .join(tables.accounts, a.person_id == p.id)
            .where(p.id == person, p.active)
        )
        row = await reading.first(query)
        if row is None:
            return None
        held = await reading.all(sa.select(g.role, g.org_id).where(g.person_id == person).order_by(g.role, g.org_id))
        return Actor(
            id=row.id,
            name=row.name,
            account=row.account,
            post=row.post,
            level=row.level,
            org=row.org_id,
            org_name=row.org_name,
            grants=tuple(Grant(Role(grant.role), grant.org_id) for grant in held),
            tree=await self._fresh_tree(reading),
        )

    async def _fresh_tree(self, reading: Reading) -> Tree:
        """The import may run in another process: it raises this counter with every change of the organisations."""
        c, o = tables.counters.c, tables.organisations.c
        version = await reading.value(sa.select(c.value).where(c.name == "directory")) or 0
        if version != self._tree_version:
            rows = await reading.all(sa.select(o.id, o.parent_id))
            self._tree, self._tree_version = Tree({row.id: row.parent_id for row in rows}), version
        return self._tree
