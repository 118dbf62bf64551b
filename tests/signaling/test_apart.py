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
    # What reaches nobody is recorded by nobody.
    assert gates(stage) == {(alice, his, False), (carol, his, False), (bob, hers, False), (bob, third, False), ("", his, False)}
    assert stage.told(media.Subscribe) == []
    stage.forget()
    part(stage, "bob")
    assert gates(stage) == set()
    part(stage)
    assert gates(stage) == {(alice, his, True), (carol, his, True), (bob, hers, True), (bob, third, True), ("", his, True)}
    assert stage.told(media.Subscribe) == []


def test_who_publishes_or_comes_later_is_held_before_he_is_heard() -> None:
    stage = Stage(kept=True)
    part(stage, "bob")
    alice, bob = stage.join("alice"), stage.join("bob")
    stage.forget()
    his = stage.publish(bob, "mic", video=False)
    wanted = [type(one) for one in stage.commands if isinstance(one, media.Allow | media.Subscribe)]
    assert wanted == [media.Allow, media.Allow, media.Subscribe]  # for the recorder before the first packet, for alice
    assert gates(stage) == {(alice, his, False), ("", his, False)}


def test_what_only_one_is_to_hear_is_not_recorded() -> None:
    stage = Stage(kept=True)
    stage.run(stage.room.apply(lambda room: subscribing.part(room, lambda one, other: one == "coach" and other != "alice")))
    alice, coach, bob = stage.join("alice"), stage.join("coach"), stage.join("bob")
    stage.forget()
    word = stage.publish(coach, "mic", video=False)
    assert gates(stage) == {(bob, word, False), ("", word, False)}
    assert isinstance(stage.commands[0], media.Announce)
    assert isinstance(stage.commands[1], media.Allow)  # before any packet of it can come
    stage.forget()
    hers = stage.publish(alice, "mic", video=False)
    assert (gates(stage), hers != word) == (set(), True)
