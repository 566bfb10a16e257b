"""Label selectors, by which Servers and ServerAuthorizations choose objects
(https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from webhook.findings.finding import Severity, declare, show
from webhook.policy.schema.reading import Node, Reading
from webhook.policy.schema.shape import STRING, STRING_MAP, STRINGS, Array, Choice, Struct, optional, required

VALUES_MISSING = declare(
    "selector-values-missing",
    Severity.WARNING,
    "FieldValueRequired",
    "A selector has `In` without values, which selects nothing, or `NotIn` without values, which excludes nothing.",
)
VALUES_UNUSED = declare(
    "selector-values-unused",
    Severity.WARNING,
    "FieldValueForbidden",
    "A selector has `Exists` or `DoesNotExist` with values, which Linkerd ignores.",
)
ONE_FORM = declare(
    "selector-one-form",
    Severity.SCHEMA,
    "FieldValueForbidden",
    "A selector of the oldest Server version has both matchLabels and matchExpressions, or neither.",
)

OPERATORS: Final = ("In", "NotIn", "Exists", "DoesNotExist")


def _check(node: Node, reading: Reading) -> None:
    operator, values = node.get("operator"), node.get("values")
    if operator in ("In", "NotIn") and not values and "values" not in node.bad:
        effect = "selects nothing" if operator == "In" else "excludes nothing"
        reading.note(VALUES_MISSING, (*node.path, "values"), f"{operator} has no values, so that it {effect}: add one")
    elif operator in ("Exists", "DoesNotExist") and values:
        reading.note(
            VALUES_UNUSED,
            (*node.path, "values"),
            f"Linkerd ignores the values {show(values)} of {operator}: leave them out, or write In",
        )


def _check_alone(node: Node, reading: Reading) -> None:
    if not node.bad and ("matchLabels" in node) == ("matchExpressions" in node):
        reading.note(
            ONE_FORM,
            node.path,
            "at v1alpha1, the CRD requires exactly one of matchLabels and matchExpressions: write a newer version",
        )


def _selector(flattened: bool, alone: bool = False) -> Struct:
    expression = Struct(
        {
            "key": required(STRING),
            "operator": required(Choice(*OPERATORS, flattened=flattened)),
            "values": optional(STRINGS),
        },
        check=_check,
    )
    return Struct(
        {"matchLabels": optional(STRING_MAP), "matchExpressions": optional(Array(expression))},
        check=_check_alone if alone else None,
    )


SELECTOR: Final = _selector(False)
# In a structure that serde flattens, an enumeration has one more spelling.
FLATTENED_SELECTOR: Final = _selector(True)
# The selectors of Server v1alpha1, whose schema requires either labels or expressions.
LONE_SELECTOR: Final = _selector(False, alone=True)
FLATTENED_LONE_SELECTOR: Final = _selector(True, alone=True)


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool | None:
    """Whether a selector selects an object with these labels; None for a selector that is not valid."""
    wanted, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    if not isinstance(wanted, dict) or not isinstance(expressions, list):
        return None
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    met = [_meets(expression, labels) for expression in expressions]
    return None if None in met else all(met)


def _meets(expression: Any, labels: Mapping[str, str]) -> bool | None:
    key = expression.get("key") if isinstance(expression, dict) else None
    if not isinstance(key, str):
        return None
    values = expression.get("values") or []
    match expression.get("operator"):
        case "In" if isinstance(values, list):
            return key in labels and labels[key] in values
        case "NotIn" if isinstance(values, list):
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return None


def selects_all(selector: Mapping[str, Any]) -> bool:
    """Whether a selector selects every Pod, as it has neither labels nor expressions."""
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def same_selector(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Whether two selectors are equal. null differs from an empty list; the order of expressions counts, that of their
    values does not."""
    if left.get("matchLabels") != right.get("matchLabels"):
        return False
    ours, theirs = left.get("matchExpressions"), right.get("matchExpressions")
    if ours is None or theirs is None:
        return ours is theirs
    return [_comparable(e) for e in ours] == [_comparable(e) for e in theirs]


def _comparable(expression: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    values = expression.get("values")
    return expression.get("key"), expression.get("operator"), None if values is None else frozenset(values)
