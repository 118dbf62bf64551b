"""A recording that somebody changed: which file, from which second on, and what was done to it."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from commhub.media.messages import Checkpoint
from commhub.wire import journal
from recorder.bundles import Bundle
from recorder.chain import lines
from recorder.containers import recover
from recorder.faults import Verdict
from recorder.keys import HISTORY, Keys, load
from recorder.seals import PrivateKey, PublicKey
from recorder.verify import Folder, Witnessed, verify
from tests.support import sink_feed
from tests.support.hub_of_recorder import recorder
from tests.support.proofs import Figure
from tests.support.sink_feed import SECOND, SinkFeed


@dataclass
class Made:
    """A recording of some 12 s: three tracks, several segments each, a checkpoint every 0.2 s."""

    folder: Path
    keys: Path
    told: list[Checkpoint]

    @property
    def trusted(self) -> list[PublicKey]:
        return [load(self.keys / HISTORY)[0].key]


async def make(base: Path, run_dir: Path, **settings: Any) -> Made:
    feed = await SinkFeed(run_dir).start()
    async with recorder(run_dir, base / "recordings", checkpoint_seconds=0.1, segment_minutes=0.05, **settings) as hub:
        await hub.record()
        await feed.opened("S1")
        zero = (await hub.state("S1", "recording")).started_at
        feed.peer("S1", "a", name="甲")
        clips = [sink_feed.video(sink_feed.VP8), sink_feed.video(sink_feed.H264), sink_feed.opus()]
        senders = [feed.track("S1", who, clip) for who, clip in zip(("a", "b", "a"), clips, strict=True)]
        for second in range(12):
            await feed.play("S1", senders, 1.0, zero + second * SECOND)
            await asyncio.sleep(0.05)
        await hub.stop()
        told = list(hub.checkpoints)
    await feed.stop()
    return Made(base / "recordings" / "S1", base / "evidence", told)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    return {}


@pytest.fixture
async def made(kept: dict[str, Made], tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Made:
    if "made" not in kept:
        kept["made"] = await make(tmp_path_factory.mktemp("evidence"), data_dir)
    return kept["made"]


@pytest.fixture
def copy(made: Made, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.folder, tmp_path / "S1"))


async def test_untouched_is_untouched(made: Made) -> None:
    verdict = verify(Folder(made.folder), made.trusted, seen(made), "S1")
    assert verdict.faults == []
    assert (verdict.session, verdict.running) == ("S1", False)
    assert verdict.files >= 9
    assert verdict.checkpoints >= 3
    assert [one.number for one in made.told] == list(range(1, verdict.checkpoints + 1))


def seen(made: Made) -> list[Witnessed]:
    return [Witnessed(one.number, one.head) for one in made.told]


@pytest.mark.parametrize(("digest", "signature"), [("sm3", "sm2"), ("sm3", "ed25519")])
async def test_the_chinese_algorithms(tmp_path: Path, data_dir: Path, digest: str, signature: str) -> None:
    made = await make(tmp_path, data_dir, digest=digest, signature=signature)
    assert verify(Folder(made.folder), made.trusted, seen(made)).faults == []
    path = next(made.folder.glob("tracks/0003/0002.*"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    (fault,) = verify(Folder(made.folder), made.trusted).faults
    assert (fault.kind, fault.file) == ("edited", "tracks/0003/0002.webm")


async def test_a_bundle_is_a_zip_of_it(made: Made, copy: Path, tmp_path: Path) -> None:
    def packed() -> Verdict:
        with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as bundle:
            for path in copy.rglob("*"):
                bundle.write(path, path.relative_to(copy))
        return verify(Bundle(tmp_path / "bundle.zip"), made.trusted)

    assert packed().faults == []
    (copy / "tracks" / "0001" / "0002.webm").unlink()
    assert [(one.kind, one.file) for one in packed().faults] == [("dropped", "tracks/0001/0002.webm")]
    (tmp_path / "bundle.zip").write_bytes(b"PK no zip")
    with pytest.raises(ValueError, match=r"^The bundle is no zip\.$"):
        Bundle(tmp_path / "bundle.zip")


async def test_only_the_key_that_is_trusted_counts(made: Made) -> None:
    stranger = PrivateKey.make("ed25519").public
    (fault,) = verify(Folder(made.folder), [stranger]).faults
    assert (fault.kind, fault.file) == ("unknown_key", "journal")


async def test_a_journal_cut_at_a_checkpoint_is_found_by_its_missing_end_and_by_the_hub(made: Made, copy: Path) -> None:
    """Also with everything that follows taken away, and made to look as if it ran."""
    parts = lines((copy / "journal").read_bytes())
    ends = [n for n, line in enumerate(parts) if b'"checkpoint"' in line]
    (copy / "journal").write_bytes(b"".join(parts[: ends[len(ends) // 2] + 1]))
    assert ("truncated", "journal") in [(one.kind, one.file) for one in verify(Folder(copy), made.trusted).faults]
    (copy / "reserve").touch()
    faults = verify(Folder(copy), made.trusted, seen(made)).faults
    assert ("truncated", "journal") in [(one.kind, one.file) for one in faults]


async def test_who_has_the_keys_is_found_by_what_the_hub_keeps(made: Made, copy: Path) -> None:
    """The whole journal written anew, and signed."""
    from recorder.chain import Chain

    key = Keys(made.keys).current()
    chain, out = Chain("S1"), bytearray()
    for line in lines((copy / "journal").read_bytes()):
        record, _ = journal.decode(line)
        if record["type"] == "joined":
            record["name"] = "乙"
        if record["type"] == "checkpoint":
            record = chain.checkpoint(record["at"], key, record["manifest"])
        line = journal.encode(record)
        chain.feed(line)
        out += line
    (copy / "journal").write_bytes(out)
    assert verify(Folder(copy), made.trusted).faults == []
    assert [(one.kind, one.file) for one in verify(Folder(copy), made.trusted, seen(made)).faults] == [("replaced", "journal")]


# ------------------------------------------------------------------------------------------------------- random tampers


@dataclass
class Expected:
    kinds: set[str]
    file: str
    second: float
    tolerance: float = 0.7


class Tamper:
    """One change by dice. Each returns what has to be named."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.folder, self.dice = folder, dice
        self.parts = lines((folder / "journal").read_bytes())
        self.manifest = json.loads((folder / "manifest.json").read_bytes())
        self.segments = [
            (folder / "tracks" / track["id"] / segment["file"], segment["start_ms"] / 1000, segment["duration_ms"] / 1000)
            for track in self.manifest["tracks"] for segment in track["segments"]
        ]  # fmt: skip

    def name(self, path: Path) -> str:
        return str(path.relative_to(self.folder))

    def at(self, path: Path, start: float, offset: int) -> float:
        """The second of a byte, by the container."""
        began = 0
        for where, size, until in recover(path.suffix[1:], path.read_bytes()).pieces:
            if offset < where + size:
                return start + began / 1000
            began = until
        return start + began / 1000

    def media_byte(self) -> Expected:
        path, start, _ = self.dice.choice(self.segments)
        data = bytearray(path.read_bytes())
        where = self.dice.randrange(len(data))
        second = self.at(path, start, where)
        data[where] ^= self.dice.randrange(1, 256)
        path.write_bytes(data)
        return Expected({"edited"}, self.name(path), second)

    def media_cut(self) -> Expected:
        path, start, _ = self.dice.choice(self.segments)
        data = path.read_bytes()
        where = self.dice.randrange(1000, len(data))
        second = self.at(path, start, where)
        path.write_bytes(data[:where])
        return Expected({"truncated"}, self.name(path), second)

    def media_drop(self) -> Expected:
        path, start, _ = self.dice.choice(self.segments)
        path.unlink()
        return Expected({"dropped"}, self.name(path), start)

    def media_swap(self) -> Expected:
        # Clips that are looped make some files alike.
        pairs = [
            pair for pair in itertools.combinations(self.segments, 2)
            if pair[0][0].parent == pair[1][0].parent and pair[0][0].read_bytes() != pair[1][0].read_bytes()
        ]  # fmt: skip
        one, other = self.dice.choice(pairs)
        first, second = one[0].read_bytes(), other[0].read_bytes()
        one[0].write_bytes(second)
        other[0].write_bytes(first)
        early = min(one, other, key=lambda each: each[1])
        return Expected({"reordered"}, self.name(early[0]), early[1])

    def _pieces(self) -> tuple[Path, float, bytes, list[tuple[int, int, int]]]:
        path, start, _ = self.dice.choice(self.segments)
        data = path.read_bytes()
        return path, start, data, recover(path.suffix[1:], data).pieces

    def piece_swap(self) -> Expected:
        path, start, data, pieces = self._pieces()
        first, second = sorted(self.dice.sample(range(len(pieces)), 2))
        parts = [data[where : where + size] for where, size, _ in pieces]
        parts[first], parts[second] = parts[second], parts[first]
        tail = data[pieces[-1][0] + pieces[-1][1] :]
        path.write_bytes(data[: pieces[0][0]] + b"".join(parts) + tail)
        return Expected({"reordered"}, self.name(path), self.at_piece(start, pieces, first))

    @staticmethod
    def at_piece(start: float, pieces: list[tuple[int, int, int]], number: int) -> float:
        return start + (pieces[number - 1][2] / 1000 if number else 0)

    def piece_drop(self) -> Expected:
        path, start, data, pieces = self._pieces()
        number = self.dice.randrange(len(pieces) - 1)
        where, size, _ = pieces[number]
        path.write_bytes(data[:where] + data[where + size :])
        return Expected({"dropped"}, self.name(path), self.at_piece(start, pieces, number))

    def _journal(self) -> list[bytes]:
        return lines((self.folder / "journal").read_bytes())

    def _named(self, kind: str, second: float) -> Expected:
        """A record that cannot be read has its second from the one before."""
        seconds = [self._seconds(self.parts, index) for index in range(len(self.parts))]
        return Expected({kind}, "journal", second, 0.1 + max(b - a for a, b in itertools.pairwise(seconds)))

    def _seconds(self, parts: list[bytes], index: int) -> float:
        began = journal.decode(parts[0])[0]["at"]
        return max(0.0, float(journal.decode(parts[index])[0]["at"] - began) / 1e9)

    def journal_byte(self) -> Expected:
        parts = self._journal()
        index = self.dice.randrange(1, len(parts))
        second = self._seconds(parts, index)
        line = bytearray(parts[index])
        line[self.dice.randrange(len(line) - 1)] ^= self.dice.choice([1, 2, 4, 16])
        parts[index] = bytes(line)
        (self.folder / "journal").write_bytes(b"".join(parts))
        return self._named("edited", second)

    def journal_word(self) -> Expected:
        """With a checksum that is right."""
        parts = self._journal()
        index = self.dice.randrange(1, len(parts))
        record, _ = journal.decode(parts[index])
        record["at"] += 1
        parts[index] = journal.encode(record)
        (self.folder / "journal").write_bytes(b"".join(parts))
        return self._named("edited", self._seconds(parts, index))

    def journal_cut(self) -> Expected:
        data = (self.folder / "journal").read_bytes()
        where = self.dice.randrange(len(data) // 3, len(data))
        (self.folder / "journal").write_bytes(data[:where])
        left = [line for line in lines(data[:where]) if line.endswith(b"\n")]
        return self._named("truncated", self._seconds(left, len(left) - 1))

    def journal_drop(self) -> Expected:
        parts = self._journal()
        index = self.dice.randrange(1, len(parts) - 1)
        second = self._seconds(parts, index)
        del parts[index]
        (self.folder / "journal").write_bytes(b"".join(parts))
        return self._named("dropped", second)

    def journal_swap(self) -> Expected:
        parts = self._journal()
        first, second = sorted(self.dice.sample(range(1, len(parts)), 2))
        at = self._seconds(parts, first)
        parts[first], parts[second] = parts[second], parts[first]
        (self.folder / "journal").write_bytes(b"".join(parts))
        return self._named("reordered", at)

    def sidecar(self) -> Expected:
        path = self.folder / "manifest.json"
        path.write_bytes(path.read_bytes().replace("甲".encode(), "乙".encode(), 1))
        return Expected({"replaced"}, "manifest.json", 0.0)

    def sidecar_gone(self) -> Expected:
        (self.folder / "manifest.json").unlink()
        return Expected({"dropped"}, "manifest.json", 0.0)

    def stranger(self) -> Expected:
        path = self.folder / "tracks" / "0001" / "0099.webm"
        shutil.copy(self.segments[0][0], path)
        return Expected({"added"}, self.name(path), 0.0)


TAMPERS: list[Callable[[Tamper], Expected]] = [
    Tamper.media_byte, Tamper.media_byte, Tamper.media_cut, Tamper.media_drop, Tamper.media_swap, Tamper.piece_swap,
    Tamper.piece_drop, Tamper.journal_byte, Tamper.journal_word, Tamper.journal_cut, Tamper.journal_drop, Tamper.journal_swap,
    Tamper.sidecar, Tamper.sidecar_gone, Tamper.stranger,
]  # fmt: skip


def named(made: Made, where: Path, seed: int) -> str | None:
    """None when the change was named; else what was said instead."""
    dice = random.Random(seed)
    shutil.copytree(made.folder, where)
    try:
        change = TAMPERS[seed % len(TAMPERS)]
        expected = change(Tamper(where, dice))
        faults = verify(Folder(where), made.trusted).faults
        for fault in faults:
            near = abs(fault.second - expected.second) <= expected.tolerance
            if fault.file == expected.file and fault.kind in expected.kinds and near:
                return None
        return f"{seed} {change.__name__}: {expected} but {faults}"
    finally:
        shutil.rmtree(where)


async def test_a_hundred_changes_are_named(made: Made, tmp_path: Path) -> None:
    missed = [said for seed in range(100) if (said := named(made, tmp_path / "S1", seed)) is not None]
    assert not missed, "\n".join(missed)


@pytest.mark.prove
async def test_two_thousand_changes_are_named(made: Made, tmp_path: Path, figure: Figure) -> None:
    missed = [said for seed in range(2000) if (said := named(made, tmp_path / "S1", seed)) is not None]
    assert figure("random changes of a recording that are named, of 2,000", 2000 - len(missed), "", goal="= 2,000"), missed[:5]
