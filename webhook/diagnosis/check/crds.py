"""Linkerd's CustomResourceDefinitions, and the versions of them that a release line reads. Pure."""

from __future__ import annotations

from typing import Final

from webhook.mesh.releases import Line

ROOT: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

# In place of a version: whichever is served will do.
ANY: Final = ""

# Each by its name, with the versions that its releases read: the first one whose row (see `mesh.releases`) a release
# has; "" is in every release. One that has none of its rows does not have the kind.
_VERSIONS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "authorizationpolicies.policy.linkerd.io": (("", "v1alpha1"),),
    "egressnetworks.policy.linkerd.io": (("policy/EgressNetwork", "v1alpha1"),),
    # Servers select them since they exist. Edge releases within a line differ in what they read of them.
    "externalworkloads.workload.linkerd.io": (("policy/Server.externalWorkloadSelector", ANY),),
    "httplocalratelimitpolicies.policy.linkerd.io": (("policy/HTTPLocalRateLimitPolicy", "v1alpha1"),),
    "httproutes.policy.linkerd.io": (
        ("policy/HTTPRoute.v1beta3", "v1beta3"),
        ("policy/HTTPRoute.v1beta2", "v1beta2"),
        ("", "v1beta1"),
    ),
    "meshtlsauthentications.policy.linkerd.io": (("", "v1alpha1"),),
    "networkauthentications.policy.linkerd.io": (("", "v1alpha1"),),
    "serverauthorizations.policy.linkerd.io": (("", "v1beta1"),),
    "servers.policy.linkerd.io": (
        ("policy/Server.v1beta3", "v1beta3"),
        ("policy/Server.v1beta2", "v1beta2"),
        ("", "v1beta1"),
    ),
    "serviceprofiles.linkerd.io": (("", "v1alpha2"),),
}

# Those of any release line, and of every one.
LINKERD_CRDS: Final = tuple(_VERSIONS)
EVERY_LINES: Final = tuple(name for name, rows in _VERSIONS.items() if not rows[-1][0])


def needed(line: Line | None) -> dict[str, str]:
    """The CustomResourceDefinitions that a release needs, with the version that must be served. Where the release is
    not known, those that every one needs, with `ANY` version."""
    if line is None:
        return dict.fromkeys(EVERY_LINES, ANY)
    return {
        name: versions[0]
        for name, rows in _VERSIONS.items()
        if (versions := [version for row, version in rows if not row or line.has(row)])
    }
