"""Values that must never be printed: not in a log, not in a traceback, not by accident."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Wrapped(Generic[T]):
    """A value that prints as `***` wherever it is formatted; `reveal()` is the only way to it."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return hash((type(self), self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("A value that must not be printed is not pickled either.")


class Secret(Wrapped[T]):
    """A password, key or token."""


class Pii(Wrapped[T]):
    """What identifies a person: name, telephone number, address."""
