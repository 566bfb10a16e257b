"""What this room asks of whoever talks to the API server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

JSON = dict[str, Any]


class ApiFailure(Exception):
    """The API server said no (`status` is its HTTP status), or did not say anything (`status` is 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class Api(Protocol):
    """The API server, one JSON object at a time."""

    async def send(
        self,
        method: str,
        path: str,
        body: JSON | None = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> JSON:
        """GET, POST, PUT, PATCH or DELETE. Raises `ApiFailure` and `TimeoutError`."""


def explain(failure: ApiFailure) -> str:
    """What a failure means and what to do about it, for people."""
    if failure.status == 0:
        return f"no connection to the API server: {failure.message}"
    if failure.status == 403:
        return f"not allowed, grant it to the server's ServiceAccount: {failure.message}"
    if failure.status == 409:
        return f"somebody was faster, tried again: {failure.message}"
    return f"the API server refuses (HTTP {failure.status}): {failure.message}"
