from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.directory.words import asked, short_names, tokens


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("应急管理局", ["应急", "急管", "管理局", "yingji", "yjglj", "gl", "guanli"]),
        ("曾国峰", ["zeng", "ceng", "zgf", "cgf", "guofeng", "国峰"]),
        ("单欣悦", ["shanxin", "sxy", "danxinyue"]),
        ("重庆路", ["chongqing", "cql", "庆路"]),
        ("A1 Water", ["a1", "water"]),
        ("Ａ１水务", ["a1水", "a1shui", "a1sw", "shuiwu"]),
    ],
)
def test_what_a_name_is_found_by(text: str, begins: list[str]) -> None:
    found = tokens(text)
    for word in begins:
        assert any(token.startswith(word) for token in found), word


def test_nothing_is_kept_that_begins_something_else() -> None:
    found = sorted(tokens("应急管理局", "应急局"))
    assert not any(after.startswith(one) for one in found for after in found if after != one)
    assert tokens("%") == tokens("") == tokens() == frozenset()


@pytest.mark.parametrize(
    ("name", "short", "called"),
    [
        ("应急管理局", "应急", "应急局"),
        ("卫生健康委", "卫健", "卫健委"),
        ("消防救援支队", "消防", "消防支队"),
        ("滨江区", "滨江区", "滨江区"),
        ("Harbour", "H", "H"),
    ],
)
def test_what_people_call_an_office(name: str, short: str, called: str) -> None:
    assert called in [name, *short_names(name, short)]


def test_a_long_name_of_many_readings_has_a_bounded_number_of_words() -> None:
    assert len(tokens("重长行乐朝降" * 10)) < 2_000
    assert max(map(len, tokens("长" * 100))) <= 64


@given(st.text(max_size=150))
def test_any_text_at_all(text: str) -> None:
    for one in tokens(text):
        assert one
        assert "\x00" not in one
    assert len(asked(text)) <= 6
