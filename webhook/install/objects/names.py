"""What our objects are called, and what they have in common."""

from __future__ import annotations

from typing import Any, Final

from webhook.install.configurations import NAME
from webhook.install.tree import Equal, InstallNamespace, Kubernetes, Node, Not, On, Version, every

JSON = dict[str, Any]

CA_SECRET: Final = f"{NAME}-ca"
LEAF_SECRET: Final = f"{NAME}-tls"

# By these our Pods are found. None is a label of Linkerd's own components: its Services would find them, too.
SELECTOR: Final = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "admission"}
LABELS: Final[dict[str, Node]] = {
    "app.kubernetes.io/name": NAME,
    "app.kubernetes.io/managed-by": NAME,
    "app.kubernetes.io/version": Version(),
}

FROM_FILES: Final = On("certificates.existingSecret")
SELF_MANAGED: Final = Not(FROM_FILES)
OWN_CONFIGURATIONS: Final = Not(On("adopt"))
SCALED: Final = every(On("autoscaling.enabled"), Kubernetes("1.23", "HorizontalPodAutoscaler (autoscaling/v2)"))
DENYING: Final = Equal("guard", "deny")
GUARDED: Final = every(
    Not(Equal("guard", "off")),
    Kubernetes("1.30", "the guard (ValidatingAdmissionPolicy): Pods that slip by are not told of"),
)


def metadata(name: str, *, namespaced: bool = True) -> JSON:
    """The metadata of an object of this name."""
    namespace: JSON = {"namespace": InstallNamespace()} if namespaced else {}
    return {"name": name, **namespace, "labels": dict(LABELS)}
