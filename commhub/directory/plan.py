"""What an import would change: rows against what there is. No I/O: all mistakes are found before anything is written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from commhub.directory import fields, numbers, writing
from commhub.directory.fields import TYPES, Mistake, Row, Wrong
from commhub.directory.writing import Change
from commhub.model import new_id
from commhub.vault import Vault

MISTAKES = 1_000  # told; who made more has made the same one often
_NOUNS = {"organisation": "单位", "place": "场所", "seat": "坐席", "person": "人员", "endpoint": "终端"}
_REFERENCES = {"parent": "parent_id", "org": "org_id", "place": "place_id", "serves": "serves_id"}


@dataclass(frozen=True, slots=True)
class Known:
    """Everything there is, by type and key: all columns."""

    rows: Mapping[str, Mapping[str, Mapping[str, Any]]]

    def by_id(self, type: str) -> dict[str, Mapping[str, Any]]:
        return {row["id"]: row for row in self.rows[type].values()}


@dataclass(slots=True)
class Plan:
    changes: list[Change] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    unchanged: int = 0

    def counts(self) -> dict[str, dict[str, int]]:
        """``{"person": {"created": 1, "changed": 2}, …}``."""
        found: dict[str, dict[str, int]] = {type: {"created": 0, "changed": 0} for type in TYPES}
        for one in self.changes:
            found[one.type]["created" if one.fresh else "changed"] += 1
        return found


def plan(
    rows: Sequence[Row], known: Known, within: Collection[str] | None, vault: Vault, mistakes: Sequence[Mistake] = ()
) -> Plan:
    """``within`` are the organisations that whoever imports may edit, None for all. Entries that are not among the rows stay as
    they are, and so do fields of which a row does not speak."""
    planner = _Planner(known, within, vault)
    planner.mistakes.extend(mistakes)
    planner.read(rows)
    made = Plan(mistakes=planner.mistakes)
    for change, same in planner.changes():
        made.unchanged += same
        if change is not None:
            made.changes.append(change)
    made.mistakes.sort(key=lambda one: (one.line, one.field))
    if made.mistakes:
        made.changes.clear()
    return made


@dataclass(slots=True)
class _Entry:
    row: Row
    id: str
    before: Mapping[str, Any] | None
    values: dict[str, Any]


class _Planner:
    def __init__(self, known: Known, within: Collection[str] | None, vault: Vault) -> None:
        self._known, self._within, self._vault = known, within, vault
        self._entries: dict[str, dict[str, _Entry]] = {type: {} for type in TYPES}
        self._ids = {type: known.by_id(type) for type in TYPES}
        self._may: dict[str, bool] = {}
        self._parents = {id: row["parent_id"] for id, row in self._ids["organisation"].items()}
        self._orgs: dict[str, str] = {}  # of owners that are read already
        self._next = {
            type: 1 + max((row["position"] for row in known.rows[type].values()), default=-1) for type in ("organisation", "seat")
        }
        self._ends: dict[str, int] = {}
        for row in known.rows["endpoint"].values():
            self._ends[row["owner_id"]] = max(self._ends.get(row["owner_id"], 0), row["position"] + 1)
        self.mistakes: list[Mistake] = []
        self._bad: set[int] = set()  # lines

    # ---- reading

    def read(self, rows: Sequence[Row]) -> None:
        seen: dict[tuple[str, str], int] = {}
        for row in rows:
            if row.type not in TYPES:
                names = ", ".join(TYPES)
                self._wrong(row, "type", f"This must be one of {names}.", f"须为下列之一：{names}。")
                continue
            try:
                key = fields.key(row.key)
            except Wrong as wrong:
                self._wrong(row, "key", wrong.text, wrong.text_zh)
                continue
            if before := seen.get((row.type, key)):
                self._wrong(
                    row,
                    "key",
                    f"The key {key} is there twice, first in line {before}.",
                    f"key {key} 重复，首次出现在第 {before} 行。",
                )
                continue
            seen[row.type, key] = row.line
            there = self._known.rows[row.type].get(key)
            self._entries[row.type][key] = _Entry(
                row, there["id"] if there else new_id(), there, self._values(row, there is None)
            )

    def _values(self, row: Row, fresh: bool) -> dict[str, Any]:
        type, values = TYPES[row.type], {}
        for name in row.said.keys() - type.by_name.keys():
            if row.said[name] not in ("", None):
                self._wrong(row, name, "Entries of this type do not have this field.", "该类条目没有此字段。")
        for one in type.fields:
            said = row.said.get(one.name)
            if said in ("", None) and not (one.required and one.name in row.said):
                if one.required and fresh:
                    self._wrong(row, one.name, "This is missing.", "缺少此项。")
                elif (fresh or one.name in row.said) and (
                    one.default is not None or one.of or one.name in ("longitude", "latitude")
                ):
                    values[one.name] = one.default
                continue
            try:
                values[one.name] = one.read(said)
                if one.required and values[one.name] is None:
                    raise Wrong("This is missing.", "缺少此项。")
            except Wrong as wrong:
                self._wrong(row, one.name, wrong.text, wrong.text_zh)
        return values

    def _wrong(self, row: Row, name: str, text: str, text_zh: str) -> None:
        self._bad.add(row.line)
        if len(self.mistakes) < MISTAKES:
            self.mistakes.append(Mistake(row.line, name, text, text_zh))

    # ---- what refers to what

    def _find(self, entry: _Entry, name: str, type: str, key: str) -> str | None:
        """The id behind a key; the same sentence for what is not there and for what is not his."""
        made = self._entries[type].get(key)
        there = self._known.rows[type].get(key)
        id = made.id if made is not None else there["id"] if there is not None else None
        if id is None or not self._reaches(entry, name, type, id):
            self._wrong(entry.row, name, f"There is no {type} {key}.", f"没有{_NOUNS[type]} {key}。")
            return None
        return id

    def _reaches(self, entry: _Entry, name: str, type: str, id: str) -> bool:
        if entry.before is not None and entry.before.get(_REFERENCES.get(name, "owner_id")) == id:
            return True  # as it is already
        if type == "organisation":
            listed = name == "serves" and self._ids["organisation"].get(id, {}).get("listed", False)
            return bool(listed) or self._edits(id)
        there = self._ids[type].get(id)
        return self._edits(there["org_id"] if there is not None else self._orgs.get(id, ""))

    def _edits(self, org: str) -> bool:
        """May whoever imports change what belongs there? In a new organisation, if he may in the one above it."""
        if self._within is None:
            return True
        if org not in self._may:
            self._may[org] = False  # unless it turns out otherwise; ends loops
            fresh = org not in self._ids["organisation"]
            self._may[org] = org in self._within or (fresh and self._edits(self._parents.get(org) or ""))
        return self._may[org]

    # ---- changing

    def changes(self) -> Iterator[tuple[Change | None, int]]:
        """Each with 1 when nothing is new."""
        self._hang()
        for type in ("organisation", "place", "person", "seat", "endpoint"):
            for entry in self._entries[type].values():
                if entry.before is not None and not self._edits(entry.id if type == "organisation" else entry.before["org_id"]):
                    self._wrong(entry.row, "key", "This key is not free.", "该 key 不可用。")
                    continue
                columns = self._columns(entry)
                if columns is None:
                    continue
                change = self._change(type, entry, columns)
                yield (change, 0) if change.fresh or change.changed else (None, 1)

    def _hang(self) -> None:
        """Where organisations stand, before anybody asks; loops are named."""
        changed = []
        for entry in self._entries["organisation"].values():
            if "parent" in entry.values:
                key = entry.values["parent"]
                made, there = self._entries["organisation"].get(key), self._known.rows["organisation"].get(key)
                self._parents[entry.id] = made.id if made is not None else there["id"] if there is not None else None
                changed.append(entry)
        for entry in changed:
            seen, at = {entry.id}, self._parents[entry.id]
            while at is not None and at not in seen:
                seen.add(at)
                at = self._parents.get(at)
            if at is not None:
                self._wrong(entry.row, "parent", "The organisation would stand below itself.", "单位不能位于自身之下。")

    def _columns(self, entry: _Entry) -> dict[str, Any] | None:
        """What is said, as columns; None when something is wrong."""
        if entry.row.line in self._bad:
            return None
        values, columns = entry.values, dict[str, Any]()
        for one in TYPES[entry.row.type].fields:
            if one.name not in values:
                continue
            if not one.of:
                columns[one.name] = values[one.name]
            elif values[one.name] is None:
                columns[_REFERENCES[one.name]] = None
            else:
                columns[_REFERENCES[one.name]] = self._find(entry, one.name, one.of, values[one.name])
        if entry.row.type == "organisation":
            self._organisation(entry, columns)
        if entry.row.type == "endpoint":
            self._endpoint(entry, columns)
        elif "org_id" in columns:
            self._orgs[entry.id] = columns["org_id"] or ""
        if entry.before is None:
            self._place_at_the_end(entry, columns)
        return None if entry.row.line in self._bad else columns

    def _organisation(self, entry: _Entry, columns: dict[str, Any]) -> None:
        top = entry.before is None or entry.before["parent_id"] is not None
        if "parent" in entry.values and entry.values["parent"] is None and top and self._within is not None:
            self._wrong(entry.row, "parent", "This is missing.", "缺少此项。")
        if entry.before is None:
            columns.setdefault("name_en", columns.get("name", ""))
            columns.setdefault("short", columns.get("name", "")[:20])
            columns.setdefault("listed", columns.get("kind") in fields.LISTED)

    def _place_at_the_end(self, entry: _Entry, columns: dict[str, Any]) -> None:
        type = entry.row.type
        if type in self._next:
            columns.setdefault("position", self._next[type])
            self._next[type] = max(self._next[type], columns["position"] + 1)
        elif type == "endpoint":
            owner = columns.get("owner_id") or ""
            columns.setdefault("position", self._ends.get(owner, 0))
            self._ends[owner] = max(self._ends.get(owner, 0), columns["position"] + 1)

    def _endpoint(self, entry: _Entry, columns: dict[str, Any]) -> None:
        before = entry.before or {}
        if "owner" in columns:
            kind, key = columns.pop("owner")
            owner = self._find(entry, "owner", kind, key)
            there = self._ids[kind].get(owner or "")
            org = self._orgs.get(owner or "") or (there["org_id"] if there is not None else "")
            columns |= {"owner_kind": kind, "owner_id": owner, "org_id": org}
        elif before:
            columns["org_id"] = self._orgs.get(before["owner_id"]) or before["org_id"]
        kind, said = columns.get("kind", before.get("kind", "")), columns.pop("address", None)
        masked = bool(before) and bool(before["sealed"]) and said in (None, before["address"])
        if masked:
            return
        if said is None:
            said = before.get("address", "")
        if "****" in said:
            self._wrong(
                entry.row,
                "address",
                "This number is masked: say it in full, or leave the row as it was.",
                "号码已脱敏：请填写完整号码，或保持原样。",
            )
            return
        try:
            fields.check_address(kind, said)
        except Wrong as wrong:
            self._wrong(entry.row, "address", wrong.text, wrong.text_zh)
            return
        if before and before["sealed"] and numbers.personal(kind, said) and numbers.whole(self._vault, said) == before["digest"]:
            return  # the same number, and nothing is sealed anew
        columns |= writing.address(self._vault, entry.id, kind, said)
        columns["number"] = said

    def _change(self, type: str, entry: _Entry, columns: dict[str, Any]) -> Change:
        said = columns.pop("number", "")
        before = entry.before or {"key": entry.row.key}
        after = {name: value for name, value in before.items() if name not in ("id", "rev")} | columns
        changed = {name for name, value in columns.items() if name not in before or before[name] != value}
        if type == "person":
            if not before.get("active", False):
                changed.add("active")
            after["active"] = True
        fresh = entry.before is None
        return Change(type, entry.id, after, changed, fresh, said if after.get("sealed") else "")
