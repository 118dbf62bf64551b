"""The command that brings recordings back from the S3 store: it prints, and returns the exit status."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from commhub.archive import SessionKeys, elsewhere
from commhub.evidence import CHANGED, UNREADABLE, WHOLE
from commhub.evidence import witnessed as kept_of
from commhub.recordings.keeping import GONE
from commhub.settings import Settings
from commhub.store import Store, tables
from recorder import keys as stored
from recorder import saying
from recorder.faults import Verdict
from recorder.restoring import Restoring, Wrong
from recorder.verify import Source
from recorder.verify import verify as check

NO_STORE = "没有配置 S3 存储（recordings_s3）/ no S3 store is configured (recordings_s3)."
UNKNOWN = "数据库中没有这条录制，页面上不会列出 / the database has no such recording: pages will not list it."
PLACED = "未采用，本机未改动；确需采用请加 --anyway / not put in place, nothing was changed here; --anyway does it all the same."


def restore(session: str, settings: Settings, *, anyway: bool = False) -> int:
    remote = elsewhere(settings.recordings_s3)
    if remote is None:
        return _refused(NO_STORE)
    try:
        known = asyncio.run(_known(settings, session))
        if known is not None and known.state in GONE:
            when = datetime.fromtimestamp(known.deleted_at / 1e9).astimezone()
            return _refused(f"该录制已于 {when:%Y-%m-%d} 删除，不能恢复 / the recording was deleted and is not brought back.")
        trusted = [entry.key for entry in stored.load(settings.evidence_dir / stored.HISTORY)]
        seen = asyncio.run(kept_of(settings, session))

        def verify(source: Source) -> Verdict:
            return check(source, trusted, seen, session)

        floor = settings.recorder.minimum_free_bytes
        work = Restoring(settings.recordings_dir, remote, SessionKeys.of(settings.data_dir), verify, floor)
        done = work.restore(session, anyway=anyway, tell=lambda name: print(f"  {name}", flush=True))
    except Wrong as wrong:
        _print(wrong.verdict)
        print(PLACED, file=sys.stderr)
        return CHANGED
    except (OSError, ValueError) as error:
        return _refused(f"未能恢复 / not brought back: {error}")
    _print(done.verdict)
    print(f"已恢复 / brought back: {done.files} 个文件 / files, {done.bytes} bytes")
    if known is None:
        print(UNKNOWN)
    return CHANGED if done.verdict.faults else WHOLE


async def _known(settings: Settings, session: str) -> sa.Row[tuple[str, str | None, int | None]] | None:
    """The recording's row: its id, how it is kept, when it was deleted. None: there is none, or no database."""
    store, r, k = Store(settings.database_url), tables.recordings.c, tables.recording_keeping.c
    query = sa.select(r.id, k.state, k.deleted_at).outerjoin_from(
        tables.recordings, tables.recording_keeping, k.recording_id == r.id
    )
    try:
        async with store.reading() as reading:
            return await reading.first(query.where(r.id == session))
    except SQLAlchemyError:
        return None
    finally:
        await store.close()


def _print(verdict: Verdict) -> None:
    for line in saying.recording(verdict):
        print(line)


def _refused(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return UNREADABLE
