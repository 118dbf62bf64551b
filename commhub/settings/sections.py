"""The sections of the tree, one class each."""

from __future__ import annotations

import ipaddress
import json
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from commhub.settings.values import (
    Listed,
    Objects,
    OptionalPath,
    Port,
    Section,
    each,
    ice_url,
    media_address,
    mistake,
    network,
    optional_address,
    origin,
    port_range,
    read_address,
    receiver_url,
    retention,
    store_url,
    target,
)


class HttpSettings(Section):
    """Pages, API, LiveKit signalling."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Port = 8080
    tls: Literal["auto", "on", "off"] = "auto"
    certificate: OptionalPath = None
    key: OptionalPath = None
    public_url: Annotated[str, AfterValidator(origin)] = ""
    trusted_proxies: Annotated[list[str], Listed, AfterValidator(each(network))] = []

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
    address: Annotated[list[str], Listed, AfterValidator(each(media_address))] = []
    port: Port = 7882
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    drain_seconds: Annotated[float, Field(ge=0, le=60)] = 5
    shed_above: Annotated[float, Field(ge=0.02, le=60)] = 0.1
    refuse_above: Annotated[float, Field(ge=0.02, le=60)] = 0.25

    @model_validator(mode="after")
    def _ports(self) -> MediaSettings:
        if self.port + self.workers - 1 > 65535:
            raise mistake("端口号加媒体进程数超过 65535。", "port and the workers' go beyond 65535.", "media.port")
        return self

    def pairs(self) -> list[tuple[str, str]]:
        """`(address to bind, address to announce)`, as configured."""
        return [(bind, announced or bind) for bind, _, announced in (item.partition("=") for item in self.address)]


class TurnSettings(Section):
    """A TURN server (coturn with `use-auth-secret`) for participants whose network lets neither UDP nor the media port out."""

    urls: Annotated[list[str], Listed, AfterValidator(each(ice_url))] = []
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
    """What the hub may connect to by itself, and what becomes of it."""

    allow: Annotated[list[str], Listed, AfterValidator(each(target))] = []
    transcodes: Annotated[int, Field(ge=0, le=64)] = 4


class Gb28181Settings(Section):
    """Devices and lower platforms of GB/T 28181 that call in."""

    enabled: bool = False
    hosts: Annotated[list[str], Listed, AfterValidator(each(read_address)), Field(min_length=1)] = ["0.0.0.0"]
    port: Port = 5060
    id: Annotated[str, Field(pattern=r"^([0-9]{20})?$")] = ""
    domain: Annotated[str, Field(pattern=r"^[0-9A-Za-z.:-]{0,128}$")] = ""
    media_address: Annotated[str, AfterValidator(optional_address)] = ""
    media_ports: Annotated[str, AfterValidator(port_range)] = "30000-30998"
    date: bool = True
    redirect: Annotated[str, Field(pattern=r"^([0-9]{20}@[^\s@<>]{1,128})?$")] = ""

    @model_validator(mode="after")
    def _together(self) -> Gb28181Settings:
        if self.enabled and not self.id:
            raise mistake("启用后必须给出平台的 20 位编码。", "the platform needs its code of 20 digits.", "gb28181.id")
        return self

    @property
    def ports(self) -> tuple[int, int]:
        """The first and the last of ``media_ports``."""
        first, _, last = self.media_ports.partition("-")
        return int(first), int(last)


class DownloadsSettings(Section):
    """Recordings that are fetched from devices and kept as files."""

    at_once: Annotated[int, Field(ge=1, le=64)] = 4
    speed: Annotated[int, Field(ge=1, le=32)] = 4
    keep_days: Annotated[float, Field(gt=0, le=3650)] = 7
    longest_hours: Annotated[float, Field(gt=0, le=168)] = 24
    limit_bytes: Annotated[int, Field(ge=1 << 20)] = 16 << 30
    total_bytes: Annotated[int, Field(ge=1 << 20)] = 200 << 30
    minimum_free_bytes: Annotated[int, Field(ge=0)] = 2 << 30


class SnapshotsSettings(Section):
    """Pictures of cameras that people take."""

    keep_days: Annotated[float, Field(ge=0, le=36500)] = 180
    upload: bool = True
    upload_url: Annotated[str, Field(pattern=r"^(https?://[^\s/?#]{1,256})?$")] = ""


class WebhookReceiver(Section):
    """Where events are posted, and with which of `keys` they are signed. A key of scope `own` hears of its own rooms."""

    url: Annotated[str, AfterValidator(receiver_url)]
    key: str


class WebhooksSettings(Section):
    """Receivers of what happens in rooms."""

    receivers: Annotated[list[WebhookReceiver], Objects] = []
    allow: Annotated[list[str], Listed, AfterValidator(each(target))] = []
    ca: OptionalPath = None
    retry_hours: Annotated[float, Field(gt=0, le=168)] = 24

    @model_validator(mode="after")
    def _together(self) -> WebhooksSettings:
        if self.receivers and not self.allow:
            raise mistake(
                "列出接收方的地址，例如 10.1.2.3:443，否则不会连接。",
                "must name the receivers' addresses, such as 10.1.2.3:443: nothing else is connected to.",
                "webhooks.allow",
            )
        if self.ca is not None and not self.ca.is_file():
            raise mistake(f"没有文件 {self.ca}。", f"there is no file {self.ca}.", "webhooks.ca")
        return self


class AuditSettings(Section):
    """Where the newest hash of the audit is written every day, outside of the database."""

    heads: OptionalPath = None


class MetricsSettings(Section):
    """Who may read `/metrics`: these addresses, and whoever has the token."""

    allow: Annotated[list[str], Listed, AfterValidator(each(network))] = ["127.0.0.0/8", "::1/128"]
    token: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _long(self) -> MetricsSettings:
        if 0 < len(self.token.get_secret_value()) < 16:
            raise mistake("令牌至少 16 个字符。", "the token is shorter than 16 characters.", "metrics.token")
        return self


class RoomsSettings(Section):
    """What admins may do to people in rooms."""

    remote_unmute: bool = False


class CallsSettings(Section):
    """Calls between people."""

    ring_seconds: Annotated[float, Field(ge=5, le=600)] = 45
    recall_seconds: Annotated[float, Field(ge=0, le=600)] = 30


class LinkTestsSettings(Section):
    """Whether organisations can connect."""

    daily: Annotated[str, Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$")] = ""
    keep_days: Annotated[int, Field(ge=0, le=36500)] = 400


class AgendaSettings(Section):
    """Scheduled consultations: what their materials may be at most."""

    material_bytes: Annotated[int, Field(ge=1 << 20, le=4 << 30)] = 32 << 20
    materials_bytes: Annotated[int, Field(ge=1 << 20, le=64 << 30)] = 256 << 20
    materials: Annotated[int, Field(ge=1, le=500)] = 50


class GroupsSettings(Section):
    """Push to talk: what groups have that do not say theirs (seconds; 0 is without end), and what holds for all."""

    talk_limit_seconds: Annotated[float, Field(ge=0, le=3600)] = 30
    silence_seconds: Annotated[float, Field(ge=0, le=3600)] = 4
    hang_seconds: Annotated[float, Field(ge=0, le=3600)] = 10
    queue: Annotated[int, Field(ge=0, le=200)] = 20
    grace_seconds: Annotated[float, Field(ge=0, le=10)] = 1
    emergency_seconds: Annotated[float, Field(ge=0, le=3600)] = 30


RecordingMode = Literal["always", "start", "hand", "never"]


class RecorderSettings(Section):
    """How recordings are written."""

    cluster_ms: Annotated[int, Field(ge=100, le=5000)] = 500
    sync_seconds: Annotated[float, Field(ge=0.1, le=60)] = 2.0
    segment_minutes: Annotated[float, Field(gt=0, le=60)] = 5.0
    minimum_free_bytes: Annotated[int, Field(ge=0)] = 1 << 30
    layers: Literal["best", "watched"] = "best"
    digest: Literal["sha256", "sm3"] = "sha256"
    signature: Literal["ed25519", "sm2"] = "ed25519"
    checkpoint_seconds: Annotated[float, Field(ge=1, le=600)] = 10.0
    encryption: Literal["aes-256-gcm", "sm4-gcm", "none"] = "aes-256-gcm"
    shards: Annotated[int, Field(ge=1, le=8)] = 1
    always: Annotated[list[Literal["public", "internal", "sensitive"]], Listed] = []
    consultations: RecordingMode = "hand"
    calls: RecordingMode = "hand"
    groups: RecordingMode = "hand"


class RecordingsSettings(Section):
    """How long recordings are kept, how much room they may take, and what needs a second person."""

    public_days: Annotated[int, Field(ge=0, le=36500), AfterValidator(retention)] = 0
    internal_days: Annotated[int, Field(ge=0, le=36500), AfterValidator(retention)] = 0
    sensitive_days: Annotated[int, Field(ge=0, le=36500), AfterValidator(retention)] = 0
    notice_days: Annotated[int, Field(ge=1, le=365)] = 14
    request_hours: Annotated[float, Field(ge=1, le=720)] = 72
    approval: Annotated[list[Literal["public", "internal", "sensitive"]], Listed] = ["sensitive"]
    quota_bytes: Annotated[int, Field(ge=0)] = 0


class ExportsSettings(Section):
    """What is taken out of recordings: films, tracks, evidence bundles."""

    at_once: Annotated[int, Field(ge=1, le=8)] = 1
    keep_days: Annotated[float, Field(gt=0, le=365)] = 7
    request_hours: Annotated[float, Field(ge=1, le=720)] = 72
    limit_bytes: Annotated[int, Field(ge=1 << 20)] = 16 << 30
    total_bytes: Annotated[int, Field(ge=1 << 20)] = 200 << 30


class RecordingsS3Settings(Section):
    """An S3-compatible store that recordings are put into; without an endpoint they stay on this machine only."""

    endpoint: Annotated[str, AfterValidator(store_url)] = ""
    bucket: Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$")] = ""
    prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,7})?$")] = ""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")] = "us-east-1"
    access_key: SecretStr = SecretStr("")
    secret_key: SecretStr = SecretStr("")
    allow: Annotated[list[str], Listed, AfterValidator(each(target))] = []
    keep_local_days: Annotated[float, Field(ge=0, le=36500)] = 30
    alarm_minutes: Annotated[float, Field(gt=0, le=1440)] = 10

    @model_validator(mode="after")
    def _together(self) -> RecordingsS3Settings:
        if not self.endpoint:
            return self
        for name in ("bucket", "access_key", "secret_key", "allow"):
            value = getattr(self, name)
            if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
                raise mistake("启用 S3 存储时必须给出。", "is needed with an endpoint.", f"recordings_s3.{name}")
        return self


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


def read_keys(value: object) -> object:
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else {}
        except ValueError:
            # Not the parser's message: it may quote what is a secret.
            raise mistake('应为 JSON，例如 {"密钥名":"密钥"}。', 'is not JSON such as {"key":"secret"}.', "keys") from None
    if isinstance(value, dict):
        return {name: {"secret": key} if isinstance(key, str) else key for name, key in value.items()}
    return value
