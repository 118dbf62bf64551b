import io
import json
import logging
from collections.abc import Iterator

import pytest

from commhub import log as logs
from commhub.log import Limiter, Pii, Secret


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level


def test_json_line_has_time_level_logger_process_and_fields() -> None:
    out = io.StringIO()
    logs.configure("info", "auto", process="media-0", stream=out)
    logs.get("commhub.rooms").info("room opened", room="01J", peers=2)
    line = json.loads(out.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "room opened",
        "level": "info",
        "logger": "commhub.rooms",
        "process": "media-0",
        "room": "01J",
        "peers": 2,
    }


def test_lines_of_the_standard_library_go_the_same_way() -> None:
    out = io.StringIO()
    logs.configure("info", "json", stream=out)
    logging.getLogger("commhub.supervisor").warning("child %s ended", "hub", extra={"status": 1})
    line = json.loads(out.getvalue())
    assert (line["event"], line["status"], line["level"]) == ("child hub ended", 1, "warning")


def test_text_line_is_for_people() -> None:
    out = io.StringIO()
    logs.configure("info", "text", process="hub", stream=out)
    logs.get("commhub.rooms").info("会商开始", room="01J")
    assert "会商开始" in out.getvalue()
    assert "room=01J" in out.getvalue()
    assert not out.getvalue().startswith("{")


def test_level_holds() -> None:
    out = io.StringIO()
    logs.configure("warning", "json", stream=out)
    logs.get("commhub.rooms").info("not this")
    logs.get("commhub.rooms").warning("but this")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["but this"]


@pytest.mark.parametrize("format", ["text", "json"])
def test_secrets_print_nowhere(format: logs.Format) -> None:
    out = io.StringIO()
    logs.configure("debug", format, stream=out)
    log = logs.get("commhub.auth")
    password = Secret("hunter2-canary")
    log.info(
        "signed in",
        as_text=f"{password}",
        name=Pii("canary-name"),
        nested={"secret": password, "list": [password]},
    )
    try:
        raise ValueError(f"wrong: {password!r}")
    except ValueError:
        log.exception("failed")
    assert "canary" not in out.getvalue()
    assert "***" in out.getvalue()
    assert "ValueError" in out.getvalue()


@pytest.mark.parametrize("format", ["text", "json"])
def test_traceback_shows_no_local_variables(format: logs.Format) -> None:
    out = io.StringIO()
    logs.configure("info", format, stream=out)

    def use(token: str) -> int:
        return 1 // 0

    try:
        use("canary".upper())
    except ZeroDivisionError:
        logs.get("commhub.auth").exception("failed")
    assert "ZeroDivisionError" in out.getvalue()
    assert "CANARY" not in out.getvalue()


def test_access_log_with_tokens_in_its_urls_stays_silent() -> None:
    out = io.StringIO()
    logs.configure("debug", "json", stream=out)
    logging.getLogger("aiohttp.access").info("GET /rtc?access_token=canary")
    assert out.getvalue() == ""


def test_limited_lets_one_line_through_and_counts_the_others() -> None:
    limited = Limiter()
    assert limited("stun", 60, now=0) == 0
    assert limited("stun", 60, now=1) is None
    assert limited("stun", 60, now=59.9) is None
    assert limited("rtp", 60, now=59.9) == 0
    assert limited("stun", 60, now=60) == 2
    assert limited("stun", 60, now=61) is None
    assert limited("stun", 60, now=120) == 1


def test_limited_remembers_a_bounded_number_of_keys() -> None:
    limited = Limiter(capacity=2)
    assert [limited(key, 60, now=0) for key in ("a", "b", "c")] == [0, 0, 0]
    assert limited("b", 60, now=1) is None
    assert limited("a", 60, now=1) == 0  # was forgotten for c
