"""The init container that stands in for `linkerd-init` under CNI.

From the line with a network validator on, it checks that the node's plug-in redirects traffic; before, it does nothing
but be there.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from webhook.injector import resources
from webhook.injector.effective import Settings
from webhook.injector.fragments import Fragments, Part, Piece, Remembered, fixed, members
from webhook.injector.init import NOBODY
from webhook.injector.mesh_facts import MeshFacts, need
from webhook.mesh.values import NetworkValidator
from webhook.review import JSON

NAME = "linkerd-network-validator"
NOOP = "noop"


class ValidatorBuilder:
    """Writes the container."""

    def __init__(self, facts: MeshFacts, defaults: Settings) -> None:
        """`defaults` are the settings of a Pod without annotations."""
        self._facts = facts
        self._checks = facts.line.has("rule/network-validator")
        if self._checks:
            validator = need(facts.values.network_validator, "networkValidator")
            facts.proxy_resources()
            self._args = _args(validator, ipv6=not facts.values.disable_ipv6)
            self._security = validator.security_context or _DEFAULT_SECURITY
        self._fragments = Fragments(self._parts(), defaults)

    def pieces(self, changed: Iterable[str]) -> list[Piece]:
        """The container as JSON, in the pieces of settings of which these fields are changed."""
        return self._fragments.pieces(changed)

    def _parts(self) -> list[Part | Remembered]:
        if not self._checks:
            return [fixed(orjson.dumps(_NOOP))]
        return [
            fixed(f'{{"name":"{NAME}","command":["/usr/lib/linkerd/linkerd2-network-validator"]'.encode()),
            members(self._facts.proxy_image),
            resources.OF_PROXY,
            members(lambda _: {"securityContext": self._security, "args": self._args}),
            fixed(b"}"),
        ]


_DEFAULT_SECURITY: JSON = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsGroup": NOBODY,
    "runAsNonRoot": True,
    "runAsUser": NOBODY,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def _args(validator: NetworkValidator, *, ipv6: bool) -> list[str]:
    return [
        "--log-format",
        validator.log_format,
        "--log-level",
        validator.log_level,
        "--connect-addr",
        validator.connect_addr or ("[fd00::1]:20001" if ipv6 else "1.1.1.1:20001"),
        "--listen-addr",
        validator.listen_addr or ("[::]:4140" if ipv6 else "0.0.0.0:4140"),
        "--timeout",
        validator.timeout,
    ]


_NOOP: JSON = {"args": ["-v"], "image": "gcr.io/google_containers/pause:3.2", "name": NOOP}
