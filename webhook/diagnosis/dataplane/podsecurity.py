"""Whether Linkerd's containers keep to a level of the Pod Security Standards. Pure.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from webhook.diagnosis.dataplane.samples import Sample
from webhook.injector.advice.namespaces import ENFORCE as ENFORCE
from webhook.kube.fields import mapping, sequence, text
from webhook.kube.interface import JSON

BASELINE: Final = "baseline"
RESTRICTED: Final = "restricted"

_ALLOWED: Final = frozenset(
    (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"),
        *("SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)
_PROFILES: Final = ("RuntimeDefault", "Localhost")


def violations(sample: Sample, level: str) -> Iterator[str]:
    """What the API server would refuse the Pod for at this level: a phrase for each container and rule."""
    if level not in (BASELINE, RESTRICTED):
        return
    for container in sample.containers:
        name = text(container, "name")
        context = mapping(container, "securityContext")
        rules = [*_baseline(context), *(_restricted(context, sample.security) if level == RESTRICTED else ())]
        yield from (f"{name} {rule}" for rule in rules)


def _baseline(context: JSON) -> Iterator[str]:
    if context.get("privileged") is True:
        yield "is privileged"
    added = [name for name in sequence(context, "capabilities", "add") if name not in _ALLOWED]
    if added:
        yield f"adds the capabilities {', '.join(map(str, added))}"
    if text(context, "seccompProfile", "type") == "Unconfined":
        yield "has an unconfined seccomp profile"


def _restricted(context: JSON, pod: JSON) -> Iterator[str]:
    if context.get("allowPrivilegeEscalation") is not False:
        yield "may escalate its privileges"
    if "ALL" not in sequence(context, "capabilities", "drop"):
        yield "does not drop all capabilities"
    non_root = context.get("runAsNonRoot")
    if non_root is False or (non_root is None and pod.get("runAsNonRoot") is not True):
        yield "may run as root"
    if context.get("runAsUser") == 0:
        yield "runs as user 0"
    if text({**pod, **context}, "seccompProfile", "type") not in _PROFILES:
        yield "has no seccomp profile"
