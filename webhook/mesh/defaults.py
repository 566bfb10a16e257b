"""Linkerd's default values, for use where no control plane is: trying things out, CI, tests.

`data/LINE.yaml` is a line's: all of them for the newest, and for each other what it has otherwise than the line after
it, as a merge patch (RFC 7386). A new line between two is a new file, and takes over its part of the older one's.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from webhook.mesh.releases import LINES, Release, choose, line
from webhook.mesh.values import known_to
from webhook.yaml import objects


def default_values(name: str = LINES[-1]) -> bytes:
    """The values that `linkerd install` of a release makes without any flag, as far as they matter here.

    `name` is a release line, or the version of a release: that has the values of the first line which is not older, as
    far as it knows them. Raises `ValueError` as `releases.choose` does.
    """
    if name == LINES[-1]:
        return _file(f"{name}.yaml")
    release = choose(name).line
    nearest = name if name in LINES else _line_after(release.release)
    values = objects.read(_file(f"{LINES[-1]}.yaml").decode())
    for older in reversed(LINES[LINES.index(nearest) : -1]):
        values = _patched(values, objects.read(_file(f"{older}.yaml").decode()))
    if name not in LINES:
        values = {**known_to(release, values), "linkerdVersion": name}
    return json.dumps(values, indent=1).encode()


def _line_after(release: Release) -> str:
    """The line that a release belongs to or leads to."""
    lines = {name: line(name).release for name in LINES}
    return next((name for name, other in lines.items() if _leads_to(release, other)), LINES[-1])


def _leads_to(release: Release, line_release: Release) -> bool:
    if release.branch:
        return release.branch == line_release.branch
    return release.edge <= line_release.edge


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
