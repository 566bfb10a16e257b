"""Lists that come in pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from webhook.kube.listparts import ListParts

T = TypeVar("T")


def parts_of(body: bytes, decode: Callable[[bytes], T], size: int, piece: int) -> list[T]:
    """The parts, of about `size` bytes, of a list that comes in pieces of `piece` bytes."""
    made = ListParts(decode, size)
    complete = [part for at in range(0, len(body), piece) for part in made.feed(body[at : at + piece])]
    return [*complete, made.end()]
