"""``request_response``: what a request could not do, in LiveKit's words. No I/O, no clock."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message
from livekit.protocol import rtc

Reason = rtc.RequestResponse

#: Requests that are echoed in the response, by the name of the request's field.
_ECHOED = {
    "trickle": "trickle",
    "add_track": "add_track",
    "mute": "mute",
    "update_metadata": "update_metadata",
    "update_audio_track": "update_audio_track",
    "update_video_track": "update_video_track",
    "publish_data_track_request": "publish_data_track",
    "unpublish_data_track_request": "unpublish_data_track",
}


class Refused(Exception):
    """A request of a client that is not carried out. The client is told ``reason`` and ``text``."""

    def __init__(self, reason: rtc.RequestResponse.Reason, text: str) -> None:
        super().__init__(text)
        self.reason, self.text = reason, text


def response(field: str, request: Any, reason: rtc.RequestResponse.Reason = Reason.OK, text: str = "") -> rtc.RequestResponse:
    """To the request in ``field`` of a SignalRequest."""
    answer = rtc.RequestResponse(request_id=getattr(request, "request_id", 0), reason=reason, message=text)
    if (echo := _ECHOED.get(field)) is not None and isinstance(request, Message):
        getattr(answer, echo).CopyFrom(request)
    return answer
