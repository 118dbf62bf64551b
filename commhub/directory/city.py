"""A city as a folder of TOML files."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from commhub.directory.fields import Row
from commhub.errors import Invalid
from commhub.model import Label, Role

Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    key: Key


class OrganisationEntry(_Entry):
    name: Name
    name_en: Name
    short: Annotated[str, Field(min_length=1, max_length=20)]
    kind: Literal["city", "department", "district", "street", "headquarters", "external"]
    parent: Key | None = None
    connectivity: Literal["none", "phone", "staffed", "video", "full"] | None = None
    listed: bool | None = None


class PlaceEntry(_Entry):
    name: Name
    org: Key
    kind: Literal["hall", "room", "site"] = "site"


class SeatEntry(_Entry):
    """``serves``: the organisation that sends somebody there."""

    name: Name
    org: Key
    place: Key | None = None
    serves: Key | None = None
    level: Annotated[int, Field(ge=1, le=9)] = 9


class EndpointEntry(_Entry):
    """``owner`` is ``person:<key>``, ``seat:<key>`` or ``place:<key>``."""

    owner: Annotated[str, Field(pattern=r"^(person|seat|place):[a-z0-9][a-z0-9._-]{0,63}$")]
    kind: Literal["web", "app", "phone", "sip", "room", "camera", "im", "radio"]
    label: Annotated[str, Field(max_length=100)] = ""
    address: Annotated[str, Field(max_length=200, repr=False)] = ""


class RoleEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    role: Role
    org: Key


class PersonEntry(_Entry):
    name: Name
    org: Key
    post: Annotated[str, Field(max_length=100)] = ""
    level: Annotated[int, Field(ge=1, le=9)] = 9
    account: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{1,31}$")] | None = None
    roles: list[RoleEntry] = []
    sample: bool = False


class CameraEntry(_Entry):
    name: Name
    org: Key
    place: Key | None = None
    label: Label = Label.INTERNAL
    url: Annotated[str, Field(max_length=500)]
    user: Annotated[str, Field(max_length=100)] = ""
    password: Annotated[str, Field(max_length=100, repr=False)] = ""
    transport: Literal["tcp", "udp"] = "tcp"
    audio: bool = False
    sub_url: Annotated[str, Field(max_length=500)] = ""  # its smaller stream

    @field_validator("url", "sub_url")
    @classmethod
    def _plain(cls, url: str, info: ValidationInfo) -> str:
        if not url and info.field_name == "sub_url":
            return url
        parts = urlsplit(url)
        if parts.scheme not in ("rtsp", "rtsps") or not parts.hostname or parts.username or parts.password:
            raise ValueError("The url must read rtsp://host[:port]/path; user and password have keys of their own.")
        return url


class CityData(BaseModel):
    """Everything of a folder. Keys name entries for good; what is not listed any more stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    organisation: list[OrganisationEntry] = []
    place: list[PlaceEntry] = []
    person: list[PersonEntry] = []
    seat: list[SeatEntry] = []
    endpoint: list[EndpointEntry] = []
    camera: list[CameraEntry] = []

    def rows(self) -> list[Row]:
        """As any other import has them; lines are those of no file."""
        found: list[Row] = []
        kinds = {
            "organisation": self.organisation,
            "place": self.place,
            "person": self.person,
            "seat": self.seat,
            "endpoint": self.endpoint,
        }
        apart = {"key", "account", "roles", "sample"}
        for type, entries in kinds.items():
            for position, entry in enumerate(cast(Sequence[_Entry], entries)):
                said = {name: value for name, value in entry.model_dump(exclude=apart).items() if value is not None}
                if type == "organisation":
                    said["position"] = position
                found.append(Row(len(found) + 1, type, entry.key, said))
        return found


def read_city(folder: Path) -> CityData:
    """All ``*.toml`` of the folder but ``commhub.toml``, as one. Invalid with every mistake, one a line."""
    merged: dict[str, list[Any]] = {}
    files = sorted(path for path in folder.glob("*.toml") if path.name != "commhub.toml")
    if not files:
        raise Invalid(f"There are no TOML files in {folder}.", f"{folder} 中没有 TOML 文件。")
    for file in files:
        try:
            parsed = tomllib.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise Invalid(f"{file.name} cannot be read: {error}.", f"无法读取 {file.name}：{error}。") from None
        for name, entries in parsed.items():
            merged.setdefault(name, []).extend(entries if isinstance(entries, list) else [entries])
    try:
        data = CityData.model_validate(merged)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors(include_input=False)]
        raise Invalid("\n".join(lines)) from None
    if wrong := list(_broken(data)):
        raise Invalid("\n".join(wrong))
    return data


def _broken(data: CityData) -> Iterable[str]:
    """Keys that are there twice, and references to nothing."""
    tables_of: tuple[tuple[str, Sequence[_Entry]], ...] = (
        ("organisation", data.organisation),
        ("place", data.place),
        ("person", data.person),
        ("seat", data.seat),
        ("endpoint", data.endpoint),
        ("camera", data.camera),
    )
    for table, entries in tables_of:
        keys = [entry.key for entry in entries]
        yield from (f"{table}: the key {key} is there twice." for key in sorted({key for key in keys if keys.count(key) > 1}))
    accounts = [person.account for person in data.person if person.account]
    yield from (f"person: the account {one} is there twice." for one in sorted({a for a in accounts if accounts.count(a) > 1}))
    orgs = {entry.key for entry in data.organisation}
    places = {entry.key for entry in data.place}
    seen: set[str] = set()
    for org in data.organisation:
        if org.parent is not None and org.parent not in seen:
            yield f"organisation {org.key}: its parent {org.parent} is not above it in the file."
        seen.add(org.key)
    named = [(f"{table} {entry.key}", entry.org) for table, entries in (("place", data.place),) for entry in entries]
    named += [(f"person {entry.key}", entry.org) for entry in data.person]
    named += [(f"person {entry.key}", role.org) for entry in data.person for role in entry.roles]
    named += [(f"camera {entry.key}", entry.org) for entry in data.camera]
    named += [(f"seat {seat.key}", org) for seat in data.seat for org in (seat.org, seat.serves) if org is not None]
    yield from (f"{where}: there is no organisation {org}." for where, org in named if org not in orgs)
    owners = {f"person:{one.key}" for one in data.person} | {f"seat:{one.key}" for one in data.seat}
    owners |= {f"place:{one}" for one in places}
    for endpoint in data.endpoint:
        if endpoint.owner not in owners:
            yield f"endpoint {endpoint.key}: there is no {endpoint.owner}."
    for seat in data.seat:
        if seat.place is not None and seat.place not in places:
            yield f"seat {seat.key}: there is no place {seat.place}."
    for camera in data.camera:
        if camera.place is not None and camera.place not in places:
            yield f"camera {camera.key}: there is no place {camera.place}."
