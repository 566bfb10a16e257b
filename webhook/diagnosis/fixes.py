"""Sentences about what to do, which several findings and the conditions of a running server share."""

from __future__ import annotations

from typing import Final

from webhook.install.validatedkinds import CONFIGURATION, Outdated

ISSUE: Final = "linkerd-webhook certs issue --out DIR"
# A Secret whose name is not known.
MOUNTED: Final = "the Secret that the replicas mount"

LINKERD_UPGRADE: Final = "linkerd upgrade | kubectl apply -f -, or helm upgrade"


def extension_upgrade(name: str) -> str:
    """How one of Linkerd's extensions writes its objects again."""
    return f"linkerd {name} install | kubectl apply -f -, or helm upgrade"


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


def name_the_ca(secret: str, name: str = "NAME") -> str:
    """To have the caBundles written, where nobody knows the CA of the certificate in a Secret (for people, and its
    name)."""
    flags = f"--existing-secret {name}"
    return (
        f"add the CA's certificate to {secret} as ca.crt, or install again with {flags} --ca-bundle FILE, or, where "
        f"cert-manager keeps the Secret, with {flags} --inject-ca-from NAMESPACE/CERTIFICATE"
    )


def leader_writes_it(otherwise: str) -> str:
    """To wait for the leader, which writes caBundles from its own CA; `otherwise` says where to look if it does not."""
    return f"the leader writes it within a minute; if it does not, {otherwise}"


def leader_writes_ca_crt(secret: str, otherwise: str) -> str:
    """To wait for the leader, which writes caBundles from `ca.crt` of a Secret."""
    return (
        f"the leader writes ca.crt of {secret} there within a minute: check that this is the CA of tls.crt; if it is, "
        f"{otherwise}"
    )


def outdated_rules(old: Outdated) -> str:
    """What the policy validator's rules lack since an upgrade of Linkerd, and what to do."""
    kind, name = CONFIGURATION
    in_force = f"Linkerd is {old.in_force} now" if old.in_force else "Linkerd is another release now"
    changed = "" if old.as_written else "; somebody has changed the rules, so the server leaves them as they are"
    return (
        f"{kind} {name} has the rules for {old.written_for}, and {in_force}: objects of {', '.join(old.kinds)} are "
        f"stored unchecked{changed}. Run linkerd-webhook install again with the flags of this installation, and apply "
        "what it prints: linkerd-webhook install … | kubectl apply -f -"
    )
