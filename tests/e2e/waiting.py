"""Waits that end: poll until something is so, or fail and say what was seen last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

INTERVAL = 0.05


def until(what: str, probe: Callable[[], T | None], *, within: float, interval: float = INTERVAL) -> T:
    """The first true value that `probe` returns. Raises `AssertionError`, naming `what`, after `within` seconds."""
    end = time.monotonic() + within
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {within:g} s; seen last: {result!r}")
        time.sleep(interval)
