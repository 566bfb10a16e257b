"""Linkerd's default values, for use where no control plane is: trying things out, CI, tests.

`data/LINE.yaml` is a line's: all of them for the newest, and for each other what it has otherwise than the line after
it, as a merge patch (RFC 7386). A new line between two is a new file, and takes over its part of the older one's.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from webhook.mesh.releases import LINES
from webhook.yaml import objects


def default_values(line: str = LINES[-1]) -> bytes:
    """The values that `linkerd install` of a release line makes without any flag, as far as they matter here."""
    newest = _file(f"{LINES[-1]}.yaml")
    if line == LINES[-1]:
        return newest
    values = objects.read(newest.decode())
    for name in reversed(LINES[LINES.index(line) : -1]):
        values = _patched(values, objects.read(_file(f"{name}.yaml").decode()))
    return json.dumps(values, indent=1).encode()


def default_trust_anchors() -> bytes:
    """A root certificate that nobody has the key of."""
    return _file("trust-anchors.crt")


def _patched(values: Any, patch: Any) -> Any:
    """RFC 7386: objects key by key, null takes a key out, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    out = dict(values) if isinstance(values, dict) else {}
    for key, change in patch.items():
        if change is None:
            out.pop(key, None)
        else:
            out[key] = _patched(out.get(key), change)
    return out


def _file(name: str) -> bytes:
    return resources.files("webhook.mesh").joinpath("data", name).read_bytes()
