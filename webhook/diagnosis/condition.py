"""A condition of a running server, as `/ready` reports it."""

from __future__ import annotations

from typing import TypedDict


class Condition(TypedDict):
    """`ok`: whether it holds; `required`: whether the replica is ready only while it does; `message`: a sentence."""

    name: str
    ok: bool
    required: bool
    message: str


def condition(name: str, ok: bool, required: bool, message: str) -> Condition:
    """A condition, from positional arguments."""
    return {"name": name, "ok": ok, "required": required, "message": message}
