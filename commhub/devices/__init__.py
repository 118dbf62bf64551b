"""Devices that call in (GB/T 28181): who may (``registry``), what they have (``intake``: catalogues become cameras, ``tree`` what
stands above them, ``owners`` whose they are, ``listing`` how they are found), what they raise (``alarms``). ``devices`` joins
them to the link of their bridge."""

from commhub.devices.devices import Devices
from commhub.devices.listing import Found, Listed, Wanted
from commhub.devices.registry import Known, Registry
from commhub.devices.words import load as load_words

__all__ = ["Devices", "Found", "Known", "Listed", "Registry", "Wanted", "load_words"]
