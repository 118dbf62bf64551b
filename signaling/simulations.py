"""``simulate``: a client asks for trouble, to test itself. It touches nobody else. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from commhub.media import messages as media
from signaling import messages
from signaling.participant import Participant

if TYPE_CHECKING:
    from signaling.session import Room

Reason = models.DisconnectReason
Action = rtc.LeaveRequest

LONGEST_SPEECH = 60  # seconds
#: LiveKit closes three: its own service tries twice again before the client notices.
SILENT_CUTS = 1


def simulate(room: Room, person: Participant, request: rtc.SimulateScenario, now: float) -> None:
    scenario = request.WhichOneof("scenario")
    if scenario is not None and (act := _SCENARIOS.get(scenario)) is not None:
        act(room, person, request, now)


def _speaker_update(room: Room, person: Participant, request: rtc.SimulateScenario, now: float) -> None:
    """Speaks for so many seconds, as far as it hears itself."""
    speak(room, person, 0.9)
    person.quiet_at = now + max(0, min(request.speaker_update, LONGEST_SPEECH))


def speak(room: Room, person: Participant, level: float) -> None:
    """LiveKit tells the others too; but nobody here is made to look like a speaker by his own word."""
    speaker = models.SpeakerInfo(sid=person.sid, level=level, active=level > 0)
    room.send(person, rtc.SignalResponse(speakers_changed=rtc.SpeakersChanged(speakers=[speaker])))


def _node_failure(room: Room, person: Participant, request: rtc.SimulateScenario, now: float) -> None:
    """Everything just stops."""
    room.command(media.Sever(room.name, person.sid))
    room.close_socket(person)
    person.present = False
    room.drop(person, Reason.SERVER_SHUTDOWN, now)


def _migration(room: Room, person: Participant, request: rtc.SimulateScenario, now: float) -> None:
    """LiveKit moves the participant to another node; here it comes back to the same one, with everything it had."""
    room.send(person, messages.leave(Reason.MIGRATION, Action.RESUME))


def _server_leave(room: Room, person: Participant, request: rtc.SimulateScenario, now: float) -> None:
    room.expel(person, Reason.SERVER_SHUTDOWN, now)


def _switch_candidate_protocol(room: Room, person: Participant, request: rtc.SimulateScenario, now: float) -> None:
    """The client makes an ICE restart; which candidates it then uses is its own choice, all are in our answer."""
    room.send(person, messages.leave(Reason.UNKNOWN_REASON, Action.RESUME))


def _subscriber_bandwidth(room: Room, person: Participant, request: rtc.SimulateScenario, now: float) -> None:
    room.command(media.Limit(room.name, person.sid, max(0, request.subscriber_bandwidth)))


def _disconnect_signal_on_resume(room: Room, person: Participant, request: rtc.SimulateScenario, now: float) -> None:
    person.resumes_to_cut, person.cut_silently = 1, False


def _no_messages(room: Room, person: Participant, request: rtc.SimulateScenario, now: float) -> None:
    person.resumes_to_cut, person.cut_silently = SILENT_CUTS, True


def _full_reconnect(room: Room, person: Participant, request: rtc.SimulateScenario, now: float) -> None:
    room.expel(person, Reason.UNKNOWN_REASON, now, Action.RECONNECT)


_SCENARIOS: dict[str, Callable[[Room, Participant, rtc.SimulateScenario, float], None]] = {
    "speaker_update": _speaker_update,
    "node_failure": _node_failure,
    "migration": _migration,
    "server_leave": _server_leave,
    "switch_candidate_protocol": _switch_candidate_protocol,
    "subscriber_bandwidth": _subscriber_bandwidth,
    "disconnect_signal_on_resume": _disconnect_signal_on_resume,
    "disconnect_signal_on_resume_no_messages": _no_messages,
    "leave_request_full_reconnect": _full_reconnect,
}
