"""The directory as CSV and as JSON, read and written so that one is the other's mirror. Pure.

CSV: one table, a column for each field there is (:data:`fields.COLUMNS`), ``type`` first; UTF-8 with a byte order mark, as office
programs want it, or GB 18030 as they write it. A cell that such a program would calculate has an apostrophe before it.
JSON: an object with a list for each type, an entry a line.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, Final, Literal

import msgspec

from commhub.directory import entries as found_in
from commhub.directory.fields import COLUMNS, Mistake, Row
from commhub.errors import Invalid

Format = Literal["csv", "json"]
SIZE: Final = 64 << 20  # octets of an import
ROWS: Final = 200_000
#: Types by their names in JSON.
LISTS: Final = {"organisations": "organisation", "places": "place", "seats": "seat", "people": "person", "endpoints": "endpoint"}
_CALCULATED = ("=", "+", "-", "@", "'")


def read(data: bytes | IO[bytes], format: Format) -> tuple[list[Row], list[Mistake]]:
    """Rows with the line they begin in, and what is no row at all. Invalid when it is nothing of the kind. A file is read from
    its beginning; CSV line by line, so that it is never in memory as a whole; of JSON no more than the file and its rows."""
    file = io.BytesIO(data) if isinstance(data, bytes) else data
    if file.seek(0, io.SEEK_END) > SIZE:
        raise Invalid(f"An import has at most {SIZE} octets.", f"导入内容不得超过 {SIZE} 字节。", code="too_large", status=413)
    file.seek(0)
    return _read_csv(file) if format == "csv" else _read_json(file.read())


# ---- CSV


def _read_csv(file: IO[bytes]) -> tuple[list[Row], list[Mistake]]:
    encoding = _encoding(file)
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, newline="")
    try:
        return _rows(text)
    finally:
        text.detach()  # the file stays open: it is whose it was


def _rows(text: io.TextIOBase) -> tuple[list[Row], list[Mistake]]:
    lines = csv.reader(text, strict=True)
    rows: list[Row] = []
    mistakes: list[Mistake] = []
    begins = 1
    try:
        header = [name.strip() for name in next(lines, [])]
        if "type" not in header or "key" not in header:
            raise Invalid(
                "The first line must name the columns, type and key among them.",
                "首行须为列名，且包含 type 与 key。",
                code="no_header",
            )
        for name in header:
            if name not in COLUMNS or header.count(name) > 1:
                mistakes.append(Mistake(1, name, "There is no such column, or it is there twice.", "没有此列，或此列重复。"))
        begins = lines.line_num + 1
        for cells in lines:
            if cells and any(cells):
                if len(cells) != len(header):
                    mistakes.append(
                        Mistake(
                            begins,
                            "",
                            f"This line has {len(cells)} cells, not {len(header)}.",
                            f"本行有 {len(cells)} 列，应为 {len(header)} 列。",
                        )
                    )
                else:
                    said = {name: _plain(cell) for name, cell in zip(header, cells, strict=True)}
                    rows.append(Row(begins, said.pop("type"), said.pop("key"), said))
            begins = lines.line_num + 1
            _bounded(len(rows))
    except csv.Error as error:
        mistakes.append(Mistake(begins, "", f"This is not CSV: {error}.", "这一行不是有效的 CSV。"))
    return rows, mistakes


def _encoding(file: IO[bytes]) -> str:
    """The first in which all of it is text."""
    for encoding in ("utf-8-sig", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        file.seek(0)
        try:
            while part := file.read(256 << 10):
                decoder.decode(part)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise Invalid("The file is neither UTF-8 nor GB 18030.", "文件既不是 UTF-8 也不是 GB 18030 编码。", code="encoding")


def _plain(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:2] in _CALCULATED else cell


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return "'" + text if text.startswith(_CALCULATED) else text


def write_csv(entries: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[bytes]:
    """Of ``(type, {"key": …, …})``, some lines at a time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    yield "\ufeff".encode()
    for type, entry in entries:
        writer.writerow([type, *(_cell(entry.get(name)) for name in COLUMNS[1:])])
        if buffer.tell() > 64 << 10:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


# ---- JSON


def _read_json(data: bytes) -> tuple[list[Row], list[Mistake]]:
    rows: list[Row] = []
    mistakes: list[Mistake] = []
    unknown: set[str] = set()
    at, line, count = 0, 1, 0
    for name, begins, ends in found_in.find(data):
        line += data.count(b"\n", at, begins)
        at = begins
        if name not in LISTS:
            if name not in unknown:
                unknown.add(name)
                mistakes.append(Mistake(line, name, f"There is no list {name}.", f"没有名为 {name} 的列表。"))
        elif ends > begins:
            try:
                said = msgspec.json.decode(data[begins:ends], type=dict[str, Any])
                rows.append(Row(line, LISTS[name], said.pop("key", ""), said))
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
                mistakes.append(Mistake(line, "", "An entry must be an object.", "条目须为对象。"))
        _bounded(count := count + 1)
    return rows, mistakes


def write_json(entries: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[bytes]:
    """As :func:`write_csv`; entries of a type must come together, in the order of :data:`fields.TYPES`."""
    names = {type: name for name, type in LISTS.items()}
    parts: list[str] = ["{"]
    now = ""
    for type, entry in entries:
        if type == now:
            parts.append(",\n")
        else:
            parts.append(f'{"]," if now else ""}\n"{names[type]}": [\n')
            now = type
        parts.append(json.dumps(entry, ensure_ascii=False, separators=(",", ":")))
        if len(parts) > 1000:
            yield "".join(parts).encode()
            parts.clear()
    parts.append("]\n}\n" if now else "}\n")
    yield "".join(parts).encode()


WRITERS: Final = {"csv": write_csv, "json": write_json}


def _bounded(rows: int) -> None:
    if rows > ROWS:
        raise Invalid(f"An import has at most {ROWS} rows.", f"一次最多导入 {ROWS} 行。", code="too_large", status=413)
