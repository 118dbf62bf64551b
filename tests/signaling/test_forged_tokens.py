"""Tokens that somebody forged, bent, or was given for something else: none opens anything, and each is told why."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from signaling import tokens
from tests.support.house import House
from tests.support.livekit import HUB_KEY, KEYS

SECRET = "o" * 40
HS256 = {"alg": "HS256", "typ": "JWT"}
ALGORITHM = "The token is not signed with HS256."
UNREADABLE = "The token cannot be read."
NO_JOIN = "The token does not allow joining a room."
WRONG = "The token's signature is wrong."
SOURCES = "The token's grant canPublishSources is not a list of names."
CREDENTIALS = "The token's roomConfig has credentials in it."
FLAG = "is neither true nor false."
UNSEEN = "has characters in it that cannot be seen."
HOURS = 36_000  # seconds: they are made when tests are collected, and used whenever their turn comes
GRANT = {"roomJoin": True, "room": "r"}


def part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    whole = {"iss": "own", "sub": "alice", "nbf": now - 5, "exp": now + HOURS, "video": GRANT, **changed}
    return {name: value for name, value in whole.items() if value is not ...}


def signed(payload: Any, header: Any = None, secret: str = SECRET, algorithm: str = "sha256") -> str:
    text = f"{part(HS256 if header is None else header)}.{part(payload)}"
    return f"{text}.{part(hmac.digest(secret.encode(), text.encode(), algorithm))}"


def by_rsa() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return jwt.encode(claims(), key, algorithm="RS256")


def by_public_key() -> str:
    """The confusion of algorithms: a public key's text as the secret of an HMAC."""
    public = rsa.generate_private_key(65537, 2048).public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    return signed(claims(), {"alg": "HS256", "jwk": {"kty": "RSA"}}, pem)


def twice(name: str, value: Any) -> str:
    """The claim stands in the payload twice; which one a reader takes is a matter of luck."""
    return signed(json.dumps(claims()).encode()[:-1] + f", {json.dumps(name)}: {json.dumps(value)}}}".encode())


def changed(**what: Any) -> str:
    """Honest signature, other claims."""
    header, _, signature = signed(claims()).split(".")
    return f"{header}.{part(claims(**what))}.{signature}"


def nested(depth: int) -> str:
    return signed(b'{"iss":"own","video":' + b"[" * depth + b"]" * depth + b"}")


def loose_end() -> str:
    """The signature's last letter has two bits that decoders drop: another text, the same signature."""
    token = signed(claims())
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


@dataclass(frozen=True)
class Forged:
    name: str
    token: str
    sentence: str
    status: int = 401
    query: dict[str, str] = field(default_factory=dict)


def forged() -> list[Forged]:
    s3 = {"s3": {"bucket": "b", "accessKey": "k", "secret": "s"}}
    header, payload, signature = signed(claims()).split(".")
    return [
        Forged("nothing", "", "There is no access token."),
        Forged("alg none", f'{part({"alg": "none"})}.{payload}.', UNREADABLE),
        Forged("alg none, with a signature", f'{part({"alg": "none"})}.{payload}.{signature}', ALGORITHM),
        Forged("alg None in capitals", signed(claims(), {"alg": "NONE"}), ALGORITHM),
        Forged("alg HS512, our secret", signed(claims(), {"alg": "HS512"}, algorithm="sha512"), ALGORITHM),
        Forged("alg RS256", by_rsa(), ALGORITHM),
        Forged("alg a list", signed(claims(), {"alg": ["HS256"]}), ALGORITHM),
        Forged("no alg", signed(claims(), {"typ": "JWT"}), ALGORITHM),
        Forged("a public key as secret", by_public_key(), WRONG),
        Forged("crit", signed(claims(), {**HS256, "crit": ["b64"], "b64": False}), ALGORITHM),
        Forged("kid names another key", signed(claims(), {**HS256, "kid": "other"}, "p" * 40), WRONG),
        Forged("kid names a file", signed(claims(), {**HS256, "kid": "../../dev/null"}, ""), WRONG),
        Forged("wrong secret", signed(claims(), secret="x" * 40), WRONG),
        Forged("no secret", signed(claims(), secret=""), WRONG),
        Forged("another key's name", signed(claims(iss="other")), WRONG),
        Forged("the hub's own key's name", signed(claims(iss=HUB_KEY)), WRONG),
        Forged("unknown key", signed(claims(iss="nobody")), "The token's API key is not known."),
        Forged("no iss", signed(claims(iss=...)), "The token's API key is not known."),
        Forged("iss a list", signed(claims(iss=["own"])), "The token's API key is not known."),
        Forged("claims changed", changed(video={**GRANT, "roomAdmin": True}), WRONG),
        Forged("signature cut", signed(claims())[:-3], WRONG),
        Forged("signature spelled otherwise", loose_end(), UNREADABLE),
        Forged("base64 with padding", signed(claims()) + "=", UNREADABLE),
        Forged("base64 of the other alphabet", "+/" + signed(claims()), UNREADABLE),
        Forged("four parts", signed(claims()) + ".x", UNREADABLE),
        Forged("two parts", f"{header}.{payload}", UNREADABLE),
        Forged("payload no JSON", signed(b"\xff\xfe"), UNREADABLE),
        Forged("payload a list", signed([claims()]), UNREADABLE),
        Forged("header a text", signed(claims(), "HS256"), UNREADABLE),
        Forged("nested", nested(5000), UNREADABLE),
        Forged("huge", signed(claims(metadata="x" * 20_000)), "The token is too long."),
        Forged("a claim twice", twice("sub", "bob"), UNREADABLE),
        Forged("grants twice", twice("video", {**GRANT, "roomAdmin": True}), UNREADABLE),
        Forged("expired", signed(claims(exp=int(time.time()) - 1)), "The token has expired."),
        Forged("no exp", signed(claims(exp=...)), "The token has no expiry."),
        Forged("exp a text", signed(claims(exp="9999999999")), "The token's exp is not a time."),
        Forged("exp infinite", signed(b'{"iss":"own","exp":1e999}'), "The token's exp is not a time."),
        Forged("exp Infinity", signed(b'{"iss":"own","exp":Infinity}'), UNREADABLE),
        Forged("not yet", signed(claims(nbf=int(time.time()) + HOURS)), "The token is not valid yet."),
        Forged("sub missing", signed(claims(sub=...)), "The token has no identity.", 400),
        Forged("sub empty", signed(claims(sub="")), "The token has no identity.", 400),
        Forged("jti in place of sub", signed(claims(sub=..., jti="alice")), "The token has no identity.", 400),
        Forged("sub a number", signed(claims(sub=1)), "The token's sub is not a text of at most 256 characters."),
        Forged("sub with a zero-width letter", signed(claims(sub="ali\u200bce")), f"The token's identity {UNSEEN}"),
        Forged("sub written from right to left", signed(claims(sub="\u202eecila")), f"The token's identity {UNSEEN}"),
        Forged("sub with a NUL", signed(claims(sub="alice\0")), f"The token's identity {UNSEEN}"),
        Forged("sub with a space behind", signed(claims(sub="alice ")), f"The token's identity {UNSEEN}"),
        Forged("sub not in its normal form", signed(claims(sub="Ame\u0301lie")), f"The token's identity {UNSEEN}"),
        Forged("sub half a letter", signed(claims(sub="\ud83d")), "The token's sub is not a text of at most 256 characters."),
        Forged("video a list", signed(claims(video=[GRANT])), "The token's video is not an object."),
        Forged("video a text", signed(claims(video=json.dumps(GRANT))), "The token's video is not an object."),
        Forged("roomJoin a text", signed(claims(video={**GRANT, "roomJoin": "true"})), f"The token\'s grant roomJoin {FLAG}"),
        Forged("canPublish a number", signed(claims(video={**GRANT, "canPublish": 0})), f"The token\'s grant canPublish {FLAG}"),
        Forged("sources a text", signed(claims(video={**GRANT, "canPublishSources": "camera"})), SOURCES),
        Forged("room a list", signed(claims(video={**GRANT, "room": ["r"]})), "The token's room is not a name."),
        Forged("credentials", signed(claims(roomConfig={"egress": {"tracks": s3}})), CREDENTIALS),
        Forged("other room", signed(claims(video={**GRANT, "room": "s"})), "The token is for another room.", 403, {"room": "r"}),
        Forged("no video", signed(claims(video=...)), NO_JOIN, 403),
        Forged("admin who may not join", signed(claims(video={"roomAdmin": True, "room": "r"})), NO_JOIN, 403),
        Forged("names no room", signed(claims(video={"roomJoin": True})), "The token names no room.", 403),
    ]  # fmt: skip


FORGED = forged()


def test_there_are_enough_of_them() -> None:
    assert len({one.name for one in FORGED}) == len(FORGED) >= 32


async def test_the_honest_one_enters(house: House) -> None:
    """What all of them are bent from, with a kid that nobody reads."""
    for token in (signed(claims()), signed(claims(), {**HS256, "kid": "whatever"})):
        await (await house.join(token=token)).hear("join")


@pytest.mark.parametrize("one", FORGED, ids=[one.name for one in FORGED])
async def test_none_opens_anything(house: House, one: Forged) -> None:
    await (await house.join("host")).hear("join")
    for path in ("/rtc/v1/validate", "/rtc/validate"):
        async with house.client.get(path, params={"access_token": one.token, **one.query}) as answer:
            assert (answer.status, (await answer.text()).startswith(one.sentence)) == (one.status, True), await answer.text()
    for path in ("/rtc/v1", "/rtc"):
        # In the header; browsers write it into the query, as above.
        headers = {"Authorization": f"Bearer {one.token}"} if one.token else {}
        with pytest.raises(aiohttp.WSServerHandshakeError) as failed:
            await house.client.ws_connect(path, params={"join_request": JOIN, **one.query}, headers=headers)
        assert failed.value.status == one.status
    assert [presence.identity for presence in house.rooms.present("r")] == ["host"]


@pytest.mark.parametrize("one", FORGED, ids=[one.name for one in FORGED])
async def test_none_commands_anything(house: House, one: Forged) -> None:
    """The same for the server API: 401 with its sentence, and 403 for what is no admin's."""
    await (await house.join("host")).hear("join")
    headers = {"Authorization": f"Bearer {one.token}", "Content-Type": "application/json"}
    for method in ("RemoveParticipant", "DeleteRoom", "ListRooms", "CreateRoom"):
        body = {"room": "r", "identity": "host", "name": "new"}
        if one.name == "admin who may not join" and method == "RemoveParticipant":
            continue  # it is its right
        async with house.client.post(f"/twirp/livekit.RoomService/{method}", json=body, headers=headers) as answer:
            told = await answer.json()
            assert (answer.status, told["code"]) in ((401, "unauthenticated"), (403, "permission_denied"))
            if one.status == 401:
                assert told["msg"] == one.sentence
    assert [presence.identity for presence in house.rooms.present("r")] == ["host"]
    assert list(house.rooms.rooms) == ["r"]


JOIN = part(b"\x12\x00")  # a WrappedJoinRequest with an empty JoinRequest


def test_the_tokens_own_name_does_not_depend_on_its_signature() -> None:
    """Or whoever holds a revoked token would only have to spell it otherwise."""
    token = signed(claims())
    read = tokens.verify(token, KEYS, time.time())
    assert read.token_id == hashlib.sha256(token.rpartition(".")[0].encode()).hexdigest()[:32]
