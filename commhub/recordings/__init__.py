"""Recordings: the running ones of consultations (``sessions``) and of other rooms (``rooms``), the finished ones (``review``),
and what stops by itself (``vacancy``)."""

from commhub.recordings.egress import RoomEgress
from commhub.recordings.policy import Rules
from commhub.recordings.review import Review
from commhub.recordings.rooms import RoomRecordings
from commhub.recordings.sessions import Recordings
from commhub.recordings.subjects import Cameras, Consultations, Subject
from commhub.recordings.vacancy import Vacancy
from commhub.recordings.wishes import Wishes
from commhub.recordings.witness import Witness

__all__ = [
    "Cameras",
    "Consultations",
    "Recordings",
    "Review",
    "RoomEgress",
    "RoomRecordings",
    "Rules",
    "Subject",
    "Vacancy",
    "Wishes",
    "Witness",
]
