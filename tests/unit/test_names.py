"""Names of variables: what a value is, not that there is one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EMPTY = frozenset({"each", "found"})


def variables(source: str) -> Iterator[tuple[int, str]]:
    """The line and the name of every variable and parameter that `source` binds."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg


@pytest.mark.parametrize("folder", ["webhook", "certs", "bench", "tests"])
def test_a_variable_says_what_it_holds(folder: str) -> None:
    assert not [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, name in variables(path.read_text())
        if name in EMPTY
    ]
