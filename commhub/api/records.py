"""/organisations, /places, /seats, /people, /endpoints: entries of the directory, for whoever looks after them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

from commhub.api.consultations import Body, Id, Title, once, revision
from commhub.api.routes import Call, Routes
from commhub.directory import AddressBook
from commhub.directory.records import Records
from commhub.directory.shapes import (
    Connectivity,
    EndpointKind,
    EndpointRecord,
    OrganisationKind,
    OrganisationRecord,
    OwnerKind,
    PersonRecord,
    PlaceKind,
    PlaceRecord,
    SeatRecord,
)
from commhub.views import Page

Key = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Text = Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
Short = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[^\x00-\x1f\x7f]+$")]
Long = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Level = Annotated[int, Field(ge=1, le=9)]
Position = Annotated[int, Field(ge=0, le=999_999)]
#: Fields of which null means that there is none; of others it means that nothing is said.
_NONE = {"parent_id", "place_id", "serves_id", "longitude", "latitude"}


class NewOrganisation(Body):
    parent_id: Id
    name: Title
    kind: OrganisationKind
    name_en: Text | None = None
    short: Short | None = None
    connectivity: Connectivity = "full"
    listed: bool | None = None
    position: Position | None = None
    key: Key | None = None


class OrganisationChange(Body):
    parent_id: Id | None = None
    name: Title | None = None
    kind: OrganisationKind | None = None
    name_en: Text | None = None
    short: Short | None = None
    connectivity: Connectivity | None = None
    listed: bool | None = None
    position: Position | None = None


class NewPlace(Body):
    org_id: Id
    name: Title
    kind: PlaceKind = "site"
    address: Long = ""
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    key: Key | None = None


class PlaceChange(Body):
    org_id: Id | None = None
    name: Title | None = None
    kind: PlaceKind | None = None
    address: Long | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None


class NewSeat(Body):
    org_id: Id
    name: Title
    place_id: Id | None = None
    serves_id: Id | None = None
    level: Level = 9
    position: Position | None = None
    key: Key | None = None


class SeatChange(Body):
    org_id: Id | None = None
    name: Title | None = None
    place_id: Id | None = None
    serves_id: Id | None = None
    level: Level | None = None
    position: Position | None = None


class NewPerson(Body):
    org_id: Id
    name: Title
    post: Text = ""
    level: Level = 9
    key: Key | None = None


class PersonChange(Body):
    org_id: Id | None = None
    name: Title | None = None
    post: Text | None = None
    level: Level | None = None


class NewEndpoint(Body):
    owner_kind: OwnerKind
    owner_id: Id
    kind: EndpointKind
    label: Text = ""
    address: Long = ""
    position: Position | None = None
    key: Key | None = None


class EndpointChange(Body):
    kind: EndpointKind | None = None
    label: Text | None = None
    address: Long | None = None
    position: Position | None = None


class RecordsWanted(Body):
    org: Id | None = None
    cursor: Id | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class EndpointsWanted(RecordsWanted):
    """Of one person, seat or place."""

    person: Id | None = None
    seat: Id | None = None
    place: Id | None = None


class SigningOn(Body):
    """``takeover`` of whoever sits there needs a ``reason``, which he is told."""

    takeover: bool = False
    reason: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""


_KEY = {"Idempotency-Key": "A repeated request with the same key is answered without doing it twice."}
_MATCH = {"If-Match": "The revision that was loaded."}


def _said(body: Body) -> dict[str, Any]:
    return {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None or name in _NONE}


def _made(body: Body) -> dict[str, Any]:
    return {name: value for name, value in body.model_dump().items() if value is not None or name in _NONE}


def routes(book: AddressBook) -> Routes:
    r, records = Routes(), book.records
    _kept(r, records, "organisation", (OrganisationRecord, NewOrganisation, OrganisationChange), _ORGANISATIONS)
    _listed(r, records, "place", PlaceRecord, "Places that the reader looks after.")
    _kept(r, records, "place", (PlaceRecord, NewPlace, PlaceChange), _PLACES)
    _listed(r, records, "seat", SeatRecord, "Seats that the reader looks after, and who sits there.")
    _kept(r, records, "seat", (SeatRecord, NewSeat, SeatChange), _SEATS)
    _seats(r, book)
    _kept(r, records, "person", (PersonRecord, NewPerson, PersonChange), _PEOPLE)
    _endpoints(r, records)
    _kept(r, records, "endpoint", (EndpointRecord, NewEndpoint, EndpointChange), _ENDPOINTS)
    return r


_PLURALS: dict[str, str] = {
    "organisation": "organisations", "place": "places", "seat": "seats", "person": "people", "endpoint": "endpoints",
}  # fmt: skip
#: What making, reading, changing and removing one of a kind is called in the description of the interface.
_ORGANISATIONS = (
    "Make one, below one that the reader administers.",
    "One organisation that the reader looks after.",
    "Change one; 422 when it would stand below itself.",
    "Remove one that nothing depends on.",
)
_PLACES = ("Make one.", "One place that the reader looks after.", "Change one.", "Remove one that nothing depends on.")
_SEATS = ("Make one.", "One seat that the reader looks after.", "Change one.", "Remove one.")
_PEOPLE = (
    "Make one.",
    "One person that the reader looks after, with endpoints.",
    "Change one.",
    "Remove one: endpoints and sign-ins end, the name stays in records.",
)
_ENDPOINTS = ("Make one.", "One endpoint that the reader looks after.", "Change one.", "Remove one.")


def _kept(
    r: Routes,
    records: Records,
    kind: str,
    models: tuple[type[BaseModel], type[Body], type[Body]],
    words: tuple[str, str, str, str],
) -> None:
    """The four routes of one entry. ``models``: as it is shown, as it is made, as it is changed."""
    path = f"/{_PLURALS[kind]}"
    shown, made, changed = models

    async def make(call: Call, body: Body) -> Any:
        return await records.make(call.actor, kind, _made(body), once(call, body))

    async def one(call: Call) -> Any:
        return await records.one(call.actor, kind, call.path("id"))

    async def change(call: Call, body: Body) -> Any:
        return await records.change(call.actor, kind, call.path("id"), revision(call), _said(body))

    async def remove(call: Call) -> None:
        await records.remove(call.actor, kind, call.path("id"), revision(call))

    # Routes read the models from the handlers' annotations.
    make.__annotations__ |= {"body": made, "return": shown}
    one.__annotations__ |= {"return": shown}
    change.__annotations__ |= {"body": changed, "return": shown}
    r.post(path, "directory.edit", words[0], status=201, headers=_KEY)(make)
    r.get(f"{path}/{{id}}", "directory.view", words[1])(one)
    r.patch(f"{path}/{{id}}", "directory.edit", words[2], headers=_MATCH)(change)
    r.delete(f"{path}/{{id}}", "directory.edit", words[3], headers=_MATCH)(remove)


def _listed(r: Routes, records: Records, kind: str, shown: type[BaseModel], words: str) -> None:
    async def listed(call: Call, query: RecordsWanted) -> Any:
        return await records.listed(call.actor, kind, org=query.org, after=query.cursor or "", limit=query.limit)

    listed.__annotations__ |= {"return": Page[shown]}  # type: ignore[valid-type]
    r.get(f"/{_PLURALS[kind]}", "directory.view", words)(listed)


def _seats(r: Routes, book: AddressBook) -> None:
    @r.post("/seats/{id}/sign-on", "seat.sign_on", "Sit down there; 422 when somebody does and it is no takeover with a reason.")
    async def sign_on(call: Call, body: SigningOn) -> SeatRecord:
        return await book.seats.sign_on(call.actor, call.path("id"), takeover=body.takeover, reason=" ".join(body.reason.split()))

    @r.post("/seats/{id}/sign-off", "seat.sign_on", "Leave it; whoever administers it may clear it.")
    async def sign_off(call: Call) -> SeatRecord:
        return await book.seats.sign_off(call.actor, call.path("id"))


def _endpoints(r: Routes, records: Records) -> None:
    @r.get("/endpoints", "directory.view", "How a person, a seat or a place is reached, first what is tried first.")
    async def listed(call: Call, query: EndpointsWanted) -> Page[EndpointRecord]:
        owners = {"person": query.person, "seat": query.seat, "place": query.place}
        owner = next((f"{kind}:{id}" for kind, id in owners.items() if id is not None), None)
        return await records.listed(
            call.actor, "endpoint", org=query.org, owner=owner, after=query.cursor or "", limit=query.limit
        )
