"""The exceptions for failed requests to the API server, and the text that explains them to a user."""

from __future__ import annotations

import re
from typing import Self


class ApiError(Exception):
    """The API server refused a request (`status` is the HTTP status) or could not be reached (`status` is 0).

    Like `OSError`, it creates an instance of the subclass for its status: `ApiError(404, …)` is a `NotFound`.
    """

    def __new__(cls, status: int, message: str) -> Self:
        """An instance of the subclass for this status."""
        chosen = _CLASSES.get(status, cls)
        return super().__new__(chosen if issubclass(chosen, cls) else cls, status, message)

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message

    @property
    def user(self) -> str:
        """The user in the message, such as `ServiceAccount linkerd/linkerd-webhook`; "" if it names no user."""
        match = _USER.search(self.message)
        if match is None:
            return ""
        user = match[1]
        if user.startswith(_SERVICE_ACCOUNT):
            return "ServiceAccount " + user.removeprefix(_SERVICE_ACCOUNT).replace(":", "/")
        return f'user "{user}"'


class ApiServerUnreachable(ApiError):
    """The API server cannot be reached."""


class Unauthorized(ApiError):
    """The API server does not accept the credentials (401)."""


class Forbidden(ApiError):
    """RBAC does not allow the request (403)."""


class NotFound(ApiError):
    """The object does not exist, or the API server does not serve its kind (404)."""


class Conflict(ApiError):
    """The object was changed or created since it was read (409)."""


class Gone(ApiError):
    """The API server no longer keeps this resourceVersion (410)."""


_CLASSES: dict[int, type[ApiError]] = {
    0: ApiServerUnreachable,
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
    """What a failure means and what to do about it, as text that follows the name of an object and a colon.

    `grant` is the permission that a forbidden request needs, such as `get on secrets`.
    """
    if not isinstance(error, ApiError):
        return "the API server does not answer in time"
    match error:
        case ApiServerUnreachable():
            return f"no connection to the API server: {error.message}"
        case Unauthorized():
            return "the API server does not accept the credentials (401): log in again, or pass another --kubeconfig"
        case Forbidden():
            return f"not allowed: grant {grant or 'this'} to {error.user or 'the requesting user'} ({error.message})"
        case Conflict():
            return f"the object has changed since it was read, the next attempt follows: {error.message}"
        case _:
            return f"the API server refuses the request (HTTP {error.status}): {error.message}"
