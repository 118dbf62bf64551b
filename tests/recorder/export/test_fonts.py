"""A machine without a font with Chinese letters says so: at its start, and in each film that lacks them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from recorder import exporting
from recorder.export import fonts, lettering
from tests.support.taken import Recording

BOOTSTRAP = Path(__file__).parents[3] / "tools" / "bootstrap.sh"


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder where fonts would be, and none is."""
    monkeypatch.setattr(fonts, "_FOLDERS", (tmp_path / "fonts", tmp_path / "nowhere"))
    (tmp_path / "fonts").mkdir()
    for cached in (fonts.face, lettering._font):
        cached.cache_clear()
    yield tmp_path / "fonts"
    for cached in (fonts.face, lettering._font):
        cached.cache_clear()


def test_a_film_is_made_all_the_same_and_says_what_it_lacks(bare: Path, recording: Recording, tmp_path: Path) -> None:
    _, made = recording.make(tmp_path / "x", "film", from_ms=4000, to_ms=4500)
    assert (made.text, made.text_zh) == fonts.NO_LETTERS
    assert fonts.PACKAGE in made.text_zh
    _, made = recording.make(tmp_path / "y", "tracks")  # has no letters
    assert made.text == ""


def test_the_recorder_says_so_at_its_start(bare: Path) -> None:
    with structlog.testing.capture_logs() as logged:
        exporting.look_for_letters()
    assert [(line["log_level"], line["package"]) for line in logged] == [("warning", "fonts-noto-cjk")]
    (bare / "truetype").mkdir()
    (bare / "truetype" / "wqy-zenhei.ttc").touch()
    fonts.face.cache_clear()
    with structlog.testing.capture_logs() as logged:
        exporting.look_for_letters()
    assert logged == []
    assert fonts.face() == (str(bare / "truetype" / "wqy-zenhei.ttc"), 0)


def test_this_machine_has_one() -> None:
    assert fonts.face() is not None


def test_bootstrap_looks_for_the_same_ones(tmp_path: Path) -> None:
    """And without one it says what to install, and goes on."""
    text = BOOTSTRAP.read_text("utf-8")
    for name, _ in fonts.FACES:
        assert f"-name {name}" in text
    assert f"FONT={fonts.PACKAGE}\n" in text
    functions = text.partition("has_font() {")[2].partition("\n}\n")[0]
    looked = functions.replace("/usr/share/fonts", str(tmp_path / "a")).replace("/usr/local/share/fonts", str(tmp_path / "b"))
    script = f"set -euo pipefail\nhas_font() {{{looked}\n}}\nhas_font && echo there || echo none"
    environment = {**os.environ, "HOME": str(tmp_path)}

    def asked() -> str:
        ended = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=30, check=True)
        return ended.stdout.strip()

    assert asked() == "none"
    (tmp_path / "a").mkdir()
    assert asked() == "none"
    (tmp_path / ".fonts" / "deep").mkdir(parents=True)
    (tmp_path / ".fonts" / "deep" / fonts.FACES[-1][0]).touch()
    assert asked() == "there"
