"""No combination of sources gives the proxy a request above its limit."""

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
def test_a_request_is_never_above_its_limit(own: dict[str, str], namespace: dict[str, str], using: Any) -> None:
    body = pod(own)
    resources = proxy_of(patched(body, decide(body, using, namespace=namespace))).get("resources") or {}
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    assert not [kind for kind, amount in requests.items() if is_above(amount, limits.get(kind, ""))]
