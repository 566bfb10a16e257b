"""The lines about the API server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diagnosis.check.installed_cluster import InstalledCluster, said, skipped
from webhook.diagnosis.check import kubernetes
from webhook.diagnosis.check.line import Scope


def reported(minor: str, **more: Any) -> Any:
    """The facts of an installation on an API server of this version."""
    return InstalledCluster().facts(version={"major": "1", "minor": minor, "gitVersion": f"v1.{minor}.0"}, **more)


class TestVersion:
    """Whether the API server knows what is installed."""

    @pytest.mark.parametrize("minor", ["30", "36+", "30-gke.1"])
    def test_one_that_knows_all_of_it_is_new_enough(self, minor: str) -> None:
        assert said(kubernetes.version, reported(minor)) == []

    @pytest.mark.parametrize(("minor", "without", "needs"), [("29", (), "1.30"), ("27", ("guards",), "1.28")])
    def test_one_that_is_older_than_what_is_installed_needs_is_an_error(
        self, minor: str, without: tuple[str, ...], needs: str
    ) -> None:
        (finding,) = said(kubernetes.version, reported(minor, **{fact: {} for fact in without}))
        assert str(finding.severity) == "error"
        assert f"is Kubernetes 1.{minor}, and some of the objects need {needs}: upgrade Kubernetes" in finding.line()

    def test_objects_that_were_left_out_for_an_older_one_need_no_newer_one(self) -> None:
        old = reported("21", guards={}, configurations={})
        assert said(kubernetes.version, old) == []
        assert said(kubernetes.version, reported("20", guards={}, configurations={}))

    def test_a_version_that_cannot_be_read_is_no_finding(self) -> None:
        assert said(kubernetes.version, InstalledCluster().facts(version={"major": [], "minor": "x"})) == []

    def test_it_is_skipped_where_nothing_is_installed(self) -> None:
        assert skipped(kubernetes.version, reported("20", installation=None)) == "linkerd-webhook is not installed"

    def test_with_proxy_it_is_judged_as_well(self) -> None:
        assert said(kubernetes.version, reported("29", scope=Scope.PROXY))
