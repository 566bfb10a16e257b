"""A Pod as a release makes it."""

from __future__ import annotations

from typing import Any, Final

import orjson

from webhook.comparison.pods import shape
from webhook.comparison.sides import Given, Step
from webhook.review import JSON

INJECTED: Final = "injected"


def inject(step: Step, given: Given) -> tuple[JSON, str] | None:
    """The Pod after injection, and what became of it: `injected`, `skipped: …` or `refused: …`.

    None where the values are none of that release's. The Pod that was given is left as it is.
    """
    injector = step.injector
    if injector is None:
        return None
    answer = injector.decide(given.subject, given.namespace, given.workload)
    if not answer.allowed:
        return given.pod, f"refused: {answer.message}"
    pod = applied(given.pod, answer.patch) if answer.patch else given.pod
    return pod, INJECTED if answer.decision == INJECTED else f"skipped: {answer.reason}"


def shaped(step: Step, given: Given) -> JSON | None:
    """The Pod after injection, as it is compared; None where the values are none of that release's."""
    result = inject(step, given)
    return None if result is None else shape(*result)


def applied(pod: JSON, patch: Any) -> JSON:
    """The Pod with the injector's patch, which only adds (RFC 6902). Takes over the values of the patch.

    jsonpatch copies each of these values first, which costs more than the injection.
    """
    out: Any = orjson.loads(orjson.dumps(pod))
    for operation in patch:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        node = out
        for part in parents:
            node = node[int(part)] if isinstance(node, list) else node[part]
        value = operation["value"]
        if not isinstance(node, list):
            node[last] = value
        elif last == "-":
            node.append(value)
        else:
            node.insert(int(last), value)
    return out  # type: ignore[no-any-return]
