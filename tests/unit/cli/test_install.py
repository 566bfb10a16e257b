"""`linkerd-webhook install`: its flags, its exit codes, and what it says where."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from certs.issue import issue_ca
from webhook.cli.install import install
from webhook.diagnosis.finding import Check
from webhook.diagnosis.installation.look import Look
from webhook.install.assign import merged
from webhook.install.output import write
from webhook.install.render import render
from webhook.install.settings import SETTINGS, defaults
from webhook.mesh.releases import choose
from webhook.upkeep.adoption import AdoptedAgain

DIGEST = "sha256:" + "a" * 64
IMAGE = "registry.example.org/linkerd-webhook"
VALUES = merged(defaults(), {"image": {"repository": IMAGE}})

JSON = dict[str, Any]


CHECK = Check("a-check", "all is well")


def run(*arguments: str, look: bool = False) -> Result:
    """Run the command, by default with an image and without a look at any cluster."""
    image = () if any(argument.startswith("--image") for argument in arguments) else (f"--image={IMAGE}",)
    more = () if look else ("--ignore-cluster",)
    return CliRunner().invoke(install, [*image, *arguments, *more], env={"KUBECONFIG": ""})


def objects(*arguments: str) -> dict[tuple[str, str], JSON]:
    """What is printed, by kind and name."""
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    return {(body["kind"], body["metadata"]["name"]): body for body in yaml.safe_load_all(result.stdout)}


def container(*arguments: str) -> JSON:
    """The container."""
    result: JSON = objects(*arguments)["Deployment", "linkerd-webhook"]["spec"]["template"]["spec"]["containers"][0]
    return result


class TestOutput:
    """What is printed."""

    def test_by_default_is_the_objects_of_the_default_settings(self) -> None:
        assert run().stdout == write(render(VALUES, "linkerd").objects, "yaml")

    def test_is_the_same_bytes_for_the_same_flags(self) -> None:
        flags = ("--ha", "--failure-policy=Fail", "--exclude-namespace=b", "--exclude-namespace=a")
        assert run(*flags).stdout_bytes == run(*flags).stdout_bytes

    def test_as_json_is_a_list_of_the_same(self) -> None:
        assert json.loads(run("-o", "json").stdout)["items"] == list(yaml.safe_load_all(run().stdout))

    def test_is_nothing_but_objects_and_the_rest_is_said_on_standard_error(self) -> None:
        result = run("--kube-version=1.21")
        assert all(body["kind"] for body in yaml.safe_load_all(result.stdout))
        assert "left out: the guard" in result.stderr
        assert "identity and destination come from Linkerd" in result.stderr
        assert "kubectl -n linkerd rollout status deploy/linkerd-webhook" in result.stderr


class TestFlags:
    """What flags do."""

    def test_each_setting_with_a_flag_has_one(self) -> None:
        known = {flag for option in install.params for flag in option.opts}
        assert {setting.flag for setting in SETTINGS if setting.flag} <= known

    @pytest.mark.parametrize(
        ("image", "wanted"),
        [
            ("registry.example.org/a", "registry.example.org/a:0.1.0"),
            ("registry.example.org:5000/a", "registry.example.org:5000/a:0.1.0"),
            ("registry.example.org:5000/a:1", "registry.example.org:5000/a:1"),
            (f"a@{DIGEST}", f"a@{DIGEST}"),
            (f"a:1@{DIGEST}", f"a:1@{DIGEST}"),
        ],
    )
    def test_image_has_a_name_a_tag_and_a_digest(self, image: str, wanted: str) -> None:
        assert container(f"--image={image}")["image"] == wanted

    def test_namespace_is_that_of_all_objects_and_of_the_server(self) -> None:
        manifests = objects("--linkerd-namespace=mesh")
        assert {body["metadata"].get("namespace", "mesh") for body in manifests.values()} == {"mesh"}
        assert "--linkerd-namespace=mesh" in container("--linkerd-namespace=mesh")["args"]
        assert "linkerd'" not in str([finding.get("webhooks") for finding in manifests.values()]).replace(
            "linkerd-", ""
        )

    def test_workload_advice_is_on_unless_it_is_turned_off(self) -> None:
        key = ("ValidatingWebhookConfiguration", "linkerd-webhook-workload-advisor")
        assert key in objects() and key in objects("--workload-advice=on", "--adopt")
        assert key not in objects("--workload-advice=off") and key not in objects("--workload-advice=off", "--adopt")

    def test_ha_is_three_replicas_and_the_failure_policy_as_given(self) -> None:
        manifests = objects("--ha", "--failure-policy=Fail")
        assert manifests["Deployment", "linkerd-webhook"]["spec"]["replicas"] == 3
        assert manifests["MutatingWebhookConfiguration", "linkerd-webhook"]["webhooks"][0]["failurePolicy"] == "Fail"
        kept = objects("--ha")["MutatingWebhookConfiguration", "linkerd-webhook"]["webhooks"][0]["failurePolicy"]
        assert kept == "Ignore"

    def test_set_goes_over_flags_and_flags_over_files_and_files_over_ha(self, tmp_path: Path) -> None:
        file = tmp_path / "values.yaml"
        file.write_text("replicas: 4\nlogLevel: warn\n")
        given = ["--ha", f"-f{file}"]
        replicas = ["Deployment", "linkerd-webhook"]
        assert objects(*given)[tuple(replicas)]["spec"]["replicas"] == 4  # type: ignore[index]
        assert objects(*given, "--replicas=5")[tuple(replicas)]["spec"]["replicas"] == 5  # type: ignore[index]
        all_three = objects(*given, "--replicas=5", "--set=replicas=6")
        assert all_three[tuple(replicas)]["spec"]["replicas"] == 6  # type: ignore[index]
        assert "--log-level=warn" in container(*given)["args"]

    def test_excluded_namespaces_add_to_those_of_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "values.yaml"
        file.write_text("namespaces: {exclude: [a]}\n")
        webhook = objects(f"-f{file}", "--exclude-namespace=b")["MutatingWebhookConfiguration", "linkerd-webhook"]
        assert webhook["webhooks"][0]["namespaceSelector"]["matchExpressions"][1]["values"][-2:] == ["a", "b"]

    def test_ca_bundle_goes_into_the_configurations(self, tmp_path: Path) -> None:
        file = tmp_path / "ca.crt"
        file.write_bytes(issue_ca("test").certificate)
        manifests = objects("--existing-secret=tls", f"--ca-bundle={file}")
        clients = [webhook["clientConfig"] for body in manifests.values() for webhook in body.get("webhooks", ())]
        assert clients
        assert all(client["caBundle"] for client in clients)

    def test_network_flags_move_the_ports_of_server_container_and_probes_alike(self) -> None:
        result = container("--port=9443", "--admin-port=9444", "--host-network")
        assert [port["containerPort"] for port in result["ports"]] == [9443, 9444]
        assert {"--addr=:9443", "--admin-addr=:9444"} <= set(result["args"])
        assert result["readinessProbe"]["httpGet"]["port"] == "admin"


class TestRefusals:
    """Exit code 2, and nothing printed."""

    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            (["--set=replica=1"], "replica: this setting does not exist; did you mean replicas?"),
            (["--set=replicas=none"], 'replicas: "none" is not a whole number'),
            (["--set=replicas=null"], "replicas: null is not allowed"),
            (["--set=image=null"], "image.repository: null is not allowed"),
            (["--image=r/x:y:z"], '--image "r/x:y:z": write NAME[:TAG][@DIGEST], such as registry'),
            (["--image=R/X"], 'repository: "R/X" is not allowed: write a repository without a tag'),
            (["--image=a:"], "tag is empty"),
            (["--image=a@sha256:1"], "digest: "),
            (["--set=image.repository="], "image.repository is empty, and no public registry has this program's image"),
            (["--set=resources.limits.memory=256MB"], "write a quantity, such as 100m, 0.5 or 128Mi"),
            (["--set=resources.limits.memory=-1"], "resources.limits.memory: -1 is not allowed: write 0 or more"),
            (["--set=resources.limits.cpu={1}"], "resources.limits.cpu: [1] is not a string or a number"),
            (["--set=resources.limit.cpu=1"], "resources.limit: this setting does not exist"),
            (["--set=resources.requests.memory=1Gi"], "is above resources.limits.memory"),
            (["--adopt", "--opt-in"], "namespaces.optIn (--opt-in) would have no effect on injection"),
            (["--adopt", "--exclude-namespace=a"], "(--exclude-namespace) would have no effect on injection"),
            (["--kube-version=1.20"], '--kube-version "1.20": write X.Y, 1.21 or newer'),
            (["--kube-version=new"], '--kube-version "new"'),
            (["--linkerd-namespace=Linkerd"], '--linkerd-namespace "Linkerd"'),
            (["--image="], '--image ""'),
            (["--inject-ca-from=a/b"], "--existing-secret"),
            (["--inject-ca-from=b", "--existing-secret=x"], 'injectCAFrom: "b" is not allowed: write NAMESPACE/NAME'),
            (["--ca-bundle=/nowhere"], "cannot read --ca-bundle /nowhere"),
            (["--values-file=/nowhere"], "cannot read --values-file /nowhere"),
            (["--adopt", "--failure-policy=Fail"], "webhookFailurePolicy: Fail in Linkerd's values"),
            (["--failure-policy=fail"], "fail"),
            (["--admin-port=8443"], "port and adminPort are the same"),
            (["--again"], "--again goes with --adopt"),
            (["--values=x"], "--values"),
        ],
    )
    def test_say_what_is_wrong(self, flags: list[str], message: str) -> None:
        result = run(*flags)
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in result.stderr

    def test_say_all_that_is_wrong_with_values_at_once(self) -> None:
        result = run("--set=replicas=0", "--set=guard=no", "--kube-version=1.2")
        assert len(result.stderr.splitlines()) == 3

    @pytest.mark.parametrize(
        ("content", "message"), [(b"a: [", "is not YAML"), (b"\xff", "is not YAML"), (b"- 1", "does not hold settings")]
    )
    def test_say_which_file_is_no_file_of_values(self, content: bytes, message: str, tmp_path: Path) -> None:
        file = tmp_path / "values.yaml"
        file.write_bytes(content)
        result = run(f"-f{file}")
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"{file} {message}" in result.stderr

    def test_take_an_empty_file_for_no_values(self, tmp_path: Path) -> None:
        file = tmp_path / "values.yaml"
        file.write_text("# nothing yet\n")
        assert run(f"-f{file}").stdout == run().stdout

    def test_say_why_a_ca_bundle_is_none(self, tmp_path: Path) -> None:
        file = tmp_path / "ca.crt"
        file.write_text(f"{datetime.date(2026, 1, 1)}")
        result = run("--existing-secret=tls", f"--ca-bundle={file}")
        assert (result.exit_code, result.stdout) == (2, "")
        assert str(file) in result.stderr


class TestCluster:
    """The look at it."""

    def test_that_is_not_there_is_exit_code_2(self, tmp_path: Path) -> None:
        result = run(f"--kubeconfig={tmp_path / 'none'}", look=True)
        assert (result.exit_code, result.stdout) == (2, "")
        assert str(tmp_path / "none") in result.stderr
        assert "--ignore-cluster" in result.stderr

    def test_that_does_not_answer_is_exit_code_2(self, tmp_path: Path) -> None:
        file = tmp_path / "kubeconfig"
        cluster = {"server": "http://127.0.0.1:1"}
        context = {"cluster": "a", "user": "a"}
        file.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "a",
                    "clusters": [{"name": "a", "cluster": cluster}],
                    "contexts": [{"name": "a", "context": context}],
                    "users": [{"name": "a", "user": {}}],
                }
            )
        )
        result = run(f"--kubeconfig={file}", look=True)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "the cluster at http://127.0.0.1:1: no connection to the API server: " in result.stderr

    def test_that_is_not_ready_is_exit_code_1_with_every_reason_and_nothing_printed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            "webhook.cli.install._with_cluster",
            lambda *_: Look((CHECK.error("", "", "one"), CHECK.error("", "", "two"), CHECK.note("", "", "three"))),
        )
        result = run(look=True)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.splitlines() == ["linkerd-webhook: one", "linkerd-webhook: two"]

    def test_that_is_ready_gives_notes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("webhook.cli.install._with_cluster", lambda *_: Look((CHECK.note("", "", "three"),)))
        result = run(look=True)
        assert result.exit_code == 0
        assert "note: three" in result.stderr

    def test_that_hides_something_is_exit_code_2_with_the_reason(self, monkeypatch: pytest.MonkeyPatch) -> None:
        unseen = Look((CHECK.error("", "", "one"),), "https://a", ("may not list secrets: grant it",))
        monkeypatch.setattr("webhook.cli.install._with_cluster", lambda *_: unseen)
        result = run(look=True)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.strip() == (
            "linkerd-webhook: the cluster at https://a: may not list secrets: grant it; "
            "pass --ignore-cluster to install without checking it"
        )

    @pytest.mark.parametrize(("there", "code"), [([False, False], 1), ([False, True], 0)])
    def test_that_has_nothing_to_adopt_again_is_exit_code_1(
        self, there: list[bool], code: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = [AdoptedAgain("one", exists=body) for body in there]
        monkeypatch.setattr("webhook.cli.install._with_cluster", lambda *_: told)
        result = run("--adopt", "--again", look=True)
        assert (result.exit_code, result.stdout) == (code, "")
        assert ("there is nothing to adopt" in result.stderr) is (code == 1)


class TestReleaseLine:
    """Linkerd's release line, by which the rules name kinds."""

    OLD = "rules for EgressNetwork.policy.linkerd.io, HTTPLocalRateLimitPolicy.policy.linkerd.io, "

    def printed(self, line: str | None) -> str:
        chosen = choose(line).line if line is not None else None
        return write(render(VALUES, "linkerd", line=chosen).objects, "yaml")

    def test_is_that_of_the_flag(self) -> None:
        result = run("--release-line=version-2.16")
        assert result.stdout == self.printed("version-2.16") != self.printed(None)
        assert f"left out: {self.OLD}" in result.stderr

    def test_is_that_of_the_server_s_own_flag_where_install_has_none(self) -> None:
        server = "--set=extraArgs={--release-line=stable-2.12,--release-line=edge-24.8.3}"
        assert "version-2.16" in run(server).stdout
        assert "rules-for-release-line: version-2.17" in run(server, "--release-line=2.17").stdout

    def test_is_that_of_the_cluster_where_no_flag_names_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "webhook.cli.install._with_cluster", lambda *_: Look((), release_line=choose("edge-24.8.3").line)
        )
        assert run(look=True).stdout == self.printed("version-2.16")
        assert run("--release-line=2.15", look=True).stdout == self.printed("version-2.15")

    def test_that_is_not_known_leaves_all_kinds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert run().stdout == self.printed(None)
        monkeypatch.setattr("webhook.cli.install._with_cluster", lambda *_: Look(()))
        assert run(look=True).stdout == self.printed(None)

    def test_that_is_newer_than_all_leaves_all_kinds_with_a_warning(self) -> None:
        result = run("--release-line=edge-27.1.1")
        assert result.stdout == self.printed(None)
        assert 'warning: --release-line: "edge-27.1.1" is newer than edge-26.8' in result.stderr

    @pytest.mark.parametrize(
        ("flag", "message"),
        [
            (
                "--release-line=verson-2.16",
                '--release-line: "verson-2.16" is not a release line: did you mean version-2.16',
            ),
            ("--release-line=", '--release-line: "" is not a release line'),
            ("--release-line=stable-2.9.4", '--release-line: "stable-2.9.4" is older than stable-2.12'),
            ("--set=extraArgs={--release-line=stabel-2.14}", 'extraArgs: --release-line: "stabel-2.14" is not'),
        ],
    )
    def test_that_is_a_mistake_is_exit_code_2(self, flag: str, message: str) -> None:
        result = run(flag)
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in result.stderr
