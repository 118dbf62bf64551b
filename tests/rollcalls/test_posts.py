"""What becomes of a post that is asked."""

from __future__ import annotations

import itertools

import pytest

from commhub.rollcalls import posts
from commhub.rollcalls.posts import FINAL, Post, Word


@pytest.mark.parametrize(
    ("words", "result"),
    [
        ("told pressed over", "present"),
        ("pressed told over", "present"),
        ("told over", "absent"),
        ("over", "unreachable"),
        ("told over pressed_late", "late"),
        ("over pressed_late", "late"),
        ("told pressed pressed_late over", "present"),
        ("told pressed_late over pressed", "late"),
    ],
)
def test_what_becomes_of_a_post(words: str, result: str) -> None:
    post = Post.ASKED
    for word in words.split():
        post = posts.after(post, Word(word))
    assert post == result


def test_every_order_of_words_ends_in_one_of_four() -> None:
    for words in itertools.product(Word, repeat=4):
        post = Post.ASKED
        for word in (*words, Word.OVER):
            post = posts.after(post, word)
        assert post in FINAL
        pressed = [word for word in words if word in (Word.PRESSED, Word.PRESSED_LATE)]
        if not pressed:
            assert post in (Post.ABSENT, Post.UNREACHABLE)


def test_the_press_at_the_end_is_late() -> None:
    assert [posts.pressed(now, 10) for now in (9, 10, 11)] == [Word.PRESSED, Word.PRESSED_LATE, Word.PRESSED_LATE]


def test_all_states_are_counted() -> None:
    counts = posts.counted([Post.LATE, Post.LATE, Post.PRESENT])
    assert (counts["late"], counts["present"], counts["absent"], sum(counts.values())) == (2, 1, 0, 3)
