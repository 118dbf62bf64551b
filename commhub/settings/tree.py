"""The whole tree, and what holds between its sections."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, field_validator, model_validator

from commhub.settings.sections import (
    AgendaSettings,
    AuditSettings,
    BridgesSettings,
    CallsSettings,
    CitySettings,
    DatabaseSettings,
    DownloadsSettings,
    ExportsSettings,
    Gb28181Settings,
    GroupsSettings,
    HttpSettings,
    Key,
    LimitsSettings,
    LinkTestsSettings,
    LogSettings,
    MediaSettings,
    MetricsSettings,
    RecorderSettings,
    RecordingsS3Settings,
    RecordingsSettings,
    RedisSettings,
    RoomsSettings,
    SnapshotsSettings,
    TurnSettings,
    WebhooksSettings,
    read_keys,
)
from commhub.settings.values import Section, mistake

SECRET_LENGTH = 32
# sun_path holds 108 bytes with the final zero; the longest socket below the data directory is this.
_SOCKET_PATH = 107 - len("/run/bridge-gb28181-00.ctl")


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
    gb28181: Gb28181Settings = Gb28181Settings()
    downloads: DownloadsSettings = DownloadsSettings()
    snapshots: SnapshotsSettings = SnapshotsSettings()
    webhooks: WebhooksSettings = WebhooksSettings()
    metrics: MetricsSettings = MetricsSettings()
    audit: AuditSettings = AuditSettings()
    rooms: RoomsSettings = RoomsSettings()
    calls: CallsSettings = CallsSettings()
    groups: GroupsSettings = GroupsSettings()
    link_tests: LinkTestsSettings = LinkTestsSettings()
    agenda: AgendaSettings = AgendaSettings()
    recorder: RecorderSettings = RecorderSettings()
    recordings: RecordingsSettings = RecordingsSettings()
    recordings_s3: RecordingsS3Settings = RecordingsS3Settings()
    exports: ExportsSettings = ExportsSettings()
    log: LogSettings = LogSettings()
    city: CitySettings = CitySettings()
    keys: Annotated[dict[str, Key], BeforeValidator(read_keys)] = {}

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
    def _webhook_keys(self) -> Settings:
        for receiver in self.webhooks.receivers:
            if receiver.key not in self.keys:
                raise mistake(
                    f"keys 中没有密钥 {receiver.key}。", f"there is no key {receiver.key!r} in keys.", "webhooks.receivers"
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
    def evidence_dir(self) -> Path:
        """The keys that sign recordings."""
        return self.data_dir / "evidence"

    @property
    def recordings_dir(self) -> Path:
        """One folder per recording."""
        return self.data_dir / "recordings"

    @property
    def exports_dir(self) -> Path:
        """A folder for each film, tracks or bundle that was made of a recording."""
        return self.data_dir / "exports"

    @property
    def database_url(self) -> str:
        """The effective URL: SQLite in the data directory unless another one is configured."""
        return self.database.url or f"sqlite+aiosqlite:///{self.data_dir / 'commhub.db'}"
