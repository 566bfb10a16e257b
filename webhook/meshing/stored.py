"""Values as Kubernetes' own types write them: what `inject --manual` writes is what `kubectl get` shows later."""

from __future__ import annotations

from typing import Any, Final

from webhook.grammar import GrammarError, canonical_quantity
from webhook.review import JSON

# Fields of which the zero value is the same as none, as Go's `omitempty` leaves it out, in what the injector adds.
_ZEROES: Final = frozenset(("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "value"))


def as_stored(value: Any) -> Any:
    """A value of a patch: without nulls and zeroes that mean nothing, and with quantities in their canonical form."""
    if isinstance(value, list):
        return [as_stored(item) for item in value]
    if not isinstance(value, dict):
        return value
    out = {key: as_stored(entry) for key, entry in value.items() if not _is_none(key, entry)}
    if isinstance(out.get("resources"), dict):
        out["resources"] = {key: _canonical(amounts) for key, amounts in out["resources"].items()}
    return out


def _is_none(key: str, value: Any) -> bool:
    return value is None or (key in _ZEROES and value in (0, ""))


def _canonical(amounts: JSON) -> JSON:
    out = {}
    for name, amount in amounts.items():
        try:
            out[name] = canonical_quantity(str(amount))
        except GrammarError:
            out[name] = amount
    return out
