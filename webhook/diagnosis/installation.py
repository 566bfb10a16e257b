"""A look at the cluster before anything is installed there: what is missing, and what would not go together."""

from __future__ import annotations

import re
from typing import Final

from webhook.diagnosis import prerequisites
from webhook.diagnosis.wanted import JSON, Found, Wanted
from webhook.install.configurations import NAME
from webhook.install.linkerd import ADOPTED_FROM, LINKERDS
from webhook.install.server import server
from webhook.kube.api import PLAIN, ApiServer
from webhook.kube.objects import helm_release
from webhook.kube.webhookconfigurations import MUTATING, VALIDATING, cert_manager, path

# Those of every release line.
CRDS: Final = (
    "authorizationpolicies.policy.linkerd.io",
    "httproutes.policy.linkerd.io",
    "meshtlsauthentications.policy.linkerd.io",
    "networkauthentications.policy.linkerd.io",
    "serverauthorizations.policy.linkerd.io",
    "servers.policy.linkerd.io",
    "serviceprofiles.linkerd.io",
)
CONFIG_MAPS: Final = ("linkerd-config", "linkerd-identity-trust-roots")


async def look(api: ApiServer, wanted: Wanted) -> Found:
    """Look at everything, so that all problems are told at once. Raises `ApiError` and `TimeoutError`."""
    found = Found()
    await _version(api, wanted, found)
    await _crds(api, found)
    await _control_plane(api, wanted, found)
    await _ours(api, wanted, found)
    await _linkerds(api, wanted, found)
    await prerequisites.look(api, wanted, found)
    return found


async def _version(api: ApiServer, wanted: Wanted, found: Found) -> None:
    body = await api.get("/version", accept=PLAIN)
    numbers = [re.match(r"\d+", str(body.get(key, ""))) for key in ("major", "minor")]
    if not all(numbers):
        found.notes.append(f"the API server does not say which version it is ({body.get('gitVersion', 'nothing')})")
        return
    major, minor = (int(each[0]) for each in numbers if each)
    if (major, minor) < wanted.needs:
        found.problems.append(
            f"the API server is Kubernetes {major}.{minor}, and some of this needs {_dotted(wanted.needs)}: "
            f"add --kube-version {major}.{minor}, which leaves that out and says what"
        )


async def _crds(api: ApiServer, found: Found) -> None:
    root = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    missing = [name for name in CRDS if await api.find(f"{root}/{name}") is None]
    if missing:
        found.problems.append(
            f"Linkerd's CustomResourceDefinitions are missing: {', '.join(missing)}: "
            "run linkerd install --crds | kubectl apply -f -"
        )


async def _control_plane(api: ApiServer, wanted: Wanted, found: Found) -> None:
    root = f"/api/v1/namespaces/{wanted.namespace}/configmaps"
    missing = [name for name in CONFIG_MAPS if await api.find(f"{root}/{name}") is None]
    if not missing:
        return
    what = " and ".join(f"ConfigMap {wanted.namespace}/{name}" for name in missing)
    query = {"fieldSelector": f"metadata.name={CONFIG_MAPS[0]}"}
    items = (await api.get("/api/v1/configmaps", query, PLAIN)).get("items") or ()
    elsewhere = sorted(item["metadata"]["namespace"] for item in items if item["metadata"]["name"] == CONFIG_MAPS[0])
    elsewhere = [each for each in elsewhere if each != wanted.namespace]
    fix = (
        f"Linkerd is in namespace {', '.join(elsewhere)}: pass --linkerd-namespace {elsewhere[0]}"
        if elsewhere
        else "install Linkerd's control plane first: linkerd install | kubectl apply -f -"
    )
    found.problems.append(f"{what} not found: {fix}")


async def _ours(api: ApiServer, wanted: Wanted, found: Found) -> None:
    query = {"labelSelector": f"app.kubernetes.io/name={NAME}"}
    items = (await api.get("/apis/apps/v1/deployments", query, PLAIN)).get("items") or ()
    for item in items:
        namespace, release = item["metadata"]["namespace"], helm_release(item)
        if item["metadata"]["name"] != NAME:
            continue
        if namespace == wanted.namespace:
            _mode(item, wanted, found)
            if release and release != NAME:
                # One of our name is found by its own records.
                found.notes.append(prerequisites.managed(namespace, release))
        if namespace != wanted.namespace:
            found.problems.append(
                f"Deployment {namespace}/{NAME} is there already, and a cluster takes one installation only: pass "
                f"--linkerd-namespace {namespace}, or take it out with linkerd-webhook uninstall "
                f"--linkerd-namespace {namespace}"
            )


def _mode(deployment: JSON, wanted: Wanted, found: Found) -> None:
    """A new replica is ready once the caBundles trust what it serves, and the leader, an old one, writes what old ones
    serve: from one kind of certificate to the other, a rollout would wait for itself."""
    now = server([deployment], None, wanted.service)
    files = bool(wanted.existing_secret)
    if now is None or (now.mode == "files") is files or (now.mode == "files" and not now.secret):
        return
    if files:
        change = (
            f"issues its certificate itself, and would take it from Secret {wanted.namespace}/{wanted.existing_secret}"
        )
    else:
        change = f"takes its certificate from Secret {wanted.namespace}/{now.secret}, and would issue it itself"
    found.problems.append(
        f"{now.where} {change}: replicas of both kinds "
        f"do not get ready side by side, and the rollout would stop half-way: run kubectl -n {wanted.namespace} delete "
        f"deploy {now.name} first, then install again; until new replicas are ready, the failurePolicy decides"
    )


async def _linkerds(api: ApiServer, wanted: Wanted, found: Found) -> None:
    bodies = [(name, await api.find(path(name))) for name in LINKERDS]
    there = {name: body for name, body in bodies if body is not None}
    names = ", ".join(name for _, name in there)
    if not wanted.adopt:
        adopted = [
            name for (_, name), body in there.items() if ADOPTED_FROM in (body["metadata"].get("annotations") or {})
        ]
        if adopted:
            found.problems.append(
                f"Linkerd's webhook configurations {', '.join(adopted)} were adopted: pass --adopt, or give them back "
                "first with linkerd-webhook uninstall --delete"
            )
        elif there:
            found.notes.append(
                f"Linkerd's own webhook configurations are there, too ({names}), and go on to answer; --adopt points "
                "them here instead"
            )
        return
    if not there:
        found.problems.append(
            f"--adopt: none of Linkerd's webhook configurations is there ({', '.join(name for _, name in LINKERDS)}): "
            "install without --adopt, or install Linkerd first"
        )
    for (kind, name), body in there.items():
        annotation = cert_manager(body)
        if annotation:
            found.problems.append(
                f"--adopt: {kind} {name}: metadata.annotations[{annotation}] lets cert-manager write its caBundle: "
                "take the annotation away, or install without --adopt"
            )
    await _both(api, found)


async def _both(api: ApiServer, found: Found) -> None:
    ours = [name for name in ((MUTATING, NAME), (VALIDATING, NAME)) if await api.find(path(name)) is not None]
    if ours:
        what = " ".join(f"{kind.lower()}/{name}" for kind, name in ours)
        found.notes.append(
            f"webhook configurations of an installation without --adopt are there and stay: kubectl delete {what}, "
            "once Linkerd's are adopted"
        )


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
