"""What the CRDs refuse gets a finding, and what they accept gets none that says they do not.

The CRDs lie beside the checkout, in `../shared/linkerd`, or where WEBHOOK_CRDS says; without them these tests are
skipped. Those of the Gateway API, as they are released, are looked for in `gateway-api` there, or where
WEBHOOK_GATEWAY_CRDS says, in `standard/*.yaml` and `experimental/*.yaml`. Tried are the objects of the recordings, in
each version that a CRD serves, and objects that reach each bound of a schema from both sides.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conformance.crds import Crd
from tests.conformance.mutants import examples, mutants
from webhook.cluster.interface import NothingKnown
from webhook.findings.finding import Finding, Severity
from webhook.mesh.releases import line
from webhook.policy import registry
from webhook.policy.regex.judge import judge_inline

JSON = dict[str, Any]
Crds = dict[tuple[str, str], Crd]

SHARED = Path(__file__).parents[2].parent / "shared"
CRDS = Path(os.environ.get("WEBHOOK_CRDS") or SHARED / "linkerd")
GATEWAY_CRDS = Path(os.environ.get("WEBHOOK_GATEWAY_CRDS") or CRDS / "gateway-api")
RECORDINGS = Path(os.environ.get("WEBHOOK_CONFORMANCE") or SHARED / "conformance") / "policy"
LINES = ["edge-26.8", "stable-2.12"]
POLICY, GATEWAY = "policy.linkerd.io", "gateway.networking.k8s.io"

# What the API server drops or never gets is not refused, and what Linkerd cannot read may be stored all the same.
NO_REFUSAL = {"schema-unknown", "api-version-unknown", "gateway-not-read"}
# Rules in CEL are no part of a structural schema.
CEL = {"gateway-rule"}


@cache
def served(*files: Path) -> Crds:
    """The schemas in these files, by kind and version."""
    return {
        (crd["spec"]["names"]["kind"], version["name"]): Crd(version["schema"]["openAPIV3Schema"])
        for file in files
        for crd in yaml.load_all(file.read_text(), yaml.CSafeLoader)
        if crd and crd["kind"] == "CustomResourceDefinition" and crd["spec"]["group"] in (POLICY, GATEWAY)
        for version in crd["spec"]["versions"]
        if version["served"]
    }


def policy_crds(release: str) -> Crds:
    """Those of a release line; without them the test is skipped."""
    file = CRDS / release / "crds.yaml"
    if not file.is_file():
        pytest.skip(f"no CRDs: {file} is not there; set WEBHOOK_CRDS to the folder that holds {release}/")
    return served(file)


def gateway_crds(channel: str) -> Crds:
    """Those of a channel of the Gateway API; without them the test is skipped."""
    files = sorted((GATEWAY_CRDS / channel).glob("*routes.yaml"))
    if not files:
        pytest.skip(f"no CRDs in {GATEWAY_CRDS / channel}; set WEBHOOK_GATEWAY_CRDS to the folder that holds it")
    return served(*files)


@cache
def cases(file: Path) -> list[JSON]:
    """The cases of one file."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return [json.loads(text) for text in lines]


def recorded(release: str, group: str, kind: str) -> Iterator[tuple[str, JSON]]:
    """The objects of a kind in the recordings."""
    files = sorted(RECORDINGS.glob(f"{release}*.jsonl.gz"))
    if not files:
        pytest.skip(f"no recordings in {RECORDINGS}; set WEBHOOK_CONFORMANCE to the folder that holds policy/")
    for file in files:
        for case in cases(file):
            body = case["review"]["request"].get("object")
            if isinstance(body, dict) and body.get("kind") == kind and str(body.get("apiVersion")).startswith(group):
                yield case["name"], body


def made(crd: Crd) -> Iterator[tuple[str, JSON]]:
    """Objects that reach each bound of a schema."""
    schema = crd.schema["properties"]["spec"]
    seen = set()
    for turn in range(2):
        for what, spec in mutants(examples(schema, turn), schema):
            key = json.dumps(spec)
            if key not in seen:
                seen.add(key)
                yield f"example {turn}, {what}", {"metadata": {"name": "a", "namespace": "b"}, "spec": spec}


def findings(release: str, group: str, version: str, kind: str, body: JSON) -> list[Finding]:
    """What we say to an object, once its version is this one."""
    body = {**body, "apiVersion": f"{group}/{version}", "kind": kind}
    return registry.check(group, kind, body, line=line(release), catalog=NothingKnown(), judge=judge_inline)


def refusals(result: list[Finding]) -> list[str]:
    """The findings that say the API server or the webhook refuses the object."""
    counted = (finding for finding in result if finding.severity is not Severity.WARNING)
    return [f"{finding.rule.id} {finding.text}" for finding in counted if finding.rule.id not in NO_REFUSAL]


def schema_refusals(result: list[Finding]) -> list[str]:
    """Those that say it of the schema."""
    counted = (finding for finding in result if finding.rule.severity is Severity.SCHEMA)
    return [f"{finding.rule.id} {finding.text}" for finding in counted if finding.rule.id not in NO_REFUSAL | CEL]


def disagreement(result: list[Finding], verdicts: list[str]) -> str:
    """How we differ from the schemas (more than one: what they say together), an empty string if we do not."""
    if all(verdicts) and not refusals(result):
        return f"the CRD refuses, we do not: {verdicts[0]}"
    if not verdicts[-1] and schema_refusals(result):
        return f"the CRD accepts, we do not: {schema_refusals(result)}"
    return ""


def report(problems: list[str], count: int, least: int) -> None:
    """Fail with the first of the problems; too few objects are one as well."""
    shown = "\n".join(problems[:20])
    assert not problems, f"{len(problems)} of {count} objects are judged otherwise than by the CRD:\n{shown}"
    assert count >= least, f"only {count} objects were tried"


@pytest.mark.parametrize("release", LINES)
def test_the_recorded_objects_are_judged_as_by_the_crds_in_every_version(release: str) -> None:
    problems, count = [], 0
    for (kind, version), crd in policy_crds(release).items():
        for name, body in recorded(release, POLICY, kind):
            count += 1
            result = findings(release, POLICY, version, kind, body)
            if problem := disagreement(result, [crd.refuses(body)]):
                problems.append(f"{kind} {version}, {name}: {problem}")
    report(problems, count, least=500)


@pytest.mark.parametrize("release", LINES)
def test_objects_at_the_bounds_of_the_schemas_are_judged_as_by_the_crds(release: str) -> None:
    problems, count = [], 0
    for (kind, version), crd in policy_crds(release).items():
        for name, body in made(crd):
            count += 1
            result = findings(release, POLICY, version, kind, body)
            if problem := disagreement(result, [crd.refuses(body)]):
                problems.append(f"{kind} {version}, {name}: {problem}")
    report(problems, count, least=3000)


@pytest.mark.parametrize("release", LINES)
def test_the_examples_that_are_changed_are_right_themselves(release: str) -> None:
    for (kind, version), crd in policy_crds(release).items():
        body = {"metadata": {"namespace": "b"}, "spec": examples(crd.schema["properties"]["spec"], 0)}
        problems = findings(release, POLICY, version, kind, body)
        assert (crd.refuses(body), refusals(problems)) == ("", []), f"{kind} {version} {body}"


@pytest.mark.parametrize("release", LINES)
def test_the_versions_that_are_served_are_those_of_the_crds(release: str) -> None:
    ours = {
        (kind.kind, version)
        for kind in registry.KINDS
        if kind.group == POLICY and registry.find(POLICY, kind.kind, line(release))
        for version in kind.served(line(release))
    }
    assert ours == set(policy_crds(release))


@pytest.mark.parametrize("kind", ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"])
def test_gateway_routes_are_refused_where_both_channels_do_and_never_where_the_experimental_does_not(kind: str) -> None:
    standard, experimental = gateway_crds("standard"), gateway_crds("experimental")
    problems, count, version = [], 0, "v1"
    objects = [*recorded("edge-26.8", GATEWAY, kind), *made(standard[kind, version])]
    objects += made(experimental[kind, version])
    for name, body in objects:
        count += 1
        result = findings("edge-26.8", GATEWAY, version, kind, body)
        verdicts = [standard[kind, version].refuses(body), experimental[kind, version].refuses(body)]
        if problem := disagreement(result, verdicts):
            problems.append(f"{kind}, {name}: {problem}")
    report(problems, count, least=300)
