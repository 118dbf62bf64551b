"""The nodes of one device's catalogue, and where an entry hangs. Sans-IO: what has to be written is collected.

Entries come in any order. A parent that is named before it has come is made at once and not shown until it comes; a region is
shown even then. Whoever is not told where an entry hangs, or is told nonsense (itself, the upper platform, a loop), hangs it
under the device.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from commhub.devices.codes import CHANNEL, NODE_KINDS, kind_of, named, root_kind
from commhub.media.messages import Channel
from commhub.model import new_id

NODES_LIMIT = 20_000  # of one device; what comes beyond hangs its cameras under the device


@dataclass(slots=True)
class Branch:
    """``org`` is set where an administrator gave this part to another organisation."""

    id: str
    code: str
    kind: str
    name: str
    parent: str | None = None
    org: str | None = None
    said: bool = False


@dataclass(slots=True)
class Branches:
    """``root`` is the device itself."""

    device: str
    name: str
    known: dict[str, Branch] = field(default_factory=dict)  # by code
    new: dict[str, Branch] = field(default_factory=dict)  # by id
    changed: dict[str, Branch] = field(default_factory=dict)
    moved: bool = False  # a node has another parent than before: organisations have to be looked at again
    _by_id: dict[str, Branch] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._by_id = {node.id: node for node in self.known.values()}
        if self.device not in self.known:
            self._add(Branch(new_id(), self.device, root_kind(self.device), self.name, said=True))

    @property
    def root(self) -> Branch:
        return self.known[self.device]

    def written(self) -> None:
        self.new, self.changed, self.moved = {}, {}, False

    def entry(self, channel: Channel, name: str) -> None:
        """A node of the catalogue, as it says about itself."""
        if channel.channel == self.device or CHANNEL.fullmatch(channel.channel) is None or channel.kind not in NODE_KINDS:
            return
        node = self._node(channel.channel, channel.kind)
        if node is None:
            return
        parent = self._parent_of(channel, node)
        said = (channel.kind, name or named(node.code), parent.id)
        if not node.said or (node.kind, node.name, node.parent) != said:
            self.moved |= node.said and node.parent != parent.id
            node.kind, node.name, node.parent, node.said = *said, True
            if node.id not in self.new:
                self.changed[node.id] = node

    def place(self, channel: Channel) -> Branch:
        """Where a camera hangs."""
        for code in self._candidates(channel):
            node = self._node(code, kind_of(code))
            if node is not None:
                return node
        if self.root.kind == "platform" and kind_of(channel.region) == "region":
            return self._node(channel.region, "region") or self.root
        return self.root

    def org_of(self, node: Branch, owner: str) -> str:
        """The organisation of what hangs there; ``owner`` is the device's own."""
        seen: set[str] = set()
        at: Branch | None = node
        while at is not None and at.id not in seen:
            if at.org is not None:
                return at.org
            seen.add(at.id)
            at = self._by_id.get(at.parent or "")
        return owner

    def orgs(self, owner: str) -> dict[str, str]:
        """Node → organisation, of all of them."""
        found: dict[str, str] = {}
        for node in self.known.values():
            way: list[str] = []
            at: Branch | None = node
            org = owner
            while at is not None and at.id not in way:
                if at.id in found or at.org is not None:
                    org = found.get(at.id) or at.org or owner
                    break
                way.append(at.id)
                at = self._by_id.get(at.parent or "")
            found.update(dict.fromkeys([*way, node.id], org))
        return found

    def _candidates(self, channel: Channel) -> Iterable[str]:
        """Codes of what may stand above it, the closest first: organisations of the business before machines."""
        said = [code for code in reversed(channel.parents) if code not in (channel.channel, self.device, "")]
        kinds = {code: kind_of(code) for code in [*said, channel.group]}
        yield from (code for code in said if kinds[code] == "virtual")
        if channel.group not in (channel.channel, ""):
            yield from (code for code in [channel.group] if kinds[code] == "group")
        yield from (code for code in said if kinds[code] in ("group", "device", "system", "region"))

    def _parent_of(self, channel: Channel, node: Branch) -> Branch:
        if node.kind == "region":
            upper = self.known.get(channel.channel[:-2])
            return upper if upper is not None and upper.kind == "region" else self.root
        for code in self._candidates(channel):
            parent = self._node(code, kind_of(code))
            if parent is not None and not self._below(parent, node):
                return parent
        return self.root

    def _below(self, node: Branch, other: Branch) -> bool:
        """Is ``node`` the other one, or under it?"""
        seen: set[str] = set()
        at: Branch | None = node
        while at is not None and at.id not in seen:
            if at.id == other.id:
                return True
            seen.add(at.id)
            at = self._by_id.get(at.parent or "")
        return False

    def _node(self, code: str, kind: str) -> Branch | None:
        """The node of this code, made when there is none."""
        node = self.known.get(code)
        if node is None and kind in NODE_KINDS and CHANNEL.fullmatch(code) and len(self.known) < NODES_LIMIT:
            node = self._add(Branch(new_id(), code, kind, named(code), self.root.id))
        return node

    def _add(self, node: Branch) -> Branch:
        self.known[node.code] = self._by_id[node.id] = node
        self.new[node.id] = node
        return node
