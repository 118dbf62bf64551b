"""Consultations: their records (``rooms``), who may do what (``rules``), who comes in and goes (``door``), how they look
from outside (``picture``), who hears whom in any room (``hearing``)."""

from commhub.rooms.door import Door, House
from commhub.rooms.hearing import Hearing
from commhub.rooms.picture import member_of
from commhub.rooms.rooms import Rooms
from commhub.rooms.tickets import InternalKey
from commhub.store.repeats import Once

__all__ = ["Door", "Hearing", "House", "InternalKey", "Once", "Rooms", "member_of"]
