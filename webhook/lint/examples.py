"""Reads the example of a rule: a file `docs/examples/RULE.yaml` with manifests that break the rule, and corrected ones.

    # line: stable-2.12           only where the rule needs an older release line
    # bad
    …YAML documents for which `linkerd-webhook validate` reports the rule
    # good
    …the same documents corrected: `validate` reports neither the rule nor any error

or, where no manifest can break the rule, one line in place of all of that:

    # none: why no manifest can
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_FORM = re.compile(
    r"(?:# line: (?P<line>\S+)\n)?"
    r"(?:# none: (?P<none>[^\n]+)\n?|# bad\n(?P<bad>.*\n)# good\n(?P<good>.*))\Z",
    re.DOTALL,
)


class Example(NamedTuple):
    """The example of one rule. `bad` and `good` are YAML; both are empty where `none` says why there are no manifests.
    `line` is the release line to check them with, empty for the newest."""

    bad: str
    good: str
    line: str
    none: str


def read(path: Path) -> Example:
    """Read an example from a file. Raises `ValueError`, which names the file, if it does not have the form above."""
    match = _FORM.match(path.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"{path}: write `# bad`, manifests, `# good`, manifests; or only `# none: the reason`")
    line, none, bad, good = (match[group] or "" for group in ("line", "none", "bad", "good"))
    if not none and not (bad.strip() and good.strip()):
        raise ValueError(f"{path}: write manifests below both `# bad` and `# good`")
    return Example(bad.strip("\n"), good.strip("\n"), line, none.strip())


def read_all(folder: Path) -> dict[str, Example]:
    """Read the examples of a folder; the keys are rule identifiers. Raises `ValueError` as `read` does."""
    return {path.stem: read(path) for path in sorted(folder.glob("*.yaml"))}
