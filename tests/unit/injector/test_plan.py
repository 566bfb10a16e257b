"""The plan for a Pod: what is decided, which value each setting gets and from where, and what is warned of."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.unit.injector.builders import (
    ALPHA,
    BETA,
    CONFIG,
    EDGE,
    ENABLED,
    INJECT,
    LINES,
    decide,
    injector,
    pod,
    values,
)
from webhook.injector.effective import IN_VALUES
from webhook.injector.plan import Plan, PlannedSetting, Source
from webhook.injector.settings import SETTINGS
from webhook.injector.subject import Subject
from webhook.kube.objects import Namespace
from webhook.mesh.config import Mesh

LOG = f"{CONFIG}proxy-log-level"
NATIVE = f"{CONFIG}proxy-enable-native-sidecar"
OF_VALUES = Source("values", "proxy.logLevel", "of-values")


def plan(body: Any, namespace: dict[str, str] | None = None, line: str = EDGE, **options: Any) -> Plan:
    """The plan for an object, in a Namespace with these annotations."""
    within = None if namespace is None else Namespace("shop", namespace, {})
    return injector(line, **options).plan(Subject.of(body["kind"], body), within)


def setting(of: Plan, field: str) -> PlannedSetting:
    """The setting of this name."""
    return next(entry for entry in of.settings if entry.field == field)


class TestSources:
    def test_without_an_annotation_the_value_is_that_of_linkerds_values(self) -> None:
        got = setting(plan(pod(), proxy__logLevel="of-values"), "log_level")
        assert got == PlannedSetting("log_level", "of-values", OF_VALUES)

    def test_the_pods_annotation_overrides_the_namespaces_and_the_values(self) -> None:
        got = setting(plan(pod({LOG: "of-pod"}), {LOG: "of-namespace"}, proxy__logLevel="of-values"), "log_level")
        over = (Source("namespace", LOG, "of-namespace"), OF_VALUES)
        assert got == PlannedSetting("log_level", "of-pod", Source("pod", LOG, "of-pod"), over)

    def test_the_namespaces_annotation_overrides_the_values(self) -> None:
        got = setting(plan(pod(), {LOG: "of-namespace"}, proxy__logLevel="of-values"), "log_level")
        assert got.source == Source("namespace", LOG, "of-namespace")
        assert (got.value, got.overrode, got.ignored) == ("of-namespace", (OF_VALUES,), ())

    def test_a_value_that_cannot_be_read_is_ignored_and_hides_the_namespaces(self) -> None:
        key = f"{CONFIG}proxy-cpu-limit"
        got = setting(plan(pod({key: "much"}), {key: "2"}), "cpu_limit")
        assert got.source == Source("values", "proxy.resources.cpu.limit", "")
        assert (got.value, got.overrode) == ("", ())
        assert got.ignored == (Source("pod", key, "much"), Source("namespace", key, "2"))

    def test_of_several_annotations_for_one_setting_the_newest_hides_the_others(self) -> None:
        older = f"{ALPHA}proxy-enable-native-sidecar"
        got = setting(plan(pod({older: "true"}), {NATIVE: "false"}), "native_sidecar")
        assert (got.value, got.source) == (False, Source("namespace", NATIVE, "false"))
        assert got.overrode[0] == Source("pod", older, "true")

    def test_what_a_pod_does_not_inherit_is_not_a_source(self) -> None:
        key = f"{BETA}proxy-enable-native-sidecar"
        got = setting(plan(pod(), {key: "true"}, proxy__nativeSidecar=False), "native_sidecar")
        assert (got.value, got.source.at, got.overrode, got.ignored) == (False, "values", (), ())

    def test_ports_come_from_the_containers_unless_an_annotation_names_them(self) -> None:
        body = pod(containers=[{"name": "a", "ports": [{"containerPort": 80}]}])
        got = setting(plan(body), "pod_inbound_ports")
        assert (got.value, got.source.at) == ("80", "ports")

    @pytest.mark.parametrize(("at", "annotations"), [("pod", {INJECT: "ingress"}), ("namespace", {})])
    def test_ingress_mode_comes_from_the_annotation_that_asks_for_injection(self, at: str, annotations: Any) -> None:
        body = {"kind": "Pod", "metadata": {"annotations": annotations}}
        got = setting(plan(body, {INJECT: "ingress"}), "is_ingress")
        assert (got.value, got.source.at, got.source.name) == (True, at, INJECT)

    @pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.annotation)
    def test_every_setting_names_the_path_at_which_the_values_have_it(self, row: Any) -> None:
        path = IN_VALUES[row.field]
        if not path or path.startswith("proxyInit.image"):
            return
        changed = {str: "1", bool: True, int: 7, float: 0.5, list: [{"name": "A", "value": "1"}]}
        plain = injector(EDGE)._resolver.defaults
        value = changed[type(getattr(plain, row.field))]
        value = not getattr(plain, row.field) if isinstance(value, bool) else value
        other = values(EDGE, **{path.replace(".", "__"): value})
        made = injector_of(other)
        assert getattr(made._resolver.defaults, row.field) != getattr(plain, row.field)


def injector_of(given: Any) -> Any:
    """An injector of these values."""
    from webhook.injector.inject import Injector

    return Injector(Mesh.load(yaml.safe_dump(given).encode(), b"x"))


class TestPlan:
    @pytest.mark.parametrize("line", LINES)
    def test_its_warnings_are_those_of_the_answer(self, line: str) -> None:
        body = pod({LOG: "=", f"{CONFIG}proxy-cpu-limit": "much", f"{CONFIG}nothing": "x"})
        made = plan(body, {}, line)
        assert made.warnings == decide(body, injector(line)).warnings
        assert len(made.warnings) == 3

    def test_needs_only_an_object(self) -> None:
        made = plan({"kind": "Deployment", "spec": {"template": {"metadata": {"annotations": ENABLED}}}})
        assert (made.decision.inject, made.refusal, made.warnings) == (True, None, [])

    def test_of_a_pod_that_is_not_injected_has_the_reason_and_the_settings_that_it_would_get(self) -> None:
        made = plan({"kind": "Pod", "metadata": {"annotations": {LOG: "debug"}}}, {})
        assert made.decision.reasons == ["injection_enable_annotation_absent"]
        assert setting(made, "log_level").value == "debug"

    def test_of_an_object_without_a_pod_has_no_settings(self) -> None:
        made = plan({"kind": "Service"}, {})
        assert (made.decision.reasons, made.settings) == (["unsupported_resource"], ())

    def test_says_why_the_pod_is_refused(self) -> None:
        key = f"{CONFIG}close-wait-timeout"
        made = plan(pod({key: "30s"}))
        assert made.refusal is not None
        assert made.refusal.annotation == key
        assert [finding.annotation for finding in made.findings] == [key]

    def test_leaves_out_the_warnings_that_the_pod_silences(self) -> None:
        made = plan(pod({f"{CONFIG}nothing": "x", "linkerd-webhook/ignore": "inject-unknown-annotation"}))
        assert len(made.findings) == 1
        assert made.warnings == []
