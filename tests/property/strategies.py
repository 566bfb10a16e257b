"""Objects that are nearly Pods: known keys in their places and out of them, with plausible values and junk."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.unit.injector.builders import ALPHA, CONFIG, INJECT, SERVICE_ACCOUNT
from webhook.injector.settings import SETTINGS

# What JSON text in UTF-8 can hold.
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NUMBERS = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.sampled_from([0, 1, 80, 3306, 65535, 65536, -1, 2**31, 80.0, 0.5]),
    st.floats(allow_nan=False, allow_infinity=False),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXT)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)

ANNOTATIONS = sorted(
    {row.annotation for row in SETTINGS}
    | {INJECT, f"{CONFIG}nonsense", f"{ALPHA}x", "resource.opentelemetry.io/a", "a/b~c", ""}
)
VALUES = st.one_of(
    st.sampled_from(
        [
            *("true", "false", "enabled", "disabled", "ingress", "", "0", "-1", "1s", "-5m", "100m", "64Mi", "0.5"),
            *("80,443-450,http", "4190", "70000", "insecure", "off", "deny", "Always", "1e3", '"\\\n'),
            *('[{"name":"A","value":"1"}]', '[{"name":1}]', "null", "{"),
        ]
    ),
    TEXT,
)
TEXTS = st.dictionaries(st.one_of(st.sampled_from(ANNOTATIONS), TEXT), VALUES, max_size=6)


def perhaps(likely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what belongs here, else null, or anything."""
    return st.one_of(*[likely] * 14, st.none(), ANYTHING)


def record(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object that has some of these fields, each perhaps as it should be, and perhaps another."""
    known = st.fixed_dictionaries({}, optional={name: perhaps(value) for name, value in fields.items()})
    return st.builds(lambda object_, more: {**more, **object_}, known, st.dictionaries(TEXT, SCALARS, max_size=1))


PORT = record(containerPort=NUMBERS, name=st.sampled_from(["http", "mysql", ""]), protocol=TEXT)
PROBE = record(httpGet=record(port=st.one_of(NUMBERS, TEXT), path=TEXT))
CAPABILITIES = record(
    add=st.lists(perhaps(TEXT), max_size=2), drop=st.lists(st.sampled_from(["ALL", "NET_RAW"]), max_size=2)
)
MOUNT = record(name=TEXT, mountPath=st.sampled_from([SERVICE_ACCOUNT, "/x"]), readOnly=st.booleans())
CONTAINER = record(
    name=st.sampled_from(["app", "linkerd-proxy", "istio-init", ""]),
    image=st.sampled_from(["a", "cr.l5d.io/linkerd/proxy:v1", "gcr.io/istio-release/proxy_init:1"]),
    ports=st.lists(perhaps(PORT), max_size=3),
    volumeMounts=st.lists(perhaps(MOUNT), max_size=2),
    securityContext=record(capabilities=CAPABILITIES),
    readinessProbe=PROBE,
    livenessProbe=PROBE,
)
CONTAINERS = st.lists(perhaps(CONTAINER), max_size=3)
SPEC = record(
    containers=CONTAINERS,
    initContainers=CONTAINERS,
    volumes=st.lists(perhaps(record(name=TEXT)), max_size=2),
    hostNetwork=st.booleans(),
    automountServiceAccountToken=st.booleans(),
    ports=st.lists(perhaps(record(port=NUMBERS, targetPort=st.one_of(NUMBERS, TEXT))), max_size=3),
)
OWNER = record(apiVersion=TEXT, kind=st.sampled_from(["ReplicaSet", "Job", "StatefulSet"]), name=TEXT)
METADATA = record(
    name=TEXT,
    generateName=TEXT,
    namespace=TEXT,
    annotations=TEXTS,
    labels=TEXTS,
    ownerReferences=st.lists(perhaps(OWNER), max_size=2),
)
TEMPLATE = record(metadata=METADATA, spec=SPEC)
WORKLOAD_SPEC = record(template=TEMPLATE, replicas=NUMBERS, jobTemplate=record(spec=record(template=TEMPLATE)))
KINDS = ["Pod", "Service", "Deployment", "CronJob", "Job", "ConfigMap", "POD", ""]
OBJECTS = perhaps(
    st.one_of(
        record(kind=st.just("Pod"), metadata=METADATA, spec=SPEC),
        record(kind=st.sampled_from(KINDS), metadata=METADATA, spec=st.one_of(SPEC, WORKLOAD_SPEC)),
    )
)


# Everything of the right type, so that injections are not a rarity.
def sound(annotations: st.SearchStrategy[dict[str, str]]) -> st.SearchStrategy[dict[str, Any]]:
    """A Pod that could be real, with these annotations."""
    port = st.fixed_dictionaries(
        {"containerPort": st.integers(1, 65535)}, optional={"name": st.sampled_from(["http", "mysql"])}
    )
    container = st.fixed_dictionaries({"name": st.just("app")}, optional={"ports": st.lists(port, max_size=2)})
    return st.builds(
        lambda result, containers, first: {
            "kind": "Pod",
            "metadata": {"name": "p", "annotations": result},
            "spec": {"containers": containers, "initContainers": first},
        },
        annotations,
        st.lists(container, max_size=2),
        st.lists(container, max_size=1),
    )
