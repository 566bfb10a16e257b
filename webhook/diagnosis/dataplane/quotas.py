"""Whether ResourceQuotas and LimitRanges let Linkerd's containers in. Pure.

The API server runs its own plugins anew once a webhook has changed a Pod, so a LimitRange's defaults reach the
containers that were added. A ResourceQuota that limits CPU or memory is checked after that, and refuses a Pod of which
some container has no value. https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from webhook.diagnosis.dataplane.samples import Sample
from webhook.diagnosis.dataplane.stored import with_resources
from webhook.grammar import is_above
from webhook.injector.settings import PREFIX
from webhook.kube.fields import mapping, mappings, sequence, text
from webhook.kube.interface import JSON

# What a quota may want every container to have: the list in its resources, and the kind.
_WANTED: Final = {
    "limits.cpu": ("limits", "cpu"),
    "limits.memory": ("limits", "memory"),
    "requests.cpu": ("requests", "cpu"),
    "requests.memory": ("requests", "memory"),
    "cpu": ("requests", "cpu"),
    "memory": ("requests", "memory"),
}
# Quotas of these scopes count other Pods than those that the proxy runs in.
_OTHERS: Final = frozenset(("BestEffort", "Terminating", "PriorityClass", "CrossNamespacePodAffinity"))


class Refused(NamedTuple):
    """What an object of a Namespace refuses injected Pods for: `object` is `ResourceQuota shop/compute`, `field` the
    path there, `containers` are those that lack what it wants, and `message` says that. `fix` is what mends it."""

    object: str
    field: str
    containers: tuple[str, ...]
    message: str
    fix: str


def lacking(sample: Sample, quotas: Iterable[JSON], limit_ranges: Sequence[JSON]) -> Iterator[Refused]:
    """What ResourceQuotas want of every container that Linkerd's have not, with the LimitRanges' defaults in force."""
    resources = {
        text(container, "name"): with_resources(mapping(container, "resources"), limit_ranges)
        for container in sample.containers
    }
    for quota in quotas:
        if _OTHERS.intersection(map(str, _scopes(quota))):
            continue
        for name in mapping(quota, "spec", "hard"):
            if name not in _WANTED:
                continue
            kind, what = _WANTED[name]
            without = tuple(each for each, has in resources.items() if what not in mapping(has, kind))
            if without:
                one = kind.removesuffix("s")
                annotation = f"{PREFIX}proxy-{what}-{one}"
                default = "default" if kind == "limits" else "defaultRequest"
                yield Refused(
                    f"ResourceQuota {text(quota, 'metadata', 'namespace')}/{text(quota, 'metadata', 'name')}",
                    f"spec.hard[{name}]",
                    without,
                    f"wants a {what} {one} of every container, and {_joined(without)} {_has(without)} none",
                    f"write the annotation {annotation} on the Namespace (or set proxyInit.resources for linkerd-init), "
                    f"or create a LimitRange with a {default} for {what}, which fills it in",
                )


def _scopes(quota: JSON) -> list[object]:
    by_expression = [each.get("scopeName") for each in mappings(quota, "spec", "scopeSelector", "matchExpressions")]
    return [*sequence(quota, "spec", "scopes"), *by_expression]


def beyond(sample: Sample, limit_ranges: Sequence[JSON]) -> Iterator[Refused]:
    """What LimitRanges allow a container at most or at least, and Linkerd's have more or less of."""
    for limit_range in limit_ranges:
        where = f"LimitRange {text(limit_range, 'metadata', 'namespace')}/{text(limit_range, 'metadata', 'name')}"
        for item in mappings(limit_range, "spec", "limits"):
            if text(item, "type") != "Container":
                continue
            for container in sample.containers:
                name = text(container, "name")
                has = with_resources(mapping(container, "resources"), limit_ranges)
                for bound, kind in (("max", "limits"), ("min", "requests")):
                    for what, amount in mapping(item, bound).items():
                        own = str(mapping(has, kind).get(what, ""))
                        if is_above(own, str(amount)) if bound == "max" else is_above(str(amount), own):
                            one = kind.removesuffix("s")
                            yield Refused(
                                where,
                                f"spec.limits[].{bound}[{what}]",
                                (name,),
                                f"wants a {what} {one} of at {'most' if bound == 'max' else 'least'} {amount}, and "
                                f"{name} has {_written(container, kind, what) or own}",
                                f"write the annotation {PREFIX}proxy-{what}-{one}: {amount} on the Namespace, or change "
                                "the LimitRange",
                            )


def _written(container: JSON, kind: str, what: str) -> str:
    return str(mapping(container, "resources", kind).get(what, ""))


def _joined(names: Sequence[str]) -> str:
    return " and ".join(names)


def _has(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"
