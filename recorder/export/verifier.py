"""The verifier that goes into a bundle: the project's own modules that verify, in one file that Python runs."""

from __future__ import annotations

import io
import zipfile
from importlib import resources

#: What verifying takes; nothing of it imports more than Python, ``cryptography`` and ``msgspec`` (``gmssl_pyx`` for SM2).
MODULES = (
    "commhub/__init__", "commhub/wire/__init__", "commhub/wire/journal", "recorder/__init__", "recorder/boxes",
    "recorder/bundles",
    "recorder/chain", "recorder/export/__init__", "recorder/export/recipe", "recorder/exported", "recorder/faults",
    "recorder/manifest", "recorder/pedigree", "recorder/placing", "recorder/saying", "recorder/seals", "recorder/verify",
)  # fmt: skip

_MAIN = """\
import argparse
import json
import sys
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("需要 Python 3.11 或更新版本 / needs Python 3.11 or newer")
try:
    import cryptography
    import msgspec
except ImportError as error:
    print(f"缺少软件包 / a package is missing: {error.name}  (pip install cryptography msgspec)", file=sys.stderr)
    sys.exit(2)

from recorder import exported, pedigree, saying
from recorder.verify import Folder, verify


def main():
    parser = argparse.ArgumentParser(prog="verify.pyz", description="核验录制与导出 / verifies recordings and exports")
    parser.add_argument("target", type=Path, help="证据包、影片或文件夹 / bundle, film or folder")
    parser.add_argument("--keys", type=Path, required=True, help="公钥历史 / history of public keys (history.json)")
    parser.add_argument("--key", action="append", default=[], help="只信任这些公钥 / only these keys are trusted")
    parser.add_argument("--sources", type=Path, help="与这个录制核对 / compare with this recording")
    said = parser.parse_args()
    try:
        entries = pedigree.read(json.loads(said.keys.read_bytes()))
        trusted = [entry.key for entry in entries if not said.key or entry.key.id in said.key]
        if said.target.is_dir():
            verdict = verify(Folder(said.target), trusted)
            lines = saying.recording(verdict)
        else:
            found = exported.check(said.target, trusted, exported.source(said.sources) if said.sources else None)
            verdict, lines = found.verdict, saying.export(found)
    except (OSError, ValueError) as error:
        print(f"无法核验 / cannot be verified: {error}", file=sys.stderr)
        return 2
    print(*lines, sep="\\n")
    return 1 if verdict.faults else 0


if __name__ == "__main__":
    sys.exit(main())
"""


def archive() -> bytes:
    """A zipapp (PEP 441)."""
    out = io.BytesIO(b"")
    out.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as zip:
        for module in MODULES:
            package, _, name = module.rpartition("/")
            text = resources.files(package.replace("/", ".")).joinpath(f"{name}.py").read_bytes()
            zip.writestr(zipfile.ZipInfo(f"{module}.py", (1980, 1, 1, 0, 0, 0)), text)
        zip.writestr(zipfile.ZipInfo("__main__.py", (1980, 1, 1, 0, 0, 0)), _MAIN)
    return out.getvalue()
