"""The board for Grafana, and that whatever it and the alerts ask for is there."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import yaml
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.ports import free_port
from tests.unit.documentation.pages import ROOT
from tests.unit.install.promtool import needs_promtool, promtool
from tests.unit.install.scrapes import LINKERDS, OURS, Scrapes, replica
from webhook.install.monitoring import board, files
from webhook.install.monitoring.alerts import ALERTS
from webhook.install.monitoring.panels import COLUMNS
from webhook.install.monitoring.series import API_SERVERS
from webhook.mesh.defaults import default_trust_anchors, default_values
from webhook.server.metrics import BOUNDS
from webhook.server.upkeep_metrics import UpkeepMetrics

FILE = ROOT / "deploy" / "grafana" / "linkerd-webhook.json"
BOARD: dict[str, Any] = json.loads(FILE.read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = {f"{panel['title']}/{target['refId']}": target["expr"] for panel in PANELS for target in panel["targets"]}

# What Grafana puts in place of its variables.
VARIABLES = {"$__rate_interval": "2m", "$namespace": "linkerd|mesh", "$replica": ".*"}

METRIC = re.compile(r"\b(?:linkerd_|proxy_inject_|apiserver_|process_|python_)[a-z0-9_]+\b")


def filled(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def metrics(expression: str) -> set[str]:
    """The metrics that an expression names; what stands in quotes is a label's value."""
    return set(METRIC.findall(re.sub(r'"[^"]*"', '""', expression)))


@pytest.fixture(scope="module")
def scrape(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Metric]]:
    """What a replica of an installation tells, by metric. No API server answers it: it has just started."""
    folder = tmp_path_factory.mktemp("scrape")
    (folder / "values").write_bytes(default_values())
    (folder / "anchors").write_bytes(default_trust_anchors())
    nobody, port = free_port(), free_port()
    cluster = {"server": f"http://127.0.0.1:{nobody}"}
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "a", "cluster": cluster}],
        "users": [{"name": "a", "user": {}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    arguments = [
        "serve",
        f"--addr=127.0.0.1:{free_port()}",
        f"--admin-addr=127.0.0.1:{port}",
        "--service=linkerd-webhook",
        "--certs=self-managed",
        "--adopt",
        f"--kubeconfig={folder / 'kubeconfig'}",
        f"--values={folder / 'values'}",
        f"--trust-anchors={folder / 'anchors'}",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "webhook.cli", *arguments], cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        text = _scraped(port, folder / "log")
    finally:
        process.kill()
        process.wait()
    families = [*text_string_to_metric_families(text), *_of_a_leader()]
    yield {name: family for family in families for name in _names(family)}


def _scraped(port: int, log: Path) -> str:
    end = time.monotonic() + 30
    while True:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/metrics").text
        except httpx.TransportError:
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)


def _of_a_leader() -> Iterator[Metric]:
    """What only a replica that leads tells, once it has looked whether the API server reaches the webhook."""
    upkeep = SimpleNamespace(
        leading=True,
        counted=list,
        restored={},
        overwritten=list,
        self_test=SimpleNamespace(answered_by="a"),
        duties=SimpleNamespace(adopts=(), service=None),
        configurations=SimpleNamespace(all=list),
    )
    yield from UpkeepMetrics(cast(Any, upkeep)).collect()


def _names(family: Metric) -> tuple[str, ...]:
    match family.type:
        case "counter":
            return (f"{family.name}_total", family.name)
        case "histogram":
            return tuple(f"{family.name}_{part}" for part in ("bucket", "count", "sum"))
    return (family.name,)


def test_the_committed_file_is_what_would_be_written_now() -> None:
    assert FILE.read_text() == files.contents()["grafana/linkerd-webhook.json"], "run make chart"


def test_what_it_and_the_alerts_name_is_told_by_a_replica_or_by_the_api_server(scrape: dict[str, Metric]) -> None:
    """tests/e2e/test_alerts.py finds the API server's own on a real one."""
    there = scrape.keys() | API_SERVERS
    asked = EXPRESSIONS | {alert.name: alert.expression for alert in ALERTS}
    asked |= {variable["name"]: variable.get("definition", "") for variable in BOARD["templating"]["list"]}
    missing = {where: metrics(text) - there for where, text in asked.items() if metrics(text) - there}
    assert missing == {}
    assert [where for where, text in asked.items() if where != "datasource" and not metrics(text)] == []


def test_the_samples_that_the_alerts_are_tested_with_have_the_labels_that_a_replica_tells(
    scrape: dict[str, Metric],
) -> None:
    targets = {"job", "instance", "pod", "namespace"}
    for series in Scrapes().series:
        name, _, rest = series.partition("{")
        labels = set(re.findall(r'(\w+)="', rest)) - targets
        samples = [sample for sample in scrape[name].samples if sample.name == name] if name in scrape else []
        if name in API_SERVERS or not samples:
            continue
        assert labels == set(samples[0].labels), series


def test_it_shows_what_the_alerts_look_at() -> None:
    shown = set().union(*(metrics(expression) for expression in EXPRESSIONS.values()))
    looked_at = set().union(*(metrics(alert.expression) for alert in ALERTS))
    # The version in words stands beside the release line; the rest is only asked for to compare.
    assert looked_at - shown == {"process_start_time_seconds", "linkerd_version_unknown"} | {
        name for name in looked_at if name.endswith("_count") and name in API_SERVERS and "duration" in name
    }


@needs_promtool
def test_prometheus_reads_every_expression(tmp_path: Path) -> None:
    rules = [
        {"record": f"board:expression_{number}", "expr": filled(expression)}
        for number, expression in enumerate(EXPRESSIONS.values())
    ]
    rules.append({"record": "board:alerts", "expr": filled(BOARD["annotations"]["list"][0]["expr"])})
    assert not any("$" in rule["expr"] for rule in rules)
    file = tmp_path / "board.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}, width=10_000))
    done = promtool("check", "rules", str(file), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


SHOWN: dict[str, dict[str, float]] = {
    "Ready replicas/A": {"{}": 2},
    "Let in unmeshed or unchecked (1 h)/A": {"{}": 0},
    "How long answers take, and the timeout/D": {"{}": 5},
    "Served certificate: days left/A": {f'{{pod="linkerd-webhook-{number}"}}': 19.875 for number in (1, 2)},
    "Leader/A": {f"linkerd_webhook_leader{{{replica(1)}}}": 1},
    "Injected, by Namespace/A": {'{namespace="shop"}': 4 / 30},
    "Calls, by webhook and code/A": {f'{{name="{name}", code="200"}}': 20 / 30 for name in (OURS, LINKERDS)},
}


@needs_promtool
@pytest.mark.parametrize("panel", SHOWN)
def test_a_panel_shows_what_is_there(panel: str, tmp_path: Path) -> None:
    scrapes = Scrapes().test(180, set())
    scrapes["promql_expr_test"] = [
        {
            "expr": filled(EXPRESSIONS[panel]),
            "eval_time": "3h",
            "exp_samples": [{"labels": labels, "value": value} for labels, value in SHOWN[panel].items()],
        }
    ]
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"fuzzy_compare": True, "tests": [scrapes]}, width=10_000))
    done = promtool("test", "rules", str(file), folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_variables_are_the_data_source_the_namespace_and_the_replica() -> None:
    shown = [variable["name"] for variable in BOARD["templating"]["list"] if variable["hide"] == 0]
    assert shown == ["datasource", "namespace", "replica"]
    for panel in PANELS:
        for holder in (panel, *panel["targets"]):
            assert holder["datasource"] == {"type": "prometheus", "uid": "$datasource"}


def test_no_panel_lies_on_another_and_each_says_what_to_look_for() -> None:
    places = [(panel["title"], panel["gridPos"]) for panel in BOARD["panels"]]
    for (one, first), (other, second) in itertools.combinations(places, 2):
        beside = first["x"] + first["w"] <= second["x"] or second["x"] + second["w"] <= first["x"]
        below = first["y"] + first["h"] <= second["y"] or second["y"] + second["h"] <= first["y"]
        assert beside or below, f"{one} lies on {other}"
    assert all(place["x"] + place["w"] <= COLUMNS for _, place in places)
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert [panel["title"] for panel in PANELS if not panel["description"].endswith(".")] == []
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)


def test_its_rows_are_in_the_order_in_which_somebody_who_is_woken_looks() -> None:
    rows = [panel["title"] for panel in BOARD["panels"] if panel["type"] == "row"]
    assert rows == [title for title, _ in board.ROWS]
    assert rows[0] == "Health and certificates" and rows[-1] == "Process"


def test_the_timeout_is_drawn_into_the_latency() -> None:
    (drawn,) = (panel for panel in PANELS if panel["title"] == "How long answers take, and the timeout")
    assert drawn["targets"][-1]["legendFormat"] == "timeout"
    assert drawn["fieldConfig"]["overrides"][0]["matcher"]["options"] == "^timeout.*"
    heat = heat_map()
    assert heat["fieldConfig"]["overrides"][0]["matcher"]["options"] == "^timeout.*"
    assert heat["fieldConfig"]["overrides"][0]["properties"][0]["value"]["fixedColor"] == "red"


def heat_map() -> dict[str, Any]:
    (panel,) = (panel for panel in PANELS if panel["type"] == "status-history")
    return cast("dict[str, Any]", panel)


def test_a_row_of_the_heat_map_lies_between_bounds_of_the_histogram() -> None:
    asked = set(re.findall(r'le="([^"]+)"', json.dumps(heat_map()["targets"]).replace('\\"', '"')))
    assert asked <= {str(bound) for bound in BOUNDS} | {"+Inf"}
    assert len(asked) == 10


HERE = 'namespace="linkerd", pod="a", webhook="proxy-injector"'


def told(series: dict[str, str], asked: list[dict[str, Any]], folder: Path) -> None:
    """Prometheus says what is expected after three hours of these series, by labels and values."""
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"eval_time": "3h", **one} for one in asked],
    }
    file = folder / "test.yaml"
    file.write_text(yaml.safe_dump({"fuzzy_compare": True, "tests": [test]}, width=10_000))
    done = promtool("test", "rules", str(file), folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_a_row_of_the_heat_map_tells_how_many_answers_took_so_long(tmp_path: Path) -> None:
    """One a second took between 0.5 and 1 s, and two more than 5 s. Rows of which there are none stay."""
    grown = {str(bound): 60 if bound >= 1 else 0 for bound in BOUNDS} | {"+Inf": 180}
    series = {
        f'linkerd_webhook_duration_seconds_bucket{{{HERE}, le="{bound}"}}': f"0+{a_minute}x180"
        for bound, a_minute in grown.items()
    }
    expected = {"500 ms – 1 s": 1, "more than 5 s": 2}
    asked = [
        {
            "expr": filled(target["expr"]),
            "exp_samples": [{"labels": "{}", "value": expected.get(target["legendFormat"], 0)}],
        }
        for target in heat_map()["targets"]
        if not target["legendFormat"].startswith("timeout")
    ]
    assert len(asked) == 10
    told(series, asked, tmp_path)


@needs_promtool
@pytest.mark.parametrize(
    ("seconds", "below"), [(1, "500 ms – 1 s"), (2, "1 s – 2.5 s"), (5, "2.5 s – 5 s"), (30, "more than 5 s")]
)
def test_the_timeout_is_a_row_above_the_span_that_it_is_in(seconds: int, below: str, tmp_path: Path) -> None:
    """And nowhere else, so that what is above it took too long."""
    targets = heat_map()["targets"]
    asked = [
        {
            "expr": filled(target["expr"]),
            "exp_samples": [{"labels": f'{{seconds="{seconds}"}}', "value": 0}] if following == below else [],
        }
        for target, following in zip(targets, [one["legendFormat"] for one in targets[1:]], strict=False)
        if target["legendFormat"].startswith("timeout")
    ]
    assert len(asked) == 4
    name = "proxy-injector.linkerd-webhook.linkerd.io"
    told({f'linkerd_webhook_timeout_seconds{{{HERE}, name="{name}"}}': f"{seconds}x180"}, asked, tmp_path)
