"""Forced verbs: monitor, whisper, barge, release, takeover, preempt. The table (``policy``), lines as they are now
(``lines``), the table applied (``judging``), who listens (``listening``), what is done (``dispatch``)."""

from commhub.dispatch.dispatch import Dispatch, Order
from commhub.dispatch.judging import Aim
from commhub.dispatch.policy import Verb

__all__ = ["Aim", "Dispatch", "Order", "Verb"]
