"""Regular expressions so plain that nobody need compile them: most of those in routes are.

Compiling takes longer than all other checks of a route together, and the engine takes a while to import.
"""

from __future__ import annotations

import re

# Longer ones may come to more than the engine's limit of size.
_LONGEST = 128

_ATOM = r"(?:[A-Za-z0-9/_~%@:;,=!<>'\" -]|\.|\\[.d]|\[\^?(?:a-z|A-Z|0-9|[A-Za-z0-9/_.])+-?\])[*+?]?"
_ATOMS = rf"(?:{_ATOM})+"
_GROUP = rf"\((?:\?:)?{_ATOMS}(?:\|{_ATOMS})*\)[*+?]?"
_PLAIN = re.compile(rf"\^?(?:{_ATOM}|{_GROUP})+\$?", re.ASCII)


def is_plain(pattern: str) -> bool:
    """Whether every engine takes this pattern, for certain."""
    return len(pattern) <= _LONGEST and _PLAIN.fullmatch(pattern) is not None
