"""How one thing of a running server stands, as `/ready` tells it."""

from __future__ import annotations

from typing import TypedDict


class Condition(TypedDict):
    """One thing that matters: whether it is well, whether readiness hangs on it, and a sentence about it."""

    name: str
    ok: bool
    required: bool
    message: str


def condition(name: str, ok: bool, required: bool, message: str) -> Condition:
    """A condition, written in one line."""
    return {"name": name, "ok": ok, "required": required, "message": message}
