"""What of Linkerd's own is adopted, and the mark that is left on it."""

from __future__ import annotations

from typing import Final

from webhook.kube.webhookconfigurations import MUTATING, VALIDATING, Name

# Linkerd's webhook configurations, of every line.
LINKERDS: Final[tuple[Name, ...]] = (
    (MUTATING, "linkerd-proxy-injector-webhook-config"),
    (VALIDATING, "linkerd-policy-validator-webhook-config"),
    (VALIDATING, "linkerd-sp-validator-webhook-config"),
)

# On an adopted configuration: where each of its webhooks pointed before, as JSON.
ADOPTED_FROM: Final = "linkerd-webhook/adopted-from"
