"""The commands that prove recordings: ``commhub verify``, ``commhub evidence``. Each prints, and returns the exit status."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from commhub.archive import elsewhere
from commhub.archive.archive import RemoteFiles
from commhub.settings import Settings
from recorder import exported, saying
from recorder import keys as stored
from recorder import stored as folders
from recorder.pedigree import Entry
from recorder.seals import PublicKey
from recorder.verify import Witnessed
from recorder.verify import verify as check

WHOLE, CHANGED, UNREADABLE = 0, 1, 2
NO_KEY = "请用 --keys 指定公钥历史文件 / name the history of public keys with --keys."


def verify(
    target: str, settings: Callable[[], Settings], keys: Path | None, only: tuple[str, ...], sources: str = ""
) -> int:  # fmt: skip
    """``target``: a path, or the id of a session in the data directory, which is then compared with what the hub keeps, too.
    ``settings`` are asked for only when they are needed: a bundle needs none. ``only``: ids of the keys that are trusted.
    ``sources``: the recording (a path or an id, too) that an export is to be compared with."""
    try:
        wanted = _Target.of(target, settings)
        keys = keys or wanted.keys
        if keys is None:
            return _unreadable(NO_KEY)
        trusted = _trusted(stored.load(keys), only)
        if wanted.folder:
            verdict = check(folders.source(wanted.path, wanted.remote), trusted, wanted.witnessed, wanted.session)
            lines = saying.recording(verdict)
        else:
            made_of = _Target.of(sources, settings) if sources else None
            compared = folders.source(made_of.path, made_of.remote) if made_of is not None else None
            found = exported.check(wanted.path, trusted, compared, made_of.witnessed if made_of is not None else ())
            verdict, lines = found.verdict, saying.export(found)
    except (OSError, ValueError) as error:
        return _unreadable(f"无法核验 / cannot be verified: {error}")
    for line in lines:
        print(line)
    return CHANGED if verdict.faults else WHOLE


@dataclass(frozen=True, slots=True)
class _Target:
    """What somebody named. ``session``: it is one of this data directory; ``keys``: the history that lies beside it."""

    path: Path
    folder: bool
    session: str = ""
    keys: Path | None = None
    witnessed: list[Witnessed] = field(default_factory=list)
    remote: RemoteFiles | None = None

    @staticmethod
    def of(target: str, settings: Callable[[], Settings]) -> _Target:
        path = Path(target)
        if "/" in target or path.exists():
            beside = path.absolute().parent.parent / "evidence" / stored.HISTORY
            return _Target(path, path.is_dir(), keys=beside if beside.is_file() else None)
        tree = settings()
        history = tree.evidence_dir / stored.HISTORY
        kept = asyncio.run(witnessed(tree, target))
        return _Target(tree.recordings_dir / target, True, target, history, kept, elsewhere(tree.recordings_s3))


def rotate(settings: Settings) -> int:
    try:
        entry = stored.Keys(settings.evidence_dir, settings.recorder.signature).rotate()
    except (OSError, ValueError) as error:
        return _unreadable(f"未更换密钥 / no new key: {error}")
    print(f"新密钥 / new key: {entry.key.id} ({entry.key.algorithm})")
    return WHOLE


def history(settings: Settings) -> int:
    try:
        print((settings.evidence_dir / stored.HISTORY).read_text("ascii"), end="")
    except (OSError, ValueError):
        return _unreadable("还没有密钥 / there is no key yet.")
    return WHOLE


def _trusted(entries: list[Entry], only: tuple[str, ...]) -> list[PublicKey]:
    """ValueError when a key that is named is not there."""
    found = [entry.key for entry in entries if not only or entry.key.id in only]
    if missing := set(only) - {key.id for key in found}:
        raise ValueError(f"The history has no key {', '.join(sorted(missing))}.")
    return found


async def witnessed(settings: Settings, session: str) -> list[Witnessed]:
    """What the hub keeps of it; nothing where there is no database (yet)."""
    from sqlalchemy.exc import SQLAlchemyError

    from commhub.recordings import witness
    from commhub.store import Store

    store = Store(settings.database_url)
    try:
        async with store.reading() as reading:
            return [Witnessed(one.number, one.head) for one in await witness.kept(reading, session)]
    except SQLAlchemyError:
        return []
    finally:
        await store.close()


def _unreadable(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return UNREADABLE
