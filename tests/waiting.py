"""Waiting in tests for what tells nobody when it happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

# Seconds between two looks, and until it is in vain. A busy machine may take its time; a test that passes never does.
LOOK = 0.005
IN_VAIN = 20.0


async def until(condition: Callable[[], Any], seconds: float = IN_VAIN) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(LOOK)


def wait_for(condition: Callable[[], Any], seconds: float = IN_VAIN) -> None:
    """Wait, without an event loop, until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "in vain"
        time.sleep(LOOK)
