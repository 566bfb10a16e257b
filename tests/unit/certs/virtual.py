"""An event loop whose time passes at once: nobody waits for a sleep."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Coroutine
from typing import Any


class _Selector(selectors.DefaultSelector):
    """Nothing ever arrives from outside; waiting for it only moves the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everybody waits for ever"
        self.passed += max(0.0, timeout)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._passing = _Selector()
        super().__init__(self._passing)

    def time(self) -> float:
        return self._passing.passed


def run(story: Coroutine[Any, Any, None]) -> None:
    """Run to the end, in no time, and the same way each time."""
    random.seed(7)
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(story)
