"""Whether the user may create what is printed, and whether the clocks agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.diagnosis.installation.test_checks import Cluster
from webhook.diagnosis.check.gather import CheckRequest, of_cluster
from webhook.diagnosis.check.line import Scope
from webhook.diagnosis.check.registry import LINES
from webhook.diagnosis.check.run import CheckReport, LineResult, judge
from webhook.install.assign import merged
from webhook.install.render import render
from webhook.install.settings import defaults
from webhook.kube.errors import ApiError

JSON = dict[str, Any]

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class Reviewing(Cluster):
    """Linkerd is there, and the user may do all but create what is `forbidden`, by resource."""

    def __init__(self, *forbidden: str) -> None:
        super().__init__()
        self.forbidden = forbidden
        self.asked: list[JSON] = []

    async def send(self, method: str, path: str, body: JSON | None = None, *more: Any, **others: Any) -> JSON:
        """Answer reviews; all else as ever."""
        if path != REVIEWS:
            return await super().send(method, path, body, *more, **others)
        if (failure := self.failures.get(path)) is not None:
            raise failure
        assert body is not None
        attributes = body["spec"]["resourceAttributes"]
        self.asked.append(attributes)
        return {"status": {"allowed": attributes["resource"] not in self.forbidden}}


async def checked(cluster: Cluster) -> CheckReport:
    """What `check --pre` says."""
    return judge(LINES, await of_cluster(CheckRequest(Scope.PRE, "linkerd"), cluster.api))


def said(report: CheckReport, code: str) -> list[LineResult]:
    """The lines of a code."""
    return [result for result in report.results if result.line.code == code]


def node(minutes: float) -> JSON:
    """A Node whose clock is ahead by some minutes."""
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    conditions = [{"type": "Ready", "lastHeartbeatTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}]
    return {"status": {"conditions": conditions}}


async def test_with_all_rights_every_kind_has_a_line_and_nothing_fails() -> None:
    cluster = Reviewing()
    report = await checked(cluster)
    assert (report.success, report.warned) == (True, False)
    assert not report.skipped
    descriptions = [result.line.check.passes for result in said(report, "pre-create")]
    rendered = render(merged(defaults(), {"image": {"repository": "a/b"}}), "linkerd").objects
    assert len(descriptions) == len({body["kind"] for body in rendered})
    assert {"can create ServiceAccounts", "can create ValidatingAdmissionPolicies"} <= set(descriptions)
    assert {(request["verb"], request["namespace"]) for request in cluster.asked} == {
        ("create", "linkerd"),
        ("create", ""),
    }


async def test_lines_about_settings_that_nobody_has_set_are_left_out() -> None:
    codes = {result.line.code for result in (await checked(Reviewing())).results}
    assert not codes & {"existing-secret", "cert-manager", "pod-monitor", "priority-class", "host-network"}


async def test_a_kind_that_may_not_be_created_is_named_with_its_object_and_the_right() -> None:
    report = await checked(Reviewing("clusterroles"))
    (failing,) = [result for result in said(report, "pre-create") if result.findings]
    (finding,) = failing.findings
    assert failing.line.check.passes == "can create ClusterRoles"
    assert finding.line() == (
        "ClusterRole linkerd-webhook: this user may not create it: grant create on "
        "clusterroles.rbac.authorization.k8s.io to this user, or have an administrator apply it"
    )
    report = await checked(Reviewing("deployments"))
    (failing,) = [result for result in said(report, "pre-create") if result.findings]
    assert "grant create on deployments.apps in namespace linkerd to this user" in failing.findings[0].line()


async def test_reviews_that_may_not_be_asked_for_are_an_error_that_names_the_right() -> None:
    cluster = Reviewing()
    cluster.failures[REVIEWS] = ApiError(403, 'User "jane" cannot create')
    report = await checked(cluster)
    findings = [result.findings for result in said(report, "pre-create")]
    assert all("selfsubjectaccessreviews.authorization.k8s.io" in finding[0].fix for finding in findings)


@pytest.mark.parametrize(("minutes", "warns"), [(10, True), (4, False), (-30, False)])
async def test_a_clock_that_is_more_than_five_minutes_ahead_is_a_warning(minutes: float, warns: bool) -> None:
    cluster = Reviewing()
    cluster.put("/api/v1/nodes/one", node(minutes))
    report = await checked(cluster)
    (result,) = said(report, "clock-skew")
    assert report.success
    assert [finding.object for finding in result.findings] == ["Node one"] * warns
    assert all("minutes ahead of the clock of this machine" in finding.message for finding in result.findings)


async def test_a_time_that_cannot_be_read_is_passed_over() -> None:
    cluster = Reviewing()
    for name, stamp in (("one", "yesterday"), ("two", "2199-01-01T00:00:00"), ("three", 7)):
        cluster.put(
            f"/api/v1/nodes/{name}", {"status": {"conditions": [{"type": "Ready", "lastHeartbeatTime": stamp}]}}
        )
    assert said(await checked(cluster), "clock-skew")[0].findings == ()


async def test_what_is_installed_already_is_what_is_to_be_installed() -> None:
    cluster = Reviewing()
    values = merged(defaults(), {"image": {"repository": "a/b"}, "hostNetwork": True, "priorityClassName": "high"})
    ours = next(body for body in render(values, "linkerd").objects if body["kind"] == "Deployment")
    cluster.put("/apis/apps/v1/namespaces/linkerd/deployments/linkerd-webhook", ours)
    report = await checked(cluster)
    assert said(report, "host-network")
    (result,) = said(report, "priority-class")
    assert [finding.object for finding in result.findings] == ["PriorityClass high"]
    assert said(report, "pre-elsewhere")[0].findings == ()


async def test_an_installation_in_another_namespace_is_an_error() -> None:
    cluster = Reviewing()
    cluster.deploy("old")
    (result,) = said(await checked(cluster), "pre-elsewhere")
    assert [finding.object for finding in result.findings] == ["Deployment old/linkerd-webhook"]
