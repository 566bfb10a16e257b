"""The Helm chart: the same objects as `install` prints, and the same no to what is wrong."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.unit.install.helmcli import CHART, IMAGE, by_name, helm, needs_helm, templated
from webhook.install import chart
from webhook.install.assign import assign, merged
from webhook.install.monitoring import alerts, board
from webhook.install.objects.monitoring import BOARD
from webhook.install.output import as_yaml
from webhook.install.render import NEWEST, conflicts, render
from webhook.install.schema import problems, schema
from webhook.install.settings import SETTINGS, defaults, highly_available, place

EVERYTHING = {
    "adopt": False,
    "image": {
        "repository": "registry.example.org/a/b",
        "tag": "1.2.3",
        "digest": "sha256:" + "0" * 64,
        "pullPolicy": "Always",
        "pullSecrets": [{"name": "pull"}],
    },
    "replicas": 4,
    "failurePolicy": "Fail",
    "guard": "deny",
    "tokenProjection": False,
    "namespaces": {"optIn": True, "exclude": ["one", "two"]},
    "certificates": {
        "existingSecret": "tls",
        "caBundle": "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n",
    },
    "port": 9443,
    "adminPort": 9444,
    "hostNetwork": True,
    "clusterDomain": "example.org",
    "logLevel": "debug",
    "logFormat": "json",
    "extraArgs": ["--release-line=edge-26.8", '--quoted="{{ x }}": # y'],
    "autoscaling": {"enabled": True, "maxReplicas": 9, "targetCPUUtilization": 50},
    "spread": {"nodes": "DoNotSchedule"},
    "monitoring": {
        "podMonitor": True,
        "interval": "10s",
        "alerts": True,
        "runbooks": "https://docs.example.org/a?b=1",
        "labels": {"release": "1e3", "app.kubernetes.io/name": "no"},
        "dashboards": True,
    },
    "networkPolicy": {"enabled": True, "apiServerPort": 16443},
    "resources": {"limits": {"cpu": 2, "memory": "1Gi"}},
    "priorityClassName": "",
    "nodeSelector": {"kubernetes.io/os": "linux", "a": "true"},
    "tolerations": [{"key": "a", "operator": "Exists", "tolerationSeconds": 10000000}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "podAnnotations": {"linkerd.io/inject": "enabled", "a": "yes: 'x' # y"},
    "podLabels": {"team": "1", "app.kubernetes.io/component": "no"},
}

WITH_IMAGE = {"image": {"repository": IMAGE}}

CASES: dict[str, tuple[dict[str, Any], str]] = {
    "defaults": ({}, "1.36"),
    "highly available": (highly_available(), "1.36"),
    "adopt": ({"adopt": True}, "1.36"),
    "Kubernetes 1.21": ({"spread": {"nodes": "DoNotSchedule"}, "autoscaling": {"enabled": True}}, "1.21"),
    "Kubernetes 1.26": ({"spread": {"nodes": "DoNotSchedule"}, "autoscaling": {"enabled": True}}, "1.26"),
    "Kubernetes 1.28": ({}, "1.28"),
    "Fail": ({"failurePolicy": "Fail"}, "1.36"),
    "existing Secret": ({"certificates": {"existingSecret": "tls"}}, "1.36"),
    "cert-manager": ({"certificates": {"existingSecret": "tls", "injectCAFrom": "linkerd/webhook"}}, "1.36"),
    "opt in": ({"namespaces": {"optIn": True}}, "1.36"),
    "no guard": ({"guard": "off"}, "1.36"),
    "one replica": ({"replicas": 1}, "1.36"),
    "every option": (EVERYTHING, "1.36"),
    "every option on Kubernetes 1.21": (EVERYTHING, "1.21"),
}


def rendered(values: dict[str, Any], version: str = "1.36", namespace: str = "linkerd") -> Any:
    """What `install` makes of values."""
    major, minor = version.split(".")
    return by_name(render(merged(merged(defaults(), WITH_IMAGE), values), namespace, (int(major), int(minor))).objects)


def written(folder: Path, values: dict[str, Any]) -> str:
    """The flag for a file of values."""
    file = folder / "values.yaml"
    file.write_text(as_yaml(merged(WITH_IMAGE, values)))
    return f"--values={file}"


class TestCommittedChart:
    """deploy/chart is written by `make chart`."""

    def test_is_what_would_be_written_now(self) -> None:
        there = {
            str(file.relative_to(CHART)): file.read_text(encoding="utf-8")
            for file in CHART.rglob("*")
            if file.is_file()
        }
        assert there == chart.files(), "run make chart"

    def test_is_written_whole_and_without_what_was_there_before(self, tmp_path: Path) -> None:
        (tmp_path / "templates").mkdir()
        (tmp_path / "templates" / "old.yaml").write_text("old")
        chart.write(tmp_path)
        assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == set(chart.files())

    def test_has_values_that_are_the_settings_defaults(self) -> None:
        assert yaml.safe_load((CHART / "values.yaml").read_text()) == defaults()
        assert yaml.safe_load((CHART / "values-ha.yaml").read_text()) == highly_available()

    def test_says_of_every_setting_in_its_readme_what_it_is(self) -> None:
        readme = (CHART / "README.md").read_text()
        assert [setting.path for setting in SETTINGS if f"| `{setting.path}` |" not in readme] == []


class TestSchema:
    """What values.schema.json lets through."""

    def test_is_a_schema_that_the_defaults_fit(self) -> None:
        jsonschema.Draft7Validator.check_schema(schema())
        jsonschema.validate(defaults(), schema())
        jsonschema.validate(EVERYTHING, schema())

    @pytest.mark.parametrize(
        "wrong",
        [
            "replica=2",
            "image.tga=x",
            "replicas=0",
            "replicas=two",
            "failurePolicy=fail",
            "guard=true",
            "port=65536",
            "namespaces.exclude={Upper}",
            "certificates.injectCAFrom=nameonly",
            'clusterDomain=a"b',
            "certificates.caBundle=abc",
            "extraArgs={addr}",
            "podLabels.a=1",
            "image=x",
            "hostNetwork=yes",
            "image.repository=r/x:y",
            "image.repository=r/Upper",
            "image.tag=-",
            "resources.limits.memory=256MB",
            "resources.limits.memory=-1",
            "resources.limit.memory=1Gi",
        ],
    )
    def test_refuses_the_same_as_install_does(self, wrong: str) -> None:
        path, _, value = wrong.partition("=")
        values = defaults()
        place(values, path, _typed(value))
        assert problems(values)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(values, schema())


def _typed(text: str) -> Any:
    holder = assign({"x": None}, f"podAnnotations.a={text}")
    return holder["podAnnotations"]["a"]


@needs_helm
class TestHelm:
    """The chart in Helm's hands."""

    def test_lints(self, tmp_path: Path) -> None:
        image = f"--set=image.repository={IMAGE}"
        for more in ([image], [image, f"--values={CHART / 'values-ha.yaml'}"], [written(tmp_path, EVERYTHING)]):
            done = helm("lint", "--strict", "--kube-version=1.36.0", str(CHART), *more, home=tmp_path)
            assert done.returncode == 0, done.stdout

    @pytest.mark.parametrize("case", CASES)
    def test_makes_what_install_makes(self, case: str, tmp_path: Path) -> None:
        values, version = CASES[case]
        manifests = templated(written(tmp_path, values), home=tmp_path, version=version)
        assert manifests == rendered(values, version)

    def test_goes_into_the_releases_namespace(self, tmp_path: Path) -> None:
        assert templated(home=tmp_path, namespace="mesh") == rendered({}, namespace="mesh")

    @pytest.mark.parametrize(
        "assignment", ["podAnnotations.a\\.b=x\\,y", "image.pullSecrets[0].name=a", "extraArgs={--a,--b}"]
    )
    def test_reads_set_as_install_does(self, assignment: str, tmp_path: Path) -> None:
        assert templated(f"--set={assignment}", home=tmp_path) == rendered(
            assign(merged(defaults(), WITH_IMAGE), assignment)
        )

    def test_refuses_a_typo(self, tmp_path: Path) -> None:
        done = helm("template", "any", str(CHART), "--kube-version=1.36.0", "--set=replica=2", home=tmp_path)
        assert done.returncode != 0
        assert "replica" in done.stderr

    def test_refuses_to_guess_an_image(self, tmp_path: Path) -> None:
        done = helm("template", "any", str(CHART), "--kube-version=1.36.0", home=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert "--set image.repository=registry.example.org/linkerd-webhook" in done.stderr

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ("adopt=true,namespaces.optIn=true", "namespaces.optIn (--opt-in) would have no effect"),
            ("adopt=true,namespaces.exclude={a}", "namespaces.exclude (--exclude-namespace) would have no effect"),
            ("adopt=true,failurePolicy=Fail", "adopt: true keeps the failurePolicy"),
            ("certificates.injectCAFrom=a/b", "certificates.injectCAFrom needs the Secret"),
            ("adminPort=8443", "port and adminPort are the same"),
            ("autoscaling.enabled=true,replicas=9", "autoscaling.maxReplicas is less"),
        ],
    )
    def test_refuses_what_does_not_go_together_as_install_does(self, wrong: str, message: str, tmp_path: Path) -> None:
        image = f"--set=image.repository={IMAGE}"
        done = helm("template", "any", str(CHART), "--kube-version=1.36.0", image, f"--set={wrong}", home=tmp_path)
        assert done.returncode != 0
        assert message in done.stderr
        assert any(message in conflict for conflict in conflicts(assign(defaults(), wrong)))

    def test_refuses_an_api_server_that_is_too_old(self, tmp_path: Path) -> None:
        done = helm("template", "any", str(CHART), "--kube-version=1.20.0", home=tmp_path)
        assert "requires kubeVersion" in done.stderr

    # Each example is a process: what fails is not made smaller.
    @settings(
        max_examples=12,
        deadline=None,
        phases=[Phase.reuse, Phase.generate],
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(data=st.data())
    def test_makes_what_install_makes_of_any_settings(self, data: st.DataObject, tmp_path: Path) -> None:
        values: dict[str, Any] = {}
        for setting in SETTINGS:
            place(values, setting.path, data.draw(_fitting(setting.path, setting.schema), label=setting.path))
        assert problems(values) == []
        version = data.draw(st.sampled_from(["1.21", "1.22", "1.23", "1.26", "1.27", "1.28", "1.29", "1.30", "1.36"]))
        arguments = [written(tmp_path, values), f"--kube-version={version}.0"]
        done = helm("template", "any", str(CHART), "--namespace=linkerd", *arguments, home=tmp_path)
        refused = conflicts(values)
        if refused:
            assert done.returncode != 0
            assert any(refusal in done.stderr for refusal in refused)
        else:
            assert done.returncode == 0, done.stderr
            # Helm lays maps over the defaults, as install does.
            assert by_name(body for body in yaml.safe_load_all(done.stdout) if body) == rendered(values, version)


_TEXTS = {
    "image.repository": ["", "linkerd-webhook", "registry.example.org:5000/a/b_c"],
    "image.tag": ["", "v1.0"],
    "image.digest": ["", "sha256:" + "a" * 64],
    "certificates.existingSecret": ["", "tls", "1"],
    "certificates.caBundle": ["", "-----BEGIN CERTIFICATE-----\n x: {{ y }}\n"],
    "certificates.injectCAFrom": ["", "a/b.c"],
    "clusterDomain": ["cluster.local", "1.0"],
    "monitoring.interval": ["30s", "1m"],
    "monitoring.runbooks": ["docs/alerts.md", "https://docs.example.org/a.md?x=%20&y=1"],
    "priorityClassName": ["", "system-node-critical", "1"],
}


def _fitting(path: str, wanted: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit a setting's schema."""
    free = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), max_size=8)
    key = st.from_regex("[a-z]{1,5}", fullmatch=True)
    if "enum" in wanted:
        return st.sampled_from(wanted["enum"])
    if wanted["type"] == "boolean":
        return st.booleans()
    if wanted["type"] == "integer":
        return st.integers(wanted["minimum"], wanted["maximum"])
    if path == "extraArgs":
        return st.lists(free.map(lambda element: f"--x{element}"), max_size=2)
    if path == "namespaces.exclude":
        return st.lists(st.from_regex("[a-z0-9]{1,9}", fullmatch=True), max_size=3)
    if wanted["type"] == "array":
        return st.lists(st.dictionaries(key, free, min_size=1, max_size=2), max_size=2)
    if wanted.get("additionalProperties"):
        return st.dictionaries(key, free, max_size=2)
    if path == "resources":
        amounts = st.dictionaries(key, st.sampled_from(["100m", "1Gi", "0.5", 2]), max_size=2)
        return st.fixed_dictionaries({}, optional={"requests": amounts, "limits": amounts})
    if wanted["type"] == "object":
        return st.dictionaries(key, st.one_of(free, st.booleans(), st.integers(0, 10**7), st.lists(free)), max_size=2)
    return st.sampled_from(_TEXTS[path])


def test_every_case_is_of_valid_values() -> None:
    for values, _ in CASES.values():
        assert problems(merged(defaults(), values)) == []


def test_conflicts_are_none_among_the_defaults() -> None:
    for over, adopt in itertools.product(({}, highly_available()), (True, False)):
        assert conflicts(merged(merged(merged(defaults(), WITH_IMAGE), over), {"adopt": adopt})) == []


def test_the_readme_and_schema_name_the_newest_version_nowhere() -> None:
    # What a chart says of versions is what templates ask for, so that a newer API server is none of its business.
    assert f"{NEWEST[0]}.{NEWEST[1]}" not in json.dumps(schema())


class TestMonitoring:
    """What Prometheus and Grafana get, off by default."""

    def test_nothing_of_it_is_there_by_default(self) -> None:
        kinds = {kind for kind, _ in rendered({})}
        assert not kinds & {"PodMonitor", "PrometheusRule"}
        assert ("ConfigMap", BOARD) not in rendered({})

    def test_the_alerts_are_those_of_the_file_with_the_address_of_your_page(self) -> None:
        page = "https://docs.example.org/alerts.md"
        objects = rendered({"monitoring": {"alerts": True, "runbooks": page, "labels": {"release": "prometheus"}}})
        rule = objects["PrometheusRule", "linkerd-webhook"]
        assert rule["spec"]["groups"] == alerts.rules(page)
        assert rule["metadata"]["labels"]["release"] == "prometheus"

    def test_the_board_is_that_of_the_file_and_grafanas_sidecar_finds_it(self) -> None:
        config_map = rendered({"monitoring": {"dashboards": True}})["ConfigMap", BOARD]
        assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert json.loads(config_map["data"]["linkerd-webhook.json"]) == board.board()

    def test_the_pods_namespace_keeps_its_label(self) -> None:
        monitor = rendered({"monitoring": {"podMonitor": True}})["PodMonitor", "linkerd-webhook"]
        assert monitor["spec"]["podMetricsEndpoints"][0]["honorLabels"] is True

    @needs_helm
    def test_helm_brings_the_files_of_deploy_to_the_letter(self, tmp_path: Path) -> None:
        objects = templated("--set=monitoring.alerts=true,monitoring.dashboards=true", home=tmp_path)
        deploy = CHART.parent
        committed = yaml.safe_load((deploy / "alerts" / "linkerd-webhook.yaml").read_text())
        assert objects["PrometheusRule", "linkerd-webhook"]["spec"] == committed
        brought = objects["ConfigMap", BOARD]["data"]["linkerd-webhook.json"]
        assert brought == (deploy / "grafana" / "linkerd-webhook.json").read_text().rstrip("\n")
