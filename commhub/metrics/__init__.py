"""The hub's metrics: a catalogue, where the figures come from, and Prometheus' text format."""

from commhub.metrics.processes import Processes
from commhub.metrics.registry import CONTENT_TYPE, Metrics

__all__ = ["CONTENT_TYPE", "Metrics", "Processes"]
