"""An explanation as text for people: the answer first, then why, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import unified_diff
from typing import Any, Final

import orjson
import yaml

from webhook.diagnosis.dataplane.survey import differences
from webhook.diagnosis.explain.explanation import Explanation
from webhook.injector.decision import INJECT
from webhook.kube.fields import mapping
from webhook.kube.interface import JSON

_RESET: Final = "\x1b[0m"
_GREEN, _YELLOW, _RED, _BOLD, _CYAN = "\x1b[32;1m", "\x1b[33;1m", "\x1b[31;1m", "\x1b[1m", "\x1b[36m"
_SHOWN: Final = 120
# What the API server writes by itself, and no injector reads.
_SERVERS: Final = ("managedFields", "uid", "resourceVersion", "creationTimestamp", "generation", "selfLink")


def as_text(explanation: Explanation) -> Iterator[str]:
    """The lines. Some are coloured: strip that where nobody wants it."""
    colour = _GREEN if explanation.as_asked else _RED
    yield f"{colour}{_printable(answer(explanation))}{_RESET}"
    for title, lines in (
        ("Why", _why(explanation)),
        ("Settings", _settings(explanation)),
        ("Warnings", (f"{_YELLOW}‼{_RESET} {_printable(warning)}" for warning in explanation.warnings)),
        ("Mutating webhooks, in calling order", _webhooks(explanation)),
        ("Pods", _pods(explanation)),
        ("What differs from the proxy that it would get now", _drift(explanation)),
        ("Events", (_printable(f"{event.object}: {event.reason}: {event.message}") for event in explanation.events)),
        ("What the injector would change", _patch(explanation)),
        ("Not known", map(_printable, explanation.notes)),
        ("What to do", _advice(explanation)),
    ):
        yield from _section(title, lines)


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    lines = list(lines)
    if lines:
        yield ""
        yield f"{_BOLD}{title}{_RESET}"
        yield from (f"  {line}" for line in lines)


def answer(explanation: Explanation) -> str:
    """The first line: whether it is meshed, and whether that is as it should be."""
    name, because = explanation.object, explanation.message
    if explanation.over:
        return f"{name} {'is' if explanation.meshed else 'is not'} meshed, and that does not matter: {explanation.over}"
    if explanation.meshed is None:
        if explanation.would:
            return f"{name} would be meshed{'' if explanation.asked else ', though nobody asks for it'}"
        if explanation.asked:
            return f"{name} would not be meshed, though somebody asks for it: {because}"
        return f"{name} would not be meshed, as nobody asks for it: {because}"
    count = _count(explanation)
    if not explanation.meshed:
        if explanation.asked:
            return f"{name} is not meshed{count}, though it should be: {because}"
        return f"{name} is not meshed, as it should be: {because}"
    if explanation.drift:
        return f"{name} is meshed, and its proxy is not the one that it would get now: {differences(explanation.drift)}"
    if not explanation.asked:
        return f"{name} is meshed, though nobody asks for it any more: {because}"
    if not explanation.would:
        return f"{name} is meshed, and would not be if it were created now: {because}"
    return f"{name} is meshed, as it should be"


def _count(explanation: Explanation) -> str:
    bare = sum(not meshed for meshed in explanation.pods.values())
    if len(explanation.pods) < 2:
        return ""
    return f" ({bare} of its {len(explanation.pods)} Pods are not)"


def _why(explanation: Explanation) -> Iterator[str]:
    inject = explanation.inject
    if inject.source == "default":
        yield f"{INJECT} is not written anywhere"
    else:
        where = "the Pod template of " if inject.source == "template" else ""
        yield _printable(f"{INJECT}: {inject.value} stands on {where}{inject.object}")
    for rule in explanation.rules:
        mark = f"{_RED}×{_RESET}" if rule.holds else f"{_GREEN}√{_RESET}"
        yield f"{mark} {_printable(rule.text)} ({rule.rule})"


def _settings(explanation: Explanation) -> Iterator[str]:
    for setting in explanation.settings:
        line = f"{setting.name}: {_short(setting.value)} ({setting.source})"
        if setting.overrides:
            line += " over " + ", ".join(f"{_short(value)} ({source})" for value, source in setting.overrides)
        if setting.ignored:
            line += "; ignored: " + ", ".join(f"{_short(value)} ({source})" for value, source in setting.ignored)
        yield _printable(line)


def _webhooks(explanation: Explanation) -> Iterator[str]:
    marks = {True: f"{_GREEN}called{_RESET}", False: "not called", None: f"{_YELLOW}perhaps{_RESET}"}
    for webhook in explanation.webhooks:
        ours = " (linkerd-webhook)" if webhook.ours else ""
        yield f"{marks[webhook.calls]}: {_printable(f'{webhook.configuration} {webhook.webhook}{ours}: {webhook.why}')}"


def _pods(explanation: Explanation) -> Iterator[str]:
    for name, meshed in explanation.pods.items():
        yield f"{f'{_GREEN}√{_RESET}' if meshed else f'{_RED}×{_RESET}'} {_printable(name)}"


def _drift(explanation: Explanation) -> Iterator[str]:
    for difference in explanation.drift:
        why = f" ({difference.why})" if difference.why else ""
        yield _printable(f"{difference.path}: {_short(difference.now)} now, would be {_short(difference.would)}{why}")


def _advice(explanation: Explanation) -> Iterator[str]:
    for advice in explanation.advice:
        yield f"{_printable(advice.text)}{':' if advice.command else ''}"
        if advice.command:
            yield f"  {_CYAN}{_printable(advice.command)}{_RESET}"


def _patch(explanation: Explanation) -> Iterator[str]:
    """The patch as a diff of YAML."""
    colours = {"+": "\x1b[32m", "-": "\x1b[31m", "@": _CYAN}
    lines = unified_diff(_yaml(explanation.before), _yaml(explanation.after), "before", "after", n=2, lineterm="")
    for line in lines:
        colour = colours.get(line[:1], "")
        text = "".join(character if character.isprintable() else "�" for character in line)
        yield f"{colour}{text}{_RESET}" if colour else text


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes what occurs twice twice, not as an alias."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _yaml(pod: JSON) -> list[str]:
    metadata = {key: value for key, value in mapping(pod, "metadata").items() if key not in _SERVERS}
    shown = {"metadata": metadata, "spec": pod.get("spec")}
    return str(yaml.dump(shown, Dumper=_Dumper, sort_keys=False, width=4096)).splitlines()


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    text = text or '""'
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _printable(text: str) -> str:
    """In one line, without codes that a terminal would obey: names in a cluster may hold any."""
    return "".join(character if character.isprintable() else "�" for character in " ".join(text.split()))
