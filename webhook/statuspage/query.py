"""What a reader asks of the status page: the parameters of its address. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from webhook.statuspage.decisions import DecisionFilter

# Seconds between two loads without JavaScript.
_SOONEST: Final = 2
_LATEST: Final = 3600
_LONGEST: Final = 253


@dataclass(frozen=True, slots=True)
class PageQuery:
    """The parameters; empty ones are not asked for.

    `namespace` opens a Namespace, and leaves out decisions about others. `page` is that of the Namespaces, from 1.
    `refresh` is after how many seconds a browser without JavaScript loads the page again, 0 for never.
    """

    namespace: str = ""
    webhook: str = ""
    decision: str = ""
    reason: str = ""
    page: int = 1
    refresh: int = 0

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> PageQuery:
        """The parameters of an address. What is not a number counts as not given, and texts are cut: it never fails."""
        texts = {name: parameters.get(name, "")[:_LONGEST] for name in ("namespace", "webhook", "decision", "reason")}
        refresh = _number(parameters.get("refresh", ""))
        return cls(
            **texts,
            page=max(1, _number(parameters.get("page", ""))),
            refresh=min(_LATEST, max(_SOONEST, refresh)) if refresh else 0,
        )

    @property
    def wanted(self) -> DecisionFilter:
        """The decisions that are asked for."""
        return DecisionFilter(self.webhook, self.namespace, self.decision, self.reason)

    def link(self, **changes: str | int) -> str:
        """The address of the page with some parameters changed."""
        parameters = {
            "namespace": self.namespace,
            "webhook": self.webhook,
            "decision": self.decision,
            "reason": self.reason,
            "page": self.page if self.page > 1 else "",
            "refresh": self.refresh or "",
        }
        return "?" + urlencode({name: value for name, value in (parameters | changes).items() if value})


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
