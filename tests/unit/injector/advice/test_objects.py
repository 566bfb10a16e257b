"""What is said about the annotations that the injector reads, and where."""

from __future__ import annotations

from typing import Any

import pytest

from webhook import advice
from webhook.advice import about
from webhook.findings.finding import Finding, Path, render_path
from webhook.injector.advice.objects import Advisor
from webhook.injector.inject import Injector
from webhook.injector.settings import SETTINGS
from webhook.kube.objects import Namespace
from webhook.mesh.config import Mesh
from webhook.mesh.defaults import default_trust_anchors, default_values
from webhook.mesh.releases import LINES

CONFIG = "config.linkerd.io/"
INJECT = "linkerd.io/inject"


GROUPS = {"deployment": ("apps", "Deployment"), "cronjob": ("batch", "CronJob")}


class Linter:
    """Looks over objects as `validate` does."""

    def __init__(self, mesh: Mesh, *, certain: bool) -> None:
        self._advisor = Advisor(Injector(mesh), certain=certain)

    def check(self, kind: str, body: Any, namespace: Namespace | None = None) -> list[Finding]:
        """What there is to say about an object of a kind."""
        result = advice.template(*GROUPS[kind], body) if kind in GROUPS else None
        template: Path = result.path if result else ()
        return about(self._advisor, kind, body, template, namespace)


def linter(line: str | None = None, *, certain: bool = False) -> Linter:
    """With Linkerd's default values."""
    return Linter(Mesh.load(default_values(), default_trust_anchors(), release_line=line), certain=certain)


@pytest.fixture(scope="module")
def newest() -> Linter:
    """Of the newest line."""
    return linter()


def deployment(annotations: dict[str, Any], own: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """A Deployment with these annotations on its template, and some of its own."""
    return {
        "kind": "Deployment",
        "metadata": {"name": "cart", "annotations": own or {}},
        "spec": {
            "template": {
                "metadata": {"annotations": annotations},
                "spec": {"containers": [{"name": "a", "ports": [{"name": "http", "containerPort": 80}]}], **spec},
            }
        },
    }


def said(result: Any) -> list[tuple[str, str]]:
    """Rules and fields."""
    return [(finding.rule.id, render_path(finding.path)) for finding in result]


AT = "spec.template.metadata.annotations"


class TestTemplates:
    def test_good_annotations_are_passed_over(self, newest: Linter) -> None:
        body = deployment({INJECT: "enabled", f"{CONFIG}proxy-cpu-limit": "1", f"{CONFIG}opaque-ports": "http,3306"})
        assert newest.check("deployment", body) == []

    def test_each_bad_value_is_told_at_its_annotation(self, newest: Linter) -> None:
        body = deployment(
            {f"{CONFIG}proxy-cpu-limit": "lots", f"{CONFIG}opaque-ports": "nope", f"{CONFIG}proxy-uid": "0"}
        )
        problems = newest.check("deployment", body)
        assert said(problems) == [
            ("inject-setting", f"{AT}[{CONFIG}proxy-cpu-limit]"),
            ("inject-setting", f"{AT}[{CONFIG}proxy-uid]"),
            ("inject-setting", f"{AT}[{CONFIG}opaque-ports]"),
        ]
        assert problems[0].message == (
            f'{CONFIG}proxy-cpu-limit is "lots", not a quantity such as 100m, 0.5, 64Mi or 1G: '
            "the mesh's default counts (none)"
        )

    def test_an_unknown_one_comes_with_the_nearest(self, newest: Linter) -> None:
        (problems,) = newest.check("deployment", deployment({f"{CONFIG}proxy-log-levle": "info"}))
        assert problems.rule.id == "inject-unknown-annotation"
        assert f"did you mean {CONFIG}proxy-log-level?" in problems.message

    def test_one_that_refuses_the_pod_is_an_error(self, newest: Linter) -> None:
        annotations = {f"{CONFIG}proxy-log-http-headers": "all"}
        assert said(newest.check("deployment", deployment(annotations)))[0][0] == "inject-pod-refused"
        assert newest.check("deployment", deployment({INJECT: "disabled", **annotations})) == []

    def test_one_that_the_values_may_allow_is_an_error_only_when_these_are_known(self, newest: Linter) -> None:
        body = deployment({f"{CONFIG}close-wait-timeout": "5s"})
        assert said(newest.check("deployment", body))[0][0] == "inject-pod-maybe-refused"
        assert said(linter(certain=True).check("deployment", body))[0][0] == "inject-pod-refused"

    @pytest.mark.parametrize(
        ("value", "hint"), [("enable", "enabled"), ("true", "enabled"), ("off", "disabled"), ("x", "")]
    )
    def test_inject_has_three_values(self, newest: Linter, value: str, hint: str) -> None:
        (problems,) = newest.check("deployment", deployment({INJECT: value}))
        assert said([problems]) == [("inject-value", f"{AT}[{INJECT}]")]
        assert ("did you mean" in problems.message) == bool(hint)
        assert f"did you mean {hint}?" in problems.message or not hint

    @pytest.mark.parametrize("value", [True, 1, 0.5, [], {}])
    def test_a_value_that_is_no_string_is_an_error(self, newest: Linter, value: Any) -> None:
        problems = newest.check("deployment", deployment({INJECT: value}))
        assert said(problems) == [("inject-annotation-not-text", f"{AT}[{INJECT}]")]

    def test_a_pod_that_asks_and_cannot_be_injected_is_told(self, newest: Linter) -> None:
        problems = newest.check("deployment", deployment({INJECT: "enabled"}, hostNetwork=True))
        assert said(problems) == [("inject-skipped", "spec.template.spec.hostNetwork")]

    def test_what_is_on_the_workload_itself_is_misplaced(self, newest: Linter) -> None:
        own = {INJECT: "enabled", f"{CONFIG}proxy-cpu-limit": "1"}
        problems = newest.check("deployment", deployment({INJECT: "enabled"}, own))
        assert said(problems) == [("inject-misplaced", f"metadata.annotations[{CONFIG}proxy-cpu-limit]")]
        assert f"move it to {AT}" in problems[0].message

    def test_a_label_is_no_annotation(self, newest: Linter) -> None:
        body = deployment({})
        body["spec"]["template"]["metadata"]["labels"] = {INJECT: "enabled", "app": "x"}
        assert said(newest.check("deployment", body)) == [
            ("inject-misplaced", f"spec.template.metadata.labels[{INJECT}]")
        ]

    def test_a_cronjob_has_its_template_deeper_and_a_jobs_annotations_are_misplaced(self, newest: Linter) -> None:
        template = {"metadata": {"annotations": {INJECT: "no"}}}
        job = {"metadata": {"annotations": {f"{CONFIG}proxy-uid": "1"}}, "spec": {"template": template}}
        assert said(newest.check("cronjob", {"kind": "CronJob", "spec": {"jobTemplate": job}})) == [
            ("inject-value", f"spec.jobTemplate.{AT}[{INJECT}]"),
            ("inject-misplaced", f"spec.jobTemplate.metadata.annotations[{CONFIG}proxy-uid]"),
        ]

    def test_a_pod_of_the_wrong_shape_is_refused(self, newest: Linter) -> None:
        problems = newest.check("deployment", deployment({INJECT: "enabled"}, containers={}))
        assert said(problems) == [("inject-pod-refused", "spec.template")]


class TestOthers:
    def test_a_namespace_is_told_what_its_pods_do_not_inherit(self, newest: Linter) -> None:
        annotations = {f"{CONFIG}enable-gateway": "true", f"{CONFIG}proxy-uid": "5", INJECT: "ingres"}
        problems = newest.check("namespace", {"metadata": {"annotations": annotations}})
        assert said(problems) == [
            ("inject-not-inherited", f"metadata.annotations[{CONFIG}enable-gateway]"),
            ("inject-value", f"metadata.annotations[{INJECT}]"),
        ]

    def test_a_namespace_that_refuses_its_pods_is_an_error(self, newest: Linter) -> None:
        annotations = {f"{CONFIG}proxy-log-http-headers": "all"}
        problems = newest.check("namespace", {"metadata": {"annotations": annotations}})
        assert said(problems) == [("inject-pod-refused", f"metadata.annotations[{CONFIG}proxy-log-http-headers]")]

    @pytest.mark.parametrize("kind", ["namespace", "service"])
    def test_opaque_ports_may_have_names_that_are_elsewhere(self, newest: Linter, kind: str) -> None:
        annotations = {f"{CONFIG}opaque-ports": "mysql,3306,70-60"}
        (problems,) = newest.check(kind, {"metadata": {"annotations": annotations}})
        assert '"70-60"' in problems.message

    def test_a_service_takes_opaque_ports_only(self, newest: Linter) -> None:
        problems = newest.check("service", {"metadata": {"annotations": {INJECT: "enabled"}}})
        assert said(problems) == [("inject-misplaced", f"metadata.annotations[{INJECT}]")]

    @pytest.mark.parametrize("line", LINES)
    def test_every_line_can_be_looked_over(self, line: str) -> None:
        every = {row.annotation: "x" for row in SETTINGS}
        problems = linter(line).check("pod", {"metadata": {"annotations": every}, "spec": {}})
        assert {finding.path[-1] for finding in problems} <= every.keys()
        assert len(problems) > 20

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"metadata": None},
            {"metadata": []},
            {"metadata": {"annotations": []}},
            {"spec": {"template": 1}},
        ],
    )
    def test_nothing_of_the_right_shape_is_nothing_to_say(self, newest: Linter, body: Any) -> None:
        assert not advice.is_concerned(body, (), None)
        for kind in ("deployment", "cronjob", "namespace", "service", "pod"):
            assert newest.check(kind, body) == []


TEMPLATE: Path = ("spec", "template")


class TestScope:
    def test_kinds_are_those_of_the_right_group(self) -> None:
        assert advice.template("apps", "Deployment", {}) == (TEMPLATE, "deployment")
        assert advice.template("", "Namespace", {}) == ((), "namespace")
        assert advice.template("", "Deployment", {}) is None
        assert advice.template("example.org", "Service", {}) is None

    def test_annotations_are_looked_for_wherever_they_may_be(self) -> None:
        assert advice.is_concerned(deployment({INJECT: "x"}), TEMPLATE, None)
        assert advice.is_concerned(deployment({}, {f"{CONFIG}x": "y"}), TEMPLATE, None)
        assert not advice.is_concerned(deployment({"app.kubernetes.io/name": "x"}), TEMPLATE, None)

    @pytest.mark.parametrize(
        "namespace", [Namespace("shop", {INJECT: "enabled"}, {}), Namespace("shop", {}, {INJECT: "enabled"})]
    )
    def test_pods_in_a_namespace_with_something_of_linkerds_are_looked_at(self, namespace: Namespace) -> None:
        assert advice.is_concerned(deployment({}), TEMPLATE, namespace)
        assert not advice.is_concerned(deployment({}), TEMPLATE, Namespace("shop", {"a": "b"}, {"c": "d"}))
        assert not advice.is_concerned({"kind": "Service"}, (), namespace)


class TestNamespaces:
    """A workload and its Namespace, when both are known."""

    def test_a_daemonset_on_the_hosts_network_in_a_namespace_that_asks_is_told(self, newest: Linter) -> None:
        problems = newest.check(
            "deployment", deployment({}, hostNetwork=True), Namespace("shop", {INJECT: "enabled"}, {})
        )
        assert said(problems) == [("inject-skipped", "spec.template.spec.hostNetwork")]

    def test_a_template_is_told_what_its_namespace_hands_down_and_what_it_does_not(self, newest: Linter) -> None:
        annotations = {INJECT: "enabled", f"{CONFIG}proxy-uid": "root", f"{CONFIG}enable-gateway": "true"}
        problems = newest.check("deployment", deployment({}), Namespace("shop", annotations, {}))
        assert said(problems) == [("inject-setting", "spec.template"), ("inject-not-inherited", "spec.template")]
        assert problems[0].message.startswith(f'{CONFIG}proxy-uid on Namespace shop is "root"')

    def test_a_label_on_the_namespace_in_place_of_the_annotation_is_told(self, newest: Linter) -> None:
        problems = newest.check("deployment", deployment({}), Namespace("shop", {}, {INJECT: "enabled"}))
        assert [finding.rule.id for finding in problems] == ["inject-misplaced"]
        assert problems[0].message.startswith("Namespace shop: linkerd.io/inject is a label here")

    def test_what_nobody_asks_for_is_not_told(self, newest: Linter) -> None:
        assert newest.check("deployment", deployment({}, hostNetwork=True), Namespace("shop", {}, {})) == []


class TestKeys:
    @pytest.mark.parametrize(
        ("key", "meant"),
        [
            (f"{CONFIG}inject", INJECT),
            ("linkerd.io/injection", INJECT),
            ("linkerd.io/injekt", INJECT),
            ("linkerd.io/skip-outbound-ports", f"{CONFIG}skip-outbound-ports"),
            ("linkerd.io/opaque-ports", f"{CONFIG}opaque-ports"),
            (f"{CONFIG}skip-oubound-ports", f"{CONFIG}skip-outbound-ports"),
            (f"{CONFIG}proxy-wait-before-exit-seconds", "config.alpha.linkerd.io/proxy-wait-before-exit-seconds"),
            ("config.alpha.linkerd.io/proxy-cpu-limit", f"{CONFIG}proxy-cpu-limit"),
        ],
    )
    def test_what_stands_behind_the_prefix_is_compared(self, newest: Linter, key: str, meant: str) -> None:
        (problems,) = newest.check("deployment", deployment({key: "x"}))
        assert problems.rule.id == "inject-unknown-annotation"
        assert problems.message == f"Linkerd does not read {key}: did you mean {meant}?"

    @pytest.mark.parametrize("key", [f"{CONFIG}tap", f"{CONFIG}protocol", f"{CONFIG}proxy-protocol", f"{CONFIG}zzz"])
    def test_what_resembles_nothing_is_unknown_and_no_more(self, newest: Linter, key: str) -> None:
        for body in (deployment({key: "x"}), deployment({}, {key: "x"})):
            (problems,) = newest.check("deployment", body)
            assert problems.message == f"Linkerd does not read {key}: unknown annotation, remove it"

    @pytest.mark.parametrize(
        "key", ["linkerd.io/extension", "linkerd.io/created-by", "viz.linkerd.io/tap-enabled", "a/b"]
    )
    def test_names_of_other_programs_are_left_alone(self, newest: Linter, key: str) -> None:
        assert newest.check("deployment", deployment({key: "x"}, {key: "x"})) == []

    def test_a_misspelt_label_is_told_as_the_annotation_it_was_meant_to_be(self, newest: Linter) -> None:
        body = deployment({})
        body["metadata"]["labels"] = {"linkerd.io/injected": "enabled"}
        (problems,) = newest.check("deployment", body)
        assert (
            problems.message
            == "Linkerd does not read the label linkerd.io/injected: did you mean the annotation linkerd.io/inject?"
        )


class TestSilence:
    def test_the_template_and_the_workload_silence_warnings_of_the_template(self, newest: Linter) -> None:
        ignore = {"linkerd-webhook/ignore": "inject-unknown-annotation"}
        assert newest.check("deployment", deployment({f"{CONFIG}zzz": "x", **ignore})) == []
        assert newest.check("deployment", deployment({f"{CONFIG}zzz": "x"}, ignore)) == []
