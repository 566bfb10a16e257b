"""Names of ports, as Kubernetes takes them for a container's (RFC 6335, 5.1: a service name)."""

from __future__ import annotations

import re
from typing import Final

_CHARACTERS: Final = re.compile(r"[a-z0-9-]+")
_LONGEST: Final = 15


def is_port_name(name: str) -> bool:
    """Whether a container's port can have this name."""
    return not what_is_wrong(name)


def what_is_wrong(name: str) -> str:
    """What is wrong with a port's name and what to write, an empty string if nothing is."""
    if not name:
        return "it is empty"
    if len(name) > _LONGEST:
        return f"it has {len(name)} characters, and {_LONGEST} are allowed"
    if _CHARACTERS.fullmatch(name) is None:
        return "only lower-case letters, digits and dashes are allowed"
    if not any("a" <= character <= "z" for character in name):
        return "it needs a letter"
    if name.startswith("-") or name.endswith("-") or "--" in name:
        return "a dash is allowed between two letters or digits only"
    return ""
