"""Why an object is refused."""

from __future__ import annotations


class Refusal(Exception):
    """The object cannot be admitted: something that the reference refuses too. The message names field and fix."""

    def __init__(self, message: str, reason: str = "refused", *, code: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.code = code
