"""The chain of a journal: golden bytes, going on after a stop, whatever bytes there are."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commhub.wire import journal
from recorder import seals
from recorder.chain import Chain, joined, lines, said
from recorder.seals import PrivateKey, PublicKey
from recorder.verify import Data, verify

KEY = PrivateKey.of("ed25519", bytes(range(32)))
FACTS = [{"type": "joined", "at": 1_000 + n, "identity": f"p{n}"} for n in range(3)]


LOOSE = (
    "at", "offset", "sizes", "until", "digests", "rtp", "rate", "ingress", "ntp", "digest", "size", "algorithm", "head",
    "history", "data",
)  # fmt: skip


class Memory:
    """A session's files that are nowhere."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def names(self) -> list[str]:
        return sorted(self.files)

    @contextlib.contextmanager
    def read(self, name: str) -> Iterator[Data]:
        yield self.files[name]


def signed() -> bytes:
    chain, out = Chain("S1"), b""
    for number, fact in enumerate([{"type": "opened", "at": 999, "session": "S1", "room": "R"}, *FACTS]):
        line = journal.encode(fact)
        chain.feed(line)
        out += line
        if number % 2:
            line = journal.encode(chain.checkpoint(2_000 + number, KEY))
            chain.feed(line)
            out += line
    return out


def test_golden_bytes() -> None:
    """Who writes a verifier of his own compares with these."""
    chain = Chain("S1")
    for fact in FACTS:
        chain.feed(journal.encode(fact))
    record = chain.checkpoint(2_000, KEY, "ab" * 32)
    assert record == {
        "type": "checkpoint", "at": 2_000, "number": 1, "until": 186, "algorithm": "sha256",
        "head": "82f31375b9e16e2d328919a68bba645e3d164d247c9859ca49eef3f5209ab5df",
        "tags": "te9/+HSY7XlCnFL4iAwrtbld", "manifest": "ab" * 32, "key": "56475aa75463474c",
        "signature": record["signature"],
    }  # fmt: skip
    assert said("S1", record) == (
        b"CommHub recording checkpoint 1\nS1\n1\n2000\n186\nsha256\n"
        b"82f31375b9e16e2d328919a68bba645e3d164d247c9859ca49eef3f5209ab5df\n"
        b"te9/+HSY7XlCnFL4iAwrtbld\n" + b"ab" * 32 + b"\n56475aa75463474c\n"
    )
    assert record["signature"] == (
        "c4697f85f5162eb97d942923b630aca07d85373d288d077d3b119bf66e3ed1ba"
        "a3547685e8be7e6cc02cf247f66698bce8bfae6c5bba066c8a5b5718e549d20c"
    )


def test_digests_are_the_standards() -> None:
    assert seals.digest("sha256", b"abc").hex().startswith("ba7816bf8f01cfea414140de5dae2223")
    assert (
        seals.digest("sm3", b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    )  # GB/T 32905 A.1
    with pytest.raises(ValueError, match=r"^The digest md5 is not known\.$"):
        seals.begin("md5")


@pytest.mark.parametrize("algorithm", seals.SIGNATURES)
def test_a_signature_is_of_one_key_and_one_message(algorithm: str) -> None:
    key, other = PrivateKey.make(algorithm), PrivateKey.make(algorithm)
    signature = key.sign(b"message")
    assert key.public.holds(signature, b"message")
    assert not key.public.holds(signature, b"massage")
    assert not other.public.holds(signature, b"message")
    assert not key.public.holds(b"", b"message")
    assert not key.public.holds(bytes(64), b"message")
    again = PrivateKey.of(algorithm, key.data, key.public.data)
    assert key.public.holds(again.sign(b"x"), b"x")
    assert key.data.hex() not in repr(key)
    with pytest.raises(ValueError, match=r"^A public key has a wrong form\.$"):
        PublicKey(algorithm, b"short")


def test_it_goes_on_as_if_it_had_not_been_stopped() -> None:
    data = signed()
    for count in range(1, len(lines(data))):
        chain = Chain("S1")
        chain.resume(b"".join(lines(data)[:count]))
        for line in lines(data)[count:]:
            record, _ = journal.decode(line)
            if record["type"] == "checkpoint":
                assert journal.encode(chain.checkpoint(record["at"], KEY)) == line
            chain.feed(line)
        assert chain.until == len(data)


def test_a_head_is_of_all_that_was_before() -> None:
    block = seals.digest("sha256", b"block")
    assert joined("sha256", "", block) != joined("sha256", "00", block)


@given(st.binary(max_size=400))
@settings(max_examples=100, deadline=None)
def test_lines_are_the_bytes(data: bytes) -> None:
    assert b"".join(lines(data)) == data
    chain = Chain("S1")
    chain.resume(data)
    assert chain.until == len(data)


def test_whatever_the_journal_holds_verifying_ends_with_a_word() -> None:
    """Damaged by bits, with values of any type in records whose checksums are right, shuffled, doubled."""
    whole = signed()
    assert [fault.kind for fault in verify(Memory({"journal": whole}), [KEY.public]).faults] == ["truncated"]  # nobody closed it
    values: list[Any] = [None, True, -1, 1 << 70, 1.5, "", "x" * 70, [], {}, [{}], {"a": 1}, "é", "00" * 32]
    for seed in range(400):
        dice = random.Random(seed)
        parts = lines(whole)
        for _ in range(dice.randrange(1, 4)):
            place = dice.randrange(len(parts))
            match dice.randrange(4):
                case 0:
                    line = bytearray(parts[place])
                    line[dice.randrange(len(line))] ^= 1 << dice.randrange(8)
                    parts[place] = bytes(line)
                case 1:
                    with contextlib.suppress(ValueError):
                        record, _ = journal.decode(parts[place])
                        record[dice.choice(list(record))] = dice.choice(values)
                        parts[place] = journal.encode(record)
                case 2:
                    dice.shuffle(parts)
                case _:
                    parts.insert(dice.randrange(len(parts)), dice.choice(parts))
        facts = [
            {
                "type": kind, "track": "0001", "file": "0001.webm", "start": 1000, "mime": "m", "identity": "a", "source": "s",
                "kind": "audio", "bytes": 1, "duration_ms": 1, "sequence": dice.choice([1, *values]),
            } | {name: dice.choice(values) for name in LOOSE}
            for kind in ("track", "segment", "anchor", "pieces", "segment_end", "key", "recovered")
        ]  # fmt: skip
        data = b"".join(parts) + b"".join(map(journal.encode, facts if dice.random() < 0.5 else []))
        files = {"journal": data, "tracks/0001/0001.webm": b"media", "tracks/0001/0002.webm": b""}
        assert verify(Memory(files), [KEY.public]).faults
