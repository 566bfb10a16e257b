"""That an object is told to have no mistake without a closer look, where a closer look would find none."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from webhook.findings.templates import find as template_of
from webhook.manifest import mistakes

ODD = st.sampled_from(["web", "", "{{ x }}", "a${B}", "$(C)", "$D", "{", None, 1, True, [], {}, {"a": "b"}, ["a"]])
TEXT = st.sampled_from(["web", "app", "1"])
VALUE = st.one_of(TEXT, TEXT, TEXT, ODD)


def maybe(fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    return st.one_of(st.fixed_dictionaries({}, optional=fields), ODD)


ENTRIES = st.one_of(st.dictionaries(st.sampled_from(["a", "linkerd.io/inject"]), VALUE, max_size=2), ODD)
METADATA = maybe({"name": VALUE, "namespace": VALUE, "generateName": VALUE, "labels": ENTRIES, "annotations": ENTRIES})
CONTAINER = st.one_of(st.fixed_dictionaries({"name": VALUE, "image": VALUE}), maybe({"name": VALUE, "image": VALUE}))
FINE = st.fixed_dictionaries({"name": TEXT, "image": TEXT})
CONTAINERS = st.one_of(st.lists(FINE, max_size=2), st.lists(CONTAINER, max_size=2), ODD)
POD = {"metadata": METADATA, "spec": maybe({"containers": CONTAINERS, "initContainers": CONTAINERS})}
KINDS = st.sampled_from([("", "Pod"), ("apps", "Deployment"), ("batch", "Job"), ("", "Service")])


@given(KINDS, METADATA, maybe({"selector": ODD, "template": maybe(POD)}), maybe(POD))
def test_no_mistake_is_passed_over(kind: tuple[str, str], metadata: Any, spec: Any, pod: Any) -> None:
    body = {"kind": kind[1], "metadata": metadata, "spec": spec}
    if kind[1] == "Pod" and isinstance(pod, dict):
        body |= {"spec": pod.get("spec")}
    template = template_of(*kind, body)
    closely = mistakes._find(body, template, is_policy=False)
    assert mistakes.find(body, template, is_policy=False) == closely
