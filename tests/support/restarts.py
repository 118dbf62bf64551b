"""A hub that was restarted: what the media worker tells it of a room, and the room it makes of that."""

from __future__ import annotations

from commhub.media import messages as media
from signaling import session
from tests.support.livekit import Stage


def _people(stage: Stage) -> list[media.PeerState]:
    """The last record of everybody."""
    records: dict[str, media.PeerState] = {}
    for command in stage.commands:
        if isinstance(command, media.AddPeer):
            records[command.peer] = media.PeerState(
                command.peer, command.identity, command.kind, command.dual, True, command.about, command.record
            )
        elif isinstance(command, media.UpdatePeer) and command.record is not None:
            old = records[command.peer]
            records[command.peer] = media.PeerState(old.peer, old.identity, old.kind, old.dual, True, old.about, command.record)
    return list(records.values())


def snapshot_of(stage: Stage) -> media.RoomState:
    """What the worker would tell."""
    peers = []
    for peer in _people(stage):
        person = stage.room.people[peer.peer]
        tracks = [
            media.TrackState(track.sid, track.kind, "camera", track.info.mime_type, track.info.mid, cids=track.cids)
            for track in person.tracks.values()
        ]
        peers.append(
            media.PeerState(
                peer.peer, peer.identity, peer.kind, peer.dual, True, peer.about, peer.record, tracks, sorted(person.subscribed)
            )
        )
    denied = [(person.sid, track) for person in stage.room.people.values() for track in sorted(person.denied)]
    return media.RoomState("r", peers, denied=denied)


def restarted(stage: Stage) -> Stage:
    """The room as another hub finds it, and what that one says."""
    state, fresh = snapshot_of(stage), Stage(placed=False)
    room = session.room_of(state, stage.terms, stage.now)
    assert room is not None
    fresh.room = room
    fresh.run(room.restore(state, stage.now))
    return fresh
