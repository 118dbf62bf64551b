"""Moving cameras: who has which one (``lock``), what moves now and when it stops by itself (``hands``), what else can be done
to one (``verbs``); all of it joined to people, rights and the bridge is ``control``."""

from commhub.control.control import Control, Devices, Refused
from commhub.control.shapes import LockView

__all__ = ["Control", "Devices", "LockView", "Refused"]
