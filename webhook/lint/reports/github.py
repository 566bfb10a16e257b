"""Writes findings as GitHub Actions workflow commands, which GitHub shows as annotations on the changed lines.

https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from webhook.lint.check import Reported, Result
from webhook.lint.reports.paths import relative
from webhook.manifest.files import STDIN

_IN_MESSAGE = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_MESSAGE = str.maketrans(_IN_MESSAGE)
_PROPERTY = str.maketrans({**_IN_MESSAGE, ":": "%3A", ",": "%2C"})


def write(result: Result) -> str:
    """One workflow command for each finding, each on a line of its own."""
    return "".join(f"{_command(one)}\n" for one in result.findings)


def _command(one: Reported) -> str:
    properties = {} if one.file == STDIN else {"file": relative(one.file)}
    if one.line:
        properties |= {"line": str(one.line), "col": str(one.column)}
    properties["title"] = one.rule.id
    written = ",".join(f"{name}={value.translate(_PROPERTY)}" for name, value in properties.items())
    subject = " ".join(filter(None, (str(one.object or ""), one.field)))
    message = f"{subject}: {one.message}" if subject else one.message
    return f"::{one.level} {written}::{message.translate(_MESSAGE)}"
