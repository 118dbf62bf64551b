"""Cameras in use: which rooms they are in, when their bridge pulls them (``feeds``), how they are, and what was tried to
open them (``plays``)."""

from commhub.feeds.condition import BRIDGE_GONE, STATES, Condition
from commhub.feeds.feeds import Feeds, position
from commhub.feeds.plays import Plays
from commhub.feeds.seats import Seats, seat_of
from commhub.feeds.taken import GRACE, MAIN, SUB

__all__ = ["BRIDGE_GONE", "GRACE", "MAIN", "STATES", "SUB", "Condition", "Feeds", "Plays", "Seats", "position", "seat_of"]
