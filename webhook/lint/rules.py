"""Collects all rules, and writes the page `docs/rules.md` (`make docs`)."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from webhook.findings.finding import RULES, Rule, Severity
from webhook.policy import registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from webhook.lint.examples import Example

# The modules that declare rules, beside those of the kinds.
_DECLARING = ("webhook.injector.advice.rules", "webhook.lint.check", "webhook.lint.mistakes")

_HEAD = """# Rules

The policy validators, the ServiceProfile validator and `linkerd-webhook validate` look for what is listed here. Each
finding carries the identifier of its rule. [answers.md](answers.md#what-the-validators-say) explains the severities. To
silence a warning on an object, annotate the object with `linkerd-webhook/ignore: RULE`; separate several rules by
commas.

| rule | severity | what it says |
|---|---|---|
"""


def load_all() -> dict[str, Rule]:
    """All rules by their identifiers."""
    registry.load_all()
    for module in _DECLARING:
        import_module(module)
    return RULES


def markdown(examples: Mapping[str, Example]) -> str:
    """The page of rules: a table of all of them, then a section for each rule. `examples` are by rule identifier."""
    order = list(Severity)
    rules = sorted(load_all().values(), key=lambda rule: (order.index(rule.severity), rule.id))
    table = "".join(f"| [`{rule.id}`](#{rule.id}) | {rule.severity} | {rule.summary} |\n" for rule in rules)
    return _HEAD + table + "".join(_section(rule, examples.get(rule.id)) for rule in rules)


def _section(rule: Rule, example: Example | None) -> str:
    """The section of one rule; its heading is the anchor that reports link to."""
    parts = [f"## {rule.id}", f"{rule.severity.capitalize()}. {rule.summary}"]
    if example is not None and example.none:
        parts.append(f"No manifest can show it: {example.none}")
    elif example is not None:
        only = f" (with `--release-line {example.line}`)" if example.line else ""
        parts += [f"Wrong{only}:", f"```yaml\n{example.bad}\n```", "Right:", f"```yaml\n{example.good}\n```"]
    return "".join(f"\n{part}\n" for part in parts)


if __name__ == "__main__":
    from webhook.lint.examples import read_all

    sys.stdout.write(markdown(read_all(Path("docs/examples"))))
