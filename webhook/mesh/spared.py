"""The Namespaces that webhooks leave alone, and the labels by which they do."""

from __future__ import annotations

from typing import Final

# Linkerd's label for Namespaces whose objects its webhooks leave alone; by `enabled` they are let in where all others
# are left alone.
ADMISSION: Final = "config.linkerd.io/admission-webhooks"
NAMESPACE_NAME: Final = "kubernetes.io/metadata.name"

# Their Pods are needed before any Pod of ours can run: a webhook must not stand between (the networks' namespaces are
# those of their usual installers), and cert-manager may be what our certificate comes from.
SPARED: Final = (
    "kube-system",
    "cert-manager",
    "linkerd-cni",
    "calico-apiserver",
    "calico-system",
    "cilium",
    "kube-flannel",
    "tigera-operator",
)
