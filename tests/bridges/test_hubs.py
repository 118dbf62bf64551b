from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from bridges.hubs import Hubs
from commhub.errors import HubError
from commhub.media.link import Link
from commhub.media.messages import Done, Hello, Message


class Linked:
    """As much of a link as hubs need."""

    def __init__(self) -> None:
        self.closed, self.on_close = asyncio.Event(), list[Any]()
        self.told: list[Message] = []

    def tell(self, message: Message) -> None:
        self.told.append(message)

    def close(self) -> None:
        self.closed.set()
        for callback in self.on_close:
            callback(self)


def join(hubs: Hubs, epoch: int) -> Linked:
    made = Linked()
    hubs.connected(cast(Link, made))
    hubs.hello(cast(Link, made), Hello("hub", "hub", epoch))
    return made


def test_the_greater_epoch_counts_and_nobody_goes_back() -> None:
    hubs = Hubs()
    first, second = join(hubs, 1), join(hubs, 2)
    assert first.closed.is_set()
    assert not hubs.obeys(cast(Link, first))
    assert hubs.obeys(cast(Link, second))
    assert hubs.tell(Done())
    assert (first.told, second.told) == ([], [Done()])
    with pytest.raises(HubError) as caught:
        join(hubs, 1)
    assert caught.value.code == "stale_epoch"


def test_who_has_not_said_hello_is_not_obeyed() -> None:
    assert not Hubs().obeys(cast(Link, Linked()))


def test_it_is_said_when_one_is_gone() -> None:
    gone: list[int] = []
    hubs = Hubs(lambda: gone.append(1))
    first = join(hubs, 1)
    second = join(hubs, 2)
    assert first.closed.is_set()
    assert gone == [1]
    second.close()
    assert gone == [1, 1]
    assert not hubs.tell(Done())
    Linked().close()
