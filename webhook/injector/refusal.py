"""Why an object is refused."""

from __future__ import annotations


class Refusal(Exception):
    """The object cannot be admitted: something that the reference refuses too.

    The message names the field and the fix. `code` is the HTTP code of the Status: 400 where the object is to blame,
    500 where Linkerd's values are. `annotation` is the one whose value is refused, if there is one, and `field` the
    field of a wrong type: its keys from the object down.
    """

    def __init__(
        self,
        message: str,
        reason: str = "refused",
        *,
        code: int = 400,
        annotation: str = "",
        field: tuple[str | int, ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.code = code
        self.annotation = annotation
        self.field = field
