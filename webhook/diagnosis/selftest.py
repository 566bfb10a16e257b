"""The self-test checks that the API server reaches our server, by a change that is never stored.

A dry run on a ConfigMap of our own matches the self-test's webhook configuration and no other. The answer that comes
back through the API server proves that all parts work: the network, our Service, the caBundle, the certificate. If
there is no answer, the API server's error says why, before any Pod is affected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from webhook.diagnosis.finding import Check, CheckFinding
from webhook.install.configurations import SELF_TEST as CONFIG_MAP
from webhook.install.configurations import SELF_TEST_LABEL as LABEL
from webhook.kube.api import ApiServer
from webhook.kube.errors import ApiError, ApiServerUnreachable, Forbidden, NotFound, explain
from webhook.kube.webhookconfigurations import FIELD_MANAGER, MUTATING, ServiceReference

REACHED: Final = Check("webhook-reached", "the API server reaches the server")

# The annotation by which a replica answers.
ANSWERED_BY: Final = "linkerd-webhook/answered-by"

# Seconds: the API server waits two for the webhook.
WITHIN: Final = 10.0

_MERGE: Final = "application/merge-patch+json"
_APPLY: Final = "apply what `linkerd-webhook install` prints"


@dataclass(frozen=True, slots=True)
class SelfTestResult:
    """The replica that answered, or the finding about why none did, from the `error` where the API server gave one."""

    answered_by: str = ""
    finding: CheckFinding | None = None
    error: ApiError | None = None

    @property
    def problem(self) -> str:
        """The finding in one line, "" where a replica answered."""
        return self.finding.line() if self.finding else ""


async def run(api: ApiServer, service: ServiceReference) -> SelfTestResult:
    """Have the API server call the server behind a Service. A failure is the result, and no exception is raised."""
    path = f"/api/v1/namespaces/{service.namespace}/configmaps/{CONFIG_MAP}"
    query = {"dryRun": "All", "fieldManager": FIELD_MANAGER}
    try:
        body = await api.send("PATCH", path, {"metadata": {"labels": {LABEL: "true"}}}, _MERGE, query, WITHIN)
    except (ApiError, TimeoutError) as error:
        return SelfTestResult(finding=failed(error, service), error=error if isinstance(error, ApiError) else None)
    except ValueError as error:
        return SelfTestResult(
            finding=REACHED.error("API server", "", f"its answer to the self-test is broken: {error}")
        )
    metadata = body.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    answered = annotations.get(ANSWERED_BY) if isinstance(annotations, dict) else None
    if isinstance(answered, str) and answered:
        return SelfTestResult(answered_by=answered)
    message = (
        "is missing or was changed, or another program answers in place of the server: the API server took the "
        "self-test's change without an answer of the server's"
    )
    return SelfTestResult(finding=REACHED.error(f"{MUTATING} {CONFIG_MAP}", "", message, _APPLY))


def not_ready(service: ServiceReference) -> SelfTestResult:
    """The result while no replica is ready: the API server is not asked to call one."""
    where = f"Service {service.namespace}/{service.name}"
    return SelfTestResult(finding=REACHED.error(where, "endpoints", "no replica is ready"))


def failed(
    error: ApiError | TimeoutError, service: ServiceReference, *, without_endpoints: bool = False
) -> CheckFinding:
    """What the API server's refusal of the self-test means, also where the Service is known to have no endpoint. Pure.

    API servers dial the Service's own address unless they route by themselves (--enable-aggregator-routing), and
    kube-proxy refuses connections to a Service without endpoints: it is the same error as that of a closed port.
    https://kubernetes.io/docs/reference/networking/virtual-ips/
    """
    where = f"ConfigMap {service.namespace}/{CONFIG_MAP}"
    if not isinstance(error, ApiError):
        return REACHED.error("API server", "", f"did not answer the self-test within {WITHIN:.0f} s")
    if isinstance(error, NotFound):
        return REACHED.error(where, "", "does not exist", _APPLY)
    if isinstance(error, Forbidden) and error.user:
        return REACHED.error(where, "", explain(error, "patch on it"))
    if isinstance(error, ApiServerUnreachable):
        return REACHED.error("API server", "", explain(error))
    why, fix = _cause(f"{error.message} {_NO_ENDPOINTS if without_endpoints else ''}", service)
    message = f"the API server cannot call it: {why} ({_short(error.message)})"
    effect = "Until it can, no webhook configuration takes effect"
    return REACHED.error(f"Service {service.namespace}/{service.name}", "", f"{message}. {effect}", fix)


def _cause(message: str, service: ServiceReference) -> tuple[str, str]:
    """What the API server's words about a call mean, and what to do."""
    # The URL names the timeout that was set.
    said = re.sub(r"\?timeout=\w+", "", message)
    for pattern, cause, fix in _CAUSES:
        if re.search(pattern, said, re.IGNORECASE):
            named = {"namespace": service.namespace, "name": service.name}
            return cause.format(**named), fix.format(**named)
    return "the call failed", _NETWORK


def _short(message: str) -> str:
    """The API server's words about a call, without what is the same of all calls."""
    said = " ".join(_PREFIX.sub("", message).split())
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}…"


# Characters of the API server's message that are repeated.
_SHOWN: Final = 300
_PREFIX: Final = re.compile(r'^Internal error occurred: failed calling webhook "[^"]*": (failed to call webhook: )?')

_NETWORK: Final = (
    "where this lasts, a firewall or NetworkPolicy may stand between API server and Pods: let the API server through "
    "to the Pods' port (8443, or --port of `linkerd-webhook install`), or run the Pods on the nodes' network "
    "(--host-network)"
)
_LOGS: Final = "see the log: kubectl -n {namespace} logs deploy/{name}"
_ANOTHER: Final = (
    "another program may answer there, or this one in another version: see which Pods the Service selects, with "
    "kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}"
)

_NO_ENDPOINTS: Final = "no endpoints available"

# What the API server says of a webhook that it cannot call, what that means, and what to do. The first that fits
# counts: a failed handshake is told before its timeout.
# https://github.com/kubernetes/apiserver/blob/master/pkg/admission/plugin/webhook/errors/statuserror.go
_CAUSES: Final = (
    (
        _NO_ENDPOINTS,
        "it has no endpoint, as no replica is ready",
        "see why: kubectl -n {namespace} describe pods -l app.kubernetes.io/name={name}",
    ),
    (r"service \"[^\"]*\" not found", "it does not exist", _APPLY),
    (
        r"x509|tls: |certificate",
        "it does not accept the certificate that is served there",
        "see what is served and trusted: linkerd-webhook certs inspect --linkerd-namespace {namespace}",
    ),
    (
        r"connection refused",
        "the connection is refused: nothing listens on the port of its endpoint",
        "see whether the Pods run, and listen on the port that the Service targets: kubectl -n {namespace} get pods -o "
        "wide; with --host-network another program may have the port: choose another one with --port",
    ),
    (
        r"deadline exceeded|time(d)? ?out|canceled|no route to host|unreachable",
        "the call timed out: nothing answers in time",
        _NETWORK,
    ),
    (
        r"an error on the server|unable to (handle|return)|internal error occurred: .*status code 5|too many requests",
        "it answers with a server error (HTTP 5xx)",
        _LOGS,
    ),
    (
        r"could not find the requested resource|rejected our request|does not allow this method|provide credentials|"
        r"status code 4|forbidden|media type|entity too large|expected webhook response",
        "it answers with an error (HTTP 4xx), or not as a webhook",
        _ANOTHER,
    ),
    (r"denied the request", "another webhook or policy refuses the self-test's change", "exempt its ConfigMap there"),
)
