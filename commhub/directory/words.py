"""What a search looks through."""

from __future__ import annotations

import itertools

import sqlalchemy as sa


def search_text(*texts: str) -> str:
    """What a search looks through: the texts, their pinyin and their initials, lower case.

    >>> search_text("曾明")
    '曾明 cengming cengmeng zengming zengmeng cm zm'
    """
    from pypinyin import Style, pinyin  # half a second of dictionaries, which only an import of the city needs

    words: list[str] = []
    for text in filter(None, texts):
        words.append(text.casefold())
        for style in (Style.NORMAL, Style.FIRST_LETTER):
            readings = pinyin(text, style=style, heteronym=True, errors="default")
            # A name has several readings only by its rare characters: a few combinations find it, all would be thousands.
            words += ["".join(one).casefold() for one in itertools.islice(itertools.product(*readings), 12)]
    return " ".join(sorted(dict.fromkeys(words), key=words.index))


def matches(column: sa.ColumnElement[str], q: str) -> sa.ColumnElement[bool]:
    """Every word of the query somewhere in the text."""
    return sa.and_(sa.true(), *(column.contains(word, autoescape=True) for word in q.casefold().split()[:8]))
