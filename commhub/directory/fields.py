"""What an entry of the directory consists of, whichever way it comes: by a form, by CSV or by JSON. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from commhub.directory import numbers

CONNECTIVITY: Final = ("none", "phone", "staffed", "video", "full")
ORGANISATIONS: Final = ("city", "department", "district", "street", "headquarters", "external")
PLACES: Final = ("hall", "room", "site")
OWNERS: Final = ("person", "seat", "place")
#: Kinds that everybody finds unless somebody says otherwise; the others are known to their own branch of the tree.
LISTED: Final = ("city", "department", "headquarters")

_KEY = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Wrong(Exception):
    """A value that cannot be: one sentence in each language."""

    def __init__(self, text: str, text_zh: str) -> None:
        super().__init__(text)
        self.text, self.text_zh = text, text_zh


Read = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """``read`` makes the value of what was said, or raises :class:`Wrong`. ``of`` is the type a reference is to. Without
    ``default`` what is left empty stays as it was, or follows from other fields."""

    name: str
    read: Read
    default: Any = None
    required: bool = False
    of: str = ""


def _text(longest: int, *, empty: bool = True) -> Read:
    def read(said: Any) -> str:
        if not isinstance(said, str):
            raise Wrong("This must be text.", "必须是文字。")
        text = " ".join(said.split())
        if len(text) > longest:
            raise Wrong(f"This is longer than {longest} characters.", f"超过 {longest} 个字符。")
        if not text and not empty:
            raise Wrong("This must not be empty.", "不能为空。")
        if not text.isprintable():
            raise Wrong("This has control characters.", "含有控制字符。")
        return text

    return read


def _choice(*options: str) -> Read:
    def read(said: Any) -> str:
        if said not in options:
            raise Wrong(f"This must be one of {', '.join(options)}.", f"须为下列之一：{'、'.join(options)}。")
        return str(said)

    return read


def _whole(low: int, high: int) -> Read:
    def read(said: Any) -> int:
        number = int(said) if isinstance(said, str) and re.fullmatch(r"[0-9]{1,9}", said) else said
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            raise Wrong(f"This must be a whole number from {low} to {high}.", f"须为 {low} 到 {high} 的整数。")
        return number

    return read


def _degrees(limit: int) -> Read:
    def read(said: Any) -> float | None:
        if said is None or said == "":
            return None
        try:
            number = float(said) if isinstance(said, str | int | float) and not isinstance(said, bool) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        if not -limit <= number <= limit:
            raise Wrong(f"This must be degrees from -{limit} to {limit}.", f"须为 -{limit} 到 {limit} 的度数。")
        return number

    return read


def _yes_or_no(said: Any) -> bool:
    if said in (True, "true"):
        return True
    if said in (False, "false"):
        return False
    raise Wrong("This must be true or false.", "须为 true 或 false。")


def key(said: Any) -> str:
    if not isinstance(said, str) or not _KEY.fullmatch(said):
        raise Wrong(
            "A key has 1 to 64 lower-case letters, digits, dots, dashes and underscores.",
            "key 须为 1 到 64 个小写字母、数字、点、横线或下划线，并以字母或数字开头。",
        )
    return said


def _reference(said: Any) -> str | None:
    return None if said is None or said == "" else key(said)


def owner(said: Any) -> tuple[str, str]:
    """``person:<key>``, ``seat:<key>`` or ``place:<key>``."""
    kind, _, name = said.partition(":") if isinstance(said, str) else ("", "", "")
    if kind not in OWNERS:
        raise Wrong("An owner reads person:key, seat:key or place:key.", "owner 须写作 person:key、seat:key 或 place:key。")
    return kind, key(name)


def check_address(kind: str, address: str) -> None:
    """Does it suit the kind? Raises :class:`Wrong`."""
    if kind == "phone" and not numbers.is_phone(address):
        raise Wrong("A telephone number has 3 to 20 digits.", "电话号码须有 3 到 20 位数字。")
    if kind not in ("web", "app", "phone") and not address:
        raise Wrong(f"An endpoint of kind {kind} needs an address.", f"{kind} 类终端须有地址。")


_NAME = Field("name", _text(100, empty=False), required=True)
_ORG = Field("org", _reference, required=True, of="organisation")
_POSITION = Field("position", _whole(0, 999_999))


@dataclass(frozen=True, slots=True)
class Type:
    fields: tuple[Field, ...]
    by_name: dict[str, Field] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {one.name: one for one in self.fields})


TYPES: Final[dict[str, Type]] = {
    "organisation": Type((
        _NAME,
        Field("name_en", _text(100)),
        Field("short", _text(20)),
        Field("kind", _choice(*ORGANISATIONS), required=True),
        Field("parent", _reference, of="organisation"),
        Field("connectivity", _choice(*CONNECTIVITY), default="full"),
        Field("listed", _yes_or_no),
        _POSITION,
    )),
    "place": Type((
        _NAME,
        _ORG,
        Field("kind", _choice(*PLACES), default="site"),
        Field("address", _text(200), default=""),
        Field("longitude", _degrees(180)),
        Field("latitude", _degrees(90)),
    )),
    "seat": Type((
        _NAME,
        _ORG,
        Field("place", _reference, of="place"),
        Field("serves", _reference, of="organisation"),
        Field("level", _whole(1, 9), default=9),
        _POSITION,
    )),
    "person": Type((
        _NAME,
        _ORG,
        Field("post", _text(100), default=""),
        Field("level", _whole(1, 9), default=9),
    )),
    "endpoint": Type((
        Field("owner", owner, required=True),
        Field("kind", _choice(*numbers.KINDS), required=True),
        Field("label", _text(100), default=""),
        Field("address", _text(200), default=""),
        _POSITION,
    )),
}  # fmt: skip
#: Of a CSV file, in this order.
COLUMNS: Final = tuple(dict.fromkeys(["type", "key", *(one.name for type in TYPES.values() for one in type.fields)]))


@dataclass(slots=True)
class Row:
    """``said`` are the fields that the source speaks of, as it says them; ``line`` counts from 1."""

    line: int
    type: str
    key: str
    said: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mistake:
    line: int
    field: str
    text: str
    text_zh: str
