"""Mistakes in manifests that have nothing to do with Linkerd, each with its place."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from webhook.cluster.catalog import OfflineCatalog
from webhook.lint.check import Reported, check
from webhook.mesh import releases
from webhook.policy.regex.judge import judge_for

LINE = releases.line(releases.LINES[-1])

TEXT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: web
        image: nginx
"""
CONTAINERS = TEXT[TEXT.index("      containers") :]
NAMES = "  name: web\nspec:"


def findings(tmp_path: Path, text: str) -> list[Reported]:
    file = tmp_path / "web.yaml"
    file.write_text(text)
    return check([str(file)], LINE, OfflineCatalog, judge_for(LINE), lambda *_: []).findings


def told(tmp_path: Path, text: str) -> list[tuple[int, int, str, str]]:
    return [(one.line, one.column, one.rule.id, one.message) for one in findings(tmp_path, text)]


def test_a_manifest_without_a_mistake_is_left_alone(tmp_path: Path) -> None:
    assert told(tmp_path, TEXT) == []


HELM = "belongs to a template: render it first, with helm template for example"
SHELL = "is a variable that nothing has filled in: fill it in first, with envsubst for example"


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "message"),
    [
        ("nginx", '"{{ .Values.image }}"', 14, 9, f'"{{{{ .Values.image }}}}" {HELM}'),
        ("nginx", "nginx:{{ .Values.tag }}", 14, 9, f'"{{{{ .Values.tag }}}}" {HELM}'),
        ("nginx", "nginx:${TAG}", 14, 9, f'"${{TAG}}" {SHELL}'),
        ("nginx", "nginx:$TAG", 14, 9, f'"$TAG" {SHELL}'),
        ("nginx", "nginx:${TAG:-latest}", 14, 9, f'"${{TAG:-latest}}" {SHELL}'),
        ("nginx", "nginx:$(TAG)", 14, 9, '"$(TAG)" is a variable that nothing has filled in, and Kubernetes fills in'),
        (NAMES, '  name: "{{ .Release.Name }}"\nspec:', 4, 3, f'"{{{{ .Release.Name }}}}" {HELM}'),
        (NAMES, "  name: ${NAME}-web\nspec:", 4, 3, f'"${{NAME}}" {SHELL}'),
        ("labels: {app: web}", 'labels: {app: "{{ x }}"}', 10, 16, f'"{{{{ x }}}}" {HELM}'),
        (
            "labels: {app: web}",
            "annotations: {linkerd.io/inject: '{{ .Values.inject }}'}",
            10,
            21,
            f'"{{{{ .Values.inject }}}}" {HELM}',
        ),
        ("labels: {app: web}", "annotations: {linkerd.io/inject: '${MESHED}'}", 10, 21, f'"${{MESHED}}" {SHELL}'),
    ],
)
def test_a_placeholder_is_told_where_nothing_can_fill_it_in(
    tmp_path: Path, old: str, new: str, line: int, column: int, message: str
) -> None:
    ((*place, rule, said),) = told(tmp_path, TEXT.replace(old, new))
    assert (place, rule) == ([line, column], "manifest-not-rendered")
    assert said.startswith(message)


@pytest.mark.parametrize(
    "addition",
    [
        'args: ["$(POD_IP)", "{{ .Name }}", "${HOME}"]',
        'env: [{name: A, value: "$(B)"}]',
    ],
)
def test_a_placeholder_is_legal_where_the_container_fills_it_in(tmp_path: Path, addition: str) -> None:
    assert told(tmp_path, f"{TEXT}        {addition}\n") == []


def test_a_variable_within_an_annotation_may_be_meant_for_the_proxy(tmp_path: Path) -> None:
    env = """annotations: {config.linkerd.io/proxy-additional-env: '[{"name": "A", "value": "$(B)"}]'}"""
    assert told(tmp_path, TEXT.replace("labels: {app: web}", env)) == []


@pytest.mark.parametrize(
    ("metadata", "line", "column", "field", "message"),
    [
        ("  name: 12\n", 4, 3, "metadata.name", "12 is a number, not a string: put it in quotes, as it is written"),
        ("  name: web\n  namespace: on\n", 5, 3, "metadata.namespace", "true is a boolean, not a string: put it in"),
        ("  name: web\n  labels:\n    version: 1.10\n", 6, 5, "metadata.labels.version", "1.1 is a number, not a str"),
        ("  name: web\n  labels: [a]\n", 5, 3, "metadata.labels", '["a"] is an array: write an object'),
        (
            "  name: web\n  annotations: {a: {b: c}}\n",
            5,
            17,
            "metadata.annotations.a",
            '{"b":"c"} is an object, not a s',
        ),
        ("  []\n", 3, 1, "metadata", "[] is an array: write an object, such as {name: …}"),
        ("  web\n", 3, 1, "metadata", '"web" is a string: write an object, such as {name: …}'),
    ],
)
def test_metadata_that_is_not_text_is_an_error(
    tmp_path: Path, metadata: str, line: int, column: int, field: str, message: str
) -> None:
    (one,) = findings(tmp_path, TEXT.replace("  name: web\n", metadata, 1))
    assert (one.line, one.column, one.rule.id, one.field) == (line, column, "field-type", field)
    assert one.is_error
    assert one.message.startswith(message)


def test_metadata_of_a_pod_template_is_checked_as_well(tmp_path: Path) -> None:
    (one,) = findings(tmp_path, TEXT.replace("labels: {app: web}", "labels: {version: 2}"))
    assert (one.line, one.column, one.field) == (10, 16, "spec.template.metadata.labels.version")


@pytest.mark.parametrize(
    ("containers", "line", "column", "message"),
    [
        ("      containers: []\n", 12, 7, "there is no container"),
        ("      containers: null\n", 12, 7, "there is no container"),
        ("      volumes: []\n", 11, 5, "there is no container"),
        ("      containers:\n      - image: nginx\n", 13, 9, "the container has no name: write name: web"),
        ("      containers:\n      - name: web\n", 13, 9, "the container has no image: write image: nginx:1.27"),
        ("      initContainers: [{}]\n" + CONTAINERS, 12, 24, "the container has no name"),
    ],
)
def test_what_kubernetes_refuses_of_containers_is_told(
    tmp_path: Path, containers: str, line: int, column: int, message: str
) -> None:
    one, *_ = findings(tmp_path, TEXT.replace(CONTAINERS, containers))
    assert (one.line, one.column, one.rule.id) == (line, column, "manifest-no-container")
    assert one.message.startswith(message)
    assert not one.is_error


def test_a_pod_template_without_a_spec_is_told(tmp_path: Path) -> None:
    text = TEXT.replace("    spec:\n" + CONTAINERS, "")
    ((_, _, rule, message),) = told(tmp_path, text)
    assert (rule, message[:30]) == ("manifest-no-container", "the Pod template has no spec: ")


@pytest.mark.parametrize("left_out", ["        image: nginx\n", "    spec:\n" + CONTAINERS])
def test_a_patch_may_leave_out_what_it_does_not_change(tmp_path: Path, left_out: str) -> None:
    patch = TEXT.replace("  selector:\n    matchLabels: {app: web}\n", "").replace(left_out, "")
    assert told(tmp_path, patch) == []


@pytest.mark.parametrize(
    ("written", "tag"),
    [("!Ref Image", "!Ref"), ("!vault |\n          abc", "!vault"), ("!!python/name:os x", "!!python/name:os")],
)
def test_a_tag_of_another_program_is_told(tmp_path: Path, written: str, tag: str) -> None:
    ((line, column, rule, message),) = told(tmp_path, TEXT.replace("nginx", written))
    assert (line, column, rule) == (14, 9, "manifest-tag")
    assert message.startswith(f"{tag} is a tag that Kubernetes ignores: ")


def test_a_tag_is_told_of_the_item_of_a_list_that_has_it(tmp_path: Path) -> None:
    items = "".join("- " + text.replace("\n", "\n  ").rstrip(" ") for text in (TEXT, TEXT.replace("nginx", "!x nginx")))
    (one,) = findings(tmp_path, f"apiVersion: v1\nkind: List\nitems:\n{items}")
    assert (one.line, one.column, one.field) == (31, 11, "spec.template.spec.containers[0].image")


@pytest.mark.parametrize("written", ["!!str nginx", "! nginx", "'!nginx'", "nginx!x"])
def test_a_tag_that_yaml_defines_is_none(tmp_path: Path, written: str) -> None:
    assert told(tmp_path, TEXT.replace("nginx", written)) == []


@pytest.mark.parametrize(
    ("value", "character"),
    [("\ufeffnginx", "U+FEFF (zero width no-break space)"), ("nginx\u200b", "U+200B (zero width space)")],
)
def test_a_character_that_cannot_be_seen_is_told(tmp_path: Path, value: str, character: str) -> None:
    ((line, column, rule, message),) = told(tmp_path, TEXT.replace("nginx", value))
    assert (line, column, rule) == (14, 9, "manifest-unseen-character")
    assert message.startswith(f"{character} stands at its beginning or end")


def test_a_key_that_a_no_break_space_indents_is_told(tmp_path: Path) -> None:
    one, *_ = findings(tmp_path, TEXT.replace("  name: web\nspec", "\u00a0\u00a0name: web\nspec"))
    assert (one.line, one.column, one.rule.id) == (4, 1, "manifest-unseen-character")
    assert one.message.startswith("U+00A0 (no-break space)")


def test_characters_beyond_ascii_within_a_text_are_left_alone(tmp_path: Path) -> None:
    annotations = "annotations: {a: é\u00a0ü, b: '\u00a0', c: 日本}"
    assert told(tmp_path, TEXT.replace("labels: {app: web}", annotations)) == []


@pytest.mark.parametrize(
    ("head", "line", "message"),
    [
        ("apiVersion: apps/v1\nkind: {}\n", 2, "kind is {}, and must be a string: write kind: Deployment"),
        ("apiVersion: 1\nkind: Deployment\n", 1, "apiVersion is 1, and must be a string: write apiVersion: apps/v1"),
        ("apiVersion: apps/v1\nkind:\n", 2, "kind is null, and must be a string"),
    ],
)
def test_a_kind_or_apiversion_that_is_not_text_cannot_be_read(
    tmp_path: Path, head: str, line: int, message: str
) -> None:
    body = TEXT.replace("apiVersion: apps/v1\nkind: Deployment\n", "")
    ((*place, rule, said),) = told(tmp_path, head + body)
    assert (place, rule) == ([line, 1], "manifest-unreadable")
    assert said.startswith(message)


def test_the_annotation_silences_the_warnings(tmp_path: Path) -> None:
    ignored: Any = "manifest-no-container, manifest-tag, manifest-not-rendered"
    text = TEXT.replace(CONTAINERS, "      containers: []\n").replace(
        NAMES, f"  annotations: {{linkerd-webhook/ignore: '{ignored}'}}\n  name: !x $A\nspec:"
    )
    assert told(tmp_path, text) == []


def test_a_long_list_takes_seconds_at_most(tmp_path: Path) -> None:
    item = "- " + TEXT.replace("nginx", "!x nginx\u00a0").replace("\n", "\n  ").rstrip(" ")
    start = time.process_time()
    assert len(findings(tmp_path, "apiVersion: v1\nkind: List\nitems:\n" + item * 500)) == 1000
    assert time.process_time() - start < 5
