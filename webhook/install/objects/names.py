"""Names, labels and conditions that the objects of an installation share."""

from __future__ import annotations

from typing import Any, Final

from webhook.install.configurations import NAME
from webhook.install.tree import Equal, InstallNamespace, Kubernetes, Node, Not, On, Version, every

JSON = dict[str, Any]

CA_SECRET: Final = f"{NAME}-ca"
LEAF_SECRET: Final = f"{NAME}-tls"
STATUS_PAGE: Final = f"{NAME}-status-page"

# The labels that select our Pods. Linkerd's own components have other labels, so its Services do not select our Pods.
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
    Kubernetes("1.30", "the guard (ValidatingAdmissionPolicy): Pods without a proxy are admitted without a warning"),
)


def metadata(name: str, *, namespaced: bool = True) -> JSON:
    """The metadata of an object of this name."""
    namespace: JSON = {"namespace": InstallNamespace()} if namespaced else {}
    return {"name": name, **namespace, "labels": dict(LABELS)}
