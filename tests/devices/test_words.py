from __future__ import annotations

import pytest

from commhub.devices.words import asked, words


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("临江大堤 K12", ["临江大堤", "ljdd", "ljdd k12", "linjiangda", "k12", "江大"]),
        ("重庆路", ["chongqinglu", "cql"]),
        ("长江大道 文渊路口", ["cjdd", "changjiangdadao", "wylk"]),
        ("IPC-01", ["ipc-01"]),
        ("青石桥（下穿）东口", ["qsq", "xiachuan", "dongkou"]),
        ("", [""]),
    ],
)
def test_a_name_is_found_by_its_words_pinyin_and_initials(name: str, found: list[str]) -> None:
    assert all(one in words(name) for one in found), words(name)


def test_a_name_of_rare_readings_stays_short() -> None:
    long = "重曾单行长乐朴乘率" * 20
    assert len(words(long)) < 3_000


def test_a_query_has_few_words() -> None:
    assert asked(" 泵站  LJDD ") == ["泵站", "ljdd"]
    assert len(asked("a " * 100)) == 8
    assert asked("") == []
