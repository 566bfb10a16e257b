"""docs/architecture.md draws what is verified, and names what is there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.unit.documentation.pages import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()
FLOORS = [line for line in PAGE.partition("```text\n")[2].partition("```")[0].splitlines() if line]


def test_the_floors_are_those_that_the_imports_are_held_to() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert [floor.replace("webhook.", "") for floor in layers] == FLOORS


def test_every_room_stands_on_a_floor() -> None:
    rooms = {path.stem for path in (ROOT / "webhook").iterdir() if path.suffix == ".py" or path.is_dir()}
    rooms -= {"__init__", "__pycache__", "data"}
    assert rooms | {"certs"} == {room for floor in FLOORS for room in floor.split(" | ")}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([a-z_]+(?:/[a-z_]+)*/?[a-z_]+\.py)`", PAGE))))
def test_every_module_that_is_named_is_there(name: str) -> None:
    folders = [ROOT / "webhook", *(path for path in (ROOT / "webhook").rglob("*") if path.is_dir())]
    assert any(Path(folder, name).is_file() for folder in folders), name


ROWS = [line.strip("| ") for line in PAGE.partition("## Where things go")[2].splitlines() if line.startswith("| ")]
PLACES = {subject: where for subject, _, where in (row.partition(" | ") for row in ROWS)}


@pytest.mark.parametrize(
    "subject",
    [
        "an annotation",
        "a release line",
        "a line of `check`",
        "a webhook",
        "a policy kind",
        "a setting (and its flag) of `install`",
    ],
)
def test_the_page_names_the_module_where_a_new_thing_goes(subject: str) -> None:
    names = re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", PLACES[subject])
    assert names
    assert [name for name in names if not (ROOT / "webhook" / name).is_file()] == []


@pytest.mark.parametrize(
    ("name", "module"),
    re.findall(r"`([A-Z_]+)` (?:in |\()`([a-z_/]+\.py)`", PAGE),
)
def test_a_table_that_is_named_with_its_module_stands_there(name: str, module: str) -> None:
    assert re.search(rf"^{name}\b.*=", (ROOT / "webhook" / module).read_text(), re.MULTILINE)
