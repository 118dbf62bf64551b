"""The metrics in Prometheus' text format. Sources are asked when somebody reads; between readings only histograms count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from commhub import log as logs
from commhub.log import limited
from commhub.metrics.catalogue import BY_NAME, METRICS

log = logs.get(__name__)

disable_created_metrics()  # type: ignore[no-untyped-call]  # when a histogram was made would be a metric more
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Family = GaugeMetricFamily | CounterMetricFamily


class Scrape:
    """One reading. ``add`` takes metrics of the catalogue only."""

    def __init__(self) -> None:
        self.families: dict[str, Family] = {}
        for metric in METRICS:
            if metric.kind == "gauge":
                self.families[metric.name] = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
            elif metric.kind == "counter":
                self.families[metric.name] = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)

    def add(self, name: str, value: float, *labels: str) -> None:
        """``name`` without the namespace, labels in the catalogue's order. KeyError, ValueError for what it does not have."""
        metric = BY_NAME[f"commhub_{name}"]
        if len(labels) != len(metric.labels):
            raise ValueError(f"{metric.name} has the labels {', '.join(metric.labels)}.")
        self.families[metric.name].add_metric(labels, value)


Source = Callable[[Scrape], None]


class Metrics:
    """``sources`` are asked in a thread of no importance: in the event loop, except those of ``apart``, which read files."""

    def __init__(self) -> None:
        self._sources: list[Source] = []
        self._apart: list[Source] = []
        self._registry = CollectorRegistry()
        self._histograms = {
            metric.name: Histogram(
                metric.name, metric.help, labelnames=metric.labels, buckets=metric.buckets, registry=self._registry
            )
            for metric in METRICS
            if metric.kind == "histogram"
        }

    def source(self, source: Source, *, apart: bool = False) -> None:
        (self._apart if apart else self._sources).append(source)

    def observe(self, name: str) -> Callable[[str, float], None]:
        """What takes ``(label, seconds)`` of a histogram with one label."""
        histogram = self._histograms[f"commhub_{name}"]
        return lambda label, seconds: histogram.labels(label).observe(seconds)

    async def text(self) -> bytes:
        scrape = Scrape()
        for source in self._sources:
            _ask(source, scrape)
        for source in self._apart:
            await asyncio.to_thread(_ask, source, scrape)
        registry = CollectorRegistry()
        registry.register(_Once(scrape.families.values()))
        return generate_latest(registry) + generate_latest(self._registry)


def _ask(source: Source, scrape: Scrape) -> None:
    try:
        source(scrape)
    except Exception:  # the others are shown all the same
        if (suppressed := limited("metrics source", 600)) is not None:
            log.exception("metrics source failed", suppressed=suppressed)


class _Once:
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        return iter(self._families)
