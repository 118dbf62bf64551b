"""Variants of one codec, as the parameters of a description tell them apart (RFC 6184 §8.1, RFC 7798 §7.1, RFC 9628 §6)."""

from __future__ import annotations

from commhub.wire import sdp

_HEVC_LEVEL = "93"  # where none is said (RFC 7798 §7.1): 3.1


def published(codec: sdp.Codec) -> int:
    """The greater, the more receivers decode it."""
    name, parameters = codec.name.lower(), codec.parameters()
    if name == "h264":
        interleaved = parameters.get("packetization-mode", "0") == "1"
        return 2 * interleaved + parameters.get("profile-level-id", "42e01f").lower().startswith("42e0")
    if name == "h265":
        return 2 * (parameters.get("profile-id", "1") == "1") + (parameters.get("tier-flag", "0") == "0")
    if name in ("vp9", "av1"):
        return parameters.get("profile-id", parameters.get("profile", "0")) == "0"
    return 0


def decodes(codec: sdp.Codec, want: dict[str, str]) -> bool:
    """Whether who offers ``codec`` decodes a stream with these parameters. Only H.265's are taken at their word: its decoders
    are hardware, which shows nothing of what is beyond it."""
    if codec.name.lower() != "h265":
        return True
    have = codec.parameters()
    profile, level = have.get("profile-id", "1"), have.get("level-id", _HEVC_LEVEL)
    # Main 10 (2) includes Main (1); whoever says no level sends what it likes.
    if want.get("profile-id", "1") not in (("1", "2") if profile == "2" else (profile,)):
        return False
    return not level.isdigit() or not want.get("level-id", "").isdigit() or int(want["level-id"]) <= int(level)


def likeness(have: dict[str, str], want: dict[str, str]) -> int:
    """The greater, the nearer."""
    mode = have.get("packetization-mode", "0") == want.get("packetization-mode", "1")
    mine, theirs = have.get("profile-level-id", "42e0").lower(), want.get("profile-level-id", "42e0").lower()
    variant = have.get("profile-id", "0") == want.get("profile-id", "0")
    # profile_idc, then its constraint flags (RFC 6184 §8.1); the level may differ.
    return 8 * mode + 4 * (mine[:2] == theirs[:2]) + 2 * (mine[:4] == theirs[:4]) + variant


def sent(codec: sdp.Codec) -> str:
    """The parameters of what a publisher sends. Of H.265 without the level, which says what it receives."""
    if codec.name.lower() != "h265":
        return codec.fmtp
    return ";".join(f"{name}={value}" for name, value in codec.parameters().items() if name != "level-id")
