"""The settings of a KRM function: the flags of `inject` or `uninject` by their names, in a ConfigMap or an own kind."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from webhook.grammar import GrammarError, parse_bool
from webhook.kube.fields import text
from webhook.meshing.flags import FLAGS
from webhook.meshing.krm import Result
from webhook.review import JSON

UNINJECT: Final = "uninject"
# Settings that stand for the contents of a file: what has several lines, or entries, is the content itself.
CONTENTS: Final = frozenset(("values", "trust-anchors"))
TEMPLATES: Final = "pod-templates"

_SWITCHES: Final = frozenset(
    (
        *(flag.name for flag in FLAGS if flag.kind == "switch"),
        *("manual", "ingress", "enable-debug-sidecar", "ignore-cluster", UNINJECT, "all"),
    )
)
_LISTS: Final = frozenset((TEMPLATES, *(flag.name for flag in FLAGS if flag.kind == "list")))
_OF_UNINJECT: Final = frozenset((UNINJECT, "all", TEMPLATES))
_OF_INJECT: Final = frozenset(
    (
        *(flag.name for flag in FLAGS),
        *(UNINJECT, TEMPLATES, "manual", "ingress", "enable-debug-sidecar", "close-wait-timeout", "registry"),
        *("ignore-cluster", "release-line", "linkerd-namespace", *CONTENTS),
    )
)


@dataclass(frozen=True, slots=True)
class Settings:
    """`given` are the values by name, as texts; those of switches are `true` or `false`. `results` are about settings
    that cannot be used, and those that are deprecated. `config` is where they stand."""

    config: JSON
    given: Mapping[str, str] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)

    @classmethod
    def of(cls, config: JSON) -> Settings:
        """By a function's own object: a ConfigMap has them in `data`, an object of any other kind in `spec`."""
        settings = cls(config, {}, list(_misplaced(config)))
        entries = config.get(_within(config))
        if not isinstance(entries, dict | None):
            return settings._with(settings.about("", 'this is not a map: write settings, such as manual: "true"'))
        given: dict[str, str] = {}
        for name, value in (entries or {}).items():
            try:
                given[name] = _as_text(name, value)
            except ValueError as error:
                settings.results.append(settings.about(name, str(error)))
        allowed = _OF_UNINJECT if given.get(UNINJECT) == "true" else _OF_INJECT
        settings.results.extend(settings.about(name, _unknown(name, allowed)) for name in given if name not in allowed)
        settings.results.extend(
            Result(
                f"{flag.name} is deprecated: use {flag.instead.removeprefix('--')}",
                "warning",
                config,
                settings.path(flag.name),
            )
            for flag in FLAGS
            if flag.instead and flag.name in given
        )
        return cls(config, given, settings.results)

    def about(self, name: str, message: str) -> Result:
        """That the value of a setting cannot be used."""
        return Result(message, "error", self.config, self.path(name))

    def path(self, name: str) -> str:
        """Where a setting stands, "" for all of them."""
        return f"{_within(self.config)}.{name}" if name else _within(self.config)

    def is_on(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.given.get(name) == "true"

    def entries(self, name: str) -> tuple[str, ...]:
        """The entries of a list."""
        return tuple(entry.strip() for entry in self.given.get(name, "").split(",") if entry.strip())

    def _with(self, result: Result) -> Settings:
        return Settings(self.config, self.given, [*self.results, result])


def _within(config: JSON) -> str:
    return "data" if text(config, "kind") in ("ConfigMap", "") else "spec"


def _misplaced(config: JSON) -> Iterator[Result]:
    known = ("apiVersion", "kind", "metadata", "status", "immutable", _within(config))
    for key in config:
        if key not in known:
            message = f"settings of a {text(config, 'kind') or 'ConfigMap'} stand in {_within(config)}: write it there"
            yield Result(message, "error", config, key)


def _as_text(name: str, value: Any) -> str:
    """A setting's value as on a command line. Raises `ValueError`, whose message says what to write."""
    if isinstance(value, list) and name in _LISTS and all(_is_scalar(entry) for entry in value):
        return ",".join(_plain(entry) for entry in value)
    if isinstance(value, dict) and name in CONTENTS:
        return f"{orjson.dumps(value).decode()}\n"
    if not _is_scalar(value):
        raise ValueError(f"{name} is {orjson.dumps(value).decode()[:60]}: write {_what(name)}")
    plain = _plain(value)
    if name not in _SWITCHES:
        return plain
    try:
        return "true" if parse_bool(plain) else "false"
    except GrammarError:
        raise ValueError(f'{name} is "{plain[:60]}": write "true" or "false"') from None


def _what(name: str) -> str:
    if name in _SWITCHES:
        return "true or false"
    return "a text or a list of texts" if name in _LISTS else "a text"


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _unknown(name: str, allowed: frozenset[str]) -> str:
    if name in _OF_INJECT:
        return f'{name} is a setting of inject: leave it out, or leave out {UNINJECT}: "true"'
    if name in _OF_UNINJECT:
        return f'{name} is a setting of uninject: leave it out, or write {UNINJECT}: "true"'
    close = difflib.get_close_matches(name, sorted(allowed), 1)
    hint = f"write {close[0]}" if close else f"write one of {', '.join(sorted(allowed))}"
    return f"{name} is not a setting: {hint}"
