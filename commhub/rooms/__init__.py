"""Consultations: their records (``rooms``), who may do what (``rules``), who comes in and goes (``door``), how they look
from outside (``picture``)."""

from commhub.rooms.door import Door
from commhub.rooms.picture import member_of
from commhub.rooms.rooms import Once, Rooms
from commhub.rooms.tickets import InternalKey

__all__ = ["Door", "InternalKey", "Once", "Rooms", "member_of"]
