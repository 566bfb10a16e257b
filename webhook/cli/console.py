"""What a terminal wants to be sent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO, Any


def colours(stream: IO[Any], environment: Mapping[str, str] = os.environ) -> bool:
    """Whether coloured text may be written to a stream: it is a terminal that knows colours, and nobody has said no.

    `NO_COLOR` says no unless it is empty (https://no-color.org), and so does `TERM=dumb`. A stream that is closed is
    not a terminal.
    """
    if environment.get("NO_COLOR") or environment.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False
