"""A second call on a Pod that was injected already, and values that a text template would trip over."""

from __future__ import annotations

import json

import pytest

from tests.unit.injector.builders import (
    CONFIG,
    EDGE,
    ENABLED,
    INJECT,
    LINES,
    OPAQUE,
    STABLE,
    container,
    decide,
    env_of,
    inject,
    injector,
    patched,
    pod,
    proxy_of,
)
from webhook.review import JSON

HOSTILE = [
    'quote " here',
    "back\\slash \\n \\u0041",
    "line\nbreak\r\n\ttab",
    "größe ✓ 日本 🚀",
    "{{ .Values.proxy }} {% x %} ${HOME} $(_pod_name)",
    "'single' & <b> `tick`",
    "\u2028\u2029\u0000\u007f",
    "- yaml: [list, {a: b}] # no comment",
]


@pytest.mark.parametrize("line", LINES)
class TestReinvocation:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"cniEnabled": True},
            {"proxy__nativeSidecar": False},
            {"proxy__nativeSidecar": False, "proxy__await": False},
        ],
    )
    @pytest.mark.parametrize("namespace", [{}, ENABLED, {**ENABLED, OPAQUE: "1-9", f"{CONFIG}proxy-uid": "7"}])
    def test_changes_nothing_and_warns_of_nothing(self, line: str, options: JSON, namespace: dict[str, str]) -> None:
        using = injector(line, **options)
        body = pod({f"{CONFIG}enable-debug-sidecar": "true"}, containers=[container(ports=[{"containerPort": 3306}])])
        once = inject(body, using, namespace=namespace, workload=("deployment", "web"))
        again = decide(once, using, namespace=namespace, workload=("deployment", "web"))
        assert (again.allowed, again.patch, again.warnings) == (True, None, [])
        assert (again.decision, again.reason) == ("skipped", "sidecar_already_exists")

    @pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
    def test_of_a_template_is_the_same(self, line: str, kind: str) -> None:
        spec: JSON = {"template": pod()}
        body = {
            "kind": kind,
            "metadata": {"name": "w"},
            "spec": {"jobTemplate": {"spec": spec}} if kind == "CronJob" else spec,
        }
        again = decide(inject(body, injector(line)), injector(line))
        assert (again.patch, again.warnings, again.reason) == (None, [], "sidecar_already_exists")

    def test_of_a_skipped_pod_with_opaque_ports_is_the_same(self, line: str) -> None:
        body = pod({INJECT: "disabled"}, containers=[container(ports=[{"containerPort": 3306}])])
        once = patched(body, decide(body, injector(line)))
        assert once != body
        assert decide(once, injector(line)).patch is None

    def test_of_a_service_is_the_same(self, line: str) -> None:
        body = {"kind": "Service", "spec": {"ports": [{"port": 3306}]}}
        once = patched(body, decide(body, injector(line)))
        assert once != body
        assert decide(once, injector(line)).patch is None

    def test_a_sidecar_of_somebody_elses_is_told(self, line: str) -> None:
        body = pod(containers=[container("istio-proxy")])
        (warning,) = decide(body, injector(line)).warnings
        assert warning.startswith("not injected: the Pod has a proxy of Linkerd's or Istio's already")
        assert warning.endswith("(inject-skipped)")


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("text", HOSTILE)
class TestValuesCarriedVerbatim:
    def test_in_what_the_user_wrote(self, line: str, text: str) -> None:
        body = pod({"note": text}, labels={"app": text}, other=text)
        got = inject(body, injector(line))
        assert got["metadata"]["annotations"]["note"] == text
        assert got["metadata"]["labels"]["app"] == text
        assert got["spec"]["other"] == text

    @pytest.mark.parametrize(
        ("name", "variable"),
        [
            ("proxy-log-format", "LINKERD2_PROXY_LOG_FORMAT"),
            ("access-log", "LINKERD2_PROXY_ACCESS_LOG"),
            ("proxy-require-identity-inbound-ports", "LINKERD2_PROXY_INBOUND_PORTS_REQUIRE_IDENTITY"),
        ],
    )
    def test_in_what_the_proxy_is_told(self, line: str, text: str, name: str, variable: str) -> None:
        assert env_of(inject(pod({f"{CONFIG}{name}": text}), injector(line)))[variable] == text

    def test_in_images_and_versions(self, line: str, text: str) -> None:
        got = inject(pod({f"{CONFIG}proxy-image": text, f"{CONFIG}proxy-version": text}), injector(line))
        assert proxy_of(got)["image"] == f"{text}:{text}"
        assert got["metadata"]["annotations"]["linkerd.io/proxy-version"] == text

    def test_in_what_a_pod_inherits(self, line: str, text: str) -> None:
        got = inject(pod(), injector(line), namespace={f"{CONFIG}proxy-log-level": text, OPAQUE: text})
        assert got["metadata"]["annotations"][f"{CONFIG}proxy-log-level"] == text
        assert got["metadata"]["annotations"][OPAQUE] == text

    def test_in_annotations_and_labels_by_that_name(self, line: str, text: str) -> None:
        body = pod({text: "a", f"{text}/~1": "b"}, labels={text: "c"})
        got = inject(body, injector(line))
        assert (got["metadata"]["annotations"][text], got["metadata"]["annotations"][f"{text}/~1"]) == ("a", "b")
        assert got["metadata"]["labels"][text] == "c"

    def test_in_the_name_of_a_workload(self, line: str, text: str) -> None:
        got = inject(pod(), injector(line), workload=("deployment", text))
        assert got["metadata"]["labels"]["linkerd.io/proxy-deployment"] == text

    def test_in_values_of_the_mesh(self, line: str, text: str) -> None:
        got = inject(pod(), injector(line, proxy__logFormat=text, proxy__image__name=text))
        assert env_of(got)["LINKERD2_PROXY_LOG_FORMAT"] == text
        assert proxy_of(got)["image"].startswith(f"{text}:")


@pytest.mark.parametrize("text", HOSTILE)
def test_additional_variables_are_carried_verbatim(text: str) -> None:
    env = json.dumps([{"name": "A", "value": text}])
    assert env_of(inject(pod({f"{CONFIG}proxy-additional-env": env}), injector(EDGE)))["A"] == text


@pytest.mark.parametrize("text", HOSTILE)
def test_trace_attributes_are_carried_verbatim(text: str) -> None:
    collector = {"endpoint": "c:1", "meshIdentity": {"serviceAccountName": "c", "namespace": "n"}}
    using = injector(proxy__tracing={"enabled": True, "collector": collector})
    got = env_of(inject(pod({"resource.opentelemetry.io/a": text}), using))
    assert got["LINKERD2_PROXY_TRACE_EXTRA_ATTRIBUTES"] == f"a={text}\n"


def test_stable_takes_an_init_image_of_any_text() -> None:
    got = inject(pod({f"{CONFIG}init-image": HOSTILE[0]}), injector(STABLE))
    assert got["spec"]["initContainers"][0]["image"] == f"{HOSTILE[0]}:v2"
