"""The registry that finds the webhook for a request.

Both the HTTPS server and `linkerd-webhook review` use it, so it does not depend on HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable

from webhook.policy.objectreferences import GATEWAY, POLICY
from webhook.policy.registry import LINKERD
from webhook.review import AdmissionRequest
from webhook.webhooks.interface import AdmissionWebhook
from webhook.webhooks.proxy_injector import ProxyInjector
from webhook.webhooks.validators import POLICY_VALIDATOR, SP_VALIDATOR
from webhook.webhooks.workload_advisor import WORKLOAD_ADVISOR


class Registry:
    """Finds the webhook for a request by its path. On "/" it is `on_root`, else the one for the resource."""

    def __init__(self, webhooks: Iterable[AdmissionWebhook], on_root: str | None = None) -> None:
        """`on_root`: the name of the webhook that answers on "/". Raises `ValueError` if there is no such webhook."""
        self._by_path = {webhook.path: webhook for webhook in webhooks}
        self._by_name = {webhook.name: webhook for webhook in self._by_path.values()}
        if on_root is not None and on_root not in self._by_name:
            raise ValueError(f'unknown webhook "{on_root}": write one of {", ".join(sorted(self._by_name))}')
        self._on_root = self._by_name[on_root] if on_root else None

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that is served, "/" among them."""
        return ("/", *self._by_path)

    @property
    def names(self) -> tuple[str, ...]:
        """Every webhook's name."""
        return tuple(self._by_name)

    def allows_all(self, path: str) -> bool:
        """Whether the webhook of a served path allows every request, also one that cannot be read or answered."""
        webhook = self._on_root if path == "/" else self._by_path.get(path)
        return webhook is not None and webhook.name == WORKLOAD_ADVISOR

    def choose(self, path: str, request: AdmissionRequest) -> AdmissionWebhook:
        """The webhook for a request that was posted to a served path."""
        if path != "/":
            return self._by_path[path]
        if self._on_root is not None:
            return self._on_root
        return self._by_name[_RESOURCES.get(request.resource.group.lower(), ProxyInjector.name)]


# The webhook for each API group on "/"; requests of all other groups go to the proxy injector.
_RESOURCES = {LINKERD: SP_VALIDATOR, POLICY: POLICY_VALIDATOR, GATEWAY: POLICY_VALIDATOR}
