"""Judges whether a regular expression is valid, and caches the verdicts."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from webhook.mesh.releases import Line

# Takes a pattern and returns what is wrong with it: "" for a valid one, None while the verdict is not known yet, as the
# pattern has to be compiled first.
Judge = Callable[[str], str | None]

# The row of `webhook.mesh.releases` that says whether the policy controller of a release line has the newer engine.
ROW = "rule/regex-1.9"

# How many verdicts are cached, and the length in characters above which the hash of a pattern is the key.
REMEMBERED = 4096
_HASHED = 256

# Longer patterns may exceed the engine's limit of size.
_LONGEST_PLAIN = 128

_ATOM = r"(?:[A-Za-z0-9/_~%@:;,=!<>'\" -]|\.|\\[.d]|\[\^?(?:a-z|A-Z|0-9|[A-Za-z0-9/_.])+-?\])[*+?]?"
_ATOMS = rf"(?:{_ATOM})+"
_GROUP = rf"\((?:\?:)?{_ATOMS}(?:\|{_ATOMS})*\)[*+?]?"
_PLAIN = re.compile(rf"\^?(?:{_ATOM}|{_GROUP})+\$?", re.ASCII)


def is_plain(pattern: str) -> bool:
    r"""Whether a pattern is so simple that it is certainly valid, so that it need not be compiled.

    Most patterns in routes are: letters, digits, `.`, `\d`, simple classes and groups, and `*`, `+` and `?`. Compiling
    takes longer than all other checks of a route together, and the engine takes a while to import.
    """
    return len(pattern) <= _LONGEST_PLAIN and _PLAIN.fullmatch(pattern) is not None


V = TypeVar("V")


class Remembered(Generic[V]):
    """A cache of what is known about patterns, of `capacity` entries; the least recently used entry is dropped first.

    `old` in its methods: the entry is about the older engine."""

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._capacity = capacity
        self._known: OrderedDict[object, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, pattern: str, old: bool = False) -> V | None:
        """The value of a pattern, or None."""
        key = _key(pattern, old)
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
        return known

    def put(self, pattern: str, old: bool, value: V) -> None:
        """Set the value of a pattern."""
        key = _key(pattern, old)
        self._known[key] = value
        self._known.move_to_end(key)
        if len(self._known) > self._capacity:
            self._known.popitem(last=False)

    def drop(self, pattern: str, old: bool = False) -> None:
        """Remove the value of a pattern, if it has one."""
        self._known.pop(_key(pattern, old), None)


def _key(pattern: str, old: bool) -> object:
    if len(pattern) <= _HASHED:
        return pattern, old
    import hashlib  # only long patterns need it

    return hashlib.sha256(pattern.encode("utf-8", "surrogatepass")).digest(), old


class InlineJudge:
    """A `Judge` that compiles patterns in the calling thread, so that it never returns None. For commands, not for the
    server. `old`: for release lines with the older engine."""

    def __init__(self, old: bool = False) -> None:
        self._old = old
        self._known: Remembered[str] = Remembered()

    def __call__(self, pattern: str) -> str:
        """What is wrong with a pattern, "" for a valid one."""
        if is_plain(pattern):
            return ""
        known = self._known.get(pattern, self._old)
        if known is None:
            # Imported here, as the import takes longer than most commands take to run.
            from webhook.policy.regex.verdict import verdict

            known = verdict(pattern, old=self._old)
            self._known.put(pattern, self._old, known)
        return known


judge_inline = InlineJudge()
_judge_inline_old = InlineJudge(old=True)


def judge_for(line: Line) -> InlineJudge:
    """The `InlineJudge` for the policy controller of a release line."""
    return judge_inline if line.has(ROW) else _judge_inline_old
