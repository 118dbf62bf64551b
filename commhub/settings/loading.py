"""Reads file and environment into the tree, finds every mistake, shows what is in force."""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError
from pydantic_core import ErrorDetails

from commhub.settings.tree import Settings
from commhub.settings.values import Section

PREFIX = "COMMHUB_"
# Variables of ours that are no settings: which file to read, and what the build of the browser client looks at.
NO_SETTING = {"COMMHUB_CONFIG", "COMMHUB_SKIP_WEB", "COMMHUB_DEV_HUB"}
DEFAULT_FILES = (Path("configs/commhub.toml"), Path("/etc/commhub/commhub.toml"))


class Mistakes(ValueError):
    """Everything that is wrong with a configuration, one line each: `path: sentence (source)`."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Loaded:
    """The tree and where each value that is not a default came from (`http.port` → `COMMHUB_HTTP__PORT`)."""

    def __init__(self, settings: Settings, file: Path | None, origins: dict[str, str]) -> None:
        self.settings, self.file, self.origins = settings, file, origins


def _sections() -> dict[str, type[Section]]:
    fields = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {name: kind for name, kind in fields.items() if isinstance(kind, type) and issubclass(kind, Section)}


def all_paths() -> list[str]:
    """Every key of the tree: `data_dir`, `http.host` …"""
    sections = _sections()
    paths = []
    for name in Settings.model_fields:
        paths += [f"{name}.{key}" for key in sections[name].model_fields] if name in sections else [name]
    return paths


def variable(path: str) -> str:
    """The environment variable of a key: `http.port` → `COMMHUB_HTTP__PORT`."""
    return PREFIX + path.replace(".", "__").upper()


def _unknown(path: str, source: str) -> str:
    close = difflib.get_close_matches(path, all_paths(), 1)
    hint_zh, hint = (f"，是否为 {close[0]}？", f", did you mean {close[0]}?") if close else ("。", ".")
    return f"{path}: 没有这个配置项{hint_zh} / unknown key{hint} ({source})"


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise Mistakes([f"{file}: 无法读取 / cannot be read: {error.strerror}."]) from None
    except ValueError as error:  # not UTF-8, or not TOML
        raise Mistakes([f"{file}: 不是有效的 TOML / is not valid TOML: {error}."]) from None


_CHINESE = {
    "bool_parsing": "应为 true 或 false",
    "bool_type": "应为 true 或 false",
    "dict_type": "应为一组键值",
    "float_parsing": "应为数字",
    "float_type": "应为数字",
    "greater_than": "应大于 {gt}",
    "greater_than_equal": "应不小于 {ge}",
    "int_from_float": "应为整数",
    "int_parsing": "应为整数",
    "int_type": "应为整数",
    "less_than_equal": "应不大于 {le}",
    "list_type": "应为列表",
    "literal_error": "应为 {expected} 之一",
    "missing": "缺少此项",
    "model_type": "应为一节配置",
    "string_too_short": "不能为空",
    "string_type": "应为文字",
}


def _line(error: ErrorDetails, origins: Mapping[str, str], file: Path | None) -> str:
    context = error.get("ctx", {})
    path = context.get("path") or ".".join(str(part) for part in error["loc"])
    parts = path.split(".")
    source = origins.get(path) or origins.get(".".join(parts[:2])) or origins.get(parts[0]) or ""
    if error["type"] == "extra_forbidden":
        return _unknown(path, source or str(file))
    english = error["msg"]
    if error["type"] != "mistake":
        english = english[:1].lower() + english[1:] + "."
    template = _CHINESE.get(error["type"])
    chinese = context.get("chinese") or (template.format(**context).replace(" or ", "、") + "。" if template else "")
    text = f"{chinese} / {english}" if chinese else english
    return f"{path}: {text}" + (f" ({source})" if source else "")


def find_file(environment: Mapping[str, str]) -> Path | None:
    """The file to read: `COMMHUB_CONFIG` if set, else the first of the usual places that exists."""
    if named := environment.get("COMMHUB_CONFIG"):
        return Path(named)
    return next((file for file in DEFAULT_FILES if file.is_file()), None)


def load(environment: Mapping[str, str] | None = None) -> Loaded:
    """Reads file and environment (of this process unless given). Mistakes when anything is wrong."""
    environment = os.environ if environment is None else environment
    file = find_file(environment)
    tree = _read(file) if file is not None else {}
    known, sections = set(all_paths()), _sections()
    origins = {}
    for name, value in tree.items():
        for key in value if name in sections and isinstance(value, dict) else [None]:
            origins[name if key is None else f"{name}.{key}"] = str(file)
    wrong = []
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in NO_SETTING:
            continue
        path = name.removeprefix(PREFIX).lower().replace("__", ".", 1)
        if path not in known or variable(path) != name:
            wrong.append(_unknown(path, name))
            continue
        section, _, key = path.partition(".")
        if not key:
            tree[section] = text
        elif isinstance(tree.setdefault(section, {}), dict):
            tree[section][key] = text
        origins[path] = name
    try:
        settings = Settings(**tree)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
        raise Mistakes([*(_line(detail, origins, file) for detail in details), *wrong]) from None
    if wrong:
        raise Mistakes(wrong)
    return Loaded(settings, file, origins)


# ---- showing


def _shown(path: str, value: Any) -> str:
    if isinstance(value, dict):
        items = (f'{json.dumps(name)} = {{secret = "***", scope = "{key.scope}"}}' for name, key in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list) and any(isinstance(item, Section) for item in value):
        return "[" + ", ".join(_table(item) for item in value) + "]"
    if isinstance(value, SecretStr):
        value = "***" if value.get_secret_value() else ""
    if path in ("database.url", "redis.url"):
        value = re.sub(r"//[^@/]*@", "//***@", value)
    if isinstance(value, Path) or value is None:
        value = str(value or "")
    return json.dumps(value, ensure_ascii=False)


def _table(item: Section) -> str:
    return "{" + ", ".join(f"{name} = {_shown(name, getattr(item, name))}" for name in type(item).model_fields) + "}"


def show(loaded: Loaded) -> str:
    """The effective tree as TOML, secrets hidden, with the source of everything that is not a default."""
    lines, sections = [], _sections()
    for path in sorted(all_paths(), key=lambda path: path.partition(".")[0] in sections):
        section, _, key = path.partition(".")
        value = getattr(loaded.settings, section)
        if key and f"[{section}]" not in lines:
            lines += ["", f"[{section}]"]
        source = loaded.origins.get(path)
        line = f"{key or section} = {_shown(path, getattr(value, key) if key else value)}"
        lines.append(f"{line}  # {source}" if source else line)
    return "\n".join(lines)
