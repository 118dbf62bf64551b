"""What cameras are found by: their names, with pinyin and initials. Names of one catalogue share most of their words."""

from __future__ import annotations

import re
from functools import lru_cache

_RUN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+|[^\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")


@lru_cache(20_000)
def _readings(run: str) -> tuple[list[str], list[str]]:
    """Its syllables as they are most likely read, and with the second reading of those that have one. All the ways to read a
    long name would be thousands, and every search reads all names."""
    if not "\u3400" <= run[0] <= "\ufaff":
        return [run], [run]
    from pypinyin import Style, pinyin  # half a second of dictionaries, which only a catalogue needs

    syllables = pinyin(run, style=Style.NORMAL, heteronym=True, errors="default")
    return [one[0] for one in syllables], [one[1] if len(one) > 1 else one[0] for one in syllables]


def load() -> None:
    """The dictionaries, which nobody at work should wait for: some 0.2 s, in which nothing else goes on, and 60 MB."""
    words("中")


def _initials(run: str, syllables: list[str]) -> str:
    return run if syllables[0] == run else "".join(syllable[0] for syllable in syllables)


def words(*names: str) -> str:
    """Lower case, the names themselves first. Costs up to 0.1 ms for a name with new words: not on the event loop.

    >>> words("临江大堤 K12")
    '临江大堤 k12 linjiangdadi k12 ljdd k12'
    """
    found: list[str] = []
    for name in filter(None, names):
        folded = name.casefold()
        found.append(folded)
        runs = _RUN.findall(folded[:200])
        for reading in (0, 1):
            parts = [_readings(run)[reading] for run in runs]
            found.append("".join(syllable for part in parts for syllable in part))
            found.append("".join(_initials(run, part) for run, part in zip(runs, parts, strict=True)))
    return " ".join(dict.fromkeys(found))


def asked(q: str) -> list[str]:
    """The words of a query; each has to be found."""
    return q.casefold().split()[:8]
