from __future__ import annotations

from pathlib import Path

from commhub import audit
from commhub.model import HUB
from tests.support.hubs import running


async def test_rows_by_scope_newest_first(tmp_path: Path) -> None:
    async with running(tmp_path) as hub:
        people = {name: await hub.person(name) for name in ("dispatcher", "water", "binjiang", "street", "admin")}
        async with hub.parts.store.transaction() as transaction:
            for number in range(3):
                for name in ("dispatcher", "water", "binjiang", "street"):
                    await audit.record(transaction, people[name], "camera.open", f"{name}-{number}", object="青石桥%")
            await audit.record(transaction, HUB, "directory.edit", "by the hub")

        async def subjects(reader: str, **more: str) -> list[str]:
            who = people[reader]
            async with hub.parts.store.reading() as reading:
                return [row.subject for row in (await audit.rows(reading, who, **more)).items]  # type: ignore[arg-type]

        everything = await subjects("admin")
        assert everything[0] == "by the hub"
        assert everything[1:3] == ["street-2", "binjiang-2"]
        assert await subjects("admin", q="water-1") == ["water-1"]
        assert len(await subjects("admin", q="%")) == 12  # the sign itself, not anything
        assert await subjects("admin", action="camera.close") == []
        assert await subjects("water") == []  # no audit.view anywhere
        async with hub.parts.store.reading() as reading:
            first = await audit.rows(reading, people["admin"], limit=5)
            assert first.next is not None
            second = await audit.rows(reading, people["admin"], before=first.next, limit=5)
        assert [row.subject for row in (*first.items, *second.items)] == everything[:10]


async def test_an_admin_of_a_district_sees_its_subtree_only(tmp_path: Path) -> None:
    async with running(tmp_path) as hub:
        admin = next(one for one in hub.city.person if one.account == "admin")
        role = admin.roles[0].model_copy(update={"org": "binjiang"})
        await hub.parts.directory.take_in(hub.city.model_copy(update={"person": [admin.model_copy(update={"roles": [role]})]}))
        reader = await hub.person("admin")
        async with hub.parts.store.transaction() as transaction:
            for name in ("water", "binjiang", "street"):
                await audit.record(transaction, await hub.person(name), "camera.open", name)
            await audit.record(transaction, HUB, "directory.edit", "by the hub")
        async with hub.parts.store.reading() as reading:
            assert [row.subject for row in (await audit.rows(reading, reader)).items] == ["street", "binjiang"]
