"""Whatever the release: a patch applies, what the release lacks has no effect, and only a row changes a Pod."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.property.strategies import VALUES, sound
from tests.unit.injector.builders import ENABLED, answer_to, patched, release, request
from tests.unit.injector.releases import SHOWN, Shown, mesh_of, values_with
from webhook.injector.inject import Injector
from webhook.injector.ports import OPAQUE_PORTS
from webhook.injector.removal import removed
from webhook.injector.settings import SETTINGS
from webhook.kube.objects import Namespace
from webhook.mesh.releases import LINES, ROWS, Line, Release, at, line
from webhook.review import JSON

BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

TEXTS = st.one_of(VALUES, st.sampled_from(["true", "7", "10s", "enabled", "0.5", "audit", "4000-4010"]))
ANNOTATIONS = st.fixed_dictionaries({}, optional={row.annotation: TEXTS for row in SETTINGS})
# What is not known to some line, by line.
LACKING = {
    name: [row.annotation for row in SETTINGS if not line(name).knows(f"annotation/{row.annotation}")] for name in LINES
}


def outcome(using: Injector, body: Any, namespace: dict[str, str]) -> tuple[bool, Any]:
    """Whether the object is let in, and what it is then: the patch must apply."""
    answer = answer_to(request(body), using, Namespace("shop", namespace, {}))
    return answer.allowed, patched(deepcopy(body), answer)


def without(body: Any, annotation: str) -> Any:
    """The object without an annotation, and without what tells of it."""
    out = deepcopy(body)
    out["metadata"]["annotations"].pop(annotation, None)
    return out


@pytest.mark.parametrize("name", LINES)
class TestEachLine:
    @BOUNDED
    @given(body=sound(ANNOTATIONS), namespace=ANNOTATIONS)
    def test_answers_with_a_patch_that_applies_and_leaves_an_injected_pod_alone(
        self, name: str, body: Any, namespace: dict[str, str]
    ) -> None:
        using = release(name)
        allowed, after = outcome(using, body, {**namespace, **ENABLED})
        if allowed and after != body:
            assert outcome(using, after, {**namespace, **ENABLED}) == (True, after)

    @BOUNDED
    @given(data=st.data(), body=sound(ANNOTATIONS), at_namespace=st.booleans(), text=TEXTS)
    def test_is_not_changed_by_an_annotation_that_it_does_not_know(
        self, name: str, data: st.DataObject, body: Any, at_namespace: bool, text: str
    ) -> None:
        if not LACKING[name]:
            return
        annotation = data.draw(st.sampled_from(LACKING[name]))
        using, plain = release(name), without(body, annotation)
        wanted = outcome(using, plain, ENABLED)
        if at_namespace:
            assert outcome(using, plain, {**ENABLED, annotation: text}) == wanted
            return
        plain["metadata"]["annotations"][annotation] = text
        allowed, after = outcome(using, plain, ENABLED)
        assert (allowed, without(after, annotation)) == wanted


@BOUNDED
@given(first=st.sampled_from(LINES), then=st.sampled_from(LINES), body=sound(ANNOTATIONS))
def test_a_pod_that_one_line_has_injected_is_left_alone_by_any_other(first: str, then: str, body: Any) -> None:
    """Linkerd is upgraded between: only a native sidecar was not seen by the lines that had none."""
    native = [row.annotation for row in SETTINGS if row.field == "native_sidecar"]
    for annotation in native:
        body = without(body, annotation)
    values = values_with({"cniEnabled": False})
    allowed, after = outcome(Injector(mesh_of(line(first), values)), body, ENABLED)
    if allowed and after != body:
        assert outcome(Injector(mesh_of(line(then), values)), after, ENABLED) == (True, after)


def without_empty(value: Any) -> Any:
    """A value without empty maps and lists, which mean nothing in a Pod."""
    if isinstance(value, dict):
        kept = {key: without_empty(entry) for key, entry in value.items()}
        return {key: entry for key, entry in kept.items() if entry not in ({}, [], None)}
    return [without_empty(entry) for entry in value] if isinstance(value, list) else value


@BOUNDED
@given(first=st.sampled_from(LINES), then=st.sampled_from(LINES), body=sound(ANNOTATIONS), namespace=ANNOTATIONS)
def test_a_pod_that_is_injected_anew_by_another_line_is_as_if_that_one_had_injected_it(
    first: str, then: str, body: Any, namespace: dict[str, str]
) -> None:
    """A restart after an upgrade: what the older line put in leaves no trace."""
    older, newer = release(first), release(then)
    around = {**namespace, **ENABLED}
    allowed, after = outcome(older, body, around)
    if not allowed or after == body:
        return
    template = body["metadata"].get("annotations") or {}
    again = removed(after, template, older.inheritable | {OPAQUE_PORTS})
    assert without_empty(outcome(newer, again, around)[1]) == without_empty(outcome(newer, body, around)[1])


def _edges() -> list[tuple[int, int, int]]:
    """Every edge release at which a row begins or ends, in order."""
    versions = {version for span in ROWS.values() for version in (span.since, span.until) if version}
    return sorted((int(y), int(m), int(p)) for y, m, p in (version.split(".") for version in versions))


EDGES = _edges()
PODS = st.sampled_from([Shown(), *SHOWN.values()])


def becomes(of: Line, shown: Shown, body: JSON) -> tuple[bool, Any]:
    """What a release makes of an object, in a mesh and a Namespace that show some row."""
    try:
        using = Injector(mesh_of(of, values_with(shown.values)))
    except ValidationError:
        # The release cannot read these values, and lets no Pod in.
        return False, None
    body = deepcopy(body)
    body["metadata"]["annotations"] = {**body["metadata"]["annotations"], **shown.annotations}
    return outcome(using, body, {**ENABLED, **shown.namespace})


@BOUNDED
@given(index=st.integers(0, len(EDGES) - 1), later=st.integers(0, 2), shown=PODS, body=sound(ANNOTATIONS))
def test_no_pod_changes_between_two_releases_at_which_rows_begin_or_end(
    index: int, later: int, shown: Shown, body: Any
) -> None:
    year, month, patch = EDGES[index]
    between = (year, month, patch + later)
    if index + 1 < len(EDGES) and between >= EDGES[index + 1]:
        between = EDGES[index]
    first, other = at(Release(EDGES[index])), at(Release(between))
    assert (first._rows, first.name.startswith("edge")) == (other._rows, other.name.startswith("edge"))
    assert becomes(first, shown, body) == becomes(other, shown, body)


@BOUNDED
@given(index=st.integers(1, len(EDGES) - 1), shown=PODS, body=sound(ANNOTATIONS))
def test_a_pod_changes_at_a_release_only_by_the_rows_that_begin_or_end_there(
    index: int, shown: Shown, body: Any
) -> None:
    """The release before, with these rows exchanged, makes the Pod of this one."""
    before, after = at(Release(EDGES[index - 1])), at(Release(EDGES[index]))
    changed = {row for row in ROWS if before.has(row) is not after.has(row)}
    version = ".".join(map(str, EDGES[index]))
    assert changed == {row for row in ROWS if version in (ROWS[row].since, ROWS[row].until)} - _never(changed)
    made = replace(before, _rows=before._rows ^ changed)
    assert becomes(made, shown, body) == becomes(after, shown, body)


def _never(changed: set[str]) -> set[str]:
    """The rows that no edge release has."""
    return {row for row, span in ROWS.items() if span.since == span.until} - changed
