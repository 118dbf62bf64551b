"""What the hub lets in at its HTTP port, and how much of it: before anybody has said who they are.

:class:`Entrance` accepts connections within bounds, :class:`Origins` tells clients behind proxies apart, :class:`Entries` paces
joins and wrong tokens of an address, :class:`Pace` one client's messages, :func:`bounded` looks after request bodies.
"""

from commhub.guard.entrance import Entrance
from commhub.guard.limits import Limits
from commhub.guard.origins import Network, Origins, group
from commhub.guard.rates import Entries, Pace, Rates
from commhub.guard.requests import bounded

__all__ = ["Entrance", "Entries", "Limits", "Network", "Origins", "Pace", "Rates", "bounded", "group"]
