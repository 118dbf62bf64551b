"""The commands that prove recordings: ``commhub verify``, ``commhub evidence``. Each prints, and returns the exit status."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from commhub.model import iso
from commhub.settings import Settings
from recorder import keys as stored
from recorder.faults import Verdict
from recorder.pedigree import Entry
from recorder.seals import PublicKey
from recorder.verify import Bundle, Folder, Source, Witnessed
from recorder.verify import verify as check

WHOLE, CHANGED, UNREADABLE = 0, 1, 2
NO_KEY = "请用 --keys 指定公钥历史文件 / name the history of public keys with --keys."


def verify(target: str, settings: Callable[[], Settings], keys: Path | None, only: tuple[str, ...]) -> int:
    """``target``: a path, or the id of a session in the data directory, which is then compared with what the hub keeps, too.
    ``settings`` are asked for only when they are needed: a bundle needs none. ``only``: ids of the keys that are trusted."""
    path, session, witnessed = Path(target), "", list[Witnessed]()
    try:
        if "/" not in target and not path.exists():
            tree = settings()
            path, session = tree.recordings_dir / target, target
            keys = keys or tree.evidence_dir / stored.HISTORY
            witnessed = asyncio.run(_witnessed(tree, target))
        if keys is None:
            beside = path.absolute().parent.parent / "evidence" / stored.HISTORY
            keys = beside if beside.is_file() else None
        if keys is None:
            return _unreadable(NO_KEY)
        source: Source = Folder(path) if path.is_dir() else Bundle(path)
        verdict = check(source, _trusted(stored.load(keys), only), witnessed, session)
    except (OSError, ValueError) as error:
        return _unreadable(f"无法核验 / cannot be verified: {error}")
    for line in report(verdict):
        print(line)
    return CHANGED if verdict.faults else WHOLE


def report(verdict: Verdict) -> list[str]:
    """For people, Chinese first."""
    begin = f"{verdict.session}  {verdict.title}  {iso(verdict.started_at) if verdict.started_at else ''}".rstrip()
    if verdict.faults:
        faults = [line for fault in verdict.faults for line in (f"  {fault.text_zh}", f"  {fault.text}")]
        return [begin, f"录制已被改动 / the recording has been changed: {len(verdict.faults)}", *faults]
    end = (
        f"{verdict.until:.1f} s, {verdict.checkpoints} 次签名 / signatures, {verdict.files} 个文件 / files, {verdict.bytes} bytes"
    )
    keys = f"密钥 / keys: {', '.join(verdict.keys)}"
    if verdict.running:
        return [begin, f"仍在录制，至此完整 / still being recorded, whole until {end}", keys]
    return [begin, f"录制完整 / the recording is whole: {end}", keys]


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


async def _witnessed(settings: Settings, session: str) -> list[Witnessed]:
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
