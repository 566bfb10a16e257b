"""All lines of `check`, in the order in which they are reported."""

from __future__ import annotations

from typing import Final

from webhook.diagnosis.check import installed, kubernetes
from webhook.diagnosis.check.line import Line

LINES: Final[tuple[Line, ...]] = (
    kubernetes.client,
    kubernetes.query,
    installed.installed,
    kubernetes.namespace,
)
