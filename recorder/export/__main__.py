"""``python -m recorder.export``: makes one export.

On stdin comes one line of JSON (:class:`recorder.export.work.Work`), on stdout go lines of JSON: ``{"percent": …}``, at the end
``{"file", "size", "sha256", "text", "text_zh"}`` or ``{"code", "text", "text_zh"}``. Whoever began it lives as long as stdin is
open; when that ends it ends, too.

What it decodes was sent by participants: it has its own memory, and nobody else loses anything with it.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from typing import Any

import av
import msgspec

from recorder.export.taken import Trouble
from recorder.export.work import Maker, Work

NICE = 10
MEMORY = 4 << 30


def confine(limit: int) -> None:
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = 2 * limit + (256 << 20)  # a film's index goes to its beginning: both are there for a moment
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def say(words: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def _follow() -> None:
    """Ends with whoever began this."""
    while os.read(0, 4096):
        pass
    os._exit(3)


def main() -> int:
    work = msgspec.json.decode(sys.stdin.buffer.readline(), type=Work)
    threading.Thread(target=_follow, daemon=True).start()
    confine(work.order.limit)
    av.logging.set_level(av.logging.PANIC)
    try:
        made = Maker(work, lambda percent: say({"percent": round(percent, 1)})).make()
    except Trouble as trouble:
        say({"code": trouble.code, "text": trouble.text, "text_zh": trouble.text_zh})
        return 1
    except (OSError, ValueError, MemoryError, av.FFmpegError) as error:
        reason = (error.strerror if isinstance(error, OSError) else "") or " ".join(str(error).split())[:200].rstrip(".")
        reason = reason or type(error).__name__
        say({"code": "failed", "text": f"The export cannot be made: {reason}.", "text_zh": f"导出失败：{reason}。"})
        return 1
    say(msgspec.to_builtins(made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
