"""Names of container ports as Kubernetes allows them: service names
(https://www.rfc-editor.org/rfc/rfc6335#section-5.1)."""

from __future__ import annotations

import re
from typing import Final

_CHARACTERS: Final = re.compile(r"[a-z0-9-]+")
_LONGEST: Final = 15


def is_port_name(name: str) -> bool:
    """Whether Kubernetes allows this name for a container port."""
    return not what_is_wrong(name)


def what_is_wrong(name: str) -> str:
    """What is wrong with the name of a port; an empty string for a valid name."""
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
