"""Encrypted files: whatever is written and torn reads back as a beginning of it; whatever is changed is refused."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commhub.archive import Reader, opened
from commhub.archive.sealed import ALGORITHMS, LIMIT, OVERHEAD, Pen, SessionKey, head

NAME = "tracks/0001/0001.webm"
KEYS = {name: SessionKey(bytes(range(32)), name) for name in ALGORITHMS}
KEY = KEYS["aes-256-gcm"]


class Memory:
    modified = 0

    def __init__(self, data: bytes) -> None:
        self._data, self.size = data, len(data)

    def read(self, offset: int, count: int) -> bytes:
        return self._data[offset : offset + count]

    def close(self) -> None:
        pass


def pen(algorithm: str = "aes-256-gcm", name: str = NAME) -> Pen:
    return Pen(KEYS[algorithm], head(name, algorithm))


def read(data: bytes, key: SessionKey = KEY, *, tolerant: bool = False) -> bytes:
    return reader(data, key, tolerant=tolerant).read()


def reader(data: bytes, key: SessionKey = KEY, *, tolerant: bool = False) -> Reader:
    return opened(Memory(data), key, NAME, tolerant=tolerant)


def closed(pieces: list[bytes], tail: bytes = b"", patches: list[tuple[int, bytes]] | None = None) -> bytes:
    writer = pen()
    return writer.head + b"".join(map(writer.seal, pieces)) + writer.end(tail, patches)


def said(data: bytes, tolerant: bool) -> str:
    """Why it is refused, if it is."""
    try:
        read(data, tolerant=tolerant)
    except ValueError as error:
        return str(error)
    return "."


PIECES = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(pieces=PIECES, cut=st.floats(0, 1), zeros=st.sampled_from([0, 0, 5, 4096]), close=st.booleans())
def test_what_was_torn_is_a_beginning(algorithm: str, pieces: list[bytes], cut: float, zeros: int, close: bool) -> None:
    writer = pen(algorithm)
    data = writer.head + b"".join(map(writer.seal, pieces)) + (writer.end(b"tail") if close else b"")
    whole = b"".join(pieces) + (b"tail" if close else b"")
    assert read(data, KEYS[algorithm]) == whole
    torn = data[: int(cut * len(data))]
    if len(torn) < len(writer.head):
        with pytest.raises(
            ValueError, match=r"^(A file of an encrypted recording is not encrypted|An encrypted file's head is torn)\.$"
        ):
            read(torn, KEYS[algorithm])
        return
    left = reader(torn + bytes(zeros), KEYS[algorithm], tolerant=True)
    found = left.read_at(0, left.proved())
    assert whole.startswith(found)
    kept = len(writer.head)
    for n, piece in enumerate(pieces):
        kept += OVERHEAD + len(piece)
        if kept <= len(torn):
            assert len(found) >= sum(map(len, pieces[: n + 1]))


@given(pieces=PIECES, more=PIECES, cut=st.integers(0, 400))
def test_what_was_torn_goes_on(pieces: list[bytes], more: list[bytes], cut: int) -> None:
    writer = pen()
    data = writer.head + b"".join(map(writer.seal, pieces))
    torn = data[: max(len(writer.head), len(data) - cut)]
    layout = reader(torn).layout
    assert layout is not None
    again = Pen(KEY, layout.head, layout.sizes)
    data = torn[: layout.place(len(layout.ends))] + b"".join(map(again.seal, more)) + again.end()
    assert read(data) == b"".join(pieces)[: layout.begin(len(layout.ends))] + b"".join(more)


@given(pieces=PIECES, data=st.data())
def test_patches_lie_over_what_was_written(pieces: list[bytes], data: st.DataObject) -> None:
    plain = bytearray(b"".join(pieces))
    patches = []
    for _ in range(data.draw(st.integers(0, 4)) if plain else 0):
        at = data.draw(st.integers(0, len(plain) - 1))
        patch = data.draw(st.binary(min_size=1, max_size=min(200, len(plain) - at)))
        patches.append((at, patch))
        plain[at : at + len(patch)] = patch
    found = reader(closed(pieces, b"and a tail", patches))
    expected = bytes(plain) + b"and a tail"
    assert (found.size, found.read()) == (len(expected), expected)
    for _ in range(10):
        at, count = data.draw(st.integers(0, len(expected) + 2)), data.draw(st.integers(0, 500))
        assert found.read_at(at, count) == expected[at : at + count]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_any_flipped_byte_is_refused(algorithm: str) -> None:
    writer = pen(algorithm)
    pieces = [b"a" * 30, b"b" * 40, b"c" * 50]
    data = writer.head + b"".join(map(writer.seal, pieces)) + writer.end(b"tail", [(3, b"xyz")])
    dice = random.Random(4)
    for at in range(len(data)):
        spoilt = bytearray(data)
        spoilt[at] ^= 1 << dice.randrange(8)
        with pytest.raises(ValueError, match=r"encrypted|name"):
            read(bytes(spoilt), KEYS[algorithm])


def test_a_flipped_byte_of_what_grows_is_refused_or_ends_it() -> None:
    writer = pen()
    data = writer.head + writer.seal(b"a" * 30) + writer.seal(b"b" * 40)
    for at in range(len(data)):
        spoilt = bytearray(data)
        spoilt[at] ^= 16
        try:
            found = read(bytes(spoilt))
        except ValueError:
            continue
        assert found in (b"", b"a" * 30)  # its length was changed: as if it had been torn there


def test_frames_that_change_places_are_refused() -> None:
    writer = pen()
    one, two, three = writer.seal(b"a" * 30), writer.seal(b"b" * 30), writer.seal(b"c" * 30)
    end = writer.end()
    assert read(writer.head + one + two + three + end) == b"a" * 30 + b"b" * 30 + b"c" * 30
    for order in ((two, one, three), (one, three), (one, one, two, three), (one, two), (three, three, three)):
        with pytest.raises(ValueError, match="encrypted file"):
            read(writer.head + b"".join(order) + end)
    with pytest.raises(ValueError, match="not what was written"):
        read(writer.head + two + one)  # also in one that grows


def test_frames_of_another_file_are_refused() -> None:
    one, two = pen(), pen()
    ours, theirs = one.seal(b"ours"), two.seal(b"them")
    with pytest.raises(ValueError, match="not what was written"):
        read(one.head + theirs + one.end())
    assert read(one.head + ours + one.end()) == b"ours"


def test_another_files_place_and_another_key() -> None:
    other = pen(name="tracks/0002/0001.webm")
    with pytest.raises(ValueError, match=r"^An encrypted file is in another one's place\.$"):
        read(other.head + other.seal(b"x"))
    data = closed([b"x"])
    with pytest.raises(ValueError, match="not what was written"):
        read(data, SessionKey(bytes(32), "aes-256-gcm"))
    with pytest.raises(ValueError, match=r"^The recording is encrypted, and its key is not here\.$"):
        opened(Memory(data), None, NAME)
    with pytest.raises(ValueError, match=r"^A file of an encrypted recording is not encrypted\.$"):
        read(b"a plain file in an encrypted one's place")
    assert opened(Memory(b"plain"), None, NAME).read() == b"plain"


def test_plaintext_and_repeated_bytes_are_nowhere() -> None:
    writer = pen()
    secret = b"water level 3.2 m" * 10
    data = writer.head + writer.seal(secret) + writer.seal(secret) + writer.end(b"water level", [(0, b"water")])
    assert b"water" not in data
    again = pen()
    assert again.head != writer.head
    chunks = [data[at : at + 16] for at in range(len(writer.head), len(data), 16)]
    assert len(set(chunks)) == len(chunks)


def test_what_was_refused_by_the_disk_is_written_again() -> None:
    writer = pen()
    data = writer.head + writer.seal(b"one")
    frames = len(writer.sizes)
    writer.seal(b"refused")
    writer.back(frames)
    assert read(data + writer.seal(b"two") + writer.end()) == b"onetwo"


def test_what_is_large_is_several_frames() -> None:
    writer = pen()
    big = random.Random(1).randbytes(2 * LIMIT + 7)
    data = writer.head + writer.seal(big) + writer.end()
    assert writer.sizes == [LIMIT, LIMIT, 7]
    found = reader(data)
    assert found.read() == big
    assert found.read_at(LIMIT - 3, 6) == big[LIMIT - 3 : LIMIT + 3]


@pytest.mark.parametrize(
    "junk", [b"", b"CHsealed", b"\0" * 500, b"CHsealed\2\1" + bytes(60), b"CHsealed\1\3" + bytes(60), b"CHsealed\1\0" + bytes(60)]
)
def test_junk(junk: bytes) -> None:
    with pytest.raises(ValueError, match="encrypted"):
        read(junk)


@given(st.binary(max_size=400))
def test_any_bytes_end_in_a_sentence(data: bytes) -> None:
    for begin in (b"", b"CHsealed\1\1\0\x15" + bytes(16) + NAME.encode()):
        for tolerant in (False, True):
            assert said(begin + data, tolerant).endswith(".")


def test_the_form_stays_readable() -> None:
    """Written on the day the form was made: whatever changes, these are read."""
    for algorithm, data in GOLDEN.items():
        assert read(bytes.fromhex(data), KEYS[algorithm]) == b"Xpening words, and a tail"


class TestTolerant:
    """For who compares with what was signed: what stands there, at its place."""

    def test_what_is_right(self) -> None:
        data = closed([b"aaa", b"bbbb"], b"tail", [(1, b"x")])
        assert read(data, tolerant=True) == read(data) == b"axabbbbtail"

    def test_a_changed_frame_is_zeros(self) -> None:
        writer = pen()
        one, two = writer.seal(b"a" * 30), writer.seal(b"b" * 30)
        spoilt = bytearray(two)
        spoilt[20] ^= 1
        assert read(writer.head + one + bytes(spoilt) + writer.end(b"tail"), tolerant=True) == b"a" * 30 + bytes(30) + b"tail"

    def test_exchanged_and_missing_ones_are_as_they_stand(self) -> None:
        writer = pen()
        one, two, three = writer.seal(b"a" * 30), writer.seal(b"b" * 31), writer.seal(b"c" * 32)
        end = writer.end(b"tail")
        assert read(writer.head + two + one + three + end, tolerant=True) == b"b" * 31 + b"a" * 30 + b"c" * 32 + b"tail"
        assert read(writer.head + one + three + end, tolerant=True) == b"a" * 30 + b"c" * 32 + b"tail"
        assert read(writer.head + one + two + three, tolerant=True) == b"a" * 30 + b"b" * 31 + b"c" * 32

    def test_a_changed_length_leaves_the_others_where_they_are(self) -> None:
        writer = pen()
        one, two = bytearray(writer.seal(b"a" * 30)), writer.seal(b"b" * 30)
        one[3] ^= 64
        assert read(writer.head + bytes(one) + two + writer.end(), tolerant=True) == bytes(30) + b"b" * 30

    def test_a_changed_end(self) -> None:
        data = bytearray(closed([b"aaa"], b"tail"))
        for at in (-1, -20):
            spoilt = bytearray(data)
            spoilt[at] ^= 1
            assert read(bytes(spoilt), tolerant=True) in (b"aaa", b"aaatail")


GOLDEN = {
    "aes-256-gcm": (
        "43487365616c65640101001513e7c3a1d5a888a5b8d358e607f5bc1e747261636b732f303030312f303030312e7765626d0000001879c0"
        "1264f2b71304e9d7991166a6d76488ccaea66665471a354475bffa489627f79aba0700000017b92055d4e77527c70801668e854450eed5"
        "ccf6152d167adc311033690120f4c2b4b564800000261f9049069f5a48e9d00b1540a53a9097118af90f48eb9945dbbd8dea461eef6e4c"
        "ac2e4d0dc6c99b7b1a895df98dd602d161000000364348656e640d0a1a"
    ),
    "sm4-gcm": (
        "43487365616c6564010200150dabc4a0d1b6d34b7c00b3e9bbbaf493747261636b732f303030312f303030312e7765626d00000018c953"
        "fe3c8695f9fc2b7f244ad3c399f510e55d8a132ab952d50c6a634dff0c9bde533b100000001768d1db9603ca98f27ff8976509ad4870f9"
        "d6e45691211f13aa2e77a46386466af9b6018000002633c22413250af7c9b430249abfe1fb76e931fcb4350df5d291e50706a4ccbdaddb"
        "9d71406dae6cc9af9b9e8890a58a3bee14000000364348656e640d0a1a"
    ),
}
