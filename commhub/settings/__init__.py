"""The settings: one typed tree, read once, frozen afterwards.

Order, the later wins: defaults here < TOML file < environment `COMMHUB_SECTION__KEY` (top level: `COMMHUB_KEY`);
the command line writes into the environment, so that every child process loads the same tree. A key nobody knows is
a mistake, in the file and in the environment. `load` finds all mistakes before it complains.

No module but `loading` reads the environment; each part of the hub is handed its own section.
"""

from commhub.settings.loading import Loaded, Mistakes, all_paths, find_file, load, show, variable
from commhub.settings.sections import (
    BridgesSettings,
    CitySettings,
    DatabaseSettings,
    Gb28181Settings,
    HttpSettings,
    Key,
    LimitsSettings,
    LogSettings,
    MediaSettings,
    MetricsSettings,
    RecorderSettings,
    RecordingsSettings,
    RedisSettings,
    TurnSettings,
    WebhookReceiver,
    WebhooksSettings,
)
from commhub.settings.tree import Settings

__all__ = [
    "BridgesSettings",
    "CitySettings",
    "DatabaseSettings",
    "Gb28181Settings",
    "HttpSettings",
    "Key",
    "LimitsSettings",
    "Loaded",
    "LogSettings",
    "MediaSettings",
    "MetricsSettings",
    "Mistakes",
    "RecorderSettings",
    "RecordingsSettings",
    "RedisSettings",
    "Settings",
    "TurnSettings",
    "WebhookReceiver",
    "WebhooksSettings",
    "all_paths",
    "find_file",
    "load",
    "show",
    "variable",
]
