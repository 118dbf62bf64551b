"""Whom the hub keeps apart: gate two, without a word to clients."""

from __future__ import annotations

from commhub.media import messages as media
from signaling import subscribing
from tests.support.livekit import Stage


def part(stage: Stage, *held: str) -> None:
    def apart(publisher: str, viewer: str) -> bool:
        return publisher in held or viewer in held

    stage.run(stage.room.apply(lambda room: subscribing.part(room, apart)))


def gates(stage: Stage) -> set[tuple[str, str, bool]]:
    return {(told.subscriber, told.track, told.allowed) for told in stage.told(media.Allow)}


def test_who_is_held_neither_gets_nor_gives_and_stays_subscribed() -> None:
    stage = Stage(kept=True)
    alice, bob, carol = stage.join("alice"), stage.join("bob"), stage.join("carol")
    hers, his, third = (stage.publish(one, "mic", video=False) for one in (alice, bob, carol))
    stage.forget()
    part(stage, "bob")
    assert gates(stage) == {(alice, his, False), (carol, his, False), (bob, hers, False), (bob, third, False)}
    assert stage.told(media.Subscribe) == []
    stage.forget()
    part(stage, "bob")
    assert gates(stage) == set()
    part(stage)
    assert gates(stage) == {(alice, his, True), (carol, his, True), (bob, hers, True), (bob, third, True)}
    assert stage.told(media.Subscribe) == []


def test_who_publishes_or_comes_later_is_held_before_he_is_heard() -> None:
    stage = Stage(kept=True)
    part(stage, "bob")
    alice, bob = stage.join("alice"), stage.join("bob")
    stage.forget()
    his = stage.publish(bob, "mic", video=False)
    wanted = [type(one) for one in stage.commands if isinstance(one, media.Allow | media.Subscribe)]
    assert wanted == [media.Allow, media.Subscribe]
    assert gates(stage) == {(alice, his, False)}
