"""The examples of commands that need a cluster, on a real API server: each ends as its command documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.api import ApiServer
from tests.unit.cli.example_files import run, write_files
from webhook.cli.document import exit_codes, leaves
from webhook.cli.examples import EXAMPLES, Example
from webhook.cli.main import COMMANDS, load

EVERY = {path: command for name in COMMANDS for path, command in leaves(name, load(name))}
LINES = [
    pytest.param(path, example, id=example.line)
    for path, examples in EXAMPLES.items()
    for example in examples
    if example.cluster
]


@pytest.mark.parametrize(("path", "example"), LINES)
def test_it_ends_with_an_exit_code_that_is_documented(
    path: str, example: Example, api: ApiServer, kubeconfig: Path, tmp_path: Path
) -> None:
    """Nothing is installed there, so that most of them have little to show."""
    write_files(tmp_path)
    # No Pod comes up here that would be waited for.
    line = example.line + (" --wait 0s" if path == "check" and "--wait" not in example.line else "")
    code, out, err = run(example._replace(line=line), tmp_path, kubeconfig)
    assert code in exit_codes(EVERY[path]), f"exit code {code}: {out[-500:]}{err[-500:]}"
    assert "Traceback" not in err
    assert out or err
