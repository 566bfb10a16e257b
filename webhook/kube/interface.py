"""The interface of a client of the API server: `ApiServer` implements it, and so does the fake one of the tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from webhook.kube.errors import NotFound

JSON = dict[str, Any]


class Api(Protocol):
    """Sends single requests to the API server."""

    async def send(
        self,
        method: str,
        path: str,
        body: JSON | None = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> JSON:
        """Send a request and return the JSON object in the response. Raises `ApiError` and `TimeoutError`.

        `method` is GET, POST, PUT, PATCH or DELETE, `path` the absolute path without the query.
        """


async def find(api: Api, path: str) -> JSON | None:
    """The object at `path`, or None if it does not exist or the API server does not serve its kind.

    Raises `ApiError` and `TimeoutError`.
    """
    try:
        return await api.send("GET", path)
    except NotFound:
        return None
