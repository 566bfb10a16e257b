"""Commands set up the process's log; the next test finds it as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def log_left_as_it_was() -> Iterator[None]:
    """structlog's settings, and the standard library's handlers and levels."""
    root, uvicorn = logging.getLogger(), logging.getLogger("uvicorn.error")
    before = root.handlers, root.level, uvicorn.level
    yield
    structlog.reset_defaults()
    root.handlers, root.level, uvicorn.level = before
