"""Types of values that settings have: each reads a text strictly and says in both languages what is wrong with it."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from commhub.addresses import parse_entry, parse_store, parse_url


def mistake(chinese: str, english: str, path: str = "") -> PydanticCustomError:
    """An error for people in both languages; `path` names the key when it is not where the check stands."""
    return PydanticCustomError("mistake", "{english}", {"english": english, "chinese": chinese, "path": path})


# ---- types of values


RETENTION_DAYS = 30  # what the rules for public video ask for at least


def retention(days: int) -> int:
    """Days that something is kept; 0 is for ever."""
    if 0 < days < RETENTION_DAYS:
        raise mistake(f"至少 {RETENTION_DAYS} 天，或 0（永久保存）。", f"is less than {RETENTION_DAYS} days; 0 is for ever.")
    return days


def listed(value: object) -> object:
    """A list may be given as text: JSON, or items between commas (as the environment can hold it)."""
    if not isinstance(value, str):
        return value
    if value.strip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise mistake("不是有效的 JSON 列表。", "is not a valid JSON list.") from None
    return [item.strip() for item in value.split(",") if item.strip()]


def read_address(text: str) -> str:
    """An IP address, in brackets or not, as it is written shortest."""
    try:
        return str(ipaddress.ip_address(text.strip().removeprefix("[").removesuffix("]")))
    except ValueError:
        raise mistake(f"“{text}”不是 IP 地址。", f"{text!r} is not an IP address.") from None


def optional_address(text: str) -> str:
    """An IP address, or empty."""
    return read_address(text) if text.strip() else ""


def port_range(text: str) -> str:
    """``first-last``: at least two ports, those of RTP and RTCP."""
    found = re.fullmatch(r"\s*([0-9]{1,5})\s*-\s*([0-9]{1,5})\s*", text)
    if found is None or not 1024 <= int(found[1]) < int(found[2]) <= 65535:
        raise mistake(f"“{text}”应写作端口范围，例如 30000-30998。", f"{text!r} is not a range of ports such as 30000-30998.")
    return f"{int(found[1])}-{int(found[2])}"


def media_address(item: str) -> str:
    """``address`` or ``address=announced``."""
    bind, _, announced = item.partition("=")
    return f"{read_address(bind)}={read_address(announced)}" if "=" in item else read_address(bind)


def network(item: str) -> str:
    """An IP network in CIDR notation."""
    try:
        return str(ipaddress.ip_network(item.strip()))
    except ValueError as error:
        raise mistake(f"“{item}”不是网段：{error}。", f"{item!r} is not a network: {error}.") from None


def target(item: str) -> str:
    """``network:port``, as :func:`commhub.addresses.parse_entry` takes it."""
    try:
        parse_entry(item)
    except ValueError as error:
        raise mistake(f"“{item}”应写作“网段:端口”，例如 10.0.0.0/8:554、10.1.2.3:* 或 [fd00::/8]:554。", str(error)) from None
    return item.strip()


_ICE_URL = re.compile(r"(stuns?|turns?):(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(\?transport=(udp|tcp))?")


def ice_url(item: str) -> str:
    """A TURN or STUN URL (RFC 7064, RFC 7065)."""
    if not _ICE_URL.fullmatch(item.strip()):
        raise mistake(
            f"“{item}”应写作 turn:主机:端口?transport=udp 或 turns:主机:443?transport=tcp。",
            f"{item!r} is not an address such as turns:turn.example:443?transport=tcp.",
        )
    return item.strip()


def optional_path(value: object) -> object:
    """An empty text is no path."""
    return None if value == "" else value


def origin(text: str) -> str:
    """``https://name[:port]``, or empty."""
    parts = urlsplit(text)
    plain = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
    if text and not (parts.scheme in ("http", "https") and parts.hostname and plain):
        raise mistake(
            f"“{text}”应为不带路径的网址，例如 https://hub.example。",
            f"{text!r} is not an address without path such as https://hub.example.",
        )
    return text.rstrip("/")


def receiver_url(text: str) -> str:
    """An http or https URL without user and password."""
    try:
        scheme = text.partition("://")[0].lower()
        if scheme not in ("http", "https"):
            raise ValueError("The address does not begin with http:// or https://.")
        parse_url(text, scheme, 443 if scheme == "https" else 80)
    except ValueError as error:
        raise mistake(f"“{text}”应为网址，例如 https://city.example/hook，其中不能有用户名和密码。", str(error)) from None
    return text


def store_url(text: str) -> str:
    """A store's endpoint, or empty."""
    if not text.strip():
        return ""
    try:
        parse_store(text.strip())
    except ValueError as error:
        raise mistake(f"“{text}”应为 https://名称:端口 或 http://IP地址:端口，后面没有路径。", str(error)) from None
    return text.strip()


def objects(value: object) -> object:
    """A list of tables may be given as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else []
    except ValueError:
        raise mistake("不是有效的 JSON 列表。", "is not a valid JSON list.") from None


def each(item: Callable[[str], str]) -> Callable[[list[str]], list[str]]:
    """A check of one item, for a list of them."""
    return lambda items: [item(one) for one in items]


Port = Annotated[int, Field(ge=1, le=65535)]
OptionalPath = Annotated[Path | None, BeforeValidator(optional_path)]
Listed = BeforeValidator(listed)
Objects = BeforeValidator(objects)


class Section(BaseModel):
    """Unknown keys are mistakes; nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
