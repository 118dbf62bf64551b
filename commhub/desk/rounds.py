"""Rounds (walls that change by themselves; pages run them) and the walls that people keep."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import Field

from commhub import audit
from commhub.errors import Conflict, Forbidden, NotFound
from commhub.model import Actor, new_id
from commhub.store import Store, Transaction, tables
from commhub.views import View

ROUNDS = 200  # of an organisation
CAMERAS = 1_000  # in a round
LAYOUTS = 50  # of a person
TILES = (1, 2, 4, 6, 9, 12, 16, 25)
_r, _l = tables.rounds.c, tables.layouts.c


class Round(View):
    """``cameras`` are shown ``tiles`` at a time, each lot for ``dwell_seconds``."""

    id: str
    name: str
    cameras: list[str]
    tiles: int
    dwell_seconds: int


class RoundList(View):
    items: list[Round]


class Layout(View):
    """A saved wall: a camera for each tile, null where it is empty."""

    id: Annotated[str, Field(min_length=1, max_length=40)]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    tiles: Annotated[int, Field(ge=1, le=25)]
    cameras: Annotated[list[Annotated[str, Field(max_length=26)] | None], Field(max_length=25)]


class LayoutList(View):
    items: Annotated[list[Layout], Field(max_length=LAYOUTS)]


class Rounds:
    """A round belongs to the organisation of whoever made it; who reaches that with ``round.edit`` sees and changes it. Which
    of its cameras somebody sees is decided when they are opened."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def listed(self, reader: Actor) -> RoundList:
        orgs = sorted(set().union(*(orgs for orgs, _ in reader.scopes("round.edit"))))
        query = sa.select(tables.rounds).where(_r.org_id.in_(orgs)).order_by(_r.name, _r.id)
        async with self._store.reading() as reading:
            return RoundList(items=[_round(row) for row in await reading.all(query)])

    async def make(self, actor: Actor, name: str, cameras: Sequence[str], tiles: int, dwell_seconds: int) -> Round:
        if not actor.may("round.edit", org=actor.org):
            raise Forbidden("You may not make rounds in your organisation.", "没有在本单位编辑轮巡的权限。")
        made = Round(id=new_id(), name=name, cameras=list(cameras), tiles=tiles, dwell_seconds=dwell_seconds)
        async with self._store.transaction() as transaction:
            count = await transaction.value(sa.select(sa.func.count()).where(_r.org_id == actor.org))
            if count >= ROUNDS:
                raise Conflict(f"There are {ROUNDS} rounds already.", f"本单位最多 {ROUNDS} 个轮巡。")
            row = {**made.model_dump(), "cameras": json.dumps(made.cameras), "org_id": actor.org, "person_id": actor.id}
            await transaction.insert(tables.rounds, row)
            await audit.record(transaction, actor, "round.edit", made.id, object=name)
        return made

    async def change(self, actor: Actor, id: str, values: dict[str, Any]) -> Round:
        async with self._store.transaction() as transaction:
            before = await self._of(transaction, actor, id)
            made = Round.model_validate({**before.model_dump(), **values})
            row = {name: value for name, value in made.model_dump().items() if name != "id"}
            row["cameras"] = json.dumps(made.cameras)
            await transaction.run(sa.update(tables.rounds).where(_r.id == id).values(row))
            await audit.record(transaction, actor, "round.edit", id, object=made.name)
        return made

    async def remove(self, actor: Actor, id: str) -> None:
        async with self._store.transaction() as transaction:
            before = await self._of(transaction, actor, id)
            await transaction.run(sa.delete(tables.rounds).where(_r.id == id))
            await audit.record(transaction, actor, "round.edit", id, object=f"{before.name} −")

    async def _of(self, transaction: Transaction, actor: Actor, id: str) -> Round:
        row = await transaction.first(sa.select(tables.rounds).where(_r.id == id))
        if row is None or not actor.may("round.edit", org=row.org_id):
            raise NotFound("There is no such round.", "没有这个轮巡。")
        return _round(row)

    # ---- saved walls

    async def layouts(self, reader: Actor) -> LayoutList:
        async with self._store.reading() as reading:
            body = await reading.value(sa.select(_l.body).where(_l.person_id == reader.id))
        return LayoutList.model_validate_json(body) if body else LayoutList(items=[])

    async def keep(self, actor: Actor, layouts: LayoutList) -> LayoutList:
        """All of a person's, as a whole."""
        async with self._store.transaction() as transaction:
            await transaction.run(sa.delete(tables.layouts).where(_l.person_id == actor.id))
            await transaction.insert(tables.layouts, {"person_id": actor.id, "body": layouts.model_dump_json()})
        return layouts


def _round(row: sa.Row[Any]) -> Round:
    return Round(id=row.id, name=row.name, cameras=json.loads(row.cameras), tiles=row.tiles, dwell_seconds=row.dwell_seconds)
