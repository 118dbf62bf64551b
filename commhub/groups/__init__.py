"""Groups that talk one at a time: records (``registry``), calls (``live``), the ``floor``, emergencies."""

from commhub.groups.groups import Groups, Terms
from commhub.groups.picture import Pictures
from commhub.groups.preempting import by_ending_calls
from commhub.groups.recorded import RecordedGroups
from commhub.groups.registry import Wanted
from commhub.groups.shapes import Times

__all__ = ["Groups", "Pictures", "RecordedGroups", "Terms", "Times", "Wanted", "by_ending_calls"]
