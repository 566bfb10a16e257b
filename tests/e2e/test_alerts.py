"""The alerts' truth: no replica is left, Pods are created, and what the API server tells then makes the alerts fire."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.api import JSON, ApiServer
from tests.e2e.installation import NAME, Installation
from tests.e2e.mesh import Manifests
from tests.e2e.objects import ENABLED, Room, bare, meshed
from tests.e2e.waiting import until
from tests.unit.install.promtool import needs_promtool, promtool
from webhook.install import configurations as conf
from webhook.install.monitoring import files
from webhook.install.monitoring.series import API_SERVERS, FAIL_OPEN, REJECTIONS, STARTED, TIMEOUTS

LINKERDS = "linkerd-proxy-injector.linkerd.io"
MUTATING = "MutatingWebhookConfiguration"
ADOPTED = "linkerd-proxy-injector-webhook-config"

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]

WEBHOOKS = (conf.INJECTOR_WEBHOOK, conf.POLICY_WEBHOOK, conf.PROFILE_WEBHOOK, conf.SELF_TEST_WEBHOOK, LINKERDS)

# The alerts that tell of what nobody answered. Others fire as well: nobody is ready.
UNANSWERED = {"LinkerdWebhookFailOpen", "LinkerdWebhookCallsFailing"}


def samples(text: str) -> Samples:
    """A scrape, by name and labels. The parser gives each counter the end `_total`, the API server does not."""
    result = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            as_told = sample.name.removesuffix("_total")
            name = as_told if as_told in API_SERVERS else sample.name
            result[name, tuple(sorted(sample.labels.items()))] = sample.value
    return result


def told(api: ApiServer) -> Samples:
    """What the API server's /metrics tells of webhooks."""
    text = str(api.request("GET", "/metrics").body["message"])
    return {key: value for key, value in samples(text).items() if key[0] in {*API_SERVERS, STARTED}}


def more(before: Samples, after: Samples, metric: str, **labels: str) -> float:
    """By how much the series of a metric with these labels have grown."""
    return sum(
        value - before.get((name, own), 0.0)
        for (name, own), value in after.items()
        if name == metric and labels.items() <= dict(own).items()
    )


def firing(before: Samples, after: Samples, timeouts: Samples, folder: Path) -> dict[str, set[str]]:
    """The alerts that fire where Prometheus has seen these scrapes, and for which webhooks: promtool's word."""

    def line(key: tuple[str, tuple[tuple[str, str], ...]], target: str) -> str:
        labels = ", ".join([target, *(f'{name}="{value}"' for name, value in key[1])])
        return f"{key[0]}{{{labels}}}"

    server, ours = 'job="apiserver", instance="a"', 'job="linkerd-webhook", instance="b"'
    series: list[dict[str, str]] = []
    for key, value in after.items():
        earlier = f"{before[key]:f}+0x39" if key in before else "_x40"
        series.append({"series": line(key, server), "values": f"{earlier} {value:f}+0x10"})
    series += [
        {"series": line(key, ours), "values": f"{value:f}+0x39 stale"}
        for key, value in timeouts.items()
        if key[0] == TIMEOUTS
    ]
    (folder / "alerts.yaml").write_text(files.alerts())
    result: dict[str, set[str]] = {}
    for alert in sorted(UNANSWERED):
        for name in WEBHOOKS:
            expression = f'count(ALERTS{{alertstate="firing", alertname="{alert}", name="{name}"}})'
            expected = [{"labels": "{}", "value": 1}]
            checked: dict[str, Any] = {"expr": expression, "eval_time": "22m", "exp_samples": expected}
            test = {"interval": "30s", "input_series": series, "promql_expr_test": [checked]}
            content = {"rule_files": ["alerts.yaml"], "evaluation_interval": "30s", "tests": [test]}
            (folder / "test.yaml").write_text(yaml.safe_dump(content, width=10_000))
            done = promtool("test", "rules", "test.yaml", folder=folder)
            assert "got: nil" in done.stdout + done.stderr or done.returncode == 0, done.stdout + done.stderr
            if done.returncode == 0:
                result.setdefault(alert, set()).add(name)
    return result


def points_here(body: JSON) -> bool:
    """Whether a configuration points at our Service."""
    return all(webhook["clientConfig"].get("service", {}).get("name") == NAME for webhook in body["webhooks"])


def stopped(installation: Installation) -> Samples:
    """Stop all replicas; what one of them told of timeouts before."""
    replica = installation.replicas[0]
    until("its timeouts", lambda: replica.metric(TIMEOUTS) > 0, within=10)
    timeouts = samples(httpx.get(f"http://127.0.0.1:{replica.admin_port}/metrics").text)
    for process in installation.replicas:
        process.kill()
    return timeouts


@needs_promtool
@pytest.mark.usefixtures("linkerd")
class TestNobodyAnswers:
    @pytest.mark.parametrize(
        ("policy", "status", "metric", "labels", "other", "alert"),
        [
            ("Ignore", 201, FAIL_OPEN, {"type": "admit"}, REJECTIONS, "LinkerdWebhookFailOpen"),
            (
                "Fail",
                500,
                REJECTIONS,
                {"error_type": "calling_webhook_error"},
                FAIL_OPEN,
                "LinkerdWebhookCallsFailing",
            ),
        ],
    )
    def test_what_the_failure_policy_does_is_told_and_nothing_else(
        self,
        api: ApiServer,
        newest: Manifests,
        tmp_path: Path,
        policy: str,
        status: int,
        metric: str,
        labels: dict[str, str],
        other: str,
        alert: str,
    ) -> None:
        with Installation(api, newest, tmp_path, [f"--failure-policy={policy}", "--guard=off"]) as ours:
            ours.start(2)
            until("configurations in force", ours.in_force, within=30)
            room = Room.create(api, policy.lower(), ENABLED)
            until("a meshed Pod", lambda: meshed(room.pod(dry_run=True).ok()), within=15)
            timeouts = stopped(ours)
            before = told(api)
            replies = [room.pod() for _ in range(3)]
            after = told(api)
        assert [reply.status for reply in replies] == [status] * 3
        assert all(bare(reply.body) for reply in replies if reply.status == 201)
        assert more(before, after, metric, name=conf.INJECTOR_WEBHOOK, **labels) == 3
        assert more(before, after, other, name=conf.INJECTOR_WEBHOOK) == 0
        assert firing(before, after, timeouts, tmp_path) == {alert: {conf.INJECTOR_WEBHOOK}}

    def test_of_an_adopted_configuration_it_is_told_by_linkerds_name(
        self, api: ApiServer, newest: Manifests, tmp_path: Path
    ) -> None:
        theirs = newest.one(MUTATING, ADOPTED)
        api.apply(theirs)
        with Installation(api, newest, tmp_path, ["--adopt", "--guard=off"]) as ours:
            ours.start(2)
            until("the adoption", lambda: points_here(ours.get(MUTATING, ADOPTED)), within=30)
            room = Room.create(api, "adopted", ENABLED)
            until("a meshed Pod", lambda: meshed(room.pod(dry_run=True).ok()), within=15)
            timeouts = stopped(ours)
            before = told(api)
            assert bare(room.pod().ok())
            after = told(api)
        assert more(before, after, FAIL_OPEN, name=LINKERDS) == 1
        assert firing(before, after, timeouts, tmp_path) == {"LinkerdWebhookFailOpen": {LINKERDS}}


@pytest.mark.usefixtures("linkerd")
def test_the_api_server_tells_all_that_alerts_and_board_ask_it_for(
    api: ApiServer, newest: Manifests, tmp_path: Path
) -> None:
    for policy in ("Ignore", "Fail"):
        with Installation(api, newest, tmp_path / policy, [f"--failure-policy={policy}", "--guard=off"]) as ours:
            ours.start()
            until("configurations in force", ours.in_force, within=30)
            room = Room.create(api, "told", ENABLED)
            until("a meshed Pod", lambda room=room: meshed(room.pod(dry_run=True).ok()), within=15)  # type: ignore[misc]
            stopped(ours)
            room.pod()
    series = told(api)
    labels = {name: set(dict(own)) for name, own in series if ("name", conf.INJECTOR_WEBHOOK) in own}
    missing = {name: set(wanted) - labels.get(name, set()) for name, wanted in API_SERVERS.items()}
    assert {name: lacks for name, lacks in missing.items() if lacks} == {}
    assert any(name == STARTED for name, _ in series)
    bounds = {float(dict(own)["le"]) for name, own in series if name.endswith("duration_seconds_bucket")}
    # A tenth and half of 5 seconds are bounds; half of Linkerd's 10 lies between two.
    assert {0.5, 2.5, 10.0} <= bounds
