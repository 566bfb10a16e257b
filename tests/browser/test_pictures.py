"""The pictures of the status page in the README: WEBHOOK_WRITE_PICTURES=1 writes them anew."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import WIDE, watched
from tests.browser.replica import Replica
from tests.e2e.program import ROOT

IMAGES = ROOT / "docs" / "images"
WRITE = "WEBHOOK_WRITE_PICTURES"
LARGEST = 150_000
HEIGHT = 860


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_picture_of_the_page_is_taken_and_small(
    browser: Browser, shown: Replica, scheme: str, tmp_path: Path
) -> None:
    name = f"status-page-{scheme}.png"
    folder = IMAGES if os.environ.get(WRITE) else tmp_path
    with watched(browser, shown, viewport={"width": WIDE, "height": HEIGHT}, color_scheme=scheme) as page:
        page.goto("/")
        page.screenshot(path=folder / name)
    for picture in (folder / name, IMAGES / name):
        content = picture.read_bytes()
        assert struct.unpack(">II", content[16:24]) == (WIDE, HEIGHT)
        assert len(content) < LARGEST
    assert f"docs/images/{name}" in (ROOT / "README.md").read_text()
