"""The table of all rules, as the documentation has it."""

from __future__ import annotations

import sys
from importlib import import_module

from webhook.findings.finding import RULES, Rule, Severity
from webhook.policy import registry

# Beside those of the kinds.
_DECLARING = ("webhook.lint.annotations", "webhook.lint.check")

_HEAD = """# Rules

What the validators and `linkerd-webhook validate` look for, by the identifier that ends a warning and stands before a
finding. [answers.md](answers.md#what-the-validators-say) says what the severities mean. A warning is silenced on an
object by `linkerd-webhook/ignore: RULE, RULE`.

| rule | severity | what it says |
|---|---|---|
"""


def load_all() -> dict[str, Rule]:
    """Every rule that there is, by its identifier."""
    registry.load_all()
    for module in _DECLARING:
        import_module(module)
    return RULES


def markdown() -> str:
    """The page of the documentation."""
    order = list(Severity)
    rules = sorted(load_all().values(), key=lambda rule: (order.index(rule.severity), rule.id))
    return _HEAD + "".join(f"| `{rule.id}` | {rule.severity} | {rule.summary} |\n" for rule in rules)


if __name__ == "__main__":
    sys.stdout.write(markdown())
