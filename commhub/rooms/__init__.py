"""Consultations: their records (``rooms``), who may do what (``rules``), who comes in and goes (``door``), how they look
from outside (``picture``), who hears whom in any room (``hearing``)."""

from commhub.rooms.door import Door, House
from commhub.rooms.entering import Entering
from commhub.rooms.hearing import Hearing
from commhub.rooms.leading import Leading
from commhub.rooms.picture import member_of
from commhub.rooms.rooms import Rooms
from commhub.rooms.tickets import InternalKey
from commhub.rooms.watch import Watch
from commhub.store.repeats import Once

__all__ = ["Door", "Entering", "Hearing", "House", "InternalKey", "Leading", "Once", "Rooms", "Watch", "member_of"]
