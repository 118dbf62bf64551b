"""What is exported is what is documented, and what alerts and dashboards ask for exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from commhub.metrics import Metrics
from commhub.metrics.catalogue import METRICS
from commhub.metrics.registry import Scrape

REPOSITORY = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"\bcommhub_[a-z_]+")


def exported() -> set[str]:
    """Every name a query may use."""
    names: set[str] = set()
    for metric in METRICS:
        suffixes = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        names.update(metric.exported + suffix for suffix in suffixes)
    return names


def test_the_documentation_lists_what_is_exported_and_nothing_else() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", (REPOSITORY / "docs/metrics.md").read_text("utf-8"), re.MULTILINE
    )
    assert rows == [(one.exported, one.kind, ", ".join(one.labels) or "—", one.help) for one in METRICS]


def test_names_and_help_follow_the_rules() -> None:
    for metric in METRICS:
        assert re.fullmatch(r"commhub_[a-z]+(_[a-z]+)*", metric.name), metric.name
        assert not metric.name.endswith("_total")
        assert metric.help.endswith("."), metric.name
        assert not re.search(r"_(ms|milliseconds|kb|kilobytes|octets)\b", metric.name)
        if metric.kind == "histogram":
            assert metric.name.endswith("_seconds")
            assert list(metric.buckets) == sorted(metric.buckets)


async def test_what_is_exported_is_the_catalogue() -> None:
    metrics = Metrics()
    metrics.observe("join_seconds")("media", 1.0)
    families = {one.name: one for one in text_string_to_metric_families((await metrics.text()).decode())}
    assert set(families) == {metric.name for metric in METRICS}
    for metric in METRICS:
        assert (families[metric.name].type, families[metric.name].documentation) == (metric.kind, metric.help)


async def test_a_source_that_fails_does_not_hide_the_others() -> None:
    def broken(scrape: Scrape) -> None:
        raise RuntimeError("no")

    metrics = Metrics()
    metrics.source(broken)
    metrics.source(lambda scrape: scrape.add("rooms", 3))
    metrics.source(lambda scrape: scrape.add("up", 1, "media-0"), apart=True)
    metrics.observe("join_seconds")("media", 0.3)
    text = (await metrics.text()).decode()
    assert "commhub_rooms 3.0\n" in text
    assert 'commhub_up{process="media-0"} 1.0\n' in text
    assert 'commhub_join_seconds_bucket{le="0.35",stage="media"} 1.0\n' in text


def test_only_what_the_catalogue_has_can_be_said() -> None:
    with pytest.raises(KeyError):
        Scrape().add("invented", 1)
    with pytest.raises(ValueError, match=r"^commhub_packets has the labels process, direction\.$"):
        Scrape().add("packets", 1, "media-0")


@pytest.mark.parametrize("file", ["prometheus-alerts.yml", "grafana-commhub.json"])
def test_every_metric_that_is_asked_for_exists(file: str) -> None:
    text = (REPOSITORY / "configs" / file).read_text("utf-8")
    if file.endswith(".json"):
        targets = [target["expr"] for panel in json.loads(text)["panels"] for target in panel["targets"]]
        assert len(targets) > 20
        text = "\n".join(targets)
    named = set(NAMED.findall(text)) - {"commhub"}
    assert named
    assert named <= exported(), named - exported()


def test_prometheus_itself_takes_configuration_and_rules() -> None:
    folder = REPOSITORY / "configs"
    rules = yaml.safe_load((folder / "prometheus-alerts.yml").read_text("utf-8"))["groups"][0]["rules"]
    assert all({"alert", "expr", "labels", "annotations"} <= set(rule) for rule in rules)
    config = yaml.safe_load((folder / "prometheus.yml").read_text("utf-8"))
    assert [job["job_name"] for job in config["scrape_configs"]] == ["commhub"]
    if (promtool := shutil.which("promtool")) is not None:  # of Debian's package prometheus
        for what, file in (("config", "prometheus.yml"), ("rules", "prometheus-alerts.yml")):
            done = subprocess.run([promtool, "check", what, file], cwd=folder, capture_output=True, text=True, timeout=30)
            assert done.returncode == 0, done.stdout + done.stderr
