"""CommHub: a unified communications and video-consultation hub for a city operations centre."""

__version__ = "0.1.0"
