"""`commhub verify` and `commhub evidence`: what is printed, and how they end."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from commhub import evidence
from commhub.media.messages import Checkpoint
from commhub.recordings import Witness
from commhub.settings import Settings
from commhub.store import Store
from commhub.wire import journal
from recorder import chain, pedigree, seals
from recorder.keys import HISTORY, Keys, load
from recorder.manifest import Manifest, encode

START = 1_700_000_000_000_000_000


def made(folder: Path, keys: Keys, facts: int = 20) -> list[Checkpoint]:
    """A recording without media: people come and go."""
    folder.mkdir(parents=True)
    manifest, links, out, told = Manifest(), chain.Chain(folder.name), bytearray(), []

    def write(record: dict[str, object]) -> None:
        manifest.apply(record)
        line = journal.encode(record)
        links.feed(line)
        out.extend(line)

    key = keys.current()
    write({"type": "opened", "at": START, "session": folder.name, "room": "R1", "title": "内涝处置"})
    write({"type": "key", "at": START, "key": key.public.id, "history": [entry.document() for entry in keys.history]})
    for number in range(facts):
        at = START + (number + 1) * 1_000_000_000
        write({"type": "joined", "at": at, "identity": f"p{number}", "name": "甲"})
        if number % 5 == 4:
            record = links.checkpoint(at, key)
            write(record)
            told.append(_told(folder.name, record))
    at = START + (facts + 1) * 1_000_000_000
    write({"type": "closed", "at": at, "state": "complete", "ended": at})
    document = encode(manifest.document(at))
    record = links.checkpoint(at, key, seals.digest("sha256", document).hex())
    write(record)
    told.append(_told(folder.name, record))
    (folder / "journal").write_bytes(out)
    (folder / "manifest.json").write_bytes(document)
    return told


def _told(session: str, record: dict[str, object]) -> Checkpoint:
    names = ("number", "at", "until", "head", "key", "signature")
    return Checkpoint(session=session, **{name: record[name] for name in names})  # type: ignore[arg-type]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def run(target: Path | str, settings: Settings, keys: Path | None = None, only: tuple[str, ...] = ()) -> int:
    return evidence.verify(str(target), lambda: settings, keys, only)


async def kept(settings: Settings, told: list[Checkpoint]) -> None:
    store = Store(settings.database_url)
    await store.open()
    witness = Witness(store)
    for one in told:
        witness.receive(one)
    await witness.close()
    await store.close()


def test_a_folder_that_was_taken_away(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = Keys(tmp_path / "evidence")
    made(tmp_path / "away" / "S1", keys)
    history = tmp_path / "evidence" / HISTORY
    assert run(tmp_path / "away" / "S1", settings, history) == 0
    assert "录制完整 / the recording is whole: 21.0 s, 5 次签名" in capsys.readouterr().out
    (tmp_path / "away" / "S1" / "manifest.json").write_bytes(b"{}")
    assert run(tmp_path / "away" / "S1", settings, history) == 1
    said = capsys.readouterr().out
    assert "manifest.json：自第 0.0 秒起被替换" in said
    assert "manifest.json: was replaced, from second 0.0 on" in said


def test_without_a_key_nothing_is_proved(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path / "away" / "S1", Keys(tmp_path / "elsewhere" / "keys"))
    assert run(tmp_path / "away" / "S1", settings) == 2
    assert "name the history of public keys with --keys" in capsys.readouterr().err
    assert run(tmp_path / "nothing.zip", settings, tmp_path / "elsewhere" / "keys" / HISTORY) == 2
    (tmp_path / "bad.json").write_text("[{}]")
    assert run(tmp_path / "away" / "S1", settings, tmp_path / "bad.json") == 2
    assert "A key of the history has a wrong form." in capsys.readouterr().err


def test_by_its_id_with_what_the_hub_keeps(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    import asyncio

    told = made(settings.recordings_dir / "S1", Keys(settings.evidence_dir))
    assert run("S1", settings) == 0  # there is no database yet
    asyncio.run(kept(settings, told))
    assert run("S1", settings) == 0
    # Another recording of that name, signed with the same key.
    shutil.rmtree(settings.recordings_dir / "S1")
    made(settings.recordings_dir / "S1", Keys(settings.evidence_dir), facts=10)
    assert run("S1", settings) == 1
    assert "journal" in capsys.readouterr().out
    # One of another name.
    shutil.move(settings.recordings_dir / "S1", settings.recordings_dir / "S2")
    assert run("S2", settings) == 1
    assert "S1 ≠ S2" in capsys.readouterr().out


def test_a_rotated_key_still_proves_and_is_proved(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = Keys(settings.evidence_dir)
    made(settings.recordings_dir / "S1", keys)
    first = keys.current().public.id
    assert evidence.rotate(settings) == 0
    assert keys.current().public.id != first  # seen by who had the old one
    made(settings.recordings_dir / "S2", keys)
    assert [run(one, settings) for one in ("S1", "S2")] == [0, 0]
    # Who trusts the first key only believes the second, which it has signed; not the other way round.
    assert run("S2", settings, only=(first,)) == 0
    assert run("S1", settings, only=(keys.current().public.id,)) == 1
    assert run("S1", settings, only=("0" * 16,)) == 2
    capsys.readouterr()
    assert evidence.history(settings) == 0
    (tmp_path / "h.json").write_text(capsys.readouterr().out)
    assert [entry.before for entry in load(tmp_path / "h.json")] == ["", first]


def test_keys_are_their_owners_alone(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert evidence.history(settings) == 2
    Keys(settings.evidence_dir).current()
    for path in settings.evidence_dir.glob("*.key"):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert path.read_text().strip() not in (settings.evidence_dir / HISTORY).read_text()
    assert stat.S_IMODE(os.stat(settings.evidence_dir).st_mode) == 0o700


def test_a_key_that_names_itself_the_next_is_not_believed() -> None:
    first, stranger = seals.PrivateKey.make("ed25519"), seals.PrivateKey.make("ed25519")
    forged = pedigree.Entry(stranger.public, 5, first.public.id, stranger.sign(b"x"))
    right = pedigree.following(first, seals.PrivateKey.make("sm2").public, 5)
    assert set(pedigree.believed([first.public], [forged, right])) == {first.public.id, right.key.id}
    with pytest.raises(ValueError, match=r"^A history of keys has a wrong form\.$"):
        pedigree.read({})
    with pytest.raises(ValueError, match=r"^A key of the history has another key's name\.$"):
        pedigree.read([{**right.document(), "id": "0" * 16}])
