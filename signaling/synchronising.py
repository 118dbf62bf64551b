"""``sync_state``: what a client that came back believes, made true. Part of the room's state machine; no I/O, no clock.

After a resume the server knows the same already; after a hub's or a link's end it may have missed the last words. What
cannot be made true (tracks that the server never heard of) ends in a full reconnect.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from livekit.protocol import models, rtc

from commhub.media import messages as media
from signaling import data_tracks, subscribing
from signaling.participant import Participant

if TYPE_CHECKING:
    from signaling.session import Room

MAX_STATES = 500


def synchronise(room: Room, person: Participant, state: rtc.SyncState, now: float) -> None:
    lost = [item for item in state.publish_tracks if item.track.sid not in person.tracks]
    lost_data = [item for item in state.publish_data_tracks if item.info.sid not in person.data_tracks]
    if lost or lost_data:
        room.expel(person, models.DisconnectReason.STATE_MISMATCH, now, rtc.LeaveRequest.RECONNECT)
        return
    if state.track_sids_disabled:
        settings = rtc.UpdateTrackSettings(track_sids=state.track_sids_disabled, disabled=True)
        subscribing.shape(room, person, settings)
    wanted = state.subscription
    tracks = [*wanted.track_sids, *(sid for entry in wanted.participant_tracks for sid in entry.track_sids)]
    subscribing.wish(room, person, tracks, wanted.subscribe, quiet=True)
    if state.HasField("data_subscription"):
        data_tracks.subscribe(room, person, state.data_subscription, now)
    received = {one.publisher_sid: one.last_seq for one in islice(state.datachannel_receive_states, MAX_STATES)}
    room.command(media.Resend(room.name, person.sid, received))
