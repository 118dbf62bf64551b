"""Scheduled consultations: when (``series``, ``ics``), what (``agenda``), what happens by the clock (``beginning``), what is
brought (``materials``), who was there (``attendance``) and what came of it (``minutes``)."""

from commhub.agenda.agenda import Agenda, Wanted, moment
from commhub.agenda.attendance import Attending
from commhub.agenda.beginning import Beginning
from commhub.agenda.materials import TYPES, Materials, Room
from commhub.agenda.minutes import Writing
from commhub.agenda.scheduled import Scheduled

__all__ = ["TYPES", "Agenda", "Attending", "Beginning", "Materials", "Room", "Scheduled", "Wanted", "Writing", "moment"]
