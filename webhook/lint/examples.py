"""The example that shows a rule: a file `docs/examples/RULE.yaml` with manifests that break it, and the same put right.

    # line: stable-2.12           only where the rule needs a release line other than the newest
    # bad
    …YAML documents for which `linkerd-webhook validate` reports the rule
    # good
    …the same documents put right: without the rule, and without any error

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
    """`bad` and `good` are YAML; both are empty where `none` says why there are no manifests. `line` is the release
    line to check them with, empty for the newest."""

    bad: str
    good: str
    line: str
    none: str


def read(path: Path) -> Example:
    """The example in a file. Raises `ValueError` where the file is not of the form above, naming the file."""
    match = _FORM.match(path.read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"{path}: write `# bad`, manifests, `# good`, manifests; or only `# none: the reason`")
    line, none, bad, good = (match[group] or "" for group in ("line", "none", "bad", "good"))
    if not none and not (bad.strip() and good.strip()):
        raise ValueError(f"{path}: write manifests below both `# bad` and `# good`")
    return Example(bad.strip("\n"), good.strip("\n"), line, none.strip())


def read_all(folder: Path) -> dict[str, Example]:
    """The examples of a folder, by the identifier of their rule. Raises `ValueError` as `read` does."""
    return {path.stem: read(path) for path in sorted(folder.glob("*.yaml"))}
