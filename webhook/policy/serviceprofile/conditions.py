"""Checks the conditions of a ServiceProfile, by which a route matches requests and a response class responses.

Both are trees of `all`, `any` and `not`, whose leaves match a path and a method, or a status.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import orjson

from webhook.findings.finding import Severity, declare, show
from webhook.policy.regex.unmatchable import alternatives, cannot_match_path
from webhook.policy.schema.godecode import WRONG
from webhook.policy.schema.reading import Place, Reading

_E: Final = Severity.ERROR
_W: Final = Severity.WARNING

MATCH_EMPTY: Final = declare("sp-match-empty", _E, "FieldValueRequired", "A condition of a ServiceProfile is empty.")
STATUS: Final = declare(
    "sp-status", _E, "FieldValueInvalid", "A range of status codes holds some that HTTP does not have."
)

PATTERN: Final = declare(
    "sp-path-regex", _W, "FieldValueInvalid", "The proxy cannot read a pathRegex, and ignores the match."
)
PATTERN_NEVER: Final = declare("sp-path-never", _W, "FieldValueInvalid", "No path matches a pathRegex.")
PATTERN_LOOSE: Final = declare(
    "sp-path-loose", _W, "FieldValueInvalid", "A pathRegex has alternatives that match parts of paths."
)
MATCH_IGNORED: Final = declare(
    "sp-match-ignored",
    _W,
    "FieldValueInvalid",
    "The proxy ignores a match of a ServiceProfile, or no request meets it.",
)

# Checks the leaves of one match, and returns whether it has any.
_Leaves = Callable[[dict[str, Any], Place, Reading], bool]


def check_request(condition: Any, place: Place, reading: Reading) -> None:
    """Check the condition of a route. It may contain `WRONG`, which is already reported."""
    _check_matches(condition, place, reading, _check_request_leaves, "pathRegex, method")


def check_response(condition: Any, place: Place, reading: Reading) -> None:
    """Check the condition of a response class. It may contain `WRONG`, which is already reported."""
    _check_matches(condition, place, reading, _check_response_leaves, "status")


def _check_matches(condition: Any, place: Place, reading: Reading, leaves: _Leaves, names: str) -> None:
    todo = [(condition, place)]
    while todo and not reading.full:
        match, place = todo.pop()
        if match is None:
            reading.note_at(MATCH_EMPTY, place, f"null is not a match: take it out, or write a match with {names}")
        elif isinstance(match, dict):
            some = leaves(match, place, reading)
            # Most matches have only leaves.
            if not match.keys() <= _LEAVES:
                some |= _add_nested(match, place, todo)
            if not some:
                reading.note_at(MATCH_EMPTY, place, f"the condition is empty: add {names}, all, any or not")


_LEAVES: Final = frozenset({"pathRegex", "method", "status"})


def _add_nested(match: dict[str, Any], place: Place, todo: list[tuple[Any, Place]]) -> bool:
    """Add the matches inside of a match to `todo`. Returns whether there may be any."""
    inner = match.get("not")
    if inner is not None:
        todo.append((inner, (place, "not")))
    some = inner is not None
    for key in ("any", "all"):
        group = match.get(key)
        some |= group is not None
        if isinstance(group, list):
            here = (place, key)
            todo.extend((group[index], (here, index)) for index in range(len(group) - 1, -1, -1))
    return some


# A token: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ASIDE: Final = "so that the proxy ignores this match"


def _check_request_leaves(match: dict[str, Any], place: Place, reading: Reading) -> bool:
    pattern, method = match.get("pathRegex"), match.get("method")
    if pattern and isinstance(pattern, str):
        _check_pattern(pattern, (place, "pathRegex"), reading)
    if method and method not in _METHODS and isinstance(method, str) and not _TOKEN.fullmatch(method):
        reading.note_at(
            MATCH_IGNORED,
            (place, "method"),
            f"{show(method)} is not an HTTP method, {_ASIDE}: write one such as GET",
        )
    if match.get("any") == []:
        reading.note_at(MATCH_IGNORED, (place, "any"), "the list is empty, so that no request meets it: add a match")
    return bool(pattern or method)


def _check_response_leaves(match: dict[str, Any], place: Place, reading: Reading) -> bool:
    status = match.get("status")
    if isinstance(status, dict):
        _check_status(status, (place, "status"), reading)
    for key in ("all", "any") if len(match) > 1 or status is None else ():
        if match.get(key) == []:
            reading.note_at(MATCH_IGNORED, (place, key), f"the list is empty, {_ASIDE}: add a match")
    return status is not None


def _check_pattern(pattern: str, place: Place, reading: Reading) -> None:
    """Check a pathRegex. The proxy removes the white space around it, adds a missing `^` at its start and `$` at its
    end, and matches it against the path of the request without the query (linkerd2-proxy,
    `linkerd/service-profiles/src/proto.rs`)."""
    text = pattern.strip()
    wrong = reading.judge(text)
    if wrong:
        reading.note_at(PATTERN, place, f"{show(pattern)} is not a regular expression, {_ASIDE}: {wrong}")
        return
    never, bare = _find_pattern_mistakes_cached(text) if len(text) < 256 else _find_pattern_mistakes(text)
    if never:
        reading.note_at(PATTERN_NEVER, place, f"{show(pattern)} matches no path: {never}")
    if bare:
        reading.note_at(
            PATTERN_LOOSE,
            place,
            f"{show(pattern)} matches parts of paths, as the proxy puts ^ and $ around the whole and not around "
            f"{show(bare)}: write {show(f'({text})')}",
        )


def _find_pattern_mistakes(text: str) -> tuple[str, str]:
    """Why no path matches a pattern, and an alternative of it that the anchors which the proxy adds do not reach."""
    parts = alternatives(text) if "|" in text else [text]
    bare = [part for part in parts[1:] if not part.startswith("^")]
    bare += [part for part in parts[:-1] if not part.endswith("$")]
    return cannot_match_path(text), bare[0] if bare else ""


_find_pattern_mistakes_cached = lru_cache(maxsize=1024)(_find_pattern_mistakes)


def _check_status(status: dict[str, Any], place: Place, reading: Reading) -> None:
    """Check a range of statuses. Linkerd treats a bound of zero as missing; to the proxy it is not a status."""
    low, high = status.get("min") or 0, status.get("max") or 0
    if low is WRONG or high is WRONG or 100 <= low <= high <= 599:
        return
    bad = [(key, bound) for key, bound in (("min", low), ("max", high)) if bound and not 100 <= bound <= 599]
    for key, bound in bad:
        reading.note_at(STATUS, (place, key), f"{bound} is not an HTTP status: write one from 100 to 599")
    if bad:
        return
    if low and high:
        reading.note_at(STATUS, (place, "max"), f"max is {high} and below min, {low}: write one from {low} to 599")
        return
    example = f"min: {low or high or 500}, max: {high or 599}"
    reading.note_at(MATCH_IGNORED, place, f"the range has only one of min and max, {_ASIDE}: write {example}")


def condition_key(condition: Any) -> Any:
    """A key that is equal for equal conditions of routes; None for a condition that is not valid or too deep."""
    if not isinstance(condition, dict):
        return None
    pattern, method = condition.get("pathRegex") or "", condition.get("method") or ""
    if len(condition) == (pattern != "") + (method != ""):
        if not (condition and isinstance(pattern, str) and isinstance(method, str)):
            return None
        return (pattern.strip().removeprefix("^").removesuffix("$") if pattern else None), method.upper()
    try:
        return orjson.dumps(condition, option=orjson.OPT_SORT_KEYS)
    except (TypeError, RecursionError):
        return None


EVERY_REQUEST: Final = frozenset({(".*", ""), ("/.*", "")})
"""The keys of conditions that every request meets."""
