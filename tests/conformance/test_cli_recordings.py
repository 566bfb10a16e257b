"""What Linkerd's own command line was recorded to answer to `inject`, `uninject` and `profile`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[2].parent / "shared" / "conformance"
FOLDER = Path(os.environ.get("WEBHOOK_CONFORMANCE") or BESIDE)
CHECK = FOLDER / "check.py"


@pytest.mark.parametrize("name", ["edge-26.8", "edge-26.8-wide"])
@pytest.mark.skipif(not CHECK.exists(), reason="there are no recordings beside this checkout (../shared/conformance)")
def test_every_recording_agrees(name: str) -> None:
    injector = FOLDER / "injector"
    command = [
        *(sys.executable, str(CHECK), "cli", str(FOLDER / "cli" / f"{name}.jsonl.gz"), "--reports"),
        *("--values-dir", str(injector / "values" / "edge-26.8"), "--trust-anchors", str(injector / "ca-bundle.crt")),
        *("--", str(Path(sys.executable).parent / "linkerd-webhook")),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    last = done.stdout.strip().splitlines()[-1]
    agreed, _, rest = last.partition(" of ")
    assert rest.split()[0] == agreed, done.stdout
