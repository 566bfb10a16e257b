"""The init container that stands in for `linkerd-init` under CNI.

From the releases with a network validator on, it checks that the node's plug-in redirects traffic; before, it does
nothing but be there, and in the first ones there is none.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from webhook.injector import resources
from webhook.injector.effective import Settings
from webhook.injector.fragments import Fragments, Part, Piece, Remembered, fixed, members
from webhook.injector.init import NOBODY, not_root
from webhook.injector.mesh_facts import MeshFacts, need
from webhook.injector.names import NOOP, VALIDATOR
from webhook.mesh.values import NetworkValidator
from webhook.review import JSON


def under_cni(facts: MeshFacts, defaults: Settings) -> ValidatorBuilder | NoopBuilder | None:
    """The builder of the container that the mesh's release has under CNI, None for none."""
    if facts.line.has("rule/network-validator"):
        return ValidatorBuilder(facts, defaults)
    return NoopBuilder(facts, defaults) if facts.line.has("rule/noop") else None


class ValidatorBuilder:
    """Writes the network validator."""

    def __init__(self, facts: MeshFacts, defaults: Settings) -> None:
        """`defaults` are the settings of a Pod without annotations."""
        self._facts, self._has = facts, facts.line.has
        validator = need(facts.values.network_validator, "networkValidator")
        self._args = _args(facts, validator)
        self._security = _security(facts, validator)
        self._fragments = Fragments(self._parts(), defaults)

    def pieces(self, changed: Iterable[str]) -> list[Piece]:
        """The container as JSON, in the pieces of settings of which these fields are changed."""
        return self._fragments.pieces(changed)

    def _parts(self) -> list[Part | Remembered]:
        parts: list[Part | Remembered] = [
            fixed(f'{{"name":"{VALIDATOR}","command":["/usr/lib/linkerd/linkerd2-network-validator"]'.encode()),
            members(self._facts.proxy_image),
            members(lambda _: {"args": self._args}),
            fixed(b"}"),
        ]
        if self._has("rule/validator-has-proxy-resources"):
            self._facts.proxy_resources()
            parts.insert(-1, resources.OF_PROXY)
        elif self._has("field/validator.resources"):
            own = self._resources()
            parts.insert(-1, members(lambda _: {"resources": own}))
        if self._security:
            parts.insert(-1, members(lambda _: {"securityContext": self._security}))
        return parts

    def _resources(self) -> JSON | None:
        if self._has("rule/validator-has-init-resources"):
            return resources.from_values(need(self._facts.init.resources, "proxyInit.resources"))
        return _few("50m", "10Mi")


def _few(cpu: str, memory: str) -> JSON:
    """The same little as limits and requests."""
    amounts = {"cpu": cpu, "memory": memory}
    return {"limits": amounts, "requests": amounts}


def _security(facts: MeshFacts, validator: NetworkValidator) -> JSON:
    """The security context; empty where the values, or the release, have none."""
    has, wanted = facts.line.has, validator.enable_security_context
    if has("value/networkValidator.enableSecurityContext") and not wanted:
        return {}
    if validator.security_context:
        return validator.security_context
    context: JSON = {"runAsUser": NOBODY}
    if not has("field/validator.runAsNonRoot"):
        return {**context, "capabilities": {"drop": ["all"]}}
    context |= {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True}
    context["seccompProfile"] = {"type": "RuntimeDefault"}
    if has("field/validator.readOnlyRootFilesystem"):
        context["readOnlyRootFilesystem"] = True
    if has("field/validator.runAsGroup"):
        context["runAsGroup"] = NOBODY
    return context


def _args(facts: MeshFacts, validator: NetworkValidator) -> list[str | None]:
    has, ipv6 = facts.line.has, not facts.values.disable_ipv6
    # The first templates write both addresses without quotes: an empty one is null, as YAML has it.
    connect: str | None = validator.connect_addr or None
    listen: str | None = validator.listen_addr or None
    if has("rule/validator-connects-by-family"):
        connect = validator.connect_addr or ("[fd00::1]:20001" if ipv6 else "1.1.1.1:20001")
        listen = validator.listen_addr
    if has("rule/validator-listens-by-family"):
        listen = validator.listen_addr or ("[::]:4140" if ipv6 else "0.0.0.0:4140")
    return [
        "--log-format",
        validator.log_format,
        "--log-level",
        validator.log_level,
        "--connect-addr",
        connect,
        "--listen-addr",
        listen,
        "--timeout",
        validator.timeout,
    ]


class NoopBuilder:
    """Writes the container that does nothing."""

    def __init__(self, facts: MeshFacts, defaults: Settings) -> None:
        """`defaults` are the settings of a Pod without annotations."""
        has = facts.line.has
        container: JSON = {"args": ["-v"], "image": "gcr.io/google_containers/pause:3.2", "name": NOOP}
        if has("field/noop.runAsUser"):
            container["securityContext"] = {"runAsUser": not_root(facts.init.run_as_user)}
        if has("field/noop.resources"):
            container["resources"] = _few("50m", "25Mi" if has("rule/noop-memory-25Mi") else "10Mi")
        self._fragments = Fragments([fixed(orjson.dumps(container))], defaults)

    def pieces(self, changed: Iterable[str]) -> list[Piece]:
        """The container as JSON, whatever is changed."""
        return self._fragments.pieces(changed)
