"""The commands that fixes name, each in one place."""

from __future__ import annotations

from typing import Final

ISSUE: Final = "linkerd-webhook certs issue --out DIR"
LINKERD_UPGRADE: Final = "linkerd upgrade | kubectl apply -f -, or helm upgrade"


def install_here(namespace: str) -> str:
    """To install in a namespace, for a Service that nothing belongs to."""
    return (
        f"linkerd-webhook install --linkerd-namespace {namespace} --image REPOSITORY:TAG | kubectl apply -f - "
        "(or name another --service or --linkerd-namespace)"
    )


def logs(namespace: str, deployment: str) -> str:
    """To see what a Deployment logs."""
    return f"kubectl -n {namespace} logs deploy/{deployment}"


def renew(certificate: str, namespace: str) -> str:
    """To have cert-manager renew a Certificate, `NAMESPACE/NAME` or a name in `namespace`."""
    within, _, name = certificate.rpartition("/")
    return f"cmctl renew -n {within or namespace} {name or 'CERTIFICATE'}"
