"""What a webhook is, and the configuration that it answers by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from webhook.review import AdmissionRequest, Answer

T = TypeVar("T")


@dataclass(slots=True)
class Current(Generic[T]):
    """The configuration in effect. A reload replaces `value`; a request reads it once."""

    value: T


class AdmissionWebhook(Protocol):
    """One admission webhook. `answer` never raises for anything that a request holds."""

    name: str
    path: str

    async def answer(self, request: AdmissionRequest) -> Answer:
        """Decide about one request."""
