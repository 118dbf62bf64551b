"""Recordings: the running ones (``sessions``) and the finished ones (``review``)."""

from commhub.recordings.review import Review
from commhub.recordings.sessions import Recordings

__all__ = ["Recordings", "Review"]
