"""`linkerd-webhook diff-lines`: what an upgrade of Linkerd changes, as tables, diffs or JSON, and an exit code."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from tests.kube.http import FakeApiServer, served
from webhook.cli.diff_lines import diff_lines
from webhook.comparison.given import read
from webhook.kube.errors import ApiError
from webhook.mesh.defaults import default_values
from webhook.yaml import objects

JSON = dict[str, Any]
Run = Callable[..., Result]

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {annotations: {config.linkerd.io/init-image: example.org/init}}
    spec: {containers: [{name: app, image: app}]}
"""
NOT_IN_MESH = """
apiVersion: v1
kind: Pod
metadata: {name: alone, namespace: shop, annotations: {linkerd.io/inject: disabled}}
spec: {containers: [{name: app, image: app}]}
"""
CONFIG = "/api/v1/namespaces/linkerd/configmaps/linkerd-config"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in an empty folder; keyword arguments are files to write before, `given` is standard input."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, given: str | None = None, **files: str) -> Result:
        for name, text in files.items():
            Path(f"{name}.yaml").write_text(text)
        return CliRunner().invoke(diff_lines, list(arguments), input=given)

    return run


def told(result: Result) -> JSON:
    """The JSON that was written."""
    body: JSON = json.loads(result.stdout)
    return body


class TestExitCode:
    def test_is_0_where_nothing_changes(self, run: Run) -> None:
        result = run("edge-26.8.3", "edge-26.8.3")
        assert (result.exit_code, result.stdout) == (0, "Nothing changes from edge-26.8.3 to edge-26.8.3.\n")

    def test_is_1_where_something_does(self, run: Run) -> None:
        assert run("version-2.17", "version-2.18").exit_code == 1

    @pytest.mark.parametrize("output", ["table", "diff", "json"])
    def test_is_the_same_for_each_output(self, output: str, run: Run) -> None:
        assert run("version-2.17", "version-2.18", "-o", output).exit_code == 1
        assert run("version-2.17", "version-2.17", "-o", output).exit_code == 0


class TestTable:
    def test_names_what_changed_where_and_since_when(self, run: Run) -> None:
        out = run("stable-2.14.10", "edge-26.8.3").stdout
        (line,) = {
            " ".join(line.split()) for line in out.splitlines() if "linkerd-proxy env LINKERD2_PROXY_CORES_MIN" in line
        }
        assert line == "added linkerd-proxy env LINKERD2_PROXY_CORES_MIN - 1 edge-25.3.3 (version-2.18)"

    def test_has_a_section_for_each_subject(self, run: Run) -> None:
        out = run("stable-2.14.10", "edge-26.8.3").stdout
        heads = [section.splitlines()[0] for section in out.split("\n\n")]
        assert heads == [
            "A plain Pod in every mode (init container; CNI; native sidecar), from stable-2.14.10 to edge-26.8.3:",
            "A plain Pod in these modes only (init container; native sidecar), from stable-2.14.10 to edge-26.8.3:",
            "A plain Pod in this mode only (CNI), from stable-2.14.10 to edge-26.8.3:",
            "A plain Pod in this mode only (native sidecar), from stable-2.14.10 to edge-26.8.3:",
            "Annotations that begin or cease to count:",
            "Settings whose default is another (write the old value into your values to keep it):",
        ]

    def test_tells_what_the_modes_of_a_plain_pod_share_once(self, run: Run) -> None:
        lines = run("stable-2.14.10", "edge-26.8.3").stdout.partition("Annotations")[0].splitlines()
        changes = [line for line in lines if line.startswith(("  added", "  changed", "  removed"))]
        assert len(changes) == len(set(changes))

    def test_says_what_to_do_below_the_change(self, run: Run) -> None:
        lines = run("stable-2.14", "edge-26.8", "-f", "web.yaml", web=DEPLOYMENT).stdout.splitlines()
        at = next(index for index, line in enumerate(lines) if "ends  config.linkerd.io/init-image" in line)
        assert lines[at].endswith("Deployment shop/web")
        assert lines[at + 1] == "    to do: remove it"

    def test_of_long_values_it_shows_what_differs(self, run: Run) -> None:
        out = run("stable-2.14", "edge-26.8").stdout
        assert "…16,fd00::/8" in out

    def test_workloads_that_change_alike_share_a_section(self, run: Run) -> None:
        names = [f"web-{number}" for number in range(5)]
        text = "---".join(DEPLOYMENT.replace("name: web,", f"name: {name},") for name in names)
        out = run("version-2.15", "version-2.16", "-f", "web.yaml", web=text).stdout
        head = "Deployment shop/web-0, Deployment shop/web-1, Deployment shop/web-2 and 2 more"
        assert out.count("linkerd-proxy env LINKERD2_PROXY_SHUTDOWN_ENDPOINT_ENABLED") == 1
        assert out.startswith(f"{head} (init container), from version-2.15 to version-2.16:\n")


class TestDiff:
    def test_is_a_unified_diff_for_each_pod_that_changes(self, run: Run) -> None:
        out = run("version-2.17", "version-2.18", "-f", "-", "-o", "diff", given=DEPLOYMENT).stdout
        assert out.startswith(
            "--- Deployment shop/web (init container) version-2.17\n"
            "+++ Deployment shop/web (init container) version-2.18\n@@ "
        )
        assert "+    - name: LINKERD2_PROXY_CORES_MIN\n" in out

    def test_is_empty_where_nothing_changes(self, run: Run) -> None:
        assert run("version-2.17", "version-2.17", "-o", "diff").stdout == ""


class TestJson:
    def test_has_every_change_with_its_values_whole(self, run: Run) -> None:
        body = told(run("version-2.18", "version-2.19", "-f", "-", "-o", "json", given=DEPLOYMENT))
        assert (body["from"], body["to"]) == ("version-2.18", "version-2.19")
        (pod,) = body["pods"]
        assert (pod["object"], pod["mode"]) == ("Deployment shop/web", "init container")
        (change,) = (one for one in pod["changes"] if one["path"] == "linkerd-proxy env _pod_ip")
        assert change == {
            "path": "linkerd-proxy env _pod_ip",
            "kind": "added",
            "from": None,
            "to": {"fieldRef": {"fieldPath": "status.podIP"}},
            "since": "edge-25.5.5 (version-2.19)",
            "todo": "",
        }

    def test_has_all_changes_of_each_mode(self, run: Run) -> None:
        pods = told(run("version-2.17", "version-2.18", "-o", "json"))["pods"]
        assert [pod["mode"] for pod in pods] == ["init container", "CNI", "native sidecar"]
        for pod in pods:
            assert "linkerd-proxy env LINKERD2_PROXY_CORES_MIN" in {one["path"] for one in pod["changes"]}

    def test_has_annotations_and_defaults(self, run: Run) -> None:
        body = told(run("stable-2.14", "edge-26.8", "-f", "-", "-o", "json", given=DEPLOYMENT))
        assert body["annotations"] == [
            {
                "annotation": "config.linkerd.io/init-image",
                "at": "Pod",
                "effect": "ends",
                "since": "edge-25.11.3 (version-2.20)",
                "todo": "remove it",
                "objects": ["Deployment shop/web"],
            }
        ]
        assert {"key": "proxyInit.iptablesMode", "from": "legacy", "to": "nft"} in body["defaults"]


class TestFiles:
    def test_a_pod_without_a_proxy_does_not_change_and_is_named(self, run: Run) -> None:
        result = run("stable-2.12", "edge-26.8", "-f", "-", "-o", "json", given=NOT_IN_MESH)
        assert told(result)["pods"][0]["changes"] == []
        assert result.stderr.startswith("linkerd-webhook: Pod shop/alone: no proxy with either release (skipped: ")

    def test_a_list_and_json_are_read(self, run: Run) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(DEPLOYMENT)] * 2})
        assert len(told(run("version-2.17", "version-2.18", "-f", "-", "-o", "json", given=text))["pods"]) == 2

    def test_a_namespace_among_the_files_decides(self, run: Run) -> None:
        silent = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
        result = run("version-2.17", "version-2.18", "-f", "-", "-o", "json", given=DEPLOYMENT + silent)
        assert told(result)["pods"][0]["changes"] == []

    def test_a_cron_job_s_pods_belong_to_a_job(self, tmp_path: Path) -> None:
        template = {"spec": {"containers": [{"name": "app", "image": "app"}]}}
        job = {"spec": {"jobTemplate": {"spec": {"template": template}}}, "metadata": {"name": "night"}}
        file = tmp_path / "job.json"
        file.write_text(json.dumps({"apiVersion": "batch/v1", "kind": "CronJob", **job}))
        (given,), problems = read([str(file)])
        assert (given.name, given.workload, problems) == ("CronJob default/night", ("job", "night"), [])

    def test_files_without_pods_are_an_error(self, run: Run) -> None:
        result = run("version-2.17", "version-2.18", "-f", "-", given="apiVersion: v1\nkind: ConfigMap\n")
        assert result.exit_code == 2
        assert "no object in these files has Pods" in result.stderr


class TestBadInput:
    def test_the_nearest_release_is_named(self, run: Run) -> None:
        result = run("stabel-2.14", "edge-26.8")
        assert result.exit_code == 2
        assert result.stderr.startswith(
            'linkerd-webhook: FROM: "stabel-2.14" is not a release line: did you mean stable-2.14?'
        )

    def test_a_release_that_is_too_old_is_refused(self, run: Run) -> None:
        result = run("stable-2.14", "stable-2.9.4")
        assert (result.exit_code, "TO: " in result.stderr, "older than stable-2.12" in result.stderr) == (2, True, True)

    def test_a_broken_document_is_named_with_its_line_and_the_rest_is_compared(self, run: Run) -> None:
        result = run(
            "version-2.17",
            "version-2.18",
            "-f",
            "web.yaml",
            "-o",
            "json",
            web=f"{DEPLOYMENT}---\na: [\n---\n{DEPLOYMENT}",
        )
        assert result.exit_code == 2
        assert result.stderr.startswith("web.yaml:10:4: ")
        assert len(told(result)["pods"]) == 2

    def test_a_wrong_type_in_a_pod_is_named_with_its_line(self, run: Run) -> None:
        broken = DEPLOYMENT.replace("[{name: app, image: app}]", "text")
        result = run("version-2.17", "version-2.18", "-f", "-", "-o", "json", given=f"{DEPLOYMENT}---{broken}")
        assert result.exit_code == 2
        assert result.stderr.startswith("standard input:10: Deployment/shop/web: ")
        assert len(told(result)["pods"]) == 1

    @pytest.mark.parametrize(
        ("text", "where"),
        [
            ("a: [", "v.yaml:1: "),
            ("- a", "v.yaml:1: the values are not an object"),
            ("proxy: text", "FROM, stable-2.14: "),
        ],
    )
    def test_values_that_cannot_be_read_say_where(self, text: str, where: str, run: Run) -> None:
        result = run("stable-2.14", "edge-26.8", "--values", "v.yaml", v=text)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"linkerd-webhook: {where}")

    def test_a_file_that_is_not_there_is_named(self, run: Run) -> None:
        for option in ("--values", "--to-values"):
            result = run("stable-2.14", "edge-26.8", option, "no.yaml")
            assert (result.exit_code, result.stderr) == (2, "linkerd-webhook: no.yaml: No such file or directory\n")
        result = run("stable-2.14", "stable-2.14", "-f", "no.yaml")
        assert (result.exit_code, result.stderr) == (2, "no.yaml: No such file or directory\n")

    def test_a_release_newer_than_all_is_compared_with_a_warning(self, run: Run) -> None:
        result = run("edge-26.8.3", "edge-99.1.1", "-o", "json")
        assert "newer than edge-26.8" in result.stderr
        assert result.stderr.startswith("linkerd-webhook: TO: ")


class TestValues:
    def test_those_of_the_first_release_are_kept(self, run: Run) -> None:
        values = default_values("stable-2.14").decode().replace('"logFormat": "plain"', '"logFormat": "json"')
        body = told(run("stable-2.14", "edge-26.8", "--values", "v.yaml", "-o", "json", v=values))
        assert [pod["mode"] for pod in body["pods"]] == ["native sidecar"]
        assert "linkerd-proxy env LINKERD2_PROXY_LOG_FORMAT" not in {one["path"] for one in body["pods"][0]["changes"]}

    def test_those_of_the_second_release_may_differ(self, run: Run) -> None:
        first, second = (default_values(name).decode() for name in ("version-2.20", "edge-26.8"))
        second = second.replace('accessLog: ""', "accessLog: apache")
        files = {"a": first, "b": second}
        result = run("version-2.20", "edge-26.8", "--values", "a.yaml", "--to-values", "b.yaml", "-o", "json", **files)
        (change,) = (one for one in told(result)["pods"][0]["changes"] if "ACCESS_LOG" in one["path"])
        assert (change["kind"], change["to"], change["since"]) == ("added", "apache", "")

    def test_a_setting_that_ceases_to_count_is_told(self, run: Run) -> None:
        result = run("stable-2.14", "edge-26.8", "--values", "v.yaml", v=default_values("stable-2.14").decode())
        assert "proxyInit.image was removed with edge-25.11.3 (version-2.20)" in result.stderr


class TestPolicies:
    GOOD = """
apiVersion: policy.linkerd.io/v1beta1
kind: Server
metadata: {name: web, namespace: shop}
spec: {podSelector: {matchLabels: {app: web}}, port: 80, proxyProtocol: HTTP/1}
"""
    TWO_ON_A_PORT = GOOD + "---" + GOOD.replace("name: web,", "name: other,")

    def test_an_object_whose_verdict_changes_is_told_with_both(self, run: Run) -> None:
        files = {"p": self.TWO_ON_A_PORT}
        result = run("version-2.17", "version-2.18", "--policies", "p.yaml", "-o", "json", **files)
        first, second = told(result)["policies"]
        assert (first["object"], first["file"], first["line"]) == ("Server/shop/web", "p.yaml", 5)
        assert (second["object"], second["line"], second["to"]) == ("Server/shop/other", 10, [])
        assert second["from"][0].startswith('spec.port: Server "web" selects the port 80 of these Pods already')
        table = run("version-2.17", "version-2.18", "--policies", "p.yaml", **files).stdout
        assert "  Server/shop/other (p.yaml:10)\n    version-2.17 refuses it: spec.port: " in table
        assert table.endswith("    version-2.18 allows it\n")

    def test_the_same_release_has_the_same_verdicts(self, run: Run) -> None:
        broken = self.GOOD.replace("HTTP/1", "http")
        assert run("version-2.17", "version-2.17", "--policies", "p.yaml", p=broken).exit_code == 0

    def test_what_cannot_be_read_is_named(self, run: Run) -> None:
        result = run("version-2.17", "version-2.17", "--policies", "p.yaml", p="a: [")
        assert result.exit_code == 2
        assert result.stderr.startswith("p.yaml:1:4: ")

    def test_standard_input_is_read(self, run: Run) -> None:
        result = run("version-2.17", "version-2.18", "--policies", "-", "-o", "json", given=self.TWO_ON_A_PORT)
        assert [one["object"] for one in told(result)["policies"]] == ["Server/shop/web", "Server/shop/other"]

    def test_standard_input_is_not_read_twice(self, run: Run) -> None:
        result = run("version-2.17", "version-2.17", "--policies", "-", "-f", "-", given=self.GOOD)
        assert result.exit_code == 2
        assert "standard input can be read once: name a file or a folder" in result.stderr


class TestCluster:
    @pytest.fixture
    def cluster(self, tmp_path: Path) -> Iterator[tuple[FakeApiServer, str]]:
        """A cluster with a stable-2.14.10, and its kubeconfig."""
        with served(tmp_path) as (server, kubeconfig):
            values = default_values("stable-2.14").decode()
            server.objects[CONFIG] = {"metadata": {"name": "linkerd-config"}, "data": {"values": values}}
            yield server, str(kubeconfig)

    def add(self, server: FakeApiServer, version: str, namespace: str, count: int, phase: str = "Running") -> None:
        """Pods with a proxy."""
        for number in range(count):
            metadata = {
                "labels": {"linkerd.io/control-plane-ns": "linkerd"},
                "annotations": {"linkerd.io/proxy-version": version} if version else {},
            }
            name = f"{version or 'none'}-{phase.lower()}-{number}"
            server.add("/api/v1/pods", namespace, name, kind="Pod", metadata=metadata, status={"phase": phase})

    def test_pods_are_counted_by_the_version_of_their_proxy(self, cluster: tuple[FakeApiServer, str], run: Run) -> None:
        server, kubeconfig = cluster
        server.page = 4
        for namespace in ("a", "b", "c"):
            self.add(server, "stable-2.13.4", namespace, 4)
        self.add(server, "stable-2.14.10", "a", 1)
        self.add(server, "stable-2.14.10", "linkerd", 3)
        self.add(server, "stable-2.13.4", "d", 2, phase="Succeeded")
        result = run("cluster", "edge-26.8.3", "--kubeconfig", kubeconfig)
        assert result.exit_code == 1
        section = result.stdout.partition("Proxies that run now:\n")[2]
        assert section == (
            "  12 Pods in 3 Namespaces run a proxy of stable-2.13.4, not of stable-2.14.10: linkerd-webhook diff-lines "
            "stable-2.13.4 edge-26.8.3 shows what changes for them\n"
            "  1 Pod in 1 Namespace runs a proxy of stable-2.14.10\n"
        )
        lists = [request for request in server.requests if request.path == "/api/v1/pods"]
        assert len(lists) > 1
        assert all("PartialObjectMetadataList" in request.accept for request in lists)
        assert all("limit=500" in request.raw_path for request in lists)

    def test_its_release_and_values_are_compared(self, cluster: tuple[FakeApiServer, str], run: Run) -> None:
        server, kubeconfig = cluster
        values = {**objects.read(default_values("stable-2.14").decode()), "cniEnabled": True}
        server.objects[CONFIG]["data"]["values"] = json.dumps(values)
        body = told(run("cluster", "version-2.15", "--kubeconfig", kubeconfig, "-o", "json"))
        assert body["from"] == "stable-2.14.10"
        assert all(pod["mode"].startswith("CNI") for pod in body["pods"])

    def test_a_cluster_without_linkerd_is_told(self, cluster: tuple[FakeApiServer, str], run: Run) -> None:
        server, kubeconfig = cluster
        del server.objects[CONFIG]
        result = run("cluster", "edge-26.8.3", "--kubeconfig", kubeconfig)
        assert result.exit_code == 2
        assert result.stderr.startswith("linkerd-webhook: ConfigMap linkerd/linkerd-config does not exist: ")

    def test_a_refusal_of_the_api_server_names_the_right(self, cluster: tuple[FakeApiServer, str], run: Run) -> None:
        server, kubeconfig = cluster
        server.failures["/api/v1/pods"] = ApiError(403, 'User "eve" cannot list')
        result = run("cluster", "edge-26.8.3", "--kubeconfig", kubeconfig)
        assert result.exit_code == 2
        assert "list on Pods" in result.stderr

    def test_own_values_do_not_go_with_it(self, cluster: tuple[FakeApiServer, str], run: Run) -> None:
        result = run("cluster", "edge-26.8.3", "--kubeconfig", cluster[1], "--values", "v.yaml", v="a: 1")
        assert result.exit_code == 2
        assert "FROM cluster takes the values of the cluster" in result.stderr


@pytest.mark.parametrize("annotation", ["init-image", "proxy-cpu-limit", "proxy-log-level", "skip-outbound-ports"])
def test_200_workloads_take_little_of_the_processor(annotation: str, run: Run) -> None:
    """Without the time in which modules are imported; each workload with another value of an annotation."""
    run("stable-2.14", "edge-26.8")
    text = "---".join(
        DEPLOYMENT.replace("name: web,", f"name: web-{number},").replace(
            "init-image: example.org/init", f'{annotation}: "{number + 1}"'
        )
        for number in range(200)
    )
    began = time.process_time()
    assert run("stable-2.12", "edge-26.8.3", "-f", "web.yaml", web=text).exit_code == 1
    # It takes less than a second; under coverage and beside other work, more.
    assert time.process_time() - began < 4
