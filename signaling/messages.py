"""LiveKit's signalling messages: reading what clients send, building what they get. No I/O and no clock.

Wire: one protobuf ``SignalRequest`` or ``SignalResponse`` per WebSocket frame (JSON text frames are accepted too). A client
joins with a ``JoinRequest``: on ``/rtc/v1`` in the query, base64url of a ``WrappedJoinRequest``; on ``/rtc`` as plain query
parameters. What cannot be read raises ``ValueError`` with one sentence.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import zlib
from collections.abc import Iterable, Mapping

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from livekit.protocol import models, rtc
from livekit.protocol.room import RoomEgress

MAX_FRAME = 256 * 1024
MAX_TEXT_FRAME = 64 * 1024  # of JSON, which no SDK writes: to read it takes up to a microsecond an octet
MAX_JOIN = 512 * 1024  # a join request, unpacked
MAX_JOIN_PARAMETER = 48 * 1024  # the same in the query

# The version of LiveKit whose protocol this is: clients compare it before they use RPC, text streams and, above 1.13.6,
# simulcast of VP9 and AV1.
VERSION = "1.13.7"
PROTOCOL = 17

PUBLISH_MIMES = ("audio/opus", "video/VP8", "video/H264", "video/VP9", "video/AV1", "video/H265")

_SID_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_TRACK_PREFIX = {
    models.TrackSource.CAMERA: "VC",
    models.TrackSource.MICROPHONE: "AM",
    models.TrackSource.SCREEN_SHARE: "VS",
    models.TrackSource.SCREEN_SHARE_AUDIO: "AS",
}


def new_sid(prefix: str) -> str:
    """``RM_``, ``PA_`` or ``TR_`` and twelve characters that nobody guesses."""
    return prefix + "".join(secrets.choice(_SID_ALPHABET) for _ in range(12))


def new_track_sid(source: models.TrackSource, kind: models.TrackType) -> str:
    letters = _TRACK_PREFIX.get(source) or ("A" if kind == models.TrackType.AUDIO else "V")
    return new_sid(f"TR_{letters}")


# ---------------------------------------------------------------------------------------------- reading


def parse_request(frame: bytes | str) -> rtc.SignalRequest:
    """One frame of a client."""
    if len(frame) > MAX_FRAME:
        raise ValueError("A signalling message is longer than 256 KiB.")
    request = rtc.SignalRequest()
    if isinstance(frame, str):
        if len(frame) > MAX_TEXT_FRAME:
            raise ValueError("A signalling message in JSON is longer than 64 KiB.")
        try:
            json_format.Parse(frame, request, ignore_unknown_fields=True)
        except (json_format.ParseError, ValueError, RecursionError):
            raise ValueError("A signalling message is not a SignalRequest in JSON.") from None
        return request
    try:
        request.ParseFromString(frame)
    except DecodeError:
        raise ValueError("A signalling message is not a SignalRequest.") from None
    # What nobody here knows would be copied along, to everybody and into every record.
    request.DiscardUnknownFields()
    return request


def parse_join(parameter: str) -> rtc.JoinRequest:
    """The ``join_request`` parameter of ``/rtc/v1``: base64 of either alphabet, with or without padding, gzip or not."""
    if len(parameter) > MAX_JOIN_PARAMETER:
        raise ValueError("The join request is too long.")
    if not parameter:
        raise ValueError("There is no join request.")
    text = parameter.strip().translate(str.maketrans("-_ ", "+/+"))
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        wrapped = rtc.WrappedJoinRequest.FromString(packed)
    except (binascii.Error, ValueError, DecodeError):
        raise ValueError("The join request cannot be read.") from None
    data = wrapped.join_request
    if wrapped.compression == rtc.WrappedJoinRequest.GZIP:
        data = _gunzip(data)
    elif wrapped.compression != rtc.WrappedJoinRequest.NONE:
        raise ValueError("The join request is compressed in an unknown way.")
    try:
        request = rtc.JoinRequest.FromString(data)
    except DecodeError:
        raise ValueError("The join request cannot be read.") from None
    request.DiscardUnknownFields()
    return request


def _gunzip(data: bytes) -> bytes:
    """At most MAX_JOIN bytes come out, whatever goes in."""
    unpack = zlib.decompressobj(wbits=31)
    try:
        out = unpack.decompress(data, MAX_JOIN + 1)
    except zlib.error:
        raise ValueError("The join request is not gzip.") from None
    if len(out) > MAX_JOIN:
        raise ValueError("The join request is too long when unpacked.")
    if not unpack.eof:
        raise ValueError("The join request is cut off.")
    return out


def _number(query: Mapping[str, str], name: str) -> int:
    text = query.get(name, "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _flag(query: Mapping[str, str], name: str) -> bool | None:
    """None when it is not said."""
    text = query.get(name, "")
    return text in ("1", "true") if text else None


def _attributes(text: str) -> dict[str, str]:
    """``attributes`` of ``/rtc``: JSON of texts, base64url. What cannot be read is nothing, as with LiveKit."""
    try:
        found = json.loads(base64.urlsafe_b64decode(text[:MAX_JOIN_PARAMETER])) if text else {}
    except (ValueError, RecursionError):
        return {}
    texts = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    return found if texts else {}


def join_from_query(query: Mapping[str, str]) -> rtc.JoinRequest:
    """The parameters of ``/rtc`` as the same request. Unset ``auto_subscribe`` is true."""
    reconnect = query.get("reconnect", "") in ("1", "true")
    sdk = query.get("sdk", "").upper()
    sdks = models.ClientInfo.SDK
    client = models.ClientInfo(
        sdk=sdk if sdk in sdks.keys() else "UNKNOWN",  # noqa: SIM118 (an enum wrapper, no mapping)
        version=query.get("version", "")[:64],
        protocol=_number(query, "protocol"),
        client_protocol=_number(query, "client_protocol"),
        os=query.get("os", "")[:64],
        os_version=query.get("os_version", "")[:64],
        device_model=query.get("device_model", "")[:64],
        browser=query.get("browser", "")[:64],
        browser_version=query.get("browser_version", "")[:64],
    )
    settings = rtc.ConnectionSettings(
        auto_subscribe=_flag(query, "auto_subscribe") is not False,
        adaptive_stream=_flag(query, "adaptive_stream") is True,
        disable_ice_lite=_flag(query, "disable_ice_lite") is True,
        auto_subscribe_data_track=_flag(query, "auto_subscribe_data_track") is True,
    )
    if (pause := _flag(query, "subscriber_allow_pause")) is not None:  # unset is not the same as no
        settings.subscriber_allow_pause = pause
    return rtc.JoinRequest(
        client_info=client,
        connection_settings=settings,
        participant_attributes=_attributes(query.get("attributes", "")),
        reconnect=reconnect,
        participant_sid=query.get("sid", "")[:64] if reconnect else "",
    )


def room_egress(config: object) -> bytes:
    """``egress`` of a token's ``roomConfig``, as a serialised RoomEgress; empty when it cannot be read."""
    if not isinstance(config, dict):
        return b""
    try:
        return json_format.ParseDict(config, RoomEgress(), ignore_unknown_fields=True).SerializeToString()
    except (json_format.ParseError, ValueError, RecursionError):
        return b""


# ---------------------------------------------------------------------------------------------- building


def encode_json(response: rtc.SignalResponse) -> str:
    return json_format.MessageToJson(response, indent=None)


def leave(
    reason: models.DisconnectReason = models.DisconnectReason.UNKNOWN_REASON,
    action: rtc.LeaveRequest.Action = rtc.LeaveRequest.DISCONNECT,
) -> rtc.SignalResponse:
    request = rtc.LeaveRequest(reason=reason, action=action)
    # what clients before protocol 13 read instead of ``action``
    request.can_reconnect = action != rtc.LeaveRequest.DISCONNECT
    return rtc.SignalResponse(leave=request)


def server_info(node: str, region: str) -> models.ServerInfo:
    return models.ServerInfo(version=VERSION, protocol=PROTOCOL, node_id=node, region=region)


def answer(sdp: str, id: int, mids: Mapping[str, str]) -> rtc.SignalResponse:
    return rtc.SignalResponse(answer=rtc.SessionDescription(type="answer", sdp=sdp, id=id, mid_to_track_id=dict(mids)))


def offer(sdp: str, id: int, mids: Mapping[str, str]) -> rtc.SignalResponse:
    return rtc.SignalResponse(offer=rtc.SessionDescription(type="offer", sdp=sdp, id=id, mid_to_track_id=dict(mids)))


def subscribed_quality(track: str, codecs: Iterable[tuple[str, list[int]]]) -> rtc.SignalResponse:
    """Dynacast. LiveKit names codecs here without ``video/`` and in lower case."""
    message = rtc.SubscribedQualityUpdate(track_sid=track)
    qualities = (models.VideoQuality.LOW, models.VideoQuality.MEDIUM, models.VideoQuality.HIGH)
    for mime, wanted in codecs:
        listed = [rtc.SubscribedQuality(quality=quality, enabled=int(quality) in wanted) for quality in qualities]
        if not message.subscribed_codecs:
            message.subscribed_qualities.extend(listed)
        message.subscribed_codecs.append(rtc.SubscribedCodec(codec=mime.partition("/")[2].lower(), qualities=listed))
    return rtc.SignalResponse(subscribed_quality_update=message)
