"""What follows from the ConfigMaps of Linkerd's control plane: the mesh that Pods are injected with. Pure."""

from __future__ import annotations

from webhook.diagnosis.unseen import Fact, NotAsked, NotRead, NotSeen
from webhook.injector.inject import Injector
from webhook.kube.fields import text
from webhook.kube.interface import JSON
from webhook.mesh.config import ConfigError, Mesh
from webhook.mesh.configmaps import ABSENT, BUNDLE, CONFIG, ROOTS, Unusable, values, where
from webhook.mesh.defaults import default_trust_anchors


def mesh_of(
    config: Fact[JSON | None], roots: Fact[JSON | None], namespace: str, release_line: str | None = None
) -> Fact[Mesh]:
    """The mesh by the ConfigMaps `linkerd-config` and `linkerd-identity-trust-roots` of a control plane in `namespace`.

    Where one of them cannot be used, that is the reason why there is none: the lines about them tell all of it.
    `release_line` is what the server is told, in place of what the values say of themselves.
    """
    without = _unusable(config, namespace, CONFIG) or _unusable(roots, namespace, ROOTS)
    if without:
        return without
    try:
        mesh = load(config, namespace, bundle(roots), release_line)
    except ConfigError as error:
        return NotAsked(f"{where(namespace)} cannot be used: {error.problems[0]}")
    if not mesh.trust_anchors.strip():
        return NotAsked(f"{where(namespace, ROOTS)} holds no trust anchor")
    refusal = Injector(mesh).refusal
    if refusal is not None:
        return NotAsked(f"{where(namespace)} cannot be used: {refusal.message}")
    return mesh


def _unusable(config_map: Fact[JSON | None], namespace: str, name: str) -> NotSeen | NotRead | NotAsked | None:
    if config_map is None:
        return NotAsked(f"{where(namespace, name)} {ABSENT}")
    return config_map if isinstance(config_map, NotSeen | NotRead | NotAsked) else None


def load(config: object, namespace: str, trust_anchors: bytes, release_line: str | None = None) -> Mesh:
    """The mesh by the values in a ConfigMap `linkerd-config`. Raises `ConfigError` for what cannot be read as values,
    with all problems; that nothing can be injected with these values is known to the `Injector`."""
    try:
        content = values(config, namespace).encode(errors="replace")
    except Unusable as error:
        raise ConfigError([error.why]) from None
    try:
        return Mesh.load(content, trust_anchors, linkerd_namespace=namespace, release_line=release_line)
    except ValueError as error:
        raise ConfigError([f"--release-line: {error}"]) from None


def bundle(roots: object) -> bytes:
    """The trust anchors in a ConfigMap `linkerd-identity-trust-roots`, b"" for none."""
    return text(roots, "data", BUNDLE).encode(errors="replace")


def release_line_of(config: Fact[JSON | None], namespace: str, release_line: str | None = None) -> str:
    """The name of the release line in force, or of a release of it, "" where the values do not tell."""
    if isinstance(config, NotSeen | NotRead | NotAsked) or config is None:
        return ""
    try:
        return load(config, namespace, default_trust_anchors(), release_line).line.name
    except ConfigError:
        return ""
