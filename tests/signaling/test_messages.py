from __future__ import annotations

import base64
import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from signaling import messages

JOIN = rtc.JoinRequest(
    participant_sid="PA_x", reconnect=True, publisher_offer=rtc.SessionDescription(type="offer", sdp="v=0" + "a" * 500, id=1)
)


def wrapped(data: bytes, compression: int = rtc.WrappedJoinRequest.NONE) -> bytes:
    return rtc.WrappedJoinRequest(compression=compression, join_request=data).SerializeToString()  # type: ignore[arg-type]


@pytest.mark.parametrize("pad", [True, False])
@pytest.mark.parametrize("alphabet", [base64.urlsafe_b64encode, base64.b64encode])
@pytest.mark.parametrize("zipped", [True, False])
def test_join_request_in_every_dress(pad: bool, alphabet: object, zipped: bool) -> None:
    plain = JOIN.SerializeToString()
    packed = wrapped(gzip.compress(plain), rtc.WrappedJoinRequest.GZIP) if zipped else wrapped(plain)
    text = alphabet(packed).decode()  # type: ignore[operator]
    assert messages.parse_join(text if pad else text.rstrip("=")) == JOIN


def bomb() -> str:
    return base64.urlsafe_b64encode(wrapped(gzip.compress(b"\0" * 20_000_000), rtc.WrappedJoinRequest.GZIP)).decode()


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        ("é", "The join request cannot be read."),
        ("", "There is no join request."),
        ("%%%", "The join request cannot be read."),
        ("AAAA", "The join request cannot be read."),
        ("A" * 60_000, "The join request is too long."),
        (bomb(), "The join request is too long when unpacked."),
        (base64.b64encode(wrapped(b"no gzip", rtc.WrappedJoinRequest.GZIP)).decode(), "The join request is not gzip."),
        (
            base64.b64encode(wrapped(gzip.compress(b"x" * 100, mtime=0)[:-9], rtc.WrappedJoinRequest.GZIP)).decode(),
            "The join request is cut off.",
        ),
        (base64.b64encode(wrapped(b"\xff\xff")).decode(), "The join request cannot be read."),
    ],
)
def test_join_requests_that_cannot_be_read(parameter: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        messages.parse_join(parameter)
    assert str(refused.value) == sentence


def test_query_of_two_connections() -> None:
    query = {"auto_subscribe": "0", "sdk": "js", "protocol": "16", "reconnect": "1", "sid": "PA_a", "client_protocol": "x"}
    join = messages.join_from_query(query)
    assert not join.connection_settings.auto_subscribe
    assert (join.client_info.sdk, join.client_info.protocol) == (models.ClientInfo.SDK.JS, 16)
    assert (join.reconnect, join.participant_sid) == (True, "PA_a")
    assert messages.join_from_query({}).connection_settings.auto_subscribe
    assert messages.join_from_query({"sid": "PA_a"}).participant_sid == ""


def test_requests_in_protobuf_and_json() -> None:
    request = rtc.SignalRequest(ping_req=rtc.Ping(timestamp=5))
    assert messages.parse_request(request.SerializeToString()) == request
    assert messages.parse_request('{"pingReq":{"timestamp":"5"},"news":1}') == request
    response = rtc.SignalResponse(pong=5)
    assert messages.encode_json(response) == '{"pong": "5"}'


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (b"\xff\xff\xff", "A signalling message is not a SignalRequest."),
        ("{", "A signalling message is not a SignalRequest in JSON."),
        ("5", "A signalling message is not a SignalRequest in JSON."),
        ('{"a":' * 5000, "A signalling message is not a SignalRequest in JSON."),
        (b"\0" * 300_000, "A signalling message is longer than 256 KiB."),
        ("{" + " " * 66_000 + "}", "A signalling message in JSON is longer than 64 KiB."),
    ],
)
def test_requests_that_cannot_be_read(frame: bytes | str, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        messages.parse_request(frame)
    assert str(refused.value) == sentence


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=100)))
def test_anything_is_a_message_or_a_sentence(frame: bytes | str) -> None:
    for read in (messages.parse_request, lambda data: messages.parse_join(data if isinstance(data, str) else data.hex())):
        try:
            read(frame)
        except ValueError as error:
            sentence = str(error)
        else:
            sentence = "."
        assert sentence.endswith(".")


def test_leave_is_understood_by_old_clients_too() -> None:
    assert messages.leave(action=rtc.LeaveRequest.RECONNECT).leave.can_reconnect
    assert not messages.leave().leave.can_reconnect


def test_sids() -> None:
    sid = messages.new_track_sid(models.TrackSource.SCREEN_SHARE, models.TrackType.VIDEO)
    assert sid.startswith("TR_VS")
    assert len(sid) == len("TR_VCAtAvNA6zcU7s")
    assert messages.new_sid("PA_") != messages.new_sid("PA_")
