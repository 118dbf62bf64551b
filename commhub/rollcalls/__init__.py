"""Roll calls: one speaks at a time in a consultation (``turns``, ``rollcalls``), and whether all posts are manned (``posts``,
``postings``). The tables have neither I/O nor a clock."""

from commhub.rollcalls.postings import Wanted
from commhub.rollcalls.records import Record
from commhub.rollcalls.report import sheet
from commhub.rollcalls.rollcalls import RollCalls
from commhub.rollcalls.shapes import RollCall, RollQuestions
from commhub.rollcalls.turns import Act

__all__ = ["Act", "Record", "RollCall", "RollCalls", "RollQuestions", "Wanted", "sheet"]
