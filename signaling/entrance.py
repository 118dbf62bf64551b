"""Who comes into a room and comes back. Parts of the room's state machine; no I/O, no clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from commhub.conference import CameraSeat, Ticket
from commhub.media import messages as media
from signaling import (
    data_tracks,
    describing,
    events,
    messages,
    participant,
    placement,
    publishing,
    requests,
    returning,
    subscribing,
    synchronising,
)
from signaling.outs import Joined
from signaling.participant import Participant, State
from signaling.resource import Resource

if TYPE_CHECKING:
    from signaling.session import Room

Reason = models.DisconnectReason


def join(
    room: Room, ticket: Ticket, request: rtc.JoinRequest, now: float, *, dual: bool, resource: Resource | None = None
) -> str:
    """Somebody new, or somebody known who starts anew: their ``PA_`` sid. ``join`` is the first word they get."""
    known_before, earlier = False, room.returning.pop(ticket.identity, None)
    if (sid := room.by_identity.get(ticket.identity)) is not None:
        known_before, earlier = True, room.people[sid] if room.people[sid].replaced else None
        room.expel(room.people[sid], Reason.DUPLICATE_IDENTITY, now, tell_host=False)
    sid = messages.new_sid("PA_")
    person = participant.client(ticket, request, sid, now, dual=dual, person=ticket.key == room.terms.hub_key)
    metadata, attributes = describing.introduced(ticket, request)
    if room.kept:
        attributes = participant.honest(ticket, attributes)
    person.info.metadata = metadata
    person.info.attributes.clear()
    person.info.attributes.update(attributes)
    returning.obey(room, person)
    if earlier is not None:
        returning.take_up(person, earlier)
    person.present = True
    others = [other.shown() for other in room.people.values() if not other.hidden and not other.replaced]
    room.people[person.sid] = person
    room.by_identity[person.identity] = person.sid
    person.resource = resource
    if person.fixed:
        room.viewers.add(person.sid)
    room.recount(now)
    room.send(person, rtc.SignalResponse(join=_join_response(room, person, others)))
    room.refresh(person, now)
    person.info.state = State.JOINED
    if not person.hidden:
        room.show(person, besides=person)
    placement.add_peer(room, person)
    subscribing.arrived(room, person)
    data_tracks.arrived(room, person)
    for track in request.add_track_requests[: room.terms.max_tracks]:
        requests.carry_out(room, person, "add_track", track, now)
    if not known_before:
        room.outs.append(Joined(person.presence()))
    if request.HasField("publisher_offer"):
        room.negotiate(person, request.publisher_offer)
    return person.sid


def _join_response(room: Room, person: Participant, others: list[models.ParticipantInfo]) -> rtc.JoinResponse:
    terms = room.terms
    return rtc.JoinResponse(
        room=room.info,
        client_configuration=person.client.configuration(),
        participant=person.info,
        other_participants=others,
        server_version=messages.VERSION,
        server_region=terms.region,
        server_info=messages.server_info(terms.node, terms.region),
        ice_servers=terms.ice_servers(person.identity),
        subscriber_primary=person.dual,
        ping_interval=terms.ping_interval,
        ping_timeout=terms.ping_timeout,
        sif_trailer=terms.trailer,
        enabled_publish_codecs=[models.Codec(mime=mime) for mime in person.client.publishes(messages.PUBLISH_MIMES)],
        fast_publish=person.info.permission.can_publish,
    )


def resume(room: Room, sid: str, ticket: Ticket, request: rtc.JoinRequest, now: float) -> bool:
    """The same participant on a new WebSocket; False when there is no such session. ``reconnect`` is the first word."""
    person = room.people.get(sid)
    if person is None or person.replaced or person.kind != "client" or person.on_http or person.identity != ticket.identity:
        return False
    person.present = True
    if not person.media_ended:
        person.away_until = None
    # What an admin changed meanwhile stays; only the token is newer.
    person.ticket = participant.with_rights(ticket, person.ticket.grants)
    if person.resumes_to_cut and person.cut_silently:
        person.resumes_to_cut -= 1
        room.close_socket(person)
        return True
    reconnect = rtc.ReconnectResponse(
        ice_servers=room.terms.ice_servers(person.identity),
        server_info=messages.server_info(room.terms.node, room.terms.region),
        client_configuration=person.client.configuration(),
        # May lag behind what has arrived: what the client then sends again is known by its sequence.
        last_message_seq=person.received,
    )
    room.send(person, rtc.SignalResponse(reconnect=reconnect))
    room.refresh(person, now)
    seen = [other.shown() for other in room.people.values() if other is person or not (other.hidden or other.replaced)]
    update = rtc.ParticipantUpdate(participants=[*person.gone.values(), *seen])
    person.gone.clear()
    room.send(person, rtc.SignalResponse(update=update))
    room.send(person, rtc.SignalResponse(room_update=rtc.RoomUpdate(room=room.info)))
    for response in person.wanted.values():
        room.send(person, response)
    data_tracks.resumed(room, person)
    if person.sections is not None:
        events.ask_sections(room, person)
    if person.dual:
        room.command(media.Reoffer(room.name, sid, restart=True))
    if request.HasField("sync_state"):
        synchronising.synchronise(room, person, request.sync_state, now)
    if request.HasField("publisher_offer"):
        room.negotiate(person, request.publisher_offer)
    if person.resumes_to_cut:
        person.resumes_to_cut -= 1
        room.close_socket(person)
    return True


def camera(room: Room, seat: CameraSeat, now: float) -> None:
    """A camera's participant; idempotent."""
    if (sid := room.by_identity.get(seat.identity)) is not None:
        if room.people[sid].seat == seat:
            return
        (room.expel if room.people[sid].kind == "client" else room.drop)(
            room.people[sid], Reason.DUPLICATE_IDENTITY, now, tell_host=False
        )
    person = participant.camera(seat, messages.new_sid("PA_"), now)
    publishing.seat_tracks(person)
    room.people[person.sid] = person
    room.by_identity[person.identity] = person.sid
    room.recount(now)
    placement.add_bridge(room, person)
    room.show(person)
    room.outs.append(Joined(person.presence()))
