"""A recording's manifest from its journal alone, for a hub that cannot read the manifest. In a process of its own: journals are
long.

Run by the hub as ``python -m recorder.retold``: the journal is stdin, the manifest goes over stdout as JSON; else one sentence
over stderr, and an exit that is not 0.
"""

from __future__ import annotations

import sys

from commhub.wire import journal
from recorder.bounds import answer
from recorder.manifest import Manifest, encode

CPU = 80  # seconds
LIMIT = 1 << 30  # octets of a journal


def retell(data: bytes) -> bytes:
    """ValueError when there is no recording in it."""
    manifest = Manifest()
    for record in journal.scan(data).records:
        manifest.apply(record)
    if not manifest.session:
        raise ValueError("The journal does not say of which recording it is.")
    return encode(manifest.document(manifest.ended_at or manifest.last_at))


def main() -> int:
    return answer(lambda: retell(sys.stdin.buffer.read(LIMIT)), CPU, memory=4 << 30)


if __name__ == "__main__":
    sys.exit(main())
