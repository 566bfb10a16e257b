"""promtool, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROMTOOL = os.environ.get("WEBHOOK_TEST_PROMTOOL") or shutil.which("promtool") or ""

needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="no promtool on PATH, nor in WEBHOOK_TEST_PROMTOOL")


def promtool(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run it in a folder."""
    return subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False, cwd=folder)
