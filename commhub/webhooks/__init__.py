"""LiveKit's webhooks: what happens in rooms, posted to other systems' receivers.

Say a fact with :meth:`Webhooks.emit` (from anywhere, never waits) or :meth:`Webhooks.write` (in the transaction that makes it
a fact). It is in the database before it is sent, so it survives the hub; every receiver gets the events of one room in
order, at least once, the same event always under the same id.
"""

from commhub.webhooks.event import KINDS, Receiver
from commhub.webhooks.lanes import Backoff
from commhub.webhooks.webhooks import Webhooks

__all__ = ["KINDS", "Backoff", "Receiver", "Webhooks"]
