"""/organisations, /places, /seats, /people, /endpoints: entries of the directory, for whoever looks after them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from commhub.api.consultations import Body, Id, Title, once, revision
from commhub.api.routes import Call, Routes
from commhub.directory import AddressBook
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
    r = Routes()
    _organisations(r, book)
    _places(r, book)
    _seats(r, book)
    _people(r, book)
    _endpoints(r, book)
    return r


def _organisations(r: Routes, book: AddressBook) -> None:
    records = book.records

    @r.post("/organisations", "directory.edit", "Make one, below one that the reader administers.", status=201, headers=_KEY)
    async def make(call: Call, body: NewOrganisation) -> OrganisationRecord:
        made: OrganisationRecord = await records.make(call.actor, "organisation", _made(body), once(call, body))
        return made

    @r.get("/organisations/{id}", "directory.view", "One organisation that the reader looks after.")
    async def one(call: Call) -> OrganisationRecord:
        found: OrganisationRecord = await records.one(call.actor, "organisation", call.path("id"))
        return found

    @r.patch("/organisations/{id}", "directory.edit", "Change one; 422 when it would stand below itself.", headers=_MATCH)
    async def change(call: Call, body: OrganisationChange) -> OrganisationRecord:
        changed: OrganisationRecord = await records.change(
            call.actor, "organisation", call.path("id"), revision(call), _said(body)
        )
        return changed

    @r.delete("/organisations/{id}", "directory.edit", "Remove one that nothing depends on.", headers=_MATCH)
    async def remove(call: Call) -> None:
        await records.remove(call.actor, "organisation", call.path("id"), revision(call))


def _places(r: Routes, book: AddressBook) -> None:
    records = book.records

    @r.get("/places", "directory.view", "Places that the reader looks after.")
    async def listed(call: Call, query: RecordsWanted) -> Page[PlaceRecord]:
        return await records.listed(call.actor, "place", org=query.org, after=query.cursor or "", limit=query.limit)

    @r.post("/places", "directory.edit", "Make one.", status=201, headers=_KEY)
    async def make(call: Call, body: NewPlace) -> PlaceRecord:
        made: PlaceRecord = await records.make(call.actor, "place", _made(body), once(call, body))
        return made

    @r.get("/places/{id}", "directory.view", "One place that the reader looks after.")
    async def one(call: Call) -> PlaceRecord:
        found: PlaceRecord = await records.one(call.actor, "place", call.path("id"))
        return found

    @r.patch("/places/{id}", "directory.edit", "Change one.", headers=_MATCH)
    async def change(call: Call, body: PlaceChange) -> PlaceRecord:
        changed: PlaceRecord = await records.change(call.actor, "place", call.path("id"), revision(call), _said(body))
        return changed

    @r.delete("/places/{id}", "directory.edit", "Remove one that nothing depends on.", headers=_MATCH)
    async def remove(call: Call) -> None:
        await records.remove(call.actor, "place", call.path("id"), revision(call))


def _seats(r: Routes, book: AddressBook) -> None:
    records = book.records

    @r.get("/seats", "directory.view", "Seats that the reader looks after, and who sits there.")
    async def listed(call: Call, query: RecordsWanted) -> Page[SeatRecord]:
        return await records.listed(call.actor, "seat", org=query.org, after=query.cursor or "", limit=query.limit)

    @r.post("/seats", "directory.edit", "Make one.", status=201, headers=_KEY)
    async def make(call: Call, body: NewSeat) -> SeatRecord:
        made: SeatRecord = await records.make(call.actor, "seat", _made(body), once(call, body))
        return made

    @r.get("/seats/{id}", "directory.view", "One seat that the reader looks after.")
    async def one(call: Call) -> SeatRecord:
        found: SeatRecord = await records.one(call.actor, "seat", call.path("id"))
        return found

    @r.patch("/seats/{id}", "directory.edit", "Change one.", headers=_MATCH)
    async def change(call: Call, body: SeatChange) -> SeatRecord:
        changed: SeatRecord = await records.change(call.actor, "seat", call.path("id"), revision(call), _said(body))
        return changed

    @r.delete("/seats/{id}", "directory.edit", "Remove one.", headers=_MATCH)
    async def remove(call: Call) -> None:
        await records.remove(call.actor, "seat", call.path("id"), revision(call))

    @r.post("/seats/{id}/sign-on", "seat.sign_on", "Sit down there; 422 when somebody does and it is no takeover with a reason.")
    async def sign_on(call: Call, body: SigningOn) -> SeatRecord:
        return await book.seats.sign_on(call.actor, call.path("id"), takeover=body.takeover, reason=" ".join(body.reason.split()))

    @r.post("/seats/{id}/sign-off", "seat.sign_on", "Leave it; whoever administers it may clear it.")
    async def sign_off(call: Call) -> SeatRecord:
        return await book.seats.sign_off(call.actor, call.path("id"))


def _people(r: Routes, book: AddressBook) -> None:
    records = book.records

    @r.post("/people", "directory.edit", "Make one.", status=201, headers=_KEY)
    async def make(call: Call, body: NewPerson) -> PersonRecord:
        made: PersonRecord = await records.make(call.actor, "person", _made(body), once(call, body))
        return made

    @r.get("/people/{id}", "directory.view", "One person that the reader looks after, with endpoints.")
    async def one(call: Call) -> PersonRecord:
        found: PersonRecord = await records.one(call.actor, "person", call.path("id"))
        return found

    @r.patch("/people/{id}", "directory.edit", "Change one.", headers=_MATCH)
    async def change(call: Call, body: PersonChange) -> PersonRecord:
        changed: PersonRecord = await records.change(call.actor, "person", call.path("id"), revision(call), _said(body))
        return changed

    @r.delete(
        "/people/{id}", "directory.edit", "Remove one: endpoints and sign-ins end, the name stays in records.", headers=_MATCH
    )
    async def remove(call: Call) -> None:
        await records.remove(call.actor, "person", call.path("id"), revision(call))


def _endpoints(r: Routes, book: AddressBook) -> None:
    records = book.records

    @r.get("/endpoints", "directory.view", "How a person, a seat or a place is reached, first what is tried first.")
    async def listed(call: Call, query: EndpointsWanted) -> Page[EndpointRecord]:
        owners = {"person": query.person, "seat": query.seat, "place": query.place}
        owner = next((f"{kind}:{id}" for kind, id in owners.items() if id is not None), None)
        return await records.listed(
            call.actor, "endpoint", org=query.org, owner=owner, after=query.cursor or "", limit=query.limit
        )

    @r.post("/endpoints", "directory.edit", "Make one.", status=201, headers=_KEY)
    async def make(call: Call, body: NewEndpoint) -> EndpointRecord:
        made: EndpointRecord = await records.make(call.actor, "endpoint", _made(body), once(call, body))
        return made

    @r.get("/endpoints/{id}", "directory.view", "One endpoint that the reader looks after.")
    async def one(call: Call) -> EndpointRecord:
        found: EndpointRecord = await records.one(call.actor, "endpoint", call.path("id"))
        return found

    @r.patch("/endpoints/{id}", "directory.edit", "Change one.", headers=_MATCH)
    async def change(call: Call, body: EndpointChange) -> EndpointRecord:
        changed: EndpointRecord = await records.change(call.actor, "endpoint", call.path("id"), revision(call), _said(body))
        return changed

    @r.delete("/endpoints/{id}", "directory.edit", "Remove one.", headers=_MATCH)
    async def remove(call: Call) -> None:
        await records.remove(call.actor, "endpoint", call.path("id"), revision(call))
