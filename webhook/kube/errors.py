"""Requests to the API server that failed: one class for each kind of failure, and one place that words them."""

from __future__ import annotations

import re
from typing import Self


class ApiError(Exception):
    """The API server refused a request (`status` is HTTP's), or did not answer at all (`status` is 0).

    As `OSError` does, it makes an object of the class that belongs to its status: `ApiError(404, …)` is a `NotFound`.
    """

    def __new__(cls, status: int, message: str) -> Self:
        """An object of the class for this status."""
        chosen = _CLASSES.get(status, cls)
        return super().__new__(chosen if issubclass(chosen, cls) else cls, status, message)

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    @property
    def user(self) -> str:
        """Who asked, as the API server's refusal names it (`ServiceAccount linkerd/linkerd-webhook`); "" where it does
        not."""
        found = _USER.search(self.message)
        if found is None:
            return ""
        if found[1].startswith(_SERVICE_ACCOUNT):
            return "ServiceAccount " + found[1].removeprefix(_SERVICE_ACCOUNT).replace(":", "/")
        return f'user "{found[1]}"'


class Unreachable(ApiError):
    """There is no connection to the API server."""


class Unauthorized(ApiError):
    """The API server does not know who asks."""


class Forbidden(ApiError):
    """Whoever asks has no right to."""


class NotFound(ApiError):
    """There is no such object, or no such kind."""


class Conflict(ApiError):
    """The object was changed, or was created, since it was read."""


class Gone(ApiError):
    """The API server does not remember this resourceVersion any more."""


_CLASSES: dict[int, type[ApiError]] = {
    0: Unreachable,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
}
WEBHOOK = "the ServiceAccount of this webhook"
_USER = re.compile(r'User "([^"]+)"')
_SERVICE_ACCOUNT = "system:serviceaccount:"


def explain(error: ApiError | TimeoutError, grant: str = "") -> str:
    """What a failure means and what to do about it, in words that go on after the name of an object and a colon.

    `grant` is the right that is missing where the request was forbidden, such as `get on secrets`.
    """
    if not isinstance(error, ApiError):
        return "the API server does not answer in time"
    match error:
        case Unreachable():
            return f"no connection to the API server: {error.message}"
        case Unauthorized():
            return "the API server does not know who asks (401): log in again, or pass another --kubeconfig"
        case Forbidden():
            return f"not allowed: grant {grant or 'it'} to {error.user or 'whoever asks'} ({error.message})"
        case Conflict():
            return f"it was changed meanwhile, and is tried again: {error.message}"
        case _:
            return f"the API server refuses (HTTP {error.status}): {error.message}"
