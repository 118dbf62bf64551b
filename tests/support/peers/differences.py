"""Every difference to LiveKit 1.13.3 that clients can notice; ``docs/livekit-differences.md`` tells people.

A test says ``meet.expected(key)`` and gets what the server under test is expected to show: one test, both servers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Difference:
    """``kind``: better, other or missing. ``livekit`` and ``commhub`` are what is seen there, compared as they are;
    ``what`` and ``why`` are for people."""

    key: str
    kind: str
    what: str
    livekit: Any
    commhub: Any
    why: str


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "refusals in words",
        "better",
        "A token that is refused: what the client is told",
        {
            "junk": "invalid authorization token",
            "another secret": "invalid token: eyJ",
            "an unknown key": "invalid API key: nobody",
            "expired": "invalid token: eyJ",
            "not yet": "invalid token: eyJ",
            "not to join": "permissions denied",
            "no identity": "identity cannot be empty",
        },
        {
            "junk": "The token cannot be read. 令牌无法读取。",
            "another secret": "The token's signature is wrong. 令牌签名错误。",
            "an unknown key": "The token's API key is not known. 令牌的 API 密钥未知。",
            "expired": "The token has expired. 令牌已过期。",
            "not yet": "The token is not valid yet. 令牌尚未生效。",
            "not to join": "The token does not allow joining a room. 令牌不允许加入会商。",
            "no identity": "The token has no identity. 令牌没有身份。",
        },
        "One sentence in both languages that says which; LiveKit repeats the whole token, which then lies in logs.",
    ),
    Difference(
        "refusals by status",
        "other",
        "A token that is refused: the HTTP status",
        {
            "junk": "401 Unauthorized",
            "another secret": "401 Unauthorized",
            "an unknown key": "401 Unauthorized",
            "expired": "401 Unauthorized",
            "not yet": "401 Unauthorized",
            "not to join": "401 Unauthorized",
            "no identity": "400 Bad Request",
        },
        {
            "junk": "401 Unauthorized",
            "another secret": "401 Unauthorized",
            "an unknown key": "401 Unauthorized",
            "expired": "401 Unauthorized",
            "not yet": "401 Unauthorized",
            "not to join": "403 Forbidden",
            "no identity": "400 Bad Request",
        },
        "A good token that does not allow it is forbidden, not unauthorized.",
    ),
    Difference(
        "a full room",
        "better",
        "Joining a room that is full",
        {
            "browsers": "could not establish signal connection: Encountered websocket error during connection establishment",
            "others": "engine: signal failure: handshake error: 500 Internal Server Error",
        },
        {
            "browsers": "could not establish signal connection: The room is full. 会商人数已满。",
            "others": "engine: signal failure: client error: 403 Forbidden - The room is full. 会商人数已满。",
        },
        "LiveKit answers 500 to the WebSocket and lets /validate pass: the person is not told why.",
    ),
    Difference(
        "a removed participant's token",
        "better",
        "The token of somebody who was removed, used again",
        "opens",
        "revoked",
        "Removed is removed: every token issued before is dead at once; LiveKit lets it in again.",
    ),
    Difference(
        "metadata of 100,000 characters",
        "other",
        "A participant gives itself very long metadata: the error",
        "",
        "SignalRequestError: exceeds metadata size limit",
        "Everybody's record carries it: there is a limit. LiveKit has none unless it is configured.",
    ),
    Difference(
        "a full reconnect on demand",
        "better",
        "simulateScenario('leave-full-reconnect') of livekit-client",
        False,
        True,
        "Asked by its own SDK, LiveKit does nothing: no reconnect within 30 s.",
    ),
    Difference(
        "rights that were taken, and the token from before",
        "better",
        "Who may no longer publish (UpdateParticipant) leaves and joins with the old token: may publish again",
        True,
        False,
        "Nothing that a participant has brings rights back that an admin took; a token made later does.",
    ),
    Difference(
        "moving a participant",
        "better",
        "MoveParticipant of somebody in a room",
        "500 unknown",
        "200",
        "LiveKit's open server answers: not implemented.",
    ),
)


def table(shown_by: Mapping[str, Sequence[str]]) -> str:
    """For people, in Markdown."""
    lines = ["| | what | LiveKit 1.13.3 | CommHub | why | shown by |", "|---|---|---|---|---|---|"]
    for one in sorted(DIFFERENCES, key=lambda one: (["better", "other", "missing"].index(one.kind), one.what)):
        tests = ", ".join(f"`{name}`" for name in shown_by[one.key])
        lines.append(f"| {one.kind} | {one.what} | {_cell(one.livekit)} | {_cell(one.commhub)} | {one.why} | {tests} |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return "<br>".join(f"{name}: {text}" for name, text in value.items())
    return {True: "yes", False: "no", "": "none"}.get(value, str(value))


BY_KEY = {one.key: one for one in DIFFERENCES}
