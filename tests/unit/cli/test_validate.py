"""`linkerd-webhook validate`: manifests in, findings with their places out, and an exit code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from webhook.cli.validate import validate
from webhook.findings.finding import RULES

Run = Callable[..., Result]

GOOD = """apiVersion: policy.linkerd.io/v1beta3
kind: Server
metadata:
  name: cart
  namespace: shop
spec:
  podSelector:
    matchLabels:
      app: cart
  port: 80
"""
BAD = GOOD.replace("port: 80", "port: 99999")
# Legal, and likely not what was meant.
ODD = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  annotations:\n    linkerd.io/inject: enable\n"
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """Runs the command on files of these contents, by name; `given` is standard input."""

    def run(*arguments: str, given: str | None = None, **contents: str) -> Result:
        for name, content in contents.items():
            (folder / f"{name}.yaml").write_text(content)
        paths = [f"{name}.yaml" for name in contents]
        return CliRunner().invoke(validate, [*arguments, *paths], input=given, catch_exceptions=False)

    return run


def lines(result: Result) -> list[str]:
    """Place, level and rule of each finding."""
    return [" ".join(line.split()[:3]) for line in result.stdout.splitlines()]


class TestExitCodes:
    def test_0_where_all_is_well(self, run: Run) -> None:
        result = run(a=GOOD)
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == "0 errors, 0 warnings in 1 object checked\n"

    def test_1_for_an_error(self, run: Run) -> None:
        result = run(a=BAD)
        assert result.exit_code == 1
        assert re.match(r"a\.yaml:10:3: error [a-z-]+ Server/shop/cart spec\.port: 99999 ", result.stdout)

    def test_0_for_a_warning_and_1_with_strict(self, run: Run) -> None:
        assert run(a=ODD).exit_code == 0
        assert run("--strict", a=ODD).exit_code == 1

    def test_2_for_what_cannot_be_read_with_all_others_checked(self, run: Run) -> None:
        result = run("missing.yaml", a=f"{BAD}---\nx: [\n---\n{BAD}")
        assert result.exit_code == 2
        assert lines(result) == [
            "missing.yaml: error manifest-unreadable",
            "a.yaml:10:3: error " + lines(result)[1].split()[-1],
            "a.yaml:12:4: error manifest-unreadable",
            "a.yaml:23:3: error " + lines(result)[1].split()[-1],
        ]
        assert "2 unreadable" in result.stderr

    @pytest.mark.parametrize("content", ["", "---\n", OTHER, "[]"])
    def test_2_where_nothing_was_checked_unless_that_is_allowed(self, run: Run, content: str) -> None:
        result = run(a=content)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.splitlines()[-1].startswith("linkerd-webhook: nothing was checked: ")
        assert run("--allow-empty", a=content).exit_code == 0

    def test_2_without_a_path(self, run: Run) -> None:
        assert run().exit_code == 2


class TestTemplates:
    """What Helm would render is not YAML yet."""

    @pytest.mark.parametrize(
        ("template", "place"),
        [
            ("kind: Deployment\nmetadata:\n  name: {{ .Values.name }}\n", "3:9"),
            ("{{- if .Values.on }}\nkind: Pod\n{{- end }}\n", "1:1"),
            ('kind: Pod\nmetadata:\n  labels:\n    {{- include "x.labels" . | nindent 4 }}\n', "4:5"),
            ("kind: Pod\nspec:\n  containers:\n  - {{ .Values.container }}\n", "4:5"),
            ("{{ .Values.all }}", "1:1"),
        ],
    )
    def test_is_named_as_such(self, run: Run, template: str, place: str) -> None:
        result = run(a=template)
        assert result.exit_code == 2
        assert result.stdout == (
            f"a.yaml:{place}: error manifest-unreadable a template, not YAML: render it first "
            "(helm template … | linkerd-webhook validate -)\n"
        )

    def test_is_none_where_braces_are_in_quotes_or_within_a_text(self, run: Run) -> None:
        annotations = "{a: '{{ $labels.x }}', b: \"{{ x }}\"}"
        assert "a template" not in run(a=f"metadata: {{annotations: {annotations}}}\nx: [\n").stdout
        assert "a template" not in run(a="summary: '{{ x }}'\ntext: is {{ x }}\n# {{ x }}\nx: [\n").stdout

    def test_costs_only_itself(self, run: Run) -> None:
        result = run(a=f"name: {{{{ x }}}}\n---\n{GOOD}---\nx: [\n")
        assert lines(result) == ["a.yaml:1:7: error manifest-unreadable", "a.yaml:14:4: error manifest-unreadable"]
        assert "a template" in result.stdout.splitlines()[0]
        assert "a template" not in result.stdout.splitlines()[1]


ROLLOUT = """apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: r, namespace: shop}
spec:
  template:
    metadata:
      annotations:
        linkerd.io/inject: enable
        config.linkerd.io/proxy-cpu-reqest: "1"
    spec: {containers: [{name: a, image: x}]}
"""


class TestOtherWorkloads:
    """Pod templates in kinds that are not Kubernetes' own are looked at as a Deployment's is."""

    @pytest.mark.parametrize(
        ("version", "kind"),
        [
            ("argoproj.io/v1alpha1", "Rollout"),
            ("apps.kruise.io/v1alpha1", "CloneSet"),
            ("serving.knative.dev/v1", "Service"),
            ("example.org/v1", "Anything"),
        ],
    )
    def test_say_what_a_deployment_would(self, run: Run, version: str, kind: str) -> None:
        def renamed(version: str, kind: str) -> str:
            return ROLLOUT.replace("argoproj.io/v1alpha1", version).replace("Rollout", kind)

        here, there = run(a=renamed(version, kind)), run(b=renamed("apps/v1", "Deployment"))
        assert here.stdout.replace(f" {kind}/", " Deployment/").replace("a.yaml", "b.yaml") == there.stdout
        assert [line.split()[2] for line in here.stdout.splitlines()] == [
            line.split()[2] for line in there.stdout.splitlines()
        ]
        assert "config.linkerd.io/proxy-cpu-request?" in here.stdout
        assert "1 object checked" in here.stderr

    def test_say_that_an_annotation_stands_on_the_wrong_level(self, run: Run) -> None:
        result = run(
            a="apiVersion: keda.sh/v1alpha1\nkind: ScaledJob\n"
            "metadata: {name: s, namespace: shop, annotations: {linkerd.io/inject: disabled}}\n"
            "spec: {jobTargetRef: {template: {spec: {containers: [{name: a, image: x}]}}}}\n"
        )
        assert "ScaledJob/shop/s" in result.stdout
        assert "spec.jobTargetRef.template.metadata.annotations" in result.stdout

    def test_without_a_template_of_their_own_are_passed_over(self, run: Run) -> None:
        body = ROLLOUT.partition("spec:")[0] + "spec: {workloadRef: {apiVersion: apps/v1, kind: Deployment, name: x}}\n"
        result = run(a=f"{GOOD}---\n{body}")
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr.endswith("in 1 object checked; 1 of other kinds passed over\n")


class TestInput:
    def test_kinds_that_are_not_checked_are_counted_and_passed_over(self, run: Run) -> None:
        result = run(a=f"{OTHER}---\n{GOOD}---\nhello: 1\n---\n- 1\n")
        assert result.exit_code == 0
        assert result.stderr.endswith("in 1 object checked; 3 of other kinds passed over\n")

    def test_a_folder_means_its_manifests(self, run: Run, folder: Path) -> None:
        (folder / "sub").mkdir()
        (folder / "sub" / "b.yml").write_text(BAD)
        (folder / "sub" / "c.txt").write_text(BAD)
        assert lines(run("sub"))[0].startswith("sub/b.yml:10:3: error")

    def test_a_file_given_twice_is_read_once(self, run: Run) -> None:
        assert "1 object checked" in run("a.yaml", a=GOOD).stderr

    def test_a_dash_is_standard_input(self, run: Run) -> None:
        assert lines(run("-", given=BAD))[0].startswith("-:10:3: error")

    def test_items_of_lists_are_objects_at_their_own_places(self, run: Run) -> None:
        items = "".join("- " + text.replace("\n", "\n  ").rstrip() + "\n" for text in (GOOD, BAD))
        result = run(a=f"apiVersion: v1\nkind: List\nitems:\n{items}")
        assert lines(result)[0].startswith("a.yaml:23:5: error")
        assert "spec.port" in result.stdout
        assert "2 objects checked" in result.stderr

    def test_items_of_typed_lists_need_not_say_their_kind(self, run: Run) -> None:
        item = {"metadata": {"name": "a", "namespace": "b"}, "spec": {"podSelector": {}, "port": 99999}}
        body = {"apiVersion": "policy.linkerd.io/v1beta3", "kind": "ServerList", "items": [item]}
        result = run(a=json.dumps(body, indent=1))
        assert "Server/b/a spec.port" in result.stdout
        assert result.stdout.startswith("a.yaml:12:5: error")

    def test_json_lines_are_objects_each_at_its_line(self, run: Run) -> None:
        one = {"apiVersion": "policy.linkerd.io/v1beta3", "kind": "Server", "metadata": {"name": "a", "namespace": "b"}}
        text = "".join(json.dumps({**one, "spec": {"podSelector": {}, "port": port}}) + "\n" for port in (1, 99999))
        column = text.splitlines()[1].index('"port"') + 1
        assert lines(run(a=text))[0].startswith(f"a.yaml:2:{column}: error")

    def test_a_list_without_a_kind_is_no_manifest(self, run: Run) -> None:
        result = run(a="- " + BAD.replace("\n", "\n  "))
        assert result.exit_code == 2
        assert "make it the items of a List" in result.stdout

    def test_a_doubled_key_is_an_error_at_the_one_that_counts(self, run: Run) -> None:
        result = run(a=GOOD + "  port: 81\n")
        assert lines(result) == ["a.yaml:11:3: error manifest-duplicate-key"]
        assert "Server/shop/cart spec.port" in result.stdout

    def test_references_are_looked_up_among_all_files(self, run: Run) -> None:
        policy = """apiVersion: policy.linkerd.io/v1alpha1
kind: AuthorizationPolicy
metadata: {name: p, namespace: shop}
spec:
  targetRef: {group: policy.linkerd.io, kind: Server, name: NAME}
  requiredAuthenticationRefs: [{kind: ServiceAccount, name: default}]
"""
        assert run(a=GOOD, b=policy.replace("NAME", "cart")).stdout == ""
        assert "b.yaml:5:" in run(a=GOOD, b=policy.replace("NAME", "carts")).stdout


class TestOptions:
    def test_an_newer_line_means_the_newest_and_is_told(self, run: Run) -> None:
        result = run("--release-line", "edge-99.1", a=ODD)
        assert result.exit_code == 0
        assert '--release-line: "edge-99.1" is newer than edge-26.8, the newest that is known' in result.stderr

    def test_a_release_of_before_2_12_is_a_wrong_use(self, run: Run) -> None:
        result = run("--release-line", "stable-2.11", a=ODD)
        assert result.exit_code == 2
        assert '"stable-2.11" is older than stable-2.12' in result.stderr

    def test_what_is_not_a_version_is_a_wrong_use(self, run: Run) -> None:
        result = run("--release-line", "nobody", a=ODD)
        assert result.exit_code == 2
        assert '"nobody" is not a release line: write stable-2.12, ' in result.stderr

    def test_values_choose_the_line(self, run: Run, folder: Path) -> None:
        (folder / "values").write_text("linkerdVersion: stable-2.12.0\n")
        body = ODD.replace("linkerd.io/inject: enable", 'config.linkerd.io/proxy-gid: "1"')
        assert "so it has no effect in stable-2.12" in run("--values", "values", a=body).stdout
        assert run(a=body).stdout == ""

    def test_values_that_cannot_be_read_are_told(self, run: Run) -> None:
        result = run("--values", "nowhere", a=GOOD)
        assert result.exit_code == 2
        assert "cannot read the values from nowhere" in result.stderr

    def test_a_kubeconfig_that_cannot_be_read_is_told(self, run: Run) -> None:
        result = run("--kubeconfig", "nowhere", a=GOOD)
        assert result.exit_code == 2
        assert "nowhere" in result.stderr

    def test_an_annotation_silences_warnings(self, run: Run) -> None:
        assert run("--strict", a=ODD + "    linkerd-webhook/ignore: inject-value\n").exit_code == 0


class TestText:
    def test_has_no_colours_but_on_a_terminal(self, run: Run, folder: Path) -> None:
        assert "\x1b" not in run(a=BAD).stdout

    def test_cannot_be_made_to_steer_the_terminal(self, run: Run) -> None:
        assert "\x1b" not in run(a=GOOD.replace("port: 80", 'port: 80\n  "x\\e[31m": 1')).stdout


class TestJson:
    def test_is_an_array_of_what_was_found(self, run: Run) -> None:
        (report,) = json.loads(run("-o", "json", a=BAD).stdout)
        rule, message = report.pop("rule"), report.pop("message")
        assert rule in RULES
        assert "99999" in message
        assert report == {
            "file": "a.yaml",
            "line": 10,
            "column": 3,
            "severity": "error",
            "field": "spec.port",
            "help": f"docs/rules.md#{rule}",
            "object": {
                "apiVersion": "policy.linkerd.io/v1beta3",
                "kind": "Server",
                "namespace": "shop",
                "name": "cart",
            },
        }

    def test_is_empty_where_nothing_was(self, run: Run) -> None:
        assert json.loads(run("-o", "json", a=GOOD).stdout) == []

    def test_leads_to_the_rules_where_they_are_published(self, run: Run) -> None:
        (report,) = json.loads(run("-o", "json", "--docs-url", "https://docs.example.org/rules", a=BAD).stdout)
        assert report["help"] == f"https://docs.example.org/rules#{report['rule']}"


class TestGithub:
    def test_is_a_workflow_command_each(self, run: Run, folder: Path) -> None:
        (folder / "a,b:c.yaml").write_text(ODD)
        result = run("-o", "github", str(folder / "a,b:c.yaml"))
        assert result.stdout.startswith(
            "::warning file=a%2Cb%3Ac.yaml,line=6,col=5,title=inject-value::Namespace/shop metadata.annotations"
        )
        assert result.stdout.count("\n") == 1

    def test_escapes_what_would_end_a_command(self, run: Run) -> None:
        result = run("-o", "github", a=ODD.replace("enable", '"a%\\nb"'))
        assert result.stdout.count("\n") == 1
        assert "%25" in result.stdout


class TestSarif:
    @pytest.fixture
    def log(self, run: Run, folder: Path) -> Any:
        """Of a file in a folder whose name is to be escaped, and of one that is missing."""
        (folder / "a b").mkdir()
        (folder / "a b" / "ä.yaml").write_text(f"{BAD}---\n{ODD}")
        return json.loads(run("-o", "sarif", "a b", "missing.yaml").stdout)

    def test_has_the_table_of_rules(self, log: Any) -> None:
        (one,) = log["runs"]
        rules = one["tool"]["driver"]["rules"]
        assert (log["version"], [rule["id"] for rule in rules]) == ("2.1.0", sorted(RULES))
        for rule in rules:
            assert rule["shortDescription"]["text"]
            assert rule["help"]["text"]
            assert rule["defaultConfiguration"]["level"] in ("error", "warning")

    def test_leads_from_each_rule_to_its_examples_in_words(self, log: Any) -> None:
        """A `helpUri` would have to be absolute, and the project's own page has no such address."""
        for rule in log["runs"][0]["tool"]["driver"]["rules"]:
            assert rule["help"]["text"].endswith(f" Examples: docs/rules.md#{rule['id']}")
            assert "helpUri" not in rule

    def test_has_the_absolute_address_of_each_rule_where_the_page_of_rules_is_published(self, run: Run) -> None:
        published = run("-o", "sarif", "--docs-url", "https://docs.example.org/rules.md", a=BAD).stdout
        for rule in json.loads(published)["runs"][0]["tool"]["driver"]["rules"]:
            assert rule["helpUri"] == f"https://docs.example.org/rules.md#{rule['id']}"

    def test_is_not_written_with_an_address_that_leads_nowhere(self, run: Run) -> None:
        result = run("-o", "sarif", "--docs-url", "docs/rules.md", a=BAD)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "write it in full" in result.stderr

    def test_has_a_result_each_by_its_rule(self, log: Any) -> None:
        (one,) = log["runs"]
        rules = one["tool"]["driver"]["rules"]
        assert len(one["results"]) == 3
        for result in one["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
            assert result["level"] in ("error", "warning")
            assert result["message"]["text"]

    def test_has_regions_in_files_by_relative_uri(self, log: Any) -> None:
        places = [result["locations"][0]["physicalLocation"] for result in log["runs"][0]["results"]]
        assert places == [
            {
                "artifactLocation": {"uri": "a%20b/%C3%A4.yaml", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": line, "startColumn": column},
            }
            for line, column in ((10, 3), (17, 5))
        ] + [{"artifactLocation": {"uri": "missing.yaml", "uriBaseId": "%SRCROOT%"}}]

    def test_says_whether_all_could_be_read(self, log: Any, run: Run) -> None:
        assert log["runs"][0]["invocations"] == [{"executionSuccessful": False}]
        fine = json.loads(run("-o", "sarif", a=BAD).stdout)
        assert fine["runs"][0]["invocations"] == [{"executionSuccessful": True}]


def test_plain_manifests_need_no_engine_for_patterns_no_injector_and_no_server(folder: Path) -> None:
    (folder / "a.yaml").write_text(GOOD)
    code = (
        "import sys\nfrom webhook.cli.validate import validate\n"
        "try: validate(['a.yaml'])\nexcept SystemExit: pass\n"
        "costly = {'pydantic_core', 'pydantic', 'fastapi', 'webhook.injector.inject', 'asyncio'}\n"
        "print(sorted(costly & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_retries_and_timeouts_of_a_service_are_looked_at(run: Run) -> None:
    service = """\
apiVersion: v1
kind: Service
metadata:
  name: web
  annotations:
    timeout.linkerd.io/request: 10
    retry.linkerd.io/http: 5xx,foo
    retry.linkerd.io/limit: "3"
"""
    result = run(a=service)
    assert [line.split()[2] for line in result.stdout.splitlines()] == ["service-annotation-invalid"] * 2
    assert result.stdout.startswith("a.yaml:6:5: warning ")
    assert result.exit_code == 0
