"""The alerts: each fires for its fault, and none on a day without one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.unit.documentation.pages import ROOT, anchors
from tests.unit.install.promtool import needs_promtool, promtool
from tests.unit.install.scrapes import (
    API_SERVER,
    DAY,
    HOURS,
    LINKERDS,
    OURS,
    Scrapes,
    after,
    constant,
    gone,
    replica,
    rising,
)
from webhook.install import configurations as conf
from webhook.install.monitoring import files
from webhook.install.monitoring.alerts import ALERTS, PAGE, rules
from webhook.install.monitoring.series import LINKERDS as LINKERDS_MATCHER
from webhook.install.monitoring.series import OURS as OURS_MATCHER

FILE = ROOT / "deploy" / "alerts" / "linkerd-webhook.yaml"
HOUR = 60

FAIL_OPEN = "apiserver_admission_webhook_fail_open_count"
REJECTIONS = "apiserver_admission_webhook_rejection_count"
RESPONSES = "proxy_inject_admission_responses_total"


def failed_open(scrapes: Scrapes, name: str, samples: str) -> None:
    scrapes.put(FAIL_OPEN, f'{API_SERVER}, name="{name}", type="admit"', samples)


def rejected(scrapes: Scrapes, name: str, samples: str, error: str = "calling_webhook_error") -> None:
    labels = f'{API_SERVER}, name="{name}", type="admit", operation="CREATE", error_type="{error}", rejection_code="0"'
    scrapes.put(REJECTIONS, labels, samples)


def skipped(scrapes: Scrapes, samples: str, reason: str, namespace: str = "shop", number: int = 1) -> None:
    labels = (
        f'job="linkerd-webhook", pod="linkerd-webhook-{number}", instance="10.1.0.{number}:9995", '
        f'namespace="{namespace}", owner_kind="deployment", annotation_at="workload", skip="true", '
        f'skip_reason="{reason}"'
    )
    scrapes.put(RESPONSES, labels, samples)


def nobody_is_ready(scrapes: Scrapes) -> None:
    for number in (1, 2):
        scrapes.put("linkerd_webhook_ready", replica(number), after(HOUR, constant(0), "1"))


def nobody_is_there(scrapes: Scrapes) -> None:
    for number in (1, 2):
        scrapes.stop(number, HOUR)


def let_in_for_the_first_time(scrapes: Scrapes) -> None:
    failed_open(scrapes, OURS, after(HOUR, constant(1)))


def let_in_once_more(scrapes: Scrapes) -> None:
    failed_open(scrapes, OURS, after(HOUR, constant(8), "7"))


def let_in_by_an_api_server_that_has_just_started(scrapes: Scrapes) -> None:
    other = 'job="apiserver", instance="10.0.0.2:6443"'
    scrapes.put("process_start_time_seconds", other, after(HOUR, constant(HOUR * 60)))
    scrapes.put(FAIL_OPEN, f'{other}, name="{OURS}", type="admit"', after(HOUR + 1, constant(1)))


def let_in_adopted(scrapes: Scrapes) -> None:
    scrapes.adopted()
    failed_open(scrapes, LINKERDS, after(HOUR, constant(1)))


def let_in_when_no_replica_is_left(scrapes: Scrapes) -> None:
    scrapes.adopted()
    nobody_is_there(scrapes)
    failed_open(scrapes, LINKERDS, after(HOUR + 1, rising(3)))


def refused(scrapes: Scrapes) -> None:
    rejected(scrapes, OURS, after(HOUR, rising(2)))


def refused_adopted(scrapes: Scrapes) -> None:
    scrapes.adopted()
    rejected(scrapes, LINKERDS, after(HOUR, constant(1)))


def not_reached(scrapes: Scrapes) -> None:
    scrapes.put("linkerd_webhook_self_test_success", replica(1), after(HOUR, constant(0), "1"))


def a_bug(scrapes: Scrapes) -> None:
    labels = f'{replica(2)}, webhook="proxy-injector"'
    scrapes.put("linkerd_webhook_internal_errors_total", labels, after(HOUR, constant(1), "0"))


def too_many(scrapes: Scrapes) -> None:
    scrapes.put("linkerd_webhook_rejected_requests_total", f'{replica(2)}, status="429"', after(HOUR, rising(1), "0"))


def slow(scrapes: Scrapes) -> None:
    scrapes.answers(1, "proxy-injector", "1.0")


def very_slow(scrapes: Scrapes) -> None:
    scrapes.answers(1, "proxy-injector", "5.0")


def slow_without_a_service(scrapes: Scrapes) -> None:
    """Linkerd's own Deployment with our image: nobody tells of a timeout, and Linkerd's is 10 seconds."""
    scrapes.series = {name: samples for name, samples in scrapes.series.items() if "timeout_seconds" not in name}
    scrapes.answers(1, "proxy-injector", "2.5")


def slow_calls(scrapes: Scrapes) -> None:
    scrapes.calls(OURS, "1.0")


def very_slow_calls(scrapes: Scrapes) -> None:
    scrapes.calls(OURS, "10.0")


def very_slow_calls_adopted(scrapes: Scrapes) -> None:
    scrapes.adopted()
    scrapes.calls(LINKERDS, "10.0")


def not_renewed(scrapes: Scrapes) -> None:
    scrapes.put("linkerd_webhook_certificate_renewal_timestamp_seconds", replica(1), constant(HOUR * 60))


def ends(scrapes: Scrapes) -> None:
    for number in (1, 2):
        scrapes.put("linkerd_webhook_certificate_renewal_timestamp_seconds", replica(number), constant(60))
        scrapes.put("linkerd_webhook_certificate_expiry_timestamp_seconds", replica(number), constant(HOURS * 3600))


def anchor_ends(scrapes: Scrapes) -> None:
    labels = f'{replica(1)}, subject="CN=old", sha256="fedcba9876543210"'
    scrapes.put("linkerd_webhook_trust_anchor_expiry_timestamp_seconds", labels, constant(59 * DAY))


def files_refused(scrapes: Scrapes) -> None:
    labels = f'{replica(2)}, files="configuration"'
    scrapes.put("linkerd_webhook_files_refused", labels, after(HOUR, constant(1), "0"))


def secret_refused(scrapes: Scrapes) -> None:
    labels = f'{replica(2)}, file="secret"'
    scrapes.put("linkerd_webhook_reload_failures_total", labels, after(HOUR, constant(1), "0"))


def stale(scrapes: Scrapes) -> None:
    scrapes.put("linkerd_webhook_cache_age_seconds", replica(2), after(HOUR, rising(30, 45), "45"))


def skipped_since_an_hour(scrapes: Scrapes) -> None:
    skipped(scrapes, after(2 * HOUR, constant(1)), "invalid_inject_annotation_at_workload")


def skipped_on_a_new_replica(scrapes: Scrapes) -> None:
    scrapes.start(3, minutes=2 * HOUR)
    skipped(scrapes, after(2 * HOUR + 2, constant(1)), "host_network_enabled", number=3)


def skipped_without_token(scrapes: Scrapes) -> None:
    skipped(scrapes, after(2 * HOUR, rising(1)), "disabled_automount_service_account_token_account")


def unknown_version(scrapes: Scrapes) -> None:
    scrapes.put("linkerd_version_unknown", replica(1), after(HOUR, constant(1), "0"))


def nobody_leads(scrapes: Scrapes) -> None:
    scrapes.put("linkerd_webhook_leader", replica(1), after(HOUR, constant(0), "1"))


def two_lead(scrapes: Scrapes) -> None:
    scrapes.put("linkerd_webhook_leader", replica(2), after(HOUR, constant(1), "0"))


def fought_over(scrapes: Scrapes) -> None:
    labels = f'{replica(1)}, configuration="linkerd-webhook"'
    scrapes.put("linkerd_webhook_ca_bundle_restored_total", labels, after(HOUR, rising(0.25), "0"))


def overwritten(scrapes: Scrapes) -> None:
    labels = f'{replica(1)}, configuration="linkerd-proxy-injector-webhook-config"'
    scrapes.put("linkerd_webhook_adoption_overwritten", labels, after(HOUR, constant(1), "0"))


Fault = Callable[[Scrapes], None]

FAULTS: dict[Fault, set[str]] = {
    nobody_is_ready: {"LinkerdWebhookAbsent"},
    nobody_is_there: {"LinkerdWebhookAbsent"},
    let_in_for_the_first_time: {"LinkerdWebhookFailOpen"},
    let_in_once_more: {"LinkerdWebhookFailOpen"},
    let_in_by_an_api_server_that_has_just_started: {"LinkerdWebhookFailOpen"},
    let_in_adopted: {"LinkerdWebhookFailOpen"},
    let_in_when_no_replica_is_left: {"LinkerdWebhookAbsent", "LinkerdWebhookFailOpen"},
    refused: {"LinkerdWebhookCallsFailing"},
    refused_adopted: {"LinkerdWebhookCallsFailing"},
    not_reached: {"LinkerdWebhookSelfTestFailing"},
    a_bug: {"LinkerdWebhookInternalErrors"},
    too_many: {"LinkerdWebhookOverloaded"},
    slow: {"LinkerdWebhookSlow"},
    very_slow: {"LinkerdWebhookSlow", "LinkerdWebhookNearTimeout"},
    slow_without_a_service: {"LinkerdWebhookSlow"},
    slow_calls: {"LinkerdWebhookCallsSlow"},
    very_slow_calls: {"LinkerdWebhookCallsSlow", "LinkerdWebhookCallsNearTimeout"},
    very_slow_calls_adopted: {"LinkerdWebhookCallsSlow", "LinkerdWebhookCallsNearTimeout"},
    not_renewed: {"LinkerdWebhookCertificateNotRenewed"},
    ends: {"LinkerdWebhookCertificateNotRenewed", "LinkerdWebhookCertificateEnds"},
    anchor_ends: {"LinkerdWebhookTrustAnchorEnds"},
    files_refused: {"LinkerdWebhookReloadRefused"},
    secret_refused: {"LinkerdWebhookReloadRefused"},
    stale: {"LinkerdWebhookCacheStale"},
    skipped_since_an_hour: {"LinkerdWebhookNewlySkipped"},
    skipped_on_a_new_replica: {"LinkerdWebhookNewlySkipped"},
    skipped_without_token: {"LinkerdWebhookNewlySkipped"},
    unknown_version: {"LinkerdVersionUnknown"},
    nobody_leads: {"LinkerdWebhookNoLeader"},
    two_lead: {"LinkerdWebhookTwoLeaders"},
    fought_over: {"LinkerdWebhookCABundleFought"},
    overwritten: {"LinkerdWebhookAdoptionOverwritten"},
}


def nothing(scrapes: Scrapes) -> None:
    """A cluster that is well."""


def normal_days(scrapes: Scrapes) -> None:
    """What happens without being a fault: one slow answer, one restored caBundle, a DaemonSet on the host network, Pods
    that opted out, refused policies, a reloaded file, a failed self-test at once mended, an old API server's counts."""
    failed_open(scrapes, OURS, constant(57))
    rejected(scrapes, OURS, constant(12))
    rejected(scrapes, "policy-validator.linkerd-webhook.linkerd.io", rising(1), "no_error")
    failed_open(scrapes, "somebody-else.example.org", rising(1))
    failed_open(scrapes, LINKERDS, rising(1))
    target = replica(1)
    labels = f'{target}, configuration="linkerd-webhook"'
    scrapes.put("linkerd_webhook_ca_bundle_restored_total", labels, after(HOUR, constant(1), "0"))
    scrapes.put("linkerd_webhook_self_test_success", target, f"{gone(HOUR, '1').split()[0]} 0 1+0x400")
    skipped(scrapes, rising(0.25), "host_network_enabled")
    skipped(scrapes, after(HOUR, rising(1)), "injection_disable_annotation_present")
    skipped(scrapes, after(HOUR, rising(1)), "host_network_enabled", namespace="never-injected")
    # One answer of 200 within the five minutes that are looked at takes longer than half of the timeout.
    scrapes.answers(2, "policy-validator", "0.0005", samples=rising(0.05))
    bucket = f'linkerd_webhook_duration_seconds_bucket{{{replica(2)}, webhook="policy-validator", le="+Inf"}}'
    scrapes.series[bucket] = after(HOUR, rising(0.05, 7), "6")


def rolling_restart(scrapes: Scrapes) -> None:
    """Two new replicas take the place of the two, which end one after the other; the second new one leads."""
    skipped(scrapes, rising(0.1), "host_network_enabled")
    scrapes.start(3, minutes=HOUR)
    scrapes.stop(1, HOUR + 0.5)
    scrapes.start(4, leads=True, minutes=HOUR + 1)
    scrapes.stop(2, HOUR + 1.5)
    # The new replica is not ready at its first scrape, and a Pod on the host network comes to it.
    scrapes.put("linkerd_webhook_ready", replica(3), after(HOUR, "0 1+0x400"))
    skipped(scrapes, after(HOUR + 2, rising(0.1)), "host_network_enabled", number=3)


def prometheus_has_just_started(scrapes: Scrapes) -> None:
    """Counters are old, and nobody looked at them before."""
    failed_open(scrapes, OURS, constant(57))
    rejected(scrapes, OURS, constant(12))
    skipped(scrapes, constant(3), "host_network_enabled")
    for number in (1, 2):
        target = replica(number)
        scrapes.put("linkerd_webhook_internal_errors_total", f'{target}, webhook="proxy-injector"', constant(3))
        scrapes.put("linkerd_webhook_rejected_requests_total", f'{target}, status="429"', constant(40))
        scrapes.put("linkerd_webhook_reload_failures_total", f'{target}, file="secret"', constant(2))


@needs_promtool
class TestRules:
    """By promtool, on series that are made up."""

    def test_prometheus_reads_them(self) -> None:
        done = promtool("check", "rules", "--lint=all", "--lint-fatal", str(FILE), folder=ROOT)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{len(ALERTS)} rules found" in done.stdout

    @pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
    def test_a_fault_has_its_alert_and_no_other(self, fault: Fault, tmp_path: Path) -> None:
        scrapes = Scrapes()
        fault(scrapes)
        only_these_fire(scrapes, FAULTS[fault], tmp_path)

    @pytest.mark.parametrize(
        "day", [nothing, normal_days, rolling_restart, prometheus_has_just_started], ids=lambda day: day.__name__
    )
    def test_none_fires_without_a_fault(self, day: Fault, tmp_path: Path) -> None:
        scrapes = Scrapes()
        day(scrapes)
        only_these_fire(scrapes, set(), tmp_path)

    def test_none_fires_where_the_server_has_just_been_installed(self, tmp_path: Path) -> None:
        """Prometheus was there before: two minutes pass until a replica is ready, leads and is reached."""
        scrapes = Scrapes(minutes=0)
        for number in (1, 2):
            target = replica(number)
            scrapes.put("process_start_time_seconds", target, constant(0))
            scrapes.put("linkerd_webhook_ready", target, after(2, constant(1), "0"))
            scrapes.put("linkerd_webhook_cache_age_seconds", target, f"0+30x4 {constant(45)}")
            scrapes.put("linkerd_webhook_certificate_expiry_timestamp_seconds", target, after(2, constant(DAY), "0"))
            scrapes.put("linkerd_webhook_certificate_renewal_timestamp_seconds", target, after(2, constant(DAY), "0"))
        scrapes.put("linkerd_webhook_leader", replica(1), after(2, constant(1), "0"))
        scrapes.put("linkerd_webhook_self_test_success", replica(1), after(2, constant(1), "0"))
        rejected(scrapes, conf.SELF_TEST_WEBHOOK, rising(1))
        only_these_fire(scrapes, set(), tmp_path)

    def test_there_is_a_fault_for_each(self) -> None:
        assert set().union(*FAULTS.values()) == {alert.name for alert in ALERTS}


def only_these_fire(scrapes: Scrapes, expected: set[str], folder: Path) -> None:
    """Have promtool find that these alerts fire, and no others."""
    file = folder / "test.yaml"
    tests = {"rule_files": [str(FILE)], "evaluation_interval": "1m", "tests": [scrapes.test(HOURS * HOUR, expected)]}
    file.write_text(yaml.safe_dump(tests, width=10_000))
    done = promtool("test", "rules", str(file), folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_committed_file_is_what_would_be_written_now() -> None:
    assert FILE.read_text() == files.alerts(), "run make chart"
    assert yaml.safe_load(FILE.read_text())["groups"] == rules()


def test_each_says_how_bad_it_is_what_has_happened_and_what_to_do() -> None:
    for alert in ALERTS:
        assert alert.severity in ("critical", "warning")
        assert re.fullmatch(r"\d+[mh]", alert.after)
        assert not alert.summary.endswith(".") and len(alert.summary) <= 110, alert.name
        assert alert.action.endswith(".") and alert.action.count(".") >= 2, alert.name


def test_each_has_its_section_on_the_page_and_the_page_has_no_other() -> None:
    page = Path(PAGE)
    there = {anchor for anchor in anchors(page) if anchor.startswith("linkerd")}
    assert there == {alert.name.lower() for alert in ALERTS}
    addresses = [rule["annotations"]["runbook_url"] for group in rules() for rule in group["rules"]]
    assert addresses == [f"{PAGE}#{alert.name.lower()}" for alert in ALERTS]


def test_a_section_names_the_severity_and_the_time_that_the_alert_has() -> None:
    text = (ROOT / PAGE).read_text()
    for alert in ALERTS:
        section = text.partition(f"## {alert.name}\n")[2].partition("\n## ")[0]
        for part in ("**What it means.**", "**Who is affected.**", "**Look.**", "**Mend.**"):
            assert part in section, f"{alert.name}: {part}"
        when = "at once" if alert.after == "0m" else f"after {alert.after.replace('m', ' min').replace('h', ' h')}"
        assert f"*{alert.severity}, {when}*" in section, alert.name


def test_the_matchers_are_of_the_webhooks_of_our_configurations_and_of_linkerds() -> None:
    ours, linkerds = (re.compile(matcher.partition('"')[2][:-1]) for matcher in (OURS_MATCHER, LINKERDS_MATCHER))
    for name in (conf.INJECTOR_WEBHOOK, conf.POLICY_WEBHOOK, conf.PROFILE_WEBHOOK):
        assert ours.fullmatch(name) and not linkerds.fullmatch(name)
    for name in (conf.SELF_TEST_WEBHOOK, conf.WORKLOAD_WEBHOOK, conf.NAMESPACE_WEBHOOK):
        assert not ours.fullmatch(name) and not linkerds.fullmatch(name)
    assert linkerds.fullmatch(LINKERDS)
