"""What a search looks through: names as they are written, their pinyin and their initials."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

_RUN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]|[^\\W\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_READINGS = 8  # of one name besides the usual one; all combinations of its characters would be thousands
_LONGEST = 64  # characters of a token
_WORDS = 6  # of a query
#: What kind of office a name ends with, longest first.
_OFFICES = ("指挥部", "街道", "支队", "大队", "公司", "中心", "集团", "局", "委", "办", "区", "县", "镇", "乡", "院", "站")


def search_text(*texts: str) -> str:
    """The texts, their pinyin and their initials, lower case.

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


def fold(text: str) -> str:
    """Alike in any case and width."""
    return unicodedata.normalize("NFKC", text).casefold()


def asked(q: str) -> list[str]:
    """The words of a query, without signs, as :func:`tokens` are; each has to be found. A word of signs finds nothing."""
    return ["".join(_RUN.findall(word))[:_LONGEST] or "?" for word in fold(q).split()[:_WORDS]]


def tokens(*texts: str) -> frozenset[str]:
    """The beginnings by which texts are found: each from every character or word on, as written, in pinyin, by initials. What
    begins another token is left out, since a search asks for beginnings.

    >>> sorted(tokens("水务 A1"))
    ['a1', 'shuiwua1', 'swa1', 'wa1', 'wua1', '务a1', '水务a1']
    """
    found = set().union(*(_of(text) for text in texts)) if texts else set()
    ordered = [*sorted(found), ""]
    return frozenset(one for one, after in itertools.pairwise(ordered) if not after.startswith(one))


def short_names(name: str, short: str) -> list[str]:
    """What an organisation is called besides: the short name with the kind of office behind it.

    >>> short_names("应急管理局", "应急")
    ['应急局', '市应急局']
    """
    office = next((one for one in _OFFICES if name.endswith(one)), "")
    called = short if not office or short.endswith(office) else short + office
    return [one for one in (called, f"市{called}") if one != name]


@lru_cache(8192)
def _of(text: str) -> frozenset[str]:
    parts = _RUN.findall(fold(text)[:100])
    if not parts:
        return frozenset()
    found: set[str] = set()
    for syllables in (parts, *_readings(tuple(parts))):
        first = [part if part == said else said[:1] for part, said in zip(parts, syllables, strict=True)]
        found.update(_endings(syllables))
        found.update(_endings(first))
    return frozenset(found)


def _endings(parts: Iterable[str]) -> Iterable[str]:
    whole = list(parts)
    return ("".join(whole[start:])[:_LONGEST] for start in range(len(whole)))


def _readings(parts: tuple[str, ...]) -> Iterable[list[str]]:
    """The ways to say it: the usual one, and each character's others in it. A word of other letters is said as it is written."""
    from pypinyin import Style, pinyin  # half a second of dictionaries, which only whoever writes needs

    ways: list[list[str]] = []
    for han, run in itertools.groupby(parts, lambda part: _HAN.match(part) is not None):
        text = list(run)
        if not han:
            ways += [[word] for word in text]
            continue
        # As a whole, since 重庆 is chongqing; apart where the dictionary does not know a character.
        said = pinyin("".join(text), style=Style.NORMAL, heteronym=True)
        if len(said) != len(text):
            said = [pinyin(one, style=Style.NORMAL, heteronym=True)[0] for one in text]
        ways += [list(dict.fromkeys(fold(way) for way in one)) for one in said]
    usual = [one[0] for one in ways]
    others = ((at, way) for at, one in enumerate(ways) for way in one[1:])
    return [usual, *([*usual[:at], way, *usual[at + 1 :]] for at, way in itertools.islice(others, _READINGS))]
