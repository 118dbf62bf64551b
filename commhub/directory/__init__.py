"""Organisations, places, people and cameras: search, and import from a folder of TOML files."""

from commhub.directory.cameras import CameraAddress, CameraRecord, camera_query, camera_record
from commhub.directory.city import CameraEntry, CityData, PersonEntry, read_city
from commhub.directory.directory import Directory, NewSignIn, new_password
from commhub.directory.words import search_text

__all__ = [
    "CameraAddress",
    "CameraEntry",
    "CameraRecord",
    "CityData",
    "Directory",
    "NewSignIn",
    "PersonEntry",
    "camera_query",
    "camera_record",
    "new_password",
    "read_city",
    "search_text",
]
