"""The rights that `install --rbac-for` prints: enough for what the commands ask, and never the server's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from tests.kube.http import FakeApiServer, served
from tests.kube.store import Request
from tests.unit.diagnosis.check.installed_cluster import InstalledCluster
from tests.unit.diagnosis.check.test_control_plane import ROOTS, config
from webhook.cli.main import COMMANDS, cli
from webhook.diagnosis.command_rights import JSON, RightsFor, SubjectError, objects, subject
from webhook.install.objects.access import cluster_role

_PLURALS = {"NetworkPolicy": "networkpolicies", "ValidatingAdmissionPolicy": "validatingadmissionpolicies"}
_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/[^/]+(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<resource>[^/]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?"
)
_VERBS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}


class Asked(NamedTuple):
    """What RBAC decides about a request by."""

    verb: str
    group: str
    resource: str
    namespace: str
    name: str


def asked(request: Request) -> Asked | None:
    """Of a request; None for what everybody may."""
    match = _PATH.fullmatch(request.path)
    if match is None or match["group"] == "authorization.k8s.io":
        return None
    name = match["name"] or ""
    verb = _VERBS.get(request.method, "get" if name else "list")
    resource = f"{match['resource']}/{match['sub']}" if match["sub"] else match["resource"]
    return Asked(verb, match["group"] or "", resource, match["namespace"] or "", name)


def allows(bodies: list[JSON], question: Asked) -> bool:
    """Whether these roles allow it."""
    roles = [
        body
        for body in bodies
        if body["kind"] == "ClusterRole"
        or (body["kind"] == "Role" and body["metadata"]["namespace"] == question.namespace)
    ]
    return any(
        question.group in rule["apiGroups"]
        and question.resource in rule["resources"]
        and question.verb in rule["verbs"]
        and question.name in rule.get("resourceNames", [question.name])
        for body in roles
        for rule in body["rules"]
    )


def dispensable(question: Asked) -> bool:
    """What `check` goes without where the right is missing: Secrets, replicas' certificates, a Pod's dry run."""
    return question.resource in ("secrets", "pods/portforward") or (question.verb, question.resource) == (
        "create",
        "pods",
    )


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[tuple[FakeApiServer, Path]]:
    """A cluster with an installation, and some of everything that is looked at."""
    with served(tmp_path) as (server, kubeconfig):
        server.put("/version", {"major": "1", "minor": "36", "gitVersion": "v1.36.0"})
        server.put("/api/v1/namespaces/linkerd/configmaps/linkerd-config", config())
        server.put("/api/v1/namespaces/linkerd/configmaps/linkerd-identity-trust-roots", ROOTS)
        server.set_namespace("linkerd")
        server.set_namespace("shop", **{"linkerd.io/inject": "enabled"})
        for body in InstalledCluster().objects.values():
            root = f"/apis/{body['apiVersion']}" if "/" in body["apiVersion"] else "/api/v1"
            plural = _PLURALS.get(body["kind"], f"{body['kind'].lower()}s")
            namespace = body["metadata"].get("namespace")
            within = f"/namespaces/{namespace}" if namespace else ""
            server.put(f"{root}{within}/{plural}/{body['metadata']['name']}", body)
        server.add("/api/v1/pods", "shop", "cart", kind="Pod", spec={"containers": [{"name": "web"}]})
        yield server, kubeconfig


# Command lines of those commands that there are.
LINES = [
    element
    for element in (
        (RightsFor.CHECK, ["check", "--wait=0s"]),
        (RightsFor.CHECK, ["check", "--wait=0s", "--pre"]),
        (RightsFor.CHECK, ["check", "--wait=0s", "--proxy"]),
        (RightsFor.CHECK, ["check", "--wait=0s", "-n", "shop"]),
        (RightsFor.EXPLAIN, ["explain", "pod/cart", "-n", "shop"]),
        (RightsFor.REPAIR, ["repair"]),
        (RightsFor.REPAIR, ["repair", "-n", "shop"]),
        (RightsFor.DASHBOARD, ["dashboard", "--show=url", "--port=0", "--wait=0s"]),
    )
    if element[0] in COMMANDS
]


@pytest.mark.parametrize(("command", "line"), LINES)
def test_a_command_asks_for_nothing_that_its_rights_do_not_hold(
    installed: tuple[FakeApiServer, Path], command: RightsFor, line: list[str]
) -> None:
    """Where it does, webhook/diagnosis/command_rights.py is the place to add what it asks for."""
    server, kubeconfig = installed
    CliRunner().invoke(cli, [*line, f"--kubeconfig={kubeconfig}"])
    bodies = objects(command, "linkerd")
    questions = {question for request in server.requests if (question := asked(request)) is not None}
    assert len(questions) > 1
    assert (
        sorted(question for question in questions if not allows(bodies, question) and not dispensable(question)) == []
    )


@pytest.mark.parametrize("command", RightsFor)
def test_no_command_gets_a_right_to_write_but_what_it_is_for(command: RightsFor) -> None:
    written = {
        (verb, group, resource, tuple(rule.get("resourceNames", ())))
        for body in objects(command, "linkerd", secrets=True)
        for rule in body["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if verb not in ("get", "list")
    }
    self_test = ("patch", "", "configmaps", ("linkerd-webhook-self-test",))
    workloads = {("patch", "apps", element, ()) for element in ("daemonsets", "deployments", "statefulsets")}
    expected = {
        RightsFor.CHECK: {self_test},
        RightsFor.EXPLAIN: set(),
        RightsFor.REPAIR: {self_test, ("create", "", "pods", ()), *workloads},
        RightsFor.DASHBOARD: {("create", "", "pods/portforward", ())},
    }
    assert written == expected[command]


@pytest.mark.parametrize("command", RightsFor)
def test_secrets_are_read_by_name_and_only_if_asked_for(command: RightsFor) -> None:
    def rules(secrets: bool = False) -> list[JSON]:
        manifests = objects(command, "linkerd", secrets=secrets)
        return [rule for body in manifests for rule in body["rules"] if "secrets" in rule["resources"]]

    assert rules() == []
    (rule,) = rules(secrets=True)
    assert (rule["verbs"], rule["resourceNames"]) == (["get"], ["linkerd-webhook-ca", "linkerd-webhook-tls"])


def test_the_roles_are_not_the_servers() -> None:
    names = {body["metadata"]["name"] for command in RightsFor for body in objects(command, "linkerd")}
    assert cluster_role()["metadata"]["name"] not in names
    assert names == {f"linkerd-webhook-{command}" for command in ("check", "explain", "repair", "dashboard")}


def test_nothing_is_bound_unless_asked_for() -> None:
    assert [body["kind"] for body in objects(RightsFor.CHECK, "mesh")] == ["ClusterRole", "Role"]


def test_what_is_needed_in_one_namespace_is_no_cluster_role() -> None:
    bodies = objects(RightsFor.DASHBOARD, "mesh", [subject("Group:on-call")])
    assert [body["kind"] for body in bodies] == ["Role", "RoleBinding"]
    assert {body["metadata"]["namespace"] for body in bodies} == {"mesh"}


def test_bindings_name_the_roles_and_the_subjects() -> None:
    bodies = objects(RightsFor.CHECK, "mesh", [subject("Group:on-call")])
    bindings = {body["kind"]: body for body in bodies if body["kind"].endswith("Binding")}
    for kind, role in (("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")):
        assert bindings[kind]["roleRef"]["kind"] == role
        assert bindings[kind]["roleRef"]["name"] == "linkerd-webhook-check"
        assert bindings[kind]["subjects"] == [subject("Group:on-call")]
    assert bindings["RoleBinding"]["metadata"]["namespace"] == "mesh"


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("Group:system:masters", {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "system:masters"}),
        (
            "User:jane@example.org",
            {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "jane@example.org"},
        ),
        ("ServiceAccount:ci/check", {"kind": "ServiceAccount", "namespace": "ci", "name": "check"}),
    ],
)
def test_a_subject_is_a_group_a_user_or_a_service_account(text: str, body: JSON) -> None:
    assert subject(text) == body


@pytest.mark.parametrize("text", ["", "jane", "Group:", "Team:x", "ServiceAccount:x", "ServiceAccount:a/b/c", "User"])
def test_another_text_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(SubjectError, match=r"write Group:NAME, User:NAME or ServiceAccount:NAMESPACE/NAME"):
        subject(text)


def test_install_prints_them_without_an_image_or_a_cluster() -> None:
    done = CliRunner().invoke(cli, ["install", "--rbac-for", "check", "--to", "User:jane", "-o", "json"])
    assert done.exit_code == 0
    assert '"linkerd-webhook-check"' in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--to", "User:jane"], "go with --rbac-for"),
        (["--with-secrets"], "go with --rbac-for"),
        (["--rbac-for", "check", "--to", "jane"], "write Group:NAME"),
    ],
)
def test_flags_that_do_not_fit_are_refused(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(cli, ["install", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
