"""What programs outside see of the directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from commhub.views import Org, Time, View

EntryKind = Literal["organisation", "person", "seat", "place", "endpoint"]
OwnerKind = Literal["person", "seat", "place"]
EndpointKind = Literal["web", "app", "phone", "sip", "room", "camera", "im", "radio"]
OrganisationKind = Literal["city", "department", "district", "street", "headquarters", "external"]
Connectivity = Literal["none", "phone", "staffed", "video", "full"]
PlaceKind = Literal["hall", "room", "site"]


class OrganisationRecord(View):
    """``listed``: people outside of its branch of the tree find it, too."""

    id: str
    key: str
    parent_id: str | None
    name: str
    name_en: str
    short: str
    kind: OrganisationKind
    connectivity: Connectivity
    listed: bool
    position: int
    rev: int


class PlaceRecord(View):
    id: str
    key: str
    org_id: str
    name: str
    kind: PlaceKind
    address: str
    longitude: float | None
    latitude: float | None
    rev: int


class Sitting(View):
    """Who works at a seat."""

    id: str
    name: str
    post: str
    org_name: str
    since: Time


class SeatRecord(View):
    """``serves_id``: the organisation that sends somebody there; of one that cannot connect it is the liaison seat."""

    id: str
    key: str
    org_id: str
    place_id: str | None
    serves_id: str | None
    name: str
    level: int
    position: int
    sitting: Sitting | None
    rev: int


class EndpointRecord(View):
    """Lower ``position`` is tried first. ``masked``: the reader may not see the number."""

    id: str
    key: str
    owner_kind: OwnerKind
    owner_id: str
    org_id: str
    kind: EndpointKind
    label: str
    address: str
    masked: bool
    position: int
    rev: int


class PersonRecord(View):
    id: str
    key: str
    org_id: str
    name: str
    post: str
    level: int
    seat_id: str | None
    endpoints: list[EndpointRecord]
    rev: int


class Owner(View):
    kind: OwnerKind
    id: str
    name: str


class Hit(View):
    """``about``: the post of a person, the address of an endpoint, masked where the reader may not see it."""

    kind: EntryKind
    id: str
    name: str
    about: str
    org: Org
    owner: Owner | None
    endpoint: EndpointKind | None
    online: bool


class Hits(View):
    """``more``: there are others; ask with more letters."""

    items: list[Hit]
    more: bool


class Branch(View):
    """An organisation in the tree; numbers of what is right below it and known to the reader."""

    id: str
    name: str
    name_en: str
    short: str
    kind: OrganisationKind
    connectivity: Connectivity
    organisations: int
    people: int


class Contact(Hit):
    """Kept at hand; ``speed`` is its key."""

    speed: int | None


class Contacts(View):
    items: list[Contact]


class Reachable(View):
    """How an organisation can be reached. ``kinds`` counts endpoints; ``problem`` is '' or what is missing. ``tested_at`` and
    ``tested_well`` are of the last link test, null before the first."""

    org: Org
    kind: OrganisationKind
    connectivity: Connectivity
    accounts: int
    kinds: dict[EndpointKind, int]
    liaison: SeatRecord | None
    problem: Literal["", "no_liaison_seat", "nobody_at_liaison_seat", "no_telephone", "no_account"]
    tested_at: Time | None
    tested_well: bool | None


class Reachability(View):
    items: list[Reachable]


class Target(View):
    """What an invitation rings. ``person_id`` is whoever has an account to be rung by; of a seat, who sits there."""

    org: Org
    why: Literal["person", "member", "liaison", "telephone", "seat", "endpoint"]
    person_id: str | None
    seat_id: str | None
    endpoint_id: str | None


class Resolved(View):
    """``unreachable`` are organisations, seats and people that nothing can be done for now."""

    targets: list[Target]
    unreachable: list[str]


def of(view: type[View], row: Any, **more: Any) -> Any:
    """The view of a row that has columns of the same names."""
    values: Mapping[str, Any] = row if isinstance(row, Mapping) else row._mapping
    return view(**{name: values[name] for name in view.model_fields if name in values and name not in more}, **more)
