"""Which font of this machine has Chinese letters. Loads nothing: it is asked at the recorder's start, too."""

from __future__ import annotations

import functools
from pathlib import Path

PACKAGE = "fonts-noto-cjk"  # Debian's
_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts", Path.home() / ".local/share/fonts")
#: Files that have Chinese letters, the best first, and which face of a collection is simplified Chinese. ``tools/bootstrap.sh``
#: looks for the same ones.
FACES = (
    ("NotoSansCJK-Regular.ttc", 2), ("NotoSansSC-Regular.otf", 0), ("SourceHanSansSC-Regular.otf", 0),
    ("NotoSansCJKsc-Regular.otf", 0), ("wqy-microhei.ttc", 0), ("wqy-zenhei.ttc", 0),
    ("DroidSansFallbackFull.ttf", 0), ("DroidSansFallback.ttf", 0),
)  # fmt: skip
NO_LETTERS = (
    f"This machine has no font with Chinese letters ({PACKAGE}): names are not readable in the film.",
    f"本机没有中文字体（{PACKAGE}），影片中的中文无法显示。",
)


@functools.cache
def face() -> tuple[str, int] | None:
    """The font's file; None where no font of this machine has Chinese letters. Blocking."""
    for name, number in FACES:
        for folder in _FOLDERS:
            found = next(folder.rglob(name), None) if folder.is_dir() else None
            if found is not None:
                return str(found), number
    return None
