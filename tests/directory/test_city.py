from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from commhub.directory import CityData, WrongRows, read_city, search_text
from commhub.errors import Invalid, NotFound, Unauthenticated
from commhub.store import tables
from tests.support.hubs import SAMPLE, Hub, running


async def names(hub: Hub, q: str) -> list[str]:
    return [person.name for person in (await hub.parts.directory.people(q, [])).items]


async def test_the_sample_city(tmp_path: Path) -> None:
    city = read_city(SAMPLE)
    kinds = [org.kind for org in city.organisation]
    assert kinds.count("department") == 14
    assert kinds.count("district") >= 3
    assert kinds.count("street") >= 3
    assert any(place.kind == "hall" for place in city.place)
    roles = {str(role.role) for person in city.person for role in person.roles}
    assert roles == {"participant", "dispatcher", "reviewer", "admin"}
    assert not any(camera.password for camera in city.camera)


async def test_importing_twice_changes_nothing_and_gives_no_new_sign_ins(tmp_path: Path) -> None:
    async with running(tmp_path) as hub:
        before = await hub.parts.directory.ids()
        assert await hub.parts.directory.take_in(hub.city) == []
        assert await hub.parts.directory.ids() == before
        assert (await hub.parts.auth.sign_in("water", hub.passwords["water"], "")).actor.name == "李思涵"


async def test_an_import_updates_by_key(tmp_path: Path) -> None:
    async with running(tmp_path) as hub:
        person = next(one for one in hub.city.person if one.key == "li-sihan")
        changed = person.model_copy(update={"org": "fire", "roles": []})
        await hub.parts.directory.take_in(hub.city.model_copy(update={"person": [changed]}))
        actor = await hub.person("water")
        assert actor.org_name == "消防救援支队"
        assert actor.grants == ()
        assert await names(hub, "陈知行") == ["陈知行"]  # not in the file any more, still there


async def test_new_sign_ins_are_told_once(tmp_path: Path) -> None:
    async with running(tmp_path, sample=False) as hub:
        city = read_city(SAMPLE)
        real = city.model_copy(update={"person": [one.model_copy(update={"sample": False}) for one in city.person]})
        made = {one.account: one for one in await hub.parts.directory.take_in(real)}
        assert made["admin"].roles == ("admin",)
        assert len({one.password for one in made.values()}) == len(made) == 7
        await hub.parts.auth.sign_in("admin", made["admin"].password, "")
        assert await hub.parts.directory.take_in(real) == []
        assert await hub.parts.directory.sample_sign_ins() == []  # a real person's password is not made anew


async def test_sample_sign_ins_can_be_made_anew(tmp_path: Path) -> None:
    async with running(tmp_path, sample=False) as hub:
        assert await hub.parts.directory.take_in(read_city(SAMPLE)) == []
        for word in ("", "x"):
            with pytest.raises(Unauthenticated):
                await hub.parts.auth.sign_in("admin", word, "")
        made = {one.account: one for one in await hub.parts.directory.sample_sign_ins()}
        done = await hub.parts.auth.sign_in("admin", made["admin"].password, "")
        again = {one.account: one for one in await hub.parts.directory.sample_sign_ins()}
        assert again.keys() == made.keys()
        assert await hub.parts.auth.who(done.token) is None
        await hub.parts.auth.sign_in("admin", again["admin"].password, "")


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("李思", ["李思涵"]),
        ("lisihan", ["李思涵"]),
        ("LSH", ["李思涵"]),
        ("水务 值班长", ["李思涵"]),
        ("zgf", ["曾国峰"]),  # 曾 as a family name
        ("shan", ["单欣悦"]),  # 单 as a family name
        ("nobody", []),
        ("%", []),
        ("_", []),
    ],
)
async def test_people_are_found(tmp_path: Path, q: str, found: list[str]) -> None:
    async with running(tmp_path) as hub:
        assert set(found) <= set(await names(hub, q))
        if len(q) > 4 or not found:
            assert await names(hub, q) == found


async def test_pages_of_people(tmp_path: Path) -> None:
    async with running(tmp_path) as hub:
        everybody = await names(hub, "")
        seen: list[str] = []
        after = None
        while True:
            page = await hub.parts.directory.people("", [hub.ids["li-sihan"]], after=after, limit=5)
            seen += [one.name for one in page.items]
            assert all(one.online is (one.name == "李思涵") for one in page.items)
            after = page.next
            if after is None:
                break
        assert seen == everybody
        assert len(everybody) == len(hub.city.person)


async def test_people_of_one_organisation(tmp_path: Path) -> None:
    async with running(tmp_path) as hub:
        home = next(one for one in hub.city.person if one.key == "li-sihan").org
        found = (await hub.parts.directory.people("", [], org=hub.ids[home])).items
        assert [one.name for one in found] == [one.name for one in hub.city.person if one.org == home]
        assert (await hub.parts.directory.people("", [], org=hub.ids["li-sihan"])).items == []


async def test_a_camera_password_is_sealed(tmp_path: Path) -> None:
    async with running(tmp_path) as hub:
        camera = hub.city.camera[0].model_copy(update={"password": "s3cret-of-camera"})
        await hub.parts.directory.take_in(hub.city.model_copy(update={"camera": [camera]}))
        id = hub.ids[f"camera {camera.key}"]
        assert (await hub.parts.directory.address(id)).password == "s3cret-of-camera"
        async with hub.parts.store.reading() as reading:
            stored = await reading.value(sa.select(tables.cameras.c.password).where(tables.cameras.c.id == id))
        assert b"s3cret" not in stored
        assert holds(tmp_path, b"s3cret-of-camera") == []
        with pytest.raises(NotFound):
            await hub.parts.directory.camera("none")


ORG = '[[organisation]]\nkey="city"\nname="C"\nname_en="C"\nshort="C"\nkind="city"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "There are no TOML files"),
        ("[[organisation", "cannot be read"),
        ('[[organization]]\nkey="x"', "organization: Extra inputs are not permitted"),
        ('[[organisation]]\nkey="x"', "organisation.0.name: Field required"),
        (ORG + ORG, "organisation: the key city is there twice."),
        (ORG.replace("kind", 'parent="x"\nkind'), "organisation city: its parent x is not above it in the file."),
        (ORG + '[[place]]\nkey="p"\nname="P"\norg="x"', "place p: there is no organisation x."),
        (ORG + '[[person]]\nkey="p"\nname="P"\norg="city"\nroles=[{role="king",org="city"}]', "person.0.roles.0.role"),
        (
            ORG + '[[person]]\nkey="p"\nname="P"\norg="city"\nroles=[{role="admin",org="x"}]',
            "person p: there is no organisation x.",
        ),
        (ORG + '[[camera]]\nkey="c"\nname="C"\norg="city"\nplace="x"\nurl="rtsp://a/"', "camera c: there is no place x."),
        (ORG + '[[camera]]\nkey="c"\nname="C"\norg="city"\nurl="http://a/"', "The url must read rtsp://host"),
        (ORG + '[[camera]]\nkey="c"\nname="C"\norg="city"\nurl="rtsp://u:p@a/"', "The url must read rtsp://host"),
    ],
)
def test_mistakes_of_an_import_are_named(tmp_path: Path, text: str, sentence: str) -> None:
    if text:
        (tmp_path / "city.toml").write_text(text, "utf-8")
    with pytest.raises(Invalid) as raised:
        read_city(tmp_path)
    assert sentence in raised.value.message


async def test_a_mistake_in_an_import_changes_nothing(tmp_path: Path) -> None:
    async with running(tmp_path) as hub:
        before = await hub.parts.directory.ids()
        wrong = hub.city.person[0].model_copy(update={"key": "new", "account": "new", "org": "nowhere"})
        with pytest.raises(WrongRows):
            await hub.parts.directory.take_in(CityData.model_construct(organisation=[], place=[], person=[wrong], camera=[]))
        assert await hub.parts.directory.ids() == before


def holds(folder: Path, secret: bytes) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_search_text_has_pinyin_initials_and_the_rare_readings() -> None:
    assert search_text("曾") == "曾 ceng zeng c z"
    text = search_text("重庆 A1", "", "长江")
    for word in ("重庆 a1", "chongqing a1", "cq a1", "长江", "changjiang", "cj"):
        assert word in text
