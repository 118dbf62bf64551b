"""The directory: who and what there is, who may see and change which part of it, how it is found, imported and exported.

``fields`` says what entries consist of, ``plan`` what an import would change, ``writing`` writes, ``index`` and ``words`` find,
``reach`` is who knows and edits what, ``numbers`` are telephone numbers; ``city`` is an import from a folder of TOML files."""

from commhub.directory import formats
from commhub.directory.address_book import AddressBook
from commhub.directory.cameras import CameraAddress, CameraRecord, camera_query, camera_record
from commhub.directory.city import CameraEntry, CityData, PersonEntry, read_city
from commhub.directory.directory import Directory, NewSignIn, new_password
from commhub.directory.exchange import Exchange, Imported, WrongRows
from commhub.directory.words import search_text

__all__ = [
    "AddressBook",
    "CameraAddress",
    "CameraEntry",
    "CameraRecord",
    "CityData",
    "Directory",
    "Exchange",
    "Imported",
    "NewSignIn",
    "PersonEntry",
    "WrongRows",
    "camera_query",
    "camera_record",
    "formats",
    "new_password",
    "read_city",
    "search_text",
]
