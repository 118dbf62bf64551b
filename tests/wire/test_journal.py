"""The journal's lines: golden bytes, torn at every offset, damaged anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commhub.wire import journal

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
VALUES = st.one_of(TEXT, st.integers(-(2**53), 2**53), st.booleans(), st.none())
RECORDS = st.lists(st.dictionaries(TEXT, VALUES, max_size=4), min_size=1, max_size=6)


def test_golden_bytes() -> None:
    line = journal.encode({"type": "chat", "text": "水位\n1.2 m"})
    body = '{"type":"chat","text":"水位\\n1.2 m"}'.encode()
    assert line == b"%08x f23ab146 " % len(body) + body + b"\n"
    assert journal.decode(line) == ({"type": "chat", "text": "水位\n1.2 m"}, len(line))


def test_torn_at_every_offset_keeps_every_whole_record() -> None:
    lines = [journal.encode({"n": n, "text": "中" * n}) for n in range(12)]
    whole = b"".join(lines)
    ends = [sum(map(len, lines[: n + 1])) for n in range(len(lines))]
    for cut in range(len(whole) + 1):
        found = journal.scan(whole[:cut])
        kept = sum(end <= cut for end in ends)
        assert [record["n"] for record in found.records] == list(range(kept))
        assert found.end == (ends[kept - 1] if kept else 0)
        assert found.damaged == 0
        # Writing goes on behind the last whole record.
        again = journal.scan(whole[: found.end] + journal.encode({"n": "next"}))
        assert [record["n"] for record in again.records] == [*range(kept), "next"]


def test_damage_at_every_offset_costs_only_the_records_it_touches() -> None:
    lines = [journal.encode({"n": n}) for n in range(6)]
    whole = b"".join(lines)
    for position in range(len(whole)):
        spoilt = bytearray(whole)
        spoilt[position] ^= 0x41
        hit = next(n for n in range(6) if position < sum(map(len, lines[: n + 1])))
        found = [record.get("n") for record in journal.scan(bytes(spoilt)).records]
        assert [n for n in range(6) if n not in (hit, hit + 1)] == [n for n in found if n not in (hit, hit + 1)]
        assert hit not in found


@given(RECORDS)
@settings(max_examples=50, deadline=None)
def test_what_is_written_is_read(records: list[dict[str, object]]) -> None:
    found = journal.scan(b"".join(map(journal.encode, records)))
    assert (found.records, found.damaged) == (records, 0)


@given(st.binary(max_size=300), RECORDS)
@settings(max_examples=100, deadline=None)
def test_noise_before_records_is_skipped(noise: bytes, records: list[dict[str, object]]) -> None:
    data = noise + b"\n" + b"".join(map(journal.encode, records))
    assert journal.scan(data).records[-len(records) :] == records
    assert journal.scan(data).end == len(data)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "There is no head of a journal record."),
        (b"0000000g 00000000 {}\n", "There is no head of a journal record."),
        (b"-0000002 00000000 {}\n", "There is no head of a journal record."),
        (b"ffffffff 00000000 {}\n", "A journal record is larger than the limit."),
        (b"00000003 00000000 {}\n", "A journal record is torn."),
        (b"00000002 00000000 {}\n", "The checksum of a journal record is wrong."),
        (b"00000002 9a71bb4c []\n", "The checksum of a journal record is wrong."),
    ],
)
def test_what_is_wrong_is_said(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        journal.decode(data)
    assert str(caught.value) == sentence


def test_a_body_that_is_no_object_is_refused() -> None:
    import zlib

    with pytest.raises(ValueError, match="not a JSON object"):
        journal.decode(b"%08x %08x %s\n" % (2, zlib.crc32(b"[]"), b"[]"))
    with pytest.raises(ValueError, match="larger than the limit"):
        journal.encode({"text": "a" * journal.LIMIT})
    with pytest.raises(ValueError, match="cannot be written"):
        journal.encode({"value": object()})
