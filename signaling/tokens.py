"""LiveKit's access tokens: who somebody is and what they may do, signed with an API key's secret.

A JWT (RFC 7519), HS256 only. ``iss`` names the API key, ``sub`` the identity, ``exp`` is required, ``video`` holds the grants.
Semantics are LiveKit's: an unset ``can*`` is true, ``canPublishSources`` supersedes ``canPublish``, ``canPublishData``
follows ``canPublish`` when unset, ``canUpdateOwnMetadata`` is false unless set.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import jwt
from livekit.protocol.models import ParticipantPermission, TrackSource

from commhub.conference import Ticket
from commhub.errors import Forbidden, Invalid, Unauthenticated
from commhub.hidden import Secret

Scope = Literal["own", "all"]

MAX_TOKEN = 16 * 1024
MAX_IDENTITY = 256
MAX_TEXT = 64_000  # LiveKit's limit of metadata and of all attributes together
# Two machines of one site may disagree by this much about when a token begins. About its end they may not.
NOT_BEFORE_LEEWAY = 60.0

SOURCES: dict[str, TrackSource] = {
    "camera": TrackSource.CAMERA,
    "microphone": TrackSource.MICROPHONE,
    "screen_share": TrackSource.SCREEN_SHARE,
    "screen_share_audio": TrackSource.SCREEN_SHARE_AUDIO,
}
"""The names tokens and the hub use for a track's source."""


@dataclass(frozen=True, slots=True)
class Key:
    """An API key's secret. With scope ``own`` it reaches only rooms that were made with it."""

    secret: Secret[str]
    scope: Scope = "own"


class Keys(Mapping[str, Key]):
    """API keys by name.

    >>> keys = Keys({"devkey": Key(Secret("…"), "all")})
    """

    def __init__(self, keys: Mapping[str, Key]) -> None:
        self._keys = dict(keys)

    def __getitem__(self, name: str) -> Key:
        return self._keys[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def reaches(self, name: str, owner: str) -> bool:
        """May the key ``name`` touch a room that was made with the key ``owner``?"""
        return name == owner or (name in self._keys and self._keys[name].scope == "all")


def _text(claims: Mapping[str, Any], name: str, limit: int) -> str:
    value = claims.get(name, "")
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit:
        raise Unauthenticated(f"The token's {name} is not a text of at most {limit} characters.", "令牌内容有误。")
    return value


def _object(claims: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = claims.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unauthenticated(f"The token's {name} is not an object.", "令牌内容有误。")
    return value


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Unauthenticated(f"The token's {name} is not a time.", "令牌内容有误。")
    return float(value)


def _attributes(claims: Mapping[str, Any]) -> dict[str, str]:
    attributes = _object(claims, "attributes")
    if not all(isinstance(value, str) for value in attributes.values()):
        raise Unauthenticated("The token's attributes are not texts.", "令牌内容有误。")
    if sum(len(name) + len(value) for name, value in attributes.items()) > MAX_TEXT:
        raise Unauthenticated("The token's attributes are too long.", "令牌内容过长。")
    return attributes


def verify(token: str, keys: Mapping[str, Key], now: float) -> Ticket:
    """What ``token`` says; ``now`` is unix seconds. Unauthenticated with a sentence for whatever is wrong with it."""
    if not token:
        raise Unauthenticated("There is no access token.", "缺少访问令牌。")
    if len(token) > MAX_TOKEN:
        raise Unauthenticated("The token is too long.", "令牌过长。")
    try:
        unverified = jwt.decode(token, options={"verify_signature": False})
        issuer = unverified.get("iss")
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise Unauthenticated("The token cannot be read.", "令牌无法读取。") from None
    key = keys.get(issuer) if isinstance(issuer, str) else None
    if key is None or not isinstance(issuer, str):
        raise Unauthenticated("The token's API key is not known.", "令牌的 API 密钥未知。")
    claims = _signed(token, key)
    if "exp" not in claims:
        raise Unauthenticated("The token has no expiry.", "令牌没有有效期。")
    expires_at = _seconds(claims, "exp")
    if expires_at <= now:
        raise Unauthenticated("The token has expired.", "令牌已过期。")
    if _seconds(claims, "nbf") > now + NOT_BEFORE_LEEWAY:
        raise Unauthenticated("The token is not valid yet.", "令牌尚未生效。")
    grants = _object(claims, "video")
    room = grants.get("room", "")
    if not isinstance(room, str) or len(room) > MAX_IDENTITY:
        raise Unauthenticated("The token's room is not a name.", "令牌内容有误。")
    return Ticket(
        key=issuer,
        identity=_text(claims, "sub", MAX_IDENTITY),
        name=_text(claims, "name", MAX_IDENTITY),
        room=room,
        grants=grants,
        metadata=_text(claims, "metadata", MAX_TEXT),
        attributes=_attributes(claims),
        kind=_text(claims, "kind", 32),
        token_id=_text(claims, "jti", MAX_IDENTITY) or hashlib.sha256(token.encode()).hexdigest()[:32],
        expires_at=expires_at,
        room_config=_object(claims, "roomConfig"),
    )


def _signed(token: str, key: Key) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a short secret is refused at start, not at every token
            return jwt.decode(
                token,
                key.secret.reveal(),
                algorithms=["HS256"],
                options={
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                    "verify_sub": False,
                    "verify_jti": False,
                },
            )
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise Unauthenticated("The token's signature is wrong.", "令牌签名错误。") from None


def mint(
    key: str,
    keys: Mapping[str, Key],
    *,
    now: float,
    ttl: float,
    identity: str = "",
    name: str = "",
    grants: Mapping[str, object] | None = None,
    metadata: str = "",
    attributes: Mapping[str, str] | None = None,
    kind: str = "",
    token_id: str = "",
    room_config: Mapping[str, object] | None = None,
    sha256: str = "",
) -> str:
    """A signed token for ``ttl`` seconds. ``grants`` is the ``video`` claim (``{"roomJoin": True, "room": "…"}``).

    ``attributes["org"]`` is the name of the person's organisation, as :class:`commhub.conference.Presence` shows it.
    """
    claims: dict[str, object] = {
        "iss": key,
        "sub": identity,
        "nbf": int(now),
        "exp": int(now + ttl),
        "jti": token_id or secrets.token_hex(16),
        "video": dict(grants or {}),
    }
    for claim, value in (
        ("name", name),
        ("metadata", metadata),
        ("attributes", dict(attributes or {})),
        ("kind", kind),
        ("roomConfig", dict(room_config or {})),
        ("sha256", sha256),
    ):
        if value:
            claims[claim] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return jwt.encode(claims, keys[key].secret.reveal(), algorithm="HS256")


def refreshed(ticket: Ticket, keys: Mapping[str, Key], *, now: float, ttl: float) -> str:
    """The same ticket for ``ttl`` seconds more. It keeps its token id, so that revoking the first revokes all."""
    return mint(
        ticket.key,
        keys,
        now=now,
        ttl=ttl,
        identity=ticket.identity,
        name=ticket.name,
        grants=ticket.grants,
        metadata=ticket.metadata,
        attributes=ticket.attributes,
        kind=ticket.kind,
        token_id=ticket.token_id,
    )


def allows(ticket: Ticket, grant: str) -> bool:
    """Is this boolean grant set? (``roomJoin``, ``roomAdmin``, ``roomCreate``, ``roomList``, ``hidden`` …)"""
    return ticket.grants.get(grant) is True


def require_join(ticket: Ticket, room: str = "") -> str:
    """The room this ticket joins; ``room`` is what the caller asked for, if it did. Forbidden, Invalid with a sentence."""
    if not allows(ticket, "roomJoin"):
        raise Forbidden("The token does not allow joining a room.", "令牌不允许加入会商。")
    if room and ticket.room and room != ticket.room:
        raise Forbidden("The token is for another room.", "令牌属于另一个会商。")
    if not (ticket.room or room):
        raise Forbidden("The token names no room.", "令牌没有指明会商。")
    if not ticket.identity:
        raise Invalid("The token has no identity.", "令牌没有身份。")
    return ticket.room or room


def require_admin(ticket: Ticket, room: str) -> None:
    """``roomAdmin`` of this very room. Forbidden."""
    if not allows(ticket, "roomAdmin"):
        raise Forbidden("The token does not allow administering a room.", "令牌不允许管理会商。")
    if not room or ticket.room != room:
        raise Forbidden("The token is for another room.", "令牌属于另一个会商。")


def permission(grants: Mapping[str, object]) -> ParticipantPermission:
    """The grants as LiveKit shows them to clients. Unknown sources are ignored."""

    def flag(name: str, default: bool) -> bool:
        value = grants.get(name)
        return value if isinstance(value, bool) else default

    publish = flag("canPublish", True)
    listed = grants.get("canPublishSources")
    sources = [SOURCES[name] for name in _names(listed) if name in SOURCES]
    if isinstance(listed, list) and listed:
        publish = bool(sources)
    return ParticipantPermission(
        can_subscribe=flag("canSubscribe", True),
        can_publish=publish,
        can_publish_data=flag("canPublishData", publish),
        can_publish_sources=sources,
        hidden=flag("hidden", False),
        recorder=flag("recorder", False),
        agent=flag("agent", False),
        can_update_metadata=flag("canUpdateOwnMetadata", False),
        can_subscribe_metrics=flag("canSubscribeMetrics", False),
    )


def _names(value: object) -> Iterable[str]:
    return (item.lower() for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def with_permission(grants: Mapping[str, object], granted: ParticipantPermission) -> dict[str, object]:
    """``grants`` after somebody changed the participant's permission: the inverse of :func:`permission`."""
    names = {number: name for name, number in SOURCES.items()}
    changed = dict(grants)
    changed.update(
        canPublish=granted.can_publish,
        canSubscribe=granted.can_subscribe,
        canPublishData=granted.can_publish_data,
        canUpdateOwnMetadata=granted.can_update_metadata,
        hidden=granted.hidden,
    )
    changed.pop("canPublishSources", None)
    if granted.can_publish_sources:
        changed["canPublishSources"] = [names[source] for source in granted.can_publish_sources if source in names]
    return changed


__all__ = [
    "SOURCES",
    "Key",
    "Keys",
    "allows",
    "mint",
    "permission",
    "refreshed",
    "require_admin",
    "require_join",
    "verify",
    "with_permission",
]
