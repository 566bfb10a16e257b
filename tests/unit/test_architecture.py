"""The page about the architecture, which newcomers read first."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
TOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]


def test_each_room_has_a_row_in_the_table() -> None:
    rows = {line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")}
    rooms = {path.name for path in (ROOT / "webhook").iterdir() if (path / "__init__.py").exists()}
    assert not {room for room in rooms if not any(f"`{room}/`" in row for row in rows)}


def test_the_floors_are_those_that_are_checked() -> None:
    (contract,) = [contract for contract in TOOLS["importlinter"]["contracts"] if contract["type"] == "layers"]
    floors = [layer.replace("webhook.", "") for layer in contract["layers"]]
    assert "\n".join(floors) in PAGE


def test_what_the_mutation_tests_name_is_there() -> None:
    """They would leave out in silence a module that has another name by now, or its tests."""
    settings = TOOLS["mutmut"]
    named = [*settings["only_mutate"], *settings["pytest_add_cli_args_test_selection"], *settings["also_copy"]]
    assert [pattern for pattern in named if not any(ROOT.glob(pattern))] == []
