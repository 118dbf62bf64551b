"""How long joining takes."""

from __future__ import annotations

from commhub.media import messages as media
from signaling.joining import KEPT, JoinTimes


def test_stages_are_told_once_each() -> None:
    now, told = [10.0], list[tuple[str, float]]()
    times = JoinTimes(lambda stage, seconds: told.append((stage, round(seconds, 3))), lambda: now[0])
    times.began("PA_1", 9.5)
    times.heard(media.PeerConnected("r", "PA_1"))
    now[0] = 10.4
    times.heard(media.TrackLive("r", "PA_1", "TR_1"))
    times.heard(media.TrackLive("r", "PA_1", "TR_2"))
    times.heard(media.PeerConnected("r", "PA_1"))  # again, after a silence
    times.heard(media.PeerConnected("r", "PA_9"))  # found by a restarted hub: nobody knows since when
    assert told == [("connected", 0.5), ("media", 0.9)]


def test_who_never_has_media_is_forgotten() -> None:
    told = list[tuple[str, float]]()
    times = JoinTimes(lambda stage, seconds: told.append((stage, seconds)), lambda: 1.0)
    times.began("PA_gone", 0.0)
    times.heard(media.PeerLost("r", "PA_gone", "silent"))
    times.heard(media.PeerConnected("r", "PA_gone"))
    for number in range(KEPT + 1):
        times.began(f"PA_{number}", 0.0)
    times.heard(media.PeerConnected("r", "PA_0"))
    assert told == []
    times.heard(media.PeerConnected("r", "PA_1"))
    assert told == [("connected", 1.0)]
