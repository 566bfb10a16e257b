"""What a ServiceProfile's `pathRegex` matches: the obvious slips, told without running the pattern.

The proxy takes spaces off both ends, puts `^` before and `$` after a pattern that has none there, and matches it
against the path of the request, without its query (linkerd2-proxy, `linkerd/service-profiles/src/proto.rs`). Both
questions are answered "" where there is nothing to say, and also where it takes more than a glance to say.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from webhook.findings.finding import show

# After one of these, what stands before may be absent.
_OPTIONAL: Final = frozenset("?*{")
_LITERAL: Final = re.compile(r"[A-Za-z0-9_~%!@&=:;,'-]")
_NEVER_IN_PATH: Final = re.compile(r"\\(.)|[ #]", re.DOTALL)
_IGNORES_SPACE: Final = re.compile(r"\(\?[a-zA-Z-]*x")


class Remarks(NamedTuple):
    """What there is to say about one pattern."""

    never: str
    """Why no path matches it."""
    loose: str
    """Why it matches more than it seems to."""


_NONE: Final = Remarks("", "")


def remarks(pattern: str) -> Remarks:
    """Why no path matches this pattern, and why more match than seem to."""
    text = pattern.strip()
    if "|" in text:
        return Remarks("", _loose(text))
    if text[:1] == "/" and not ("#" in text or " " in text or "\\?" in text):
        return _NONE
    return Remarks(_never(text), "")


def _never(text: str) -> str:
    if not text:
        return "it matches the empty path only, and no request has that"
    if "(?" in text:
        return ""
    body = text.removeprefix("^")
    if _LITERAL.match(body) and body[1:2] not in _OPTIONAL:
        return f'a path starts with "/"; write {show("/" + body)}'
    if "(" in text or "[" in text:
        return ""
    for match in _NEVER_IN_PATH.finditer(text):
        if match[1] in ("?", None) and text[match.end() : match.end() + 1] not in _OPTIONAL:
            return (
                f"no path holds {show(match[1] or match[0])}, as the query and the fragment are not part of it; "
                "leave it out"
            )
    return ""


def _loose(text: str) -> str:
    """Whether the anchors that the proxy adds leave some alternatives without."""
    alternatives = _alternatives(text)
    bare = [one for one in alternatives[1:] if not one.startswith("^")]
    bare += [one for one in alternatives[:-1] if not one.endswith("$")]
    if not bare:
        return ""
    return (
        f"the proxy puts ^ and $ around the whole, so that {show(bare[0])} matches parts of paths; write "
        f"{show(f'({text})')}"
    )


def _alternatives(text: str) -> list[str]:
    """The pattern's parts between those `|` that are in no brackets; the whole where that is hard to say."""
    if _IGNORES_SPACE.search(text):
        return [text]
    starts = [0]
    groups = classes = position = 0
    while position < len(text):
        character = text[position]
        if character == "\\":
            position += 1
        elif character == "[":
            classes += 1
            # A bracket that closes stands for itself at the start of a class.
            position += len(re.match(r"\^?\]?", text[position + 1 :])[0])  # type: ignore[index]
        elif classes:
            classes -= character == "]"
        elif character in "()":
            groups += 1 if character == "(" else -1
        elif character == "|" and not groups:
            starts.append(position + 1)
        position += 1
    ends = [start - 1 for start in starts[1:]]
    return [text[start:end] for start, end in zip(starts, [*ends, len(text)], strict=True)]
