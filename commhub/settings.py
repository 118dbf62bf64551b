"""The settings: one typed tree, read once, frozen afterwards.

Order, the later wins: defaults here < TOML file < environment `COMMHUB_SECTION__KEY` (top level: `COMMHUB_KEY`);
the command line writes into the environment, so that every child process loads the same tree. A key nobody knows is
a mistake, in the file and in the environment. `load` finds all mistakes before it complains.

No module but this one reads the environment; each part of the hub is handed its own section.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from commhub.addresses import parse_entry

PREFIX = "COMMHUB_"
# Variables of ours that are no settings: which file to read, and what the build of the browser client looks at.
NO_SETTING = {"COMMHUB_CONFIG", "COMMHUB_SKIP_WEB", "COMMHUB_DEV_HUB"}
DEFAULT_FILES = (Path("configs/commhub.toml"), Path("/etc/commhub/commhub.toml"))
SECRET_LENGTH = 32
# sun_path holds 108 bytes with the final zero; the longest socket below the data directory is this.
_SOCKET_PATH = 107 - len("/run/bridge-gb28181-00.ctl")


def mistake(chinese: str, english: str, path: str = "") -> PydanticCustomError:
    """An error for people in both languages; `path` names the key when it is not where the check stands."""
    return PydanticCustomError("mistake", "{english}", {"english": english, "chinese": chinese, "path": path})


# ---- types of values


def _listed(value: object) -> object:
    """A list may be given as text: JSON, or items between commas (as the environment can hold it)."""
    if not isinstance(value, str):
        return value
    if value.strip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise mistake("不是有效的 JSON 列表。", "is not a valid JSON list.") from None
    return [item.strip() for item in value.split(",") if item.strip()]


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip().removeprefix("[").removesuffix("]")))
    except ValueError:
        raise mistake(f"“{text}”不是 IP 地址。", f"{text!r} is not an IP address.") from None


def _media_address(item: str) -> str:
    bind, _, announced = item.partition("=")
    return f"{_address(bind)}={_address(announced)}" if "=" in item else _address(bind)


def _network(item: str) -> str:
    try:
        return str(ipaddress.ip_network(item.strip()))
    except ValueError as error:
        raise mistake(f"“{item}”不是网段：{error}。", f"{item!r} is not a network: {error}.") from None


def _target(item: str) -> str:
    try:
        parse_entry(item)
    except ValueError as error:
        raise mistake(f"“{item}”应写作“网段:端口”，例如 10.0.0.0/8:554、10.1.2.3:* 或 [fd00::/8]:554。", str(error)) from None
    return item.strip()


_ICE_URL = re.compile(r"(stuns?|turns?):(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(\?transport=(udp|tcp))?")


def _ice_url(item: str) -> str:
    if not _ICE_URL.fullmatch(item.strip()):
        raise mistake(
            f"“{item}”应写作 turn:主机:端口?transport=udp 或 turns:主机:443?transport=tcp。",
            f"{item!r} is not an address such as turns:turn.example:443?transport=tcp.",
        )
    return item.strip()


def _optional_path(value: object) -> object:
    return None if value == "" else value


def _origin(text: str) -> str:
    parts = urlsplit(text)
    plain = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
    if text and not (parts.scheme in ("http", "https") and parts.hostname and plain):
        raise mistake(
            f"“{text}”应为不带路径的网址，例如 https://hub.example。",
            f"{text!r} is not an address without path such as https://hub.example.",
        )
    return text.rstrip("/")


def _each(item: Callable[[str], str]) -> Callable[[list[str]], list[str]]:
    return lambda items: [item(one) for one in items]


Port = Annotated[int, Field(ge=1, le=65535)]
OptionalPath = Annotated[Path | None, BeforeValidator(_optional_path)]
Listed = BeforeValidator(_listed)


class Section(BaseModel):
    """Unknown keys are mistakes; nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


# ---- sections


class HttpSettings(Section):
    """Pages, API, LiveKit signalling."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Port = 8080
    tls: Literal["auto", "on", "off"] = "auto"
    certificate: OptionalPath = None
    key: OptionalPath = None
    public_url: Annotated[str, AfterValidator(_origin)] = ""
    trusted_proxies: Annotated[list[str], Listed, AfterValidator(_each(_network))] = []

    @model_validator(mode="after")
    def _together(self) -> HttpSettings:
        if (self.certificate is None) != (self.key is None):
            missing = "http.certificate" if self.certificate is None else "http.key"
            raise mistake("证书和私钥必须同时给出。", "certificate and key belong together.", missing)
        for name, path in (("http.certificate", self.certificate), ("http.key", self.key)):
            if path is not None and not path.is_file():
                raise mistake(f"没有文件 {path}。", f"there is no file {path}.", name)
        return self

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the port."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def secure(self) -> bool:
        """Whether the port speaks HTTPS: always when others can reach it, unless a proxy is said to do it."""
        if self.tls == "auto":
            return self.certificate is not None or not self.on_loopback
        return self.tls == "on"


class LimitsSettings(Section):
    """How much the HTTP port takes, of everybody and of one address (of IPv6: one /64). Trusted proxies are not limited."""

    connections: Annotated[int, Field(ge=16)] = 4000
    connections_per_address: Annotated[int, Field(ge=8)] = 2000
    connects_per_second: Annotated[float, Field(gt=0)] = 100
    joins_per_second: Annotated[float, Field(gt=0)] = 20
    failures_per_minute: Annotated[float, Field(ge=1)] = 60
    requests_per_second: Annotated[float, Field(ge=1)] = 100
    header_seconds: Annotated[float, Field(ge=0.1, le=10)] = 10
    body_seconds: Annotated[float, Field(ge=0.1, le=600)] = 30
    idle_seconds: Annotated[float, Field(ge=1, le=3600)] = 75


class MediaSettings(Section):
    """The workers that forward audio and video."""

    engine: Literal["embedded"] = "embedded"
    address: Annotated[list[str], Listed, AfterValidator(_each(_media_address))] = []
    port: Port = 7882
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    drain_seconds: Annotated[float, Field(ge=0, le=60)] = 5

    @model_validator(mode="after")
    def _ports(self) -> MediaSettings:
        if self.port + self.workers - 1 > 65535:
            raise mistake("端口号加工作进程数超过 65535。", "port and the workers' go beyond 65535.", "media.port")
        return self

    def pairs(self) -> list[tuple[str, str]]:
        """`(address to bind, address to announce)`, as configured."""
        return [(bind, announced or bind) for bind, _, announced in (item.partition("=") for item in self.address)]


class TurnSettings(Section):
    """A TURN server (coturn with `use-auth-secret`) for participants whose network lets neither UDP nor the media port out."""

    urls: Annotated[list[str], Listed, AfterValidator(_each(_ice_url))] = []
    secret: SecretStr = SecretStr("")
    credential_hours: Annotated[float, Field(ge=1, le=168)] = 24

    @model_validator(mode="after")
    def _together(self) -> TurnSettings:
        if any(url.startswith("turn") for url in self.urls) and not self.secret.get_secret_value():
            raise mistake(
                "TURN 服务器需要 coturn 的 static-auth-secret。",
                "a TURN server needs coturn's static-auth-secret.",
                "turn.secret",
            )
        return self


class DatabaseSettings(Section):
    """Where records are kept."""

    url: Annotated[str, Field(repr=False)] = ""


class RedisSettings(Section):
    """Reserved for replicas of the hub."""

    url: Annotated[str, Field(repr=False)] = ""


class BridgesSettings(Section):
    """What the hub may connect to by itself."""

    allow: Annotated[list[str], Listed, AfterValidator(_each(_target))] = []


class RecorderSettings(Section):
    """How recordings are written."""

    cluster_ms: Annotated[int, Field(ge=100, le=5000)] = 500
    sync_seconds: Annotated[float, Field(ge=0.1, le=60)] = 2.0
    segment_minutes: Annotated[float, Field(gt=0, le=60)] = 5.0
    minimum_free_bytes: Annotated[int, Field(ge=0)] = 1 << 30


class LogSettings(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"


class CitySettings(Section):
    """Organisations, people, places and cameras."""

    directory: OptionalPath = None


class Key(Section):
    """A LiveKit API key's secret; with scope `own` it reaches only rooms made with it."""

    secret: SecretStr
    scope: Literal["own", "all"] = "own"


def _keys(value: object) -> object:
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except ValueError:
            # Not the parser's message: it may quote what is a secret.
            raise mistake('应为 JSON，例如 {"密钥名":"密钥"}。', 'is not JSON such as {"key":"secret"}.', "keys") from None
    if isinstance(value, dict):
        return {name: {"secret": key} if isinstance(key, str) else key for name, key in value.items()}
    return value


class Settings(Section):
    """The whole tree. `Settings(…)` reads no file and no environment: that is `load`."""

    data_dir: Path = Path("data")
    dev: bool = False
    http: HttpSettings = HttpSettings()
    limits: LimitsSettings = LimitsSettings()
    media: MediaSettings = MediaSettings()
    turn: TurnSettings = TurnSettings()
    database: DatabaseSettings = DatabaseSettings()
    redis: RedisSettings = RedisSettings()
    bridges: BridgesSettings = BridgesSettings()
    recorder: RecorderSettings = RecorderSettings()
    log: LogSettings = LogSettings()
    city: CitySettings = CitySettings()
    keys: Annotated[dict[str, Key], BeforeValidator(_keys)] = {}

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        path = path.expanduser().absolute()
        if len(os.fsencode(path)) > _SOCKET_PATH:
            raise mistake(
                f"路径过长：最多 {_SOCKET_PATH} 字节，否则其中的套接字无法建立。",
                f"is too long: {_SOCKET_PATH} bytes at most, or its sockets cannot be made.",
            )
        return path

    @model_validator(mode="after")
    def _secrets(self) -> Settings:
        turn = self.turn.secret.get_secret_value()
        if turn and len(turn) < SECRET_LENGTH and not self.dev:
            raise mistake(
                f"密钥至少 {SECRET_LENGTH} 个字符（仅 --dev 时可以更短）。",
                f"the secret is shorter than {SECRET_LENGTH} characters (only --dev accepts that).",
                "turn.secret",
            )
        short = [name for name, key in self.keys.items() if len(key.secret.get_secret_value()) < SECRET_LENGTH]
        if short and not self.dev:
            raise mistake(
                f"密钥至少 {SECRET_LENGTH} 个字符（仅 --dev 时可以更短）。",
                f"the secret is shorter than {SECRET_LENGTH} characters (only --dev accepts that).",
                ", ".join(f"keys.{name}" for name in short),
            )
        return self

    @model_validator(mode="after")
    def _ports(self) -> Settings:
        taken = range(self.media.port, self.media.port + self.media.workers)
        bound = [bind for bind, _ in self.media.pairs()]
        apart = bound and self.http.host not in ("0.0.0.0", "::", "localhost", *bound)
        if self.http.port in taken and not apart:
            raise mistake("与 media.port 的端口冲突。", "is a port of media.port's as well.", "http.port")
        return self

    @property
    def run_dir(self) -> Path:
        """Sockets and process ids of what runs."""
        return self.data_dir / "run"

    @property
    def recordings_dir(self) -> Path:
        """One folder per recording."""
        return self.data_dir / "recordings"

    @property
    def database_url(self) -> str:
        """The effective URL: SQLite in the data directory unless another one is configured."""
        return self.database.url or f"sqlite+aiosqlite:///{self.data_dir / 'commhub.db'}"


# ---- loading


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
    if isinstance(value, SecretStr):
        value = "***" if value.get_secret_value() else ""
    if path in ("database.url", "redis.url"):
        value = re.sub(r"//[^@/]*@", "//***@", value)
    if isinstance(value, Path) or value is None:
        value = str(value or "")
    return json.dumps(value, ensure_ascii=False)


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
