"""Objects as text: the same objects give the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import yaml

JSON = dict[str, Any]

# Go's YAML reads more numbers, and more words for true and false, than Python's.
_AMBIGUOUS = re.compile(r"[-+]?\.?[0-9].*|[yYnN]|~|=|<<", re.DOTALL)


class _Dumper(yaml.SafeDumper):
    """As people write it: texts of several lines as such, and nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else '"' if _AMBIGUOUS.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def as_yaml(value: Any) -> str:
    """One document."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)


def write(objects: Sequence[JSON], form: str) -> str:
    """`yaml`: a stream, each object after `---`. `json`: a List."""
    if form == "json":
        return (
            json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}, indent=2, ensure_ascii=False)
            + "\n"
        )
    return "".join(f"---\n{as_yaml(body)}" for body in objects)
