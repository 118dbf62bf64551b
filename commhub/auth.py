"""Who is there: accounts, sign-ins and lock-out. What he may do is :meth:`commhub.model.Actor.may`."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import unicodedata
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from commhub import audit
from commhub.errors import Unauthenticated
from commhub.model import Actor, By, Grant, Role, Tree, utc_ns
from commhub.store import Reading, Store, Transaction, tables

_SECOND = 1_000_000_000
_SEEN_EVERY = 60 * _SECOND  # how exact "last seen" is: not one write per request
_AT_ONCE = 500  # sign-ins asked for in one query
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
        self._listeners: list[Callable[[str], None]] = []
        #: Asked in the transaction in which somebody signs out everywhere he was signed in.
        self.gone: list[Callable[[Transaction, Actor], Awaitable[None]]] = []

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
                s = tables.sign_ins.c
                others = await transaction.all(sa.select(tables.sign_ins).where(s.person_id == sign_in.actor.id))
                if not any(self._goes_on(row, self._clock()) for row in others):
                    for gone_home in self.gone:
                        await gone_home(transaction, sign_in.actor)
                transaction.after(lambda: self._tell_end(sign_in.token))

    def listen(self, ended: Callable[[str], None]) -> Callable[[], None]:
        """``ended`` gets the token of each sign-in that somebody ends here; must not wait. Returns what ends it."""
        self._listeners.append(ended)
        return lambda: self._listeners.remove(ended)

    def _tell_end(self, token: str) -> None:
        for ended in list(self._listeners):
            ended(token)

    async def all_who(self, tokens: Iterable[str]) -> dict[str, Actor]:
        """:meth:`who` for many at once, in a few queries: token → who that is; without those whose sign-in has ended."""
        asked, now = [(_hash(token), token) for token in set(tokens)], self._clock()
        found: dict[str, Actor] = {}
        for first in range(0, len(asked), _AT_ONCE):
            found |= await self._some_who(dict(asked[first : first + _AT_ONCE]), now)
        return found

    async def _some_who(self, hashes: Mapping[str, str], now: int) -> dict[str, Actor]:
        s = tables.sign_ins.c
        async with self._store.reading() as reading:
            rows = await reading.all(sa.select(tables.sign_ins).where(s.token_hash.in_(list(hashes))))
            rows = [row for row in rows if self._goes_on(row, now)]
            actors = await self._actors(reading, {row.person_id for row in rows})
        quiet = [row.token_hash for row in rows if now - row.seen_at > _SEEN_EVERY and row.person_id in actors]
        if quiet:
            async with self._store.transaction() as transaction:
                await transaction.run(sa.update(tables.sign_ins).where(s.token_hash.in_(quiet)).values(seen_at=now))
        return {hashes[row.token_hash]: actors[row.person_id] for row in rows if row.person_id in actors}

    def _goes_on(self, row: sa.Row[Any], now: int) -> bool:
        idle, age = now - row.seen_at, now - row.created_at
        return bool(idle <= self.rules.idle * _SECOND and age <= self.rules.absolute * _SECOND)

    async def who(self, token: str, address: str = "") -> SignIn | None:
        """Whose cookie this is; None when it was never given, has ended or was idle too long."""
        if not token or len(token) > 100:
            return None
        s, now = tables.sign_ins.c, self._clock()
        async with self._store.reading() as reading:
            row = await reading.first(sa.select(tables.sign_ins).where(s.token_hash == _hash(token)))
            if row is None or not self._goes_on(row, now):
                return None
            actor = await self._actor(reading, row.person_id)
        if actor is None:
            return None
        if now - row.seen_at > _SEEN_EVERY:
            async with self._store.transaction() as transaction:
                await transaction.run(sa.update(tables.sign_ins).where(s.token_hash == row.token_hash).values(seen_at=now))
        return SignIn(token, replace(actor, address=address))

    # ---- people

    async def actor(self, person: str) -> Actor | None:
        async with self._store.reading() as reading:
            return await self._actor(reading, person)

    async def _actor(self, reading: Reading, person: str) -> Actor | None:
        return (await self._actors(reading, [person])).get(person)

    async def _actors(self, reading: Reading, people: Collection[str]) -> dict[str, Actor]:
        p, o, a, g = tables.people.c, tables.organisations.c, tables.accounts.c, tables.grants.c
        query = (
            sa.select(p.id, p.name, p.post, p.level, p.org_id, o.name.label("org_name"), a.account)
            .join_from(tables.people, tables.organisations)
            .join(tables.accounts, a.person_id == p.id)
            .where(p.id.in_(list(people)), p.active)
        )
        rows = await reading.all(query)
        if not rows:
            return {}
        held: dict[str, list[Grant]] = {}
        granted = sa.select(g.person_id, g.role, g.org_id).where(g.person_id.in_(list(people))).order_by(g.role, g.org_id)
        for grant in await reading.all(granted):
            held.setdefault(grant.person_id, []).append(Grant(Role(grant.role), grant.org_id))
        tree = await self._fresh_tree(reading)
        return {
            row.id: Actor(
                id=row.id,
                name=row.name,
                account=row.account,
                post=row.post,
                level=row.level,
                org=row.org_id,
                org_name=row.org_name,
                grants=tuple(held.get(row.id, ())),
                tree=tree,
            )
            for row in rows
        }

    async def _fresh_tree(self, reading: Reading) -> Tree:
        """The import may run in another process: it raises this counter with every change of the organisations."""
        c, o = tables.counters.c, tables.organisations.c
        version = await reading.value(sa.select(c.value).where(c.name == "directory")) or 0
        if version != self._tree_version:
            rows = await reading.all(sa.select(o.id, o.parent_id))
            self._tree, self._tree_version = Tree({row.id: row.parent_id for row in rows}), version
        return self._tree
