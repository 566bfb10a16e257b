"""A real Chromium, and a replica to look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from tests.browser.replica import Replica, replica

NARROW, WIDE = 320, 1280
HEIGHT = 900


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium as the distribution has it; nothing is downloaded.

    For a module: while Playwright runs, its event loop counts as running in this thread, and no other test's can.
    """
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed: install the package `chromium` to run these tests")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def shown(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """A replica that counts the mesh."""
    with replica(tmp_path_factory.mktemp("replica")) as made:
        yield made


class Watcher:
    """Notes what a page must not do: ask another origin, write to the console, or fail."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.faults: list[str] = []
        self._url = url
        context.on("request", self._request)
        context.on("console", lambda message: self.faults.append(f"console: {message.text}"))
        context.on("weberror", lambda error: self.faults.append(f"error: {error.error}"))

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._url}/", "data:")):
            self.faults.append(f"request to {request.url}")


@contextmanager
def opened(browser: Browser, made: Replica, **settings: Any) -> Iterator[BrowserContext]:
    """A browser of its own for one person: wide, light, with JavaScript, unless they have others."""
    context = browser.new_context(
        base_url=made.url, **{"viewport": {"width": WIDE, "height": HEIGHT}, "color_scheme": "light", **settings}
    )
    context.set_default_timeout(10_000)
    yield context
    context.close()


@contextmanager
def watched(browser: Browser, made: Replica, **settings: Any) -> Iterator[Page]:
    """A tab that asks nobody else, and has nothing to say at its end."""
    with opened(browser, made, **settings) as context:
        watcher = Watcher(context, made.url)
        yield context.new_page()
    assert watcher.faults == []


@pytest.fixture
def tab(browser: Browser, shown: Replica) -> Iterator[Page]:
    """A tab as most people have it."""
    with watched(browser, shown) as page:
        yield page
