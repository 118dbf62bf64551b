from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.directory import formats
from commhub.directory.fields import Row
from commhub.errors import Invalid

ENTRIES: list[tuple[str, dict[str, Any]]] = [
    ("organisation", {"key": "city", "name": "云江市", "kind": "city", "parent": None, "listed": True, "position": 0}),
    ("place", {"key": "hall", "name": 'A "hall", \nwide', "org": "city", "longitude": -1.5}),
    ("endpoint", {"key": "e", "owner": "person:p", "kind": "phone", "address": "+8613812341234", "label": "=1+1"}),
]


def whole(format: formats.Format) -> bytes:
    return b"".join(formats.WRITERS[format](ENTRIES))


def test_csv_is_what_office_programs_read() -> None:
    text = whole("csv").decode()
    assert text.startswith("\ufefftype,key,name,")
    assert "'=1+1" in text  # not a formula
    assert "'+86138" in text
    rows, mistakes = formats.read(whole("csv"), "csv")
    assert mistakes == []
    assert [(row.line, row.type, row.key) for row in rows] == [
        (2, "organisation", "city"),
        (3, "place", "hall"),
        (5, "endpoint", "e"),
    ]
    assert rows[1].said["name"] == 'A "hall", \nwide'
    assert rows[1].said["longitude"] == "-1.5"
    assert rows[2].said["label"] == "=1+1"
    again = formats.read("type,key,name\r\nperson,p,曾明\r\n".encode("gb18030"), "csv")
    assert again == ([Row(2, "person", "p", {"name": "曾明"})], [])


def test_json_names_the_line_of_each_entry() -> None:
    rows, mistakes = formats.read(whole("json"), "json")
    assert mistakes == []
    assert [(row.line, row.type, row.key) for row in rows] == [
        (3, "organisation", "city"),
        (5, "place", "hall"),
        (7, "endpoint", "e"),
    ]
    assert json.loads(whole("json"))["endpoints"][0]["address"] == "+8613812341234"
    rows, mistakes = formats.read(b'{"people":[\n{"key":"a"},\n7,\n{"key":"b",\n"name":"B"}, {"key":"c"}],"dogs":[]}', "json")
    assert [(row.line, row.key) for row in rows] == [(2, "a"), (4, "b"), (5, "c")]
    assert [(one.line, one.text) for one in mistakes] == [(3, "An entry must be an object."), (5, "There is no list dogs.")]

    assert formats.read(b'{"people":["\xff"]}', "json")[1][0].text == "An entry must be an object."


@pytest.mark.parametrize(
    ("data", "format", "code"),
    [
        (b"", "csv", "no_header"),
        (b"name,org\r\n", "csv", "no_header"),
        (b"\xff\xff\xff", "csv", "encoding"),
        (b"", "json", "not_json"),
        (b"[]", "json", "not_json"),
        (b'{"people":7}', "json", "not_json"),
        (b'{"people":' + b"[" * 100_000, "json", "too_deep"),
        (b'{"people":[{"key":' + b'{"a":' * 8 + b"1" + b"}" * 9 + b"]}", "json", "too_deep"),
        (b'{"people":[{"key":"' + b"a" * 70_000 + b'"}]}', "json", "entry_too_long"),
        (b'{"people":[{"key":"' + b"a" * 1_000_000, "json", "not_json"),
        (b'{"people":[{}]} more', "json", "not_json"),
        (b'{"people":[{},]}', "json", "not_json"),
        (b'{"people":[,{}]}', "json", "not_json"),
        (b'{"' + b"p" * 100 + b'":[]}', "json", "not_json"),
    ],
)
def test_what_is_nothing_of_the_kind(data: bytes, format: formats.Format, code: str) -> None:
    with pytest.raises(Invalid) as raised:
        formats.read(data, format)
    assert raised.value.code == code
    assert raised.value.message != raised.value.message_zh


def test_size_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "SIZE", 10)
    with pytest.raises(Invalid, match="at most 10 octets") as raised:
        formats.read(b"type,key,na", "csv")
    assert raised.value.status == 413
    monkeypatch.setattr(formats, "SIZE", 10_000)
    monkeypatch.setattr(formats, "ROWS", 2)
    for data, format in ((b"type,key\n" + b"a,b\n" * 3, "csv"), (b'{"people":[{},{},{}]}', "json")):
        with pytest.raises(Invalid, match="at most 2 rows"):
            formats.read(data, format)  # type: ignore[arg-type]


class Parts(io.BytesIO):
    """A file of which nobody may ask for all."""

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 <= size <= 256 << 10
        return super().read(size)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_csv_is_read_line_by_line(encoding: str) -> None:
    lines = "".join(f"person,p{number},曾明{number}\r\n" for number in range(40_000))
    file = Parts(f"type,key,name\r\n{lines}".encode(encoding))
    rows, mistakes = formats.read(file, "csv")
    assert (len(rows), mistakes, rows[-1].line, rows[-1].said) == (40_000, [], 40_001, {"name": "曾明39999"})
    assert not file.closed
    torn = Parts(f"type,key,name\r\n{lines}".encode(encoding) + b"\xff")
    with pytest.raises(Invalid) as raised:
        formats.read(torn, "csv")
    assert raised.value.code == "encoding"


def test_lines_that_are_no_rows() -> None:
    rows, mistakes = formats.read(b'type,key,dog\r\nperson,p\r\n\r\nperson,p,"x\r\n', "csv")
    assert rows == []
    assert [(one.line, one.field) for one in mistakes] == [(1, "dog"), (2, ""), (4, "")]


@given(st.binary(max_size=300), st.sampled_from(["csv", "json"]))
def test_any_bytes_at_all(data: bytes, format: formats.Format) -> None:
    try:
        formats.read(b"type,key,name\n" + data if format == "csv" else b'{"people":[' + data, format)
    except Invalid:
        pass


@given(st.text(max_size=30).filter(lambda text: "\x00" not in text))
def test_whatever_a_cell_holds_comes_back(text: str) -> None:
    data = b"".join(formats.write_csv([("person", {"key": "p", "name": text})]))
    rows, mistakes = formats.read(data, "csv")
    assert mistakes == []
    assert [row.said["name"] for row in rows] == [text]
