"""What Linkerd's own injector of each line has put in, by its recordings, `uninject` takes out, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from tests.conformance.test_recordings import CORPORA, JSON, cases, unlike
from webhook.injector.refusal import Refusal
from webhook.kube.fields import mapping, mappings, text
from webhook.meshing.kinds import kind_of
from webhook.meshing.uninject import uninjected

_CONTAINERS = ("linkerd-proxy", "linkerd-init", "linkerd-network-validator", "linkerd-debug")
_VOLUMES = ("linkerd-identity-end-entity", "linkerd-identity-token", "linkerd-proxy-init-xtables-lock")
# Marks that no injection puts in, and the user's wish not to be injected.
_STAY = ("extension", "cni-resource", "is-control-plane", "control-plane-component")
_COMPONENT = "linkerd.io/control-plane-component"


def injected(corpus: str) -> Iterator[tuple[str, JSON, JSON]]:
    """The name of each case in which something was put in, and the object before and after it. Left out are objects of
    kinds that no manifest has (`pod`), and components of the control plane, which keep their marks."""
    for case in cases(corpus):
        before, after = case["review"]["request"].get("object"), case["expected"].get("object")
        if not isinstance(before, dict) or not isinstance(after, dict) or before == after:
            continue
        known = kind_of(before)
        if known.role != "other" and _COMPONENT not in mapping(before, *known.template, "metadata", "labels"):
            yield case["name"], before, after


def left(body: JSON) -> Iterator[str]:
    """What is left in an object of what Linkerd puts in."""
    template = kind_of(body).template
    for path in {(), template}:
        metadata = mapping(body, *path, "metadata")
        for key, value in (*mapping(metadata, "labels").items(), *mapping(metadata, "annotations").items()):
            name = key.removeprefix("linkerd.io/")
            if name != key and name not in _STAY and (name, value) != ("inject", "disabled"):
                yield key
    spec = mapping(body, *template, "spec")
    for key in ("containers", "initContainers"):
        yield from (name for one in mappings(spec, key) if (name := text(one, "name")) in _CONTAINERS)
    yield from (name for one in mappings(spec, "volumes") if (name := text(one, "name")) in _VOLUMES)


def asked_for(body: JSON) -> dict[str, Any]:
    """Those of the Pod template, or of the object where it has none."""
    return mapping(body, *kind_of(body).template, "metadata", "annotations")


def tidy(value: Any) -> Any:
    """A value without empty lists and maps, as injecting may have put their contents in."""
    if isinstance(value, dict):
        return {key: kept for key, entry in value.items() if (kept := tidy(entry)) not in ({}, [], None)}
    return [tidy(entry) for entry in value] if isinstance(value, list) else value


@pytest.mark.parametrize("corpus", CORPORA)
def test_what_was_put_in_is_taken_out_and_nothing_else(corpus: str) -> None:
    seen, wrong = 0, []
    for name, before, after in injected(corpus):
        # A Namespace's config.linkerd.io/* become the Pod's, where nobody can tell them from the user's own.
        try:
            plain = uninjected(deepcopy(before), everything=True).body
            out = uninjected(deepcopy(after), everything=True).body
            own, kept = asked_for(uninjected(deepcopy(before)).body), asked_for(uninjected(deepcopy(after)).body)
        except Refusal:
            continue
        seen += 1
        # A container of such a name may be the user's own.
        wrong += [f"{name}: {rest} is left" for rest in {*left(out)} - {*left(plain)}]
        wrong += [f"{name}: {difference}" for difference in unlike(tidy(plain), tidy(out))]
        if not own.items() <= kept.items():
            wrong.append(f"{name}: annotations {own} have become {kept}")
    assert not wrong, f"{len(wrong)} of {seen}\n" + "\n".join(line[:500] for line in wrong[:8])
    assert seen >= 20
