"""Recordings: the running ones (``sessions``), the finished ones (``review``), and what stops by itself (``vacancy``)."""

from commhub.recordings.egress import RoomEgress
from commhub.recordings.review import Review
from commhub.recordings.sessions import Recordings
from commhub.recordings.vacancy import Vacancy
from commhub.recordings.witness import Witness

__all__ = ["Recordings", "Review", "RoomEgress", "Vacancy", "Witness"]
