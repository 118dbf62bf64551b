"""What is installed: four packages side by side, typed, and a browser client when it is built."""

import importlib
import os
import re
import shutil
import tomllib
from pathlib import Path

import pytest

import hatch_build
from commhub.directory import read_city
from commhub.offline import sample_city

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ["commhub", "signaling", "bridges", "recorder"]


def test_the_four_packages_lie_in_one_folder() -> None:
    # `signaling`, `bridges` and `recorder` are names others use too: a stranger's must not be in the way.
    folders = {Path(str(importlib.import_module(name).__file__)).parents[1] for name in PACKAGES}
    assert len(folders) == 1
    assert all((folder / name / "py.typed").is_file() for folder in folders for name in PACKAGES)


def test_locks_hold_every_dependency_and_name_no_registry() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    run = (REPOSITORY / "requirements.lock").read_text("utf-8")
    tests = (REPOSITORY / "requirements-test.lock").read_text("utf-8")
    assert "://" not in run + tests

    def locked(lock: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9.-]+)==([^\s;]+)", lock, re.MULTILINE))

    def name(requirement: str) -> str:
        return re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower()

    extras = project["optional-dependencies"]
    assert {name(each) for each in project["dependencies"] + extras["build"]} <= set(locked(run))
    assert {name(each) for each in extras["test"]} <= set(locked(tests))
    assert locked(run).items() <= locked(tests).items()


def test_a_wheel_carries_the_sample_city_and_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hatch_build, "build_web", lambda root: None)
    hook = hatch_build.CustomBuildHook(str(REPOSITORY), {}, None, None, str(tmp_path), "wheel")  # type: ignore[arg-type]
    editable: dict[str, dict[str, str]] = {}
    hook.initialize("editable", editable)
    assert editable == {}
    wheel: dict[str, dict[str, str]] = {}
    hook.initialize("standard", wheel)
    ((source, target),) = wheel["force_include"].items()
    assert sample_city() == Path(source)  # the tests run in a checkout
    shutil.copytree(source, tmp_path / target)
    found = sample_city(tmp_path / "commhub")
    assert found == tmp_path / target
    assert read_city(found).person


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a browser client that is built, where npm fails."""
    for file in ("web/package.json", "web/package-lock.json", "web/src/main.tsx", "commhub/static/index.html"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    monkeypatch.setattr(hatch_build, "npm", lambda root, *words: 1)
    monkeypatch.setattr(hatch_build, "install_modules", lambda root: None)
    stamp(tmp_path, 100, "web/package.json", "web/package-lock.json", "web/src/main.tsx")
    stamp(tmp_path, 200, "commhub/static/index.html")
    return tmp_path


def stamp(root: Path, time: int, *files: str) -> None:
    for file in files:
        os.utime(root / file, (time, time))


def test_pages_that_are_up_to_date_are_not_built(checkout: Path) -> None:
    hatch_build.build_web(checkout)


@pytest.mark.parametrize("changed", ["web/src/main.tsx", "web/package-lock.json"])
def test_pages_older_than_a_source_are_built(checkout: Path, changed: str) -> None:
    stamp(checkout, 300, changed)
    with pytest.raises(RuntimeError, match="`npm run build` failed"):
        hatch_build.build_web(checkout)


def test_what_npm_installed_is_no_source(checkout: Path) -> None:
    (checkout / "web/node_modules/react").mkdir(parents=True)
    (checkout / "web/node_modules/react/index.js").touch()
    hatch_build.build_web(checkout)


def test_building_the_pages_can_be_left_out(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp(checkout, 300, "web/src/main.tsx")
    monkeypatch.setenv("COMMHUB_SKIP_WEB", "1")
    hatch_build.build_web(checkout)


def test_a_checkout_without_pages_builds(checkout: Path) -> None:
    (checkout / "web/package.json").unlink()
    hatch_build.build_web(checkout)
