"""The next release line is made by rows alone: those of the example on the page about it."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from webhook.mesh.defaults import default_values
from webhook.yaml import objects

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "release-lines.md"
_ROWS = re.compile(r"```text\n# (?P<file>\S+), at the end of (?P<table>\w+)\n(?P<rows>.*?)```", re.DOTALL)

BACKLOG = "LINKERD2_PROXY_INBOUND_ACCEPT_BACKLOG"
# Prints what becomes of a Pod under some values, read from standard input.
SCRIPT = """
import json, sys
from tests.unit.injector.builders import ANCHORS, env_of, init_of, inject, pod
from webhook.injector.inject import Injector
from webhook.mesh.config import Mesh
from webhook.mesh.releases import LINES, choose
mesh = Mesh.load(sys.stdin.buffer.read(), ANCHORS)
body = inject(pod(), Injector(mesh))
print(json.dumps({
    "lines": LINES, "line": mesh.line.name, "warnings": mesh.warnings,
    "env": env_of(body), "args": init_of(body)["args"], "numbered": choose("v2.21.3").line.name,
}))
"""


def add_rows(folder: Path, file: str, table: str, rows: str) -> None:
    """Write rows at the end of a table, a dict or a list that a module assigns."""
    path = folder / file
    text = path.read_text()
    for node in ast.parse(text).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == table for target in targets):
            value = getattr(node, "value", None)
            assert isinstance(value, ast.Dict | ast.List)
            lines = text.splitlines(keepends=True)
            last = lines[(value.end_lineno or 0) - 1]
            end = (value.end_col_offset or 0) - 1
            lines[(value.end_lineno or 0) - 1] = f"{last[:end]}\n{rows}{last[end:]}"
            path.write_text("".join(lines))
            return
    raise AssertionError(f"{file} has no table {table}")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the rows of the example, and the new line's values."""
    folder = tmp_path_factory.mktemp("next")
    shutil.copytree(ROOT / "webhook", folder / "webhook", ignore=shutil.ignore_patterns("__pycache__"))
    result = [match.groupdict() for match in _ROWS.finditer(PAGE.read_text())]
    assert len(result) == 4
    for example in result:
        add_rows(folder, **example)
    data = folder / "webhook" / "mesh" / "data"
    newest = data / "edge-26.8.yaml"
    (data / "version-2.21.yaml").write_text(newest.read_text().replace("edge-26.8.3", "version-2.21"))
    newest.write_text("linkerdVersion: edge-26.8.3\ndebugContainer:\n  image: {version: edge-26.8.3}\n")
    return folder


def made(program: Path, **changes: Any) -> Any:
    """What the program with the new rows makes of a Pod, under the newest line's values with some of proxyInit's
    keys."""
    values = objects.read(default_values().decode())
    values |= {"linkerdVersion": changes.pop("version")}
    values["proxyInit"] = {**values["proxyInit"], "logFormat": "plain", **changes}
    values["proxy"]["nativeSidecar"] = False
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(values).encode(),
        env={**os.environ, "PYTHONPATH": f"{program}{os.pathsep}{ROOT}"},
        cwd=program,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def subnets(result: Any) -> str:
    """What the init container ignores."""
    args = result["args"]
    return str(args[args.index("--subnets-to-ignore") + 1]) if "--subnets-to-ignore" in args else ""


def test_the_new_line_has_what_its_rows_say(program: Path) -> None:
    result = made(program, version="version-2.21", ignoreSubnets="10.1.0.0/16")
    assert (result["lines"][-1], result["line"], result["numbered"]) == ("version-2.21",) * 3
    assert result["warnings"] == []
    assert result["env"][BACKLOG] == "128"
    assert subnets(result) == "10.1.0.0/16"
    assert "--log-format" not in result["args"]


def test_the_release_before_has_what_it_had(program: Path) -> None:
    result = made(program, version="edge-26.8.3", skipSubnets="10.1.0.0/16")
    assert (result["line"], result["warnings"]) == ("edge-26.8", [])
    assert BACKLOG not in result["env"]
    assert subnets(result) == "10.1.0.0/16"
    assert "--log-format" in result["args"]


@pytest.mark.parametrize(
    ("version", "key", "why"),
    [
        ("edge-26.8.3", "ignoreSubnets", "it came with edge-26.9.1 (version-2.21)"),
        ("edge-26.9.1", "skipSubnets", "it was removed with edge-26.9.1 (version-2.21)"),
    ],
)
def test_a_key_has_no_effect_under_the_name_of_the_other_line(program: Path, version: str, key: str, why: str) -> None:
    result = made(program, version=version, **{key: "10.1.0.0/16"})
    assert subnets(result) == ""
    line = {"edge-26.8.3": "edge-26.8", "edge-26.9.1": "version-2.21"}[version]
    assert result["warnings"] == [f"values: proxyInit.{key} has no effect in {line}: {why}"]
