"""Messages about failed requests of an uninstallation: one sentence for each cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from webhook.kube.errors import ApiError, Forbidden, explain

# Objects that a sentence names.
_NAMED: Final = 5


class Unreadable(Exception):
    """The objects of an installation could not be read: the message has a line for each cause."""


def by_cause(verb: str, failures: Sequence[tuple[str, Exception]]) -> list[str]:
    """A sentence for each cause of failures, with the objects that could not be deleted, or whatever `verb` says.

    `failures` are pairs of an object's kind and name, and the error.
    """
    causes: dict[str, list[str]] = {}
    for what, error in failures:
        causes.setdefault(_why(error, verb), []).append(what)
    return [f"cannot {verb} {_listed(names)}: {why}" for why, names in causes.items()]


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more objects" if more > 0 else "")


def _why(error: Exception, verb: str) -> str:
    """A cause, without the object."""
    if isinstance(error, Forbidden) and error.user:
        return f"{error.user} may not {verb} them: run this as a user who may, such as a cluster-admin"
    return explain(error) if isinstance(error, ApiError | TimeoutError) else str(error)
