"""LiveKit's access tokens: who somebody is and what they may do, signed with an API key's secret.

A JWT (RFC 7519), HS256 only. ``iss`` names the API key, ``sub`` the identity, ``exp`` is required, ``video`` holds the grants.
Semantics are LiveKit's: an unset ``can*`` is true, ``canPublishSources`` supersedes ``canPublish``, ``canPublishData``
follows ``canPublish`` when unset, ``canUpdateOwnMetadata`` is false unless set.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import unicodedata
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
# Octets of metadata, and of all attributes together. LiveKit allows 64 KiB of attributes and 512 KiB of metadata; a
# signalling frame here has 256 KiB, and whoever is in the room gets all of it again with every change.
MAX_TEXT = 64_000
# Two machines of one site may disagree by this much about when a token begins. About its end they may not.
NOT_BEFORE_LEEWAY = 60.0

#: Boolean grants. Everything else in ``video`` is a name, a list, or not ours.
FLAGS = (
    "roomCreate", "roomList", "roomRecord", "roomAdmin", "roomJoin", "canPublish", "canSubscribe", "canPublishData",
    "canUpdateOwnMetadata", "canSubscribeMetrics", "canManageAgentSession", "ingressAdmin", "hidden", "recorder", "agent",
)  # fmt: skip
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_OUR_JTI = re.compile(r"[0-9a-f]{32}")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # control, format (zero width, direction), halves of pairs, separators
_CREDENTIALS = frozenset({"secret", "accesskey", "sessiontoken", "credentials", "accountkey", "password", "streamoutputs"})

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
        """May the key ``name`` touch a room that was made with the key ``owner``? One that is configured no longer touches
        nothing."""
        return name in self._keys and (name == owner or self._keys[name].scope == "all")


def _refused(message: str, message_zh: str = "令牌内容有误。") -> Unauthenticated:
    return Unauthenticated(message, message_zh)


def _sound(text: str) -> bool:
    """Can it be sent on at all? JSON may carry halves of UTF-16 pairs."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(claims: Mapping[str, Any], name: str, limit: int) -> str:
    value = claims.get(name, "")
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit or not _sound(value):
        raise _refused(f"The token's {name} is not a text of at most {limit} characters.")
    return value


def _name(claims: Mapping[str, Any], name: str, what: str) -> str:
    """A text that identifies somebody or something. Two that look the same may not differ in what cannot be seen."""
    text = _text(claims, name, MAX_IDENTITY)
    hidden = any(unicodedata.category(letter) in _UNSEEN for letter in text)
    if hidden or text != text.strip() or not unicodedata.is_normalized("NFC", text):
        raise _refused(f"The token's {what} has characters in it that cannot be seen.", "令牌中的标识含有不可见字符。")
    return text


def _object(claims: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = claims.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _refused(f"The token's {name} is not an object.")
    return value


def _seconds(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -(2**62) < value < 2**62:
        raise _refused(f"The token's {name} is not a time.")
    return float(value)


def _attributes(claims: Mapping[str, Any]) -> dict[str, str]:
    attributes = _object(claims, "attributes")
    if not all(isinstance(value, str) and _sound(name + value) for name, value in attributes.items()):
        raise _refused("The token's attributes are not texts.")
    if sum(len(name) + len(value) for name, value in attributes.items()) > MAX_TEXT:
        raise _refused("The token's attributes are too long.", "令牌内容过长。")
    return attributes


def _grants(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The ``video`` claim. A grant of the wrong type is refused: guessing what was meant may only ever give too much."""
    grants = _object(claims, "video")
    for name in FLAGS:
        if not isinstance(grants.get(name), bool | None):
            raise _refused(f"The token's grant {name} is neither true nor false.")
    sources = grants.get("canPublishSources")
    if sources is not None and not (isinstance(sources, list) and all(isinstance(source, str) for source in sources)):
        raise _refused("The token's grant canPublishSources is not a list of names.")
    for name, what in (("room", "room"), ("destinationRoom", "destination room")):
        if not isinstance(grants.get(name), str | None):
            raise _refused(f"The token's {what} is not a name.")
        _name(grants, name, what)
    return grants


def _room_config(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Whoever joins can read his token, so nobody's credentials belong into it."""
    config = _object(claims, "roomConfig")
    waiting: list[object] = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if any(inner and name.replace("_", "").lower() in _CREDENTIALS for name, inner in value.items()):
                raise _refused("The token's roomConfig has credentials in it.", "令牌的 roomConfig 含有密钥。")
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return config


def verify(token: str, keys: Mapping[str, Key], now: float) -> Ticket:
    """What ``token`` says; ``now`` is unix seconds. Unauthenticated with a sentence for whatever is wrong with it."""
    if not token:
        raise Unauthenticated("There is no access token.", "缺少访问令牌。")
    if len(token) > MAX_TOKEN:
        raise Unauthenticated("The token is too long.", "令牌过长。")
    header, claims, signed, signature = _parts(token)
    issuer = claims.get("iss")
    key = keys.get(issuer) if isinstance(issuer, str) else None
    if key is None or not isinstance(issuer, str):
        raise Unauthenticated("The token's API key is not known.", "令牌的 API 密钥未知。")
    # The algorithm is ours to choose; the header may only agree. Whatever else it says (kid, jku, jwk, x5u …) is not read.
    if header.get("alg") != "HS256" or "crit" in header:
        raise Unauthenticated("The token is not signed with HS256.", "令牌签名算法不受支持。")
    expected = hmac.digest(key.secret.reveal().encode(), signed, "sha256")
    if not hmac.compare_digest(expected, signature):
        raise Unauthenticated("The token's signature is wrong.", "令牌签名错误。")
    if "exp" not in claims:
        raise Unauthenticated("The token has no expiry.", "令牌没有有效期。")
    expires_at, begins_at = _seconds(claims, "exp"), _seconds(claims, "nbf")
    if expires_at <= now:
        raise Unauthenticated("The token has expired.", "令牌已过期。")
    if begins_at > now + NOT_BEFORE_LEEWAY:
        raise Unauthenticated("The token is not valid yet.", "令牌尚未生效。")
    grants = _grants(claims)
    return Ticket(
        key=issuer,
        identity=_name(claims, "sub", "identity"),
        name=_text(claims, "name", MAX_IDENTITY),
        room=grants.get("room") or "",
        grants=grants,
        metadata=_text(claims, "metadata", MAX_TEXT),
        attributes=_attributes(claims),
        kind=_text(claims, "kind", 32),
        token_id=_token_id(claims, signed),
        expires_at=expires_at,
        room_config=_room_config(claims),
        issued_at=_seconds(claims, "iat") or begins_at,
    )


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """Header, claims, what is signed, and the signature. One way only to write each token (RFC 7515 §3.1, RFC 4648 §5)."""
    unreadable = Unauthenticated("The token cannot be read.", "令牌无法读取。")
    if not _COMPACT.fullmatch(token):
        raise unreadable
    signed, _, signature = token.rpartition(".")
    header, _, payload = signed.partition(".")
    try:
        return _json(_base64(header)), _json(_base64(payload)), signed.encode(), _base64(signature)
    except (ValueError, RecursionError):
        raise unreadable from None


def _base64(part: str) -> bytes:
    data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=") != part.encode():
        raise ValueError("The last letter of a part has bits that mean nothing.")
    return data


def _json(data: bytes) -> dict[str, Any]:
    value = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    if not isinstance(value, dict):
        raise ValueError("A part of the token is not an object.")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Readers disagree about which of two equal names counts (RFC 8259 §4)."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("A name stands twice in the token.")
    return value


def _no_number(text: str) -> float:
    raise ValueError("NaN and Infinity are no JSON.")


def _token_id(claims: Mapping[str, Any], signed: bytes) -> str:
    """The ``jti`` of our own making, which refreshed tokens keep. LiveKit's SDKs write the identity there, or nothing."""
    jti = _text(claims, "jti", MAX_IDENTITY)
    return jti if _OUR_JTI.fullmatch(jti) else hashlib.sha256(signed).hexdigest()[:32]


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
        "iat": now,  # exact (rounded up it would be in the future): a removal in the same second must know which tokens are older
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
        listed = [names[source] for source in granted.can_publish_sources if source in names]
        # An empty list would read as “any”.
        changed.update(canPublishSources=listed, canPublish=bool(listed))
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
