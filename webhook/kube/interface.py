"""What is asked of whoever talks to the API server: the client, or what stands in for it in a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from webhook.kube.errors import NotFound

JSON = dict[str, Any]


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
        """GET, POST, PUT, PATCH or DELETE. Raises `ApiError` and `TimeoutError`."""


async def find(api: Api, path: str) -> JSON | None:
    """A whole object, None where there is none (or nothing of its kind). Raises `ApiError` and `TimeoutError`."""
    try:
        return await api.send("GET", path)
    except NotFound:
        return None
