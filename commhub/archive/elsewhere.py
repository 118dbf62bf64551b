"""The S3 store that is configured, if one is. Its client is loaded only then: it takes time and memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pydantic import SecretStr

    from commhub.archive.s3 import Remote


class Said(Protocol):
    """As the section ``recordings_s3`` of the settings."""

    @property
    def endpoint(self) -> str: ...
    @property
    def bucket(self) -> str: ...
    @property
    def prefix(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def access_key(self) -> SecretStr: ...
    @property
    def secret_key(self) -> SecretStr: ...
    @property
    def allow(self) -> Sequence[str]: ...


def elsewhere(said: Said) -> Remote | None:
    if not said.endpoint:
        return None
    from commhub.archive.s3 import Remote, Terms

    return Remote(
        Terms(
            said.endpoint, said.bucket, said.access_key.get_secret_value(), said.secret_key.get_secret_value(), said.region,
            said.prefix, tuple(said.allow),
        )
    )  # fmt: skip
