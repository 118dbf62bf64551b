"""Are all posts manned? Somebody at each one is asked, and answers by one press. No I/O, no clock.

===========  =======  ========  =======  ========
a post is    told     pressed   pressed  the time
                      in time   later    is over
===========  =======  ========  =======  ========
asked        reached  present   late     unreachable
reached      –        present   late     absent
present      –        –         –        –
late         –        –         –        –
absent       –        –         late     –
unreachable  –        –         late     –
===========  =======  ========  =======  ========

*Told*: a terminal of theirs has acknowledged that it shows the question.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum


class Post(StrEnum):
    ASKED = "asked"
    REACHED = "reached"
    PRESENT = "present"
    LATE = "late"
    ABSENT = "absent"
    UNREACHABLE = "unreachable"


class Word(StrEnum):
    TOLD = "told"
    PRESSED = "pressed"
    PRESSED_LATE = "pressed_late"
    OVER = "over"


TABLE: dict[tuple[Post, Word], Post] = {
    (Post.ASKED, Word.TOLD): Post.REACHED,
    (Post.ASKED, Word.PRESSED): Post.PRESENT,
    (Post.ASKED, Word.PRESSED_LATE): Post.LATE,
    (Post.ASKED, Word.OVER): Post.UNREACHABLE,
    (Post.REACHED, Word.PRESSED): Post.PRESENT,
    (Post.REACHED, Word.PRESSED_LATE): Post.LATE,
    (Post.REACHED, Word.OVER): Post.ABSENT,
    (Post.ABSENT, Word.PRESSED_LATE): Post.LATE,
    (Post.UNREACHABLE, Word.PRESSED_LATE): Post.LATE,
}
FINAL = frozenset({Post.PRESENT, Post.LATE, Post.ABSENT, Post.UNREACHABLE})


def after(post: Post, word: Word) -> Post:
    """What nothing is said of changes nothing."""
    return TABLE.get((post, word), post)


def pressed(now: int, closes: int) -> Word:
    """``closes``: when the time is over, UTC ns."""
    return Word.PRESSED if now < closes else Word.PRESSED_LATE


def counted(states: Iterable[Post]) -> dict[str, int]:
    """How many of each; all of them are named."""
    found = Counter(states)
    return {str(state): found[state] for state in Post}
