"""Whose cameras are: a device is admitted into an organisation, its channels inherit it, and a part of its tree may be given to
another one."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from commhub import audit
from commhub.devices.branches import Branch, Branches
from commhub.errors import Forbidden, NotFound
from commhub.model import Actor
from commhub.store import Reading, Store, Transaction, tables

_n, _c, _d = tables.camera_nodes.c, tables.cameras.c, tables.devices.c
_AT_ONCE = 500  # nodes named in one statement


async def branches(reading: Reading, device: sa.Row[Any]) -> Branches:
    """The nodes of a device, as they are stored."""
    rows = await reading.all(sa.select(tables.camera_nodes).where(_n.device_id == device.id))
    known = {
        row.code: Branch(row.id, row.code, row.kind, row.name, row.parent_id, row.org_id, row.said)
        for row in rows
    }  # fmt: skip
    return Branches(device.code, device.name, known)


async def settle(transaction: Transaction, device: str) -> None:
    """Every camera of the device gets the organisation of the place where it hangs, and the device's label."""
    row = await transaction.first(sa.select(tables.devices).where(_d.id == device))
    if row is None or row.org_id is None:
        return
    tree = await branches(transaction, row)
    by_org: dict[str, list[str]] = {}
    for node, org in tree.orgs(row.org_id).items():
        by_org.setdefault(org, []).append(node)
    mine = _c.device_id == device
    await transaction.run(sa.update(tables.cameras).where(mine, _c.label != row.label).values(label=row.label))
    for org, nodes in by_org.items():
        for start in range(0, len(nodes), _AT_ONCE):
            here = _c.node_id.in_(nodes[start : start + _AT_ONCE])
            await transaction.run(sa.update(tables.cameras).where(mine, here, _c.org_id != org).values(org_id=org))
    await transaction.next("cameras")


async def give(store: Store, by: Actor, node: str, org: str | None) -> str:
    """This part of a tree belongs to that organisation from now on; None: to whom what is above it belongs. Returns the
    device."""
    async with store.transaction() as transaction:
        row = await transaction.first(sa.select(tables.camera_nodes).where(_n.id == node))
        device = await transaction.first(sa.select(tables.devices).where(_d.id == row.device_id)) if row is not None else None
        if row is None or device is None or device.org_id is None or row.parent_id is None:
            raise NotFound("There is no such part of a tree.", "没有这个目录节点。")
        name = "" if org is None else await transaction.value(
            sa.select(tables.organisations.c.name).where(tables.organisations.c.id == org)
        )  # fmt: skip
        if name is None:
            raise NotFound("There is no such organisation.", "没有这个单位。")
        tree = await branches(transaction, device)
        mine = tree.org_of(tree.known[row.code], device.org_id)
        if not all(by.may("device.admit", org=one, label=device.label) for one in {mine, org or mine}):
            raise Forbidden("It belongs to an organisation you do not administer.", "该节点所属单位不在你的管理范围内。")
        await transaction.run(sa.update(tables.camera_nodes).where(_n.id == node).values(org_id=org))
        await settle(transaction, device.id)
        await audit.record(transaction, by, "device.admit", node, object=f"{device.code} {row.name} → {name}".rstrip(" →"))
    return str(device.id)
