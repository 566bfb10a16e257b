"""`linkerd-webhook review`: files in, one answer a line out, and an exit code."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import yaml
from click.testing import CliRunner, Result

from webhook.cli.review import review
from webhook.mesh.defaults import default_values

JSON = dict[str, Any]
Run = Callable[..., Result]
NAMESPACES = "kind: Namespace\nmetadata: {name: shop, annotations: {linkerd.io/inject: enabled}}\n"


def asked(uid: str, *, namespace: str = "shop", **annotations: str) -> JSON:
    """A review of a Pod."""
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": uid,
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": namespace,
            "object": {
                "kind": "Pod",
                "metadata": {"name": uid, "annotations": annotations},
                "spec": {"containers": [{"name": "a"}]},
            },
        },
    }


REFUSED = {"config.linkerd.io/proxy-log-http-headers": "all"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with the manifest of a Namespace."""
    (tmp_path / "namespaces.yaml").write_text(NAMESPACES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """Runs the command with the Namespace known; `given` is standard input."""

    def run(*arguments: str, given: str | bytes | None = None) -> Result:
        return CliRunner().invoke(review, ["--manifests", "namespaces.yaml", *arguments], input=given)

    return run


def responses(result: Result) -> list[JSON]:
    """The answers, a line each."""
    return [json.loads(line)["response"] for line in result.stdout.splitlines()]


def uids(result: Result) -> list[str]:
    """Whom was answered, in order."""
    return [response["uid"] for response in responses(result)]


class TestWorkloadAdvisor:
    def test_says_of_a_deployment_what_validate_says(self, run: Run) -> None:
        body = asked("a")
        template = {"metadata": {"annotations": {"config.linkerd.io/skip-oubound-ports": "1"}}}
        body["request"] |= {
            "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
            "object": {"kind": "Deployment", "metadata": {"name": "cart"}, "spec": {"template": template}},
        }
        result = run("--webhook", "workload-advisor", given=json.dumps(body))
        (response,) = responses(result)
        assert (result.exit_code, response["allowed"], "patch" in response) == (0, True, False)
        assert "did you mean config.linkerd.io/skip-outbound-ports" in response["warnings"][0]


class TestExitCodes:
    def test_0_where_all_are_allowed(self, run: Run) -> None:
        result = run(given=json.dumps(asked("a")))
        assert (result.exit_code, result.stderr) == (0, "")
        assert responses(result)[0]["allowed"] is True

    @pytest.mark.parametrize("denied_first", [True, False])
    def test_1_where_one_is_denied(self, run: Run, denied_first: bool) -> None:
        reviews = [asked("a", **(REFUSED if denied_first else {})), asked("b", **({} if denied_first else REFUSED))]
        result = run(given="".join(json.dumps(review) + "\n" for review in reviews))
        assert (result.exit_code, result.stderr) == (1, "")
        assert [response["allowed"] for response in responses(result)] == [not denied_first, denied_first]

    def test_2_where_something_is_no_review_after_all_others_were_answered(self, run: Run) -> None:
        lines = [json.dumps(asked("a", **REFUSED)), "{}", json.dumps(asked("b"))]
        result = run(given="\n".join(lines))
        assert result.exit_code == 2
        assert uids(result) == ["a", "b"]
        assert result.stderr == "-:2: request is missing, and must be an AdmissionRequest object\n"

    @pytest.mark.parametrize("given", ["", "\n", "---\n---\n", "null"])
    def test_2_where_there_is_nothing_unless_that_is_allowed(self, run: Run, given: str) -> None:
        result = run(given=given)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith("linkerd-webhook: the input holds no AdmissionReview: ")
        assert run("--allow-empty", given=given).exit_code == 0

    @pytest.mark.parametrize(
        ("path", "why"), [("nope", "No such file or directory"), ("empty", "no *.yaml, *.yml or *.json in this folder")]
    )
    def test_2_for_manifests_that_are_not_there(self, run: Run, folder: Path, path: str, why: str) -> None:
        (folder / "empty").mkdir()
        result = run("--manifests", path, given=json.dumps(asked("a")))
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == f"linkerd-webhook: --manifests {path}: {why}\n"


class TestInput:
    def test_json_of_many_lines_is_one_review(self, run: Run, folder: Path) -> None:
        (folder / "a.json").write_text(json.dumps(asked("a"), indent=2))
        assert uids(run("a.json")) == ["a"]

    def test_json_lines_are_one_each_in_order(self, run: Run, folder: Path) -> None:
        (folder / "a.jsonl").write_text("".join(json.dumps(asked(uid)) + "\n\n" for uid in "abc"))
        assert uids(run("a.jsonl")) == ["a", "b", "c"]

    def test_yaml_documents_are_one_each_in_order(self, run: Run, folder: Path) -> None:
        (folder / "a.yaml").write_text(yaml.safe_dump_all([asked("a"), None, asked("b")]))
        result = run("a.yaml")
        assert (result.exit_code, uids(result)) == (0, ["a", "b"])

    def test_files_are_taken_in_the_order_given(self, run: Run, folder: Path) -> None:
        for name in "ab":
            (folder / f"{name}.json").write_text(json.dumps(asked(name)))
        assert uids(run("b.json", "a.json", "b.json")) == ["b", "a", "b"]

    def test_a_dash_among_files_is_standard_input(self, run: Run, folder: Path) -> None:
        (folder / "a.json").write_text(json.dumps(asked("a")))
        assert uids(run("a.json", "-", given=json.dumps(asked("i")))) == ["a", "i"]

    def test_yaml_and_json_of_one_review_are_answered_alike(self, run: Run) -> None:
        body = asked("a", **{"config.linkerd.io/proxy-uid": "x"})
        assert run(given=json.dumps(body)).stdout == run(given=yaml.safe_dump(body)).stdout

    def test_the_patch_applies(self, run: Run) -> None:
        body = asked("a")
        (response,) = responses(run(given=json.dumps(body)))
        got = jsonpatch.apply_patch(body["request"]["object"], json.loads(base64.b64decode(response["patch"])))
        assert got["metadata"]["labels"]["linkerd.io/workload-ns"] == "shop"

    def test_v1beta1_is_answered_in_kind(self, run: Run) -> None:
        result = run(given=json.dumps({**asked("a"), "apiVersion": "admission.k8s.io/v1beta1"}))
        assert json.loads(result.stdout)["apiVersion"] == "admission.k8s.io/v1beta1"

    def test_keys_of_yaml_that_are_no_texts_become_texts(self, run: Run) -> None:
        body = asked("a")
        body["request"]["object"]["metadata"]["labels"] = {5: "x", True: "a", 0.5: "w"}
        result = run(given=yaml.safe_dump(body))
        assert (result.exit_code, uids(result)) == (0, ["a"])


class TestWhatIsNoReview:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[]", "-:1: the body is an array, and must be an AdmissionReview object"),
            ("\n\nkind: Pod\n", "-:3: request is missing, and must be an AdmissionRequest object"),
            ("just text", "-:1: the body is a string, and must be an AdmissionReview object"),
            (b"a: \xff", "-:1: not UTF-8: the byte 0xFF stands here: save the file as UTF-8"),
        ],
    )
    def test_it_is_named_by_file_and_line(self, run: Run, text: str | bytes, said: str) -> None:
        result = run(given=text)
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"{said}\n")

    def test_a_broken_line_in_the_middle_hides_no_other(self, run: Run, folder: Path) -> None:
        lines = [json.dumps(asked("a")), '{"request": {', json.dumps(asked("c"))]
        (folder / "a.jsonl").write_text("\n".join(lines))
        result = run("a.jsonl")
        assert (result.exit_code, uids(result)) == (2, ["a", "c"])
        assert result.stderr.startswith("a.jsonl:2: not JSON: ")
        assert result.stderr.count("\n") == 1

    def test_a_broken_line_that_has_a_uid_is_answered_as_the_server_does(self, run: Run, folder: Path) -> None:
        broken = '{"apiVersion": "admission.k8s.io/v1", "request": {"uid": "b", "object": {"a": 1e999}}}'
        (folder / "a.jsonl").write_text("\n".join([broken, json.dumps(asked("c"))]))
        result = run("a.jsonl")
        assert (result.exit_code, uids(result)) == (2, ["b", "c"])
        assert json.loads(result.stdout.splitlines()[0])["response"]["allowed"] is False
        assert result.stderr.startswith("a.jsonl:1: the body is not JSON: ")

    def test_a_broken_document_in_the_middle_hides_no_other(self, run: Run) -> None:
        documents = [yaml.safe_dump(asked("a")), "a: [\n", yaml.safe_dump(asked("b"))]
        result = run(given="---\n".join(documents))
        assert (result.exit_code, uids(result)) == (2, ["a", "b"])

    def test_a_file_that_is_not_there_is_told_after_the_others(self, run: Run, folder: Path) -> None:
        (folder / "a.json").write_text(json.dumps(asked("a")))
        result = run("gone.json", "a.json")
        assert (result.exit_code, uids(result)) == (2, ["a"])
        assert result.stderr == "gone.json:0: No such file or directory\n"

    def test_one_with_a_uid_is_answered_and_told(self, run: Run) -> None:
        result = run(given=json.dumps({**asked("a"), "apiVersion": "admission.k8s.io/v9"}))
        assert result.exit_code == 2
        (response,) = responses(result)
        assert (response["uid"], response["allowed"], response["status"]["code"]) == ("a", False, 400)
        assert result.stderr.startswith('-:1: apiVersion is "admission.k8s.io/v9", and must be admission.k8s.io/v1 or')


class TestConfiguration:
    def values(self, folder: Path, **changed: Any) -> str:
        """A file of values with these keys changed."""
        (folder / "values.yaml").write_text(yaml.safe_dump({**yaml.safe_load(default_values()), **changed}))
        return "values.yaml"

    def test_values_and_anchors_of_files_are_used(self, run: Run, folder: Path) -> None:
        (folder / "ca.crt").write_text("the anchors\n")
        values = self.values(folder, clusterDomain="c.example")
        result = run("--values", values, "--trust-anchors", "ca.crt", given=json.dumps(asked("a")))
        patch = base64.b64decode(responses(result)[0]["patch"])
        assert b"svc.c.example." in patch
        assert b"the anchors\\n" in patch

    def test_the_control_planes_namespace_is_told(self, run: Run) -> None:
        result = run("--linkerd-namespace", "mesh", given=json.dumps(asked("a")))
        assert b"linkerd-dst-headless.mesh.svc" in base64.b64decode(responses(result)[0]["patch"])

    @pytest.mark.parametrize("option", ["--values", "--trust-anchors"])
    def test_a_file_that_is_not_there_is_an_error_that_names_it(self, run: Run, option: str) -> None:
        result = run(option, "gone.yaml", given=json.dumps(asked("a")))
        what = option.removeprefix("--").replace("-", " ")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == f"linkerd-webhook: cannot read the {what} from gone.yaml: No such file or directory\n"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "linkerd-webhook: v.yaml: the values are empty: give the text"),
            ("- a", "linkerd-webhook: v.yaml: the values are an array, and must be an object"),
            ("proxy: {uid: x}", "linkerd-webhook: v.yaml: values: proxy.uid: want a whole number, got 'x'"),
            ("a: [", "linkerd-webhook: v.yaml: the values are not YAML: "),
        ],
    )
    def test_values_that_cannot_be_read_are_an_error_that_names_them(
        self, run: Run, folder: Path, text: str, said: str
    ) -> None:
        (folder / "v.yaml").write_text(text)
        result = run("--values", "v.yaml", given=json.dumps(asked("a")))
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.startswith(said)

    def test_a_configuration_that_can_inject_nothing_is_told(self, run: Run, folder: Path) -> None:
        values = self.values(folder, clusterNetworks="everything")
        result = run("--values", values, given=json.dumps(asked("a")))
        assert result.exit_code == 1
        assert result.stderr.startswith(
            'linkerd-webhook: every injection will be refused: values: clusterNetworks: "everything" is no'
        )

    def test_an_unknown_version_is_told(self, run: Run, folder: Path) -> None:
        values = self.values(folder, linkerdVersion="edge-99.1.1")
        result = run("--values", values, given=json.dumps(asked("a")))
        assert result.exit_code == 0
        assert result.stderr.startswith(
            'linkerd-webhook: linkerdVersion "edge-99.1.1" is newer than edge-26.8, the newest that is known'
        )
        assert run("--values", values, "--release-line", "edge-26.8", given=json.dumps(asked("a"))).stderr == ""

    @pytest.mark.parametrize(
        ("option", "said"),
        [("--webhook", 'unknown webhook "nobody": write one of'), ("--release-line", '"nobody" is not a release line')],
    )
    def test_a_name_that_nobody_has_is_a_wrong_use(self, run: Run, option: str, said: str) -> None:
        result = run(option, "nobody", given=json.dumps(asked("a")))
        assert (result.exit_code, result.stdout) == (2, "")
        assert said in result.stderr

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ("stable-2.12", ""),
            ("stable-2.12.3", ""),
            ("edge-26.8", ""),
            ("stable-2.14", ""),
            ("edge-24.7.5", ""),
            (
                "edge-99.1",
                'linkerd-webhook: --release-line: "edge-99.1" is newer than edge-26.8, the newest that is known',
            ),
        ],
    )
    def test_a_release_line_brings_its_own_defaults_and_the_newest_stands_in_for_a_newer_one(
        self, run: Run, line: str, told: str
    ) -> None:
        result = run("--release-line", line, given=json.dumps(asked("a")))
        assert result.exit_code == 0
        assert result.stderr.startswith(told)
        assert bool(result.stderr) is bool(told)

    def test_a_webhook_may_be_named(self, run: Run) -> None:
        given = json.dumps(asked("a"))
        assert run("--webhook", "proxy-injector", given=given).stdout == run(given=given).stdout

    def test_a_namespace_that_no_manifest_has_denies(self, run: Run) -> None:
        result = run(given=json.dumps(asked("a", namespace="gone")))
        assert result.exit_code == 1
        assert "add its manifest with --manifests" in responses(result)[0]["status"]["message"]

    def test_a_manifest_that_is_broken_is_told_and_the_others_count(self, run: Run, folder: Path) -> None:
        (folder / "broken.yaml").write_text("a: [\n")
        result = run("--manifests", "broken.yaml", given=json.dumps(asked("a")))
        assert result.exit_code == 0
        assert result.stderr.startswith("broken.yaml:1:4: ")
        assert result.stderr.endswith("; going on without it\n")


def test_the_program_itself_does_all_this(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "webhook.cli", "review", "--manifests", "namespaces.yaml", "-"],
        input=json.dumps(asked("a")),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["response"]["uid"] == "a"
