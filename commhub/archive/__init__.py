"""What recordings lie in: one way to read a session's files, wherever and in whatever form they are kept.

Below everything that reads recordings and everything that writes them: the hub shows, exports and verifies them, the recorder
repairs them.
"""

from commhub.archive.archive import MANIFEST_LIMIT, PART, Archive
from commhub.archive.elsewhere import elsewhere
from commhub.archive.keys import OneKey, SessionKeys
from commhub.archive.opening import opened
from commhub.archive.reading import Reader
from commhub.archive.writing import of_export

__all__ = ["MANIFEST_LIMIT", "PART", "Archive", "OneKey", "Reader", "SessionKeys", "elsewhere", "of_export", "opened"]
