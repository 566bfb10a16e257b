"""What says whether a regular expression is valid, and remembers it."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from webhook.mesh.releases import Line

# From a pattern to what is wrong with it: "" for nothing, None while that is not known yet, as the pattern has to be
# compiled to find out.
Judge = Callable[[str], str | None]

# The row of a release line: whether its policy controller has today's engine, which takes more than the one before.
ROW = "rule/regex-1.9"

# How many verdicts are remembered, and from which length on a pattern is remembered by its hash.
REMEMBERED = 4096
_HASHED = 256

# Longer patterns may exceed the engine's limit of size.
_LONGEST_PLAIN = 128

_ATOM = r"(?:[A-Za-z0-9/_~%@:;,=!<>'\" -]|\.|\\[.d]|\[\^?(?:a-z|A-Z|0-9|[A-Za-z0-9/_.])+-?\])[*+?]?"
_ATOMS = rf"(?:{_ATOM})+"
_GROUP = rf"\((?:\?:)?{_ATOMS}(?:\|{_ATOMS})*\)[*+?]?"
_PLAIN = re.compile(rf"\^?(?:{_ATOM}|{_GROUP})+\$?", re.ASCII)


def is_plain(pattern: str) -> bool:
    r"""Whether a pattern is so simple that every engine takes it for certain, so that it need not be compiled.

    Most patterns in routes are: letters, digits, `.`, `\d`, simple classes and groups, and `*`, `+` and `?`. Compiling
    takes longer than all other checks of a route together, and the engine takes a while to import.
    """
    return len(pattern) <= _LONGEST_PLAIN and _PLAIN.fullmatch(pattern) is not None


V = TypeVar("V")


class Remembered(Generic[V]):
    """A bounded memory of what is known about patterns; the least recently used entry goes first."""

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._capacity = capacity
        self._known: OrderedDict[object, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, pattern: str, old: bool = False) -> V | None:
        """What is known, or None."""
        key = _key(pattern, old)
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
        return known

    def put(self, pattern: str, old: bool, value: V) -> None:
        """Remember from now on."""
        key = _key(pattern, old)
        self._known[key] = value
        self._known.move_to_end(key)
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)

    def drop(self, pattern: str, old: bool = False) -> None:
        """Forget what is known, if anything is."""
        self._known.pop(_key(pattern, old), None)


def _key(pattern: str, old: bool) -> object:
    if len(pattern) <= _HASHED:
        return pattern, old
    import hashlib  # for the few

    return hashlib.sha256(pattern.encode("utf-8", "surrogatepass")).digest(), old


class InlineJudge:
    """A `Judge` that compiles patterns in the calling thread, so it always knows. For commands, not for the server."""

    def __init__(self, old: bool = False) -> None:
        self._old = old
        self._known: Remembered[str] = Remembered()

    def __call__(self, pattern: str) -> str:
        """The verdict."""
        if is_plain(pattern):
            return ""
        known = self._known.get(pattern, self._old)
        if known is None:
            # Only here: it takes longer to import than many a command to run.
            from webhook.policy.regex.verdict import verdict

            known = verdict(pattern, old=self._old)
            self._known.put(pattern, self._old, known)
        return known


judge_inline = InlineJudge()
_judge_inline_old = InlineJudge(old=True)


def judge_for(line: Line) -> InlineJudge:
    """The `Judge` that always knows, as the policy controller of this release line judges."""
    return judge_inline if line.has(ROW) else _judge_inline_old
