"""Writes objects as YAML or JSON. The same objects give the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import yaml

JSON = dict[str, Any]

# Text that Go's YAML would read as a number, boolean or null, in addition to what PyYAML quotes itself.
_AMBIGUOUS = re.compile(r"[-+]?\.?[0-9].*|[yYnN]|~|=|<<", re.DOTALL)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as block scalars, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else '"' if _AMBIGUOUS.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def as_yaml(value: Any) -> str:
    """A value as one YAML document."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)


def write(objects: Sequence[JSON], form: str) -> str:
    """The objects as text. `form` is `yaml` (a stream of documents) or `json` (a List)."""
    if form == "json":
        return (
            json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}, indent=2, ensure_ascii=False)
            + "\n"
        )
    return "".join(f"---\n{as_yaml(body)}" for body in objects)
