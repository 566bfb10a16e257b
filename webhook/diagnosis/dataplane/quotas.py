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
from webhook.kube.fields import mapping, mappings, named, sequence, text
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
    """Why the API server refuses injected Pods: `object` is `ResourceQuota shop/compute`, `field` the path there,
    `wants` says what it wants, `containers` names those which have `has` in its place, and `fix` what mends that."""

    object: str
    field: str
    wants: str
    containers: tuple[str, ...]
    has: str
    fix: str

    @property
    def message(self) -> str:
        """What is wanted, and which containers do not have it."""
        verb = "has" if len(self.containers) == 1 else "have"
        return f"{self.wants}, and {_listed(self.containers)} {verb} {self.has}"


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def merged(every: Iterable[Refused]) -> list[Refused]:
    """The same, each rule once, with all containers that any Pod breaks it by."""
    by_rule: dict[tuple[str, str, str], Refused] = {}
    for refused in every:
        key = refused.object, refused.field, refused.wants
        before = by_rule.get(key, refused)
        containers = tuple(dict.fromkeys((*before.containers, *refused.containers)))
        by_rule[key] = before._replace(containers=containers)
    return list(by_rule.values())


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
            without = tuple(element for element, has in resources.items() if what not in mapping(has, kind))
            if without:
                wants = f"wants a {what} {kind.removesuffix('s')} of every container"
                where = _named("ResourceQuota", quota)
                yield Refused(where, f"spec.hard[{name}]", wants, without, "none", _fill(kind, what))


def _fill(kind: str, what: str) -> str:
    """What gives all of Linkerd's containers a limit or a request."""
    default = "default" if kind == "limits" else "defaultRequest"
    return (
        f"create a LimitRange with a {default} for {what}, which the API server fills in for them, or write the "
        f"annotation {PREFIX}proxy-{what}-{kind.removesuffix('s')} on the Namespace (for linkerd-init where it has "
        "resources of its own: proxyInit.resources in Linkerd's values)"
    )


def _scopes(quota: JSON) -> list[object]:
    by_expression = [
        expression.get("scopeName") for expression in mappings(quota, "spec", "scopeSelector", "matchExpressions")
    ]
    return [*sequence(quota, "spec", "scopes"), *by_expression]


def beyond(sample: Sample, limit_ranges: Sequence[JSON]) -> Iterator[Refused]:
    """What LimitRanges allow a container at most or at least, and Linkerd's have more or less of."""
    for limit_range in limit_ranges:
        for item in mappings(limit_range, "spec", "limits"):
            if text(item, "type") == "Container":
                for container in sample.containers:
                    has = with_resources(mapping(container, "resources"), limit_ranges)
                    yield from _beyond(text(container, "name"), has, item, _named("LimitRange", limit_range))


def _beyond(container: str, has: JSON, item: JSON, where: str) -> Iterator[Refused]:
    for bound, kind, words in (("max", "limits", "at most"), ("min", "requests", "at least")):
        for what, written in mapping(item, bound).items():
            own, amount = str(mapping(has, kind).get(what, "")), str(written)
            if is_above(own, amount) if bound == "max" else is_above(amount, own):
                one = kind.removesuffix("s")
                yield Refused(
                    where,
                    f"spec.limits[].{bound}[{what}]",
                    f"wants a {what} {one} of {words} {amount}",
                    (container,),
                    "another one",
                    f"write the annotation {PREFIX}proxy-{what}-{one}: {amount} on the Namespace, or change the "
                    "LimitRange",
                )


def _named(kind: str, body: JSON) -> str:
    return named({**body, "kind": kind})
