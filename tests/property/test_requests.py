"""Whatever the sources, a request of the proxy above its limit is told."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.injector.builders import CONFIG, decide, injector, patched, pod, proxy_of
from webhook.grammar import is_above

AMOUNTS = st.sampled_from(["1", "100m", "0", "-1", "2k", "64Mi", "1e3", "bad", ""])
KEYS = [
    f"{CONFIG}proxy-{kind}-{side}" for kind in ("cpu", "memory", "ephemeral-storage") for side in ("request", "limit")
]
ANNOTATIONS = st.dictionaries(st.sampled_from(KEYS), AMOUNTS, max_size=6)
USING = [
    injector(),
    injector(proxy__resources={"cpu": {"request": "100m"}, "memory": {"request": "20Mi", "limit": "250Mi"}}),
]


@settings(max_examples=300, deadline=None)
@given(own=ANNOTATIONS, namespace=ANNOTATIONS, using=st.sampled_from(USING))
def test_each_request_above_its_limit_is_told_once(own: dict[str, str], namespace: dict[str, str], using: Any) -> None:
    body = pod(own)
    answer = decide(body, using, namespace=namespace)
    resources = proxy_of(patched(body, answer)).get("resources") or {}
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    above = [kind for kind, amount in requests.items() if is_above(amount, limits.get(kind, ""))]
    assert len([warning for warning in answer.warnings if warning.endswith("(inject-request-over-limit)")]) == len(
        above
    )
