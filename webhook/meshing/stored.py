"""Values as Kubernetes' own types write them: what `inject --manual` writes is what `kubectl get` shows later."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import orjson

from webhook.grammar import GrammarError, canonical_quantity
from webhook.review import JSON

# Fields of which the zero value is the same as none, as Go's `omitempty` leaves it out, in what the injector adds.
_ZEROES: Final = frozenset(("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "value"))


@lru_cache(maxsize=256)
def read_as_stored(text: bytes) -> Any:
    """As `as_stored`, of a value's JSON text. The value is not to be changed: it is remembered, as most values of a
    mesh's patches are the same for all Pods."""
    return as_stored(orjson.loads(text))


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
