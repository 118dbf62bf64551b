"""`python -m commhub`: the same as the command `commhub`."""

import sys
from collections.abc import Sequence

from commhub import processes


def main(words: Sequence[str] | None = None) -> None:
    """``words`` of the command line. Only SystemExit."""
    words = sys.argv[1:] if words is None else words
    if words and words[0] in processes.KINDS and not {"-h", "--help"} & set(words):
        processes.main(words)
    from commhub.cli import app

    app(words)


if __name__ == "__main__":
    main()
