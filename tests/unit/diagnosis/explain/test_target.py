from __future__ import annotations

import re

import pytest

from webhook.diagnosis.explain.target import TargetError, parse


@pytest.mark.parametrize(
    ("written", "object_", "path"),
    [
        ("po/cart", "Pod shop/cart", "/api/v1/namespaces/shop/pods/cart"),
        ("pods/cart", "Pod shop/cart", "/api/v1/namespaces/shop/pods/cart"),
        ("deploy/cart", "Deployment shop/cart", "/apis/apps/v1/namespaces/shop/deployments/cart"),
        ("Deployment/cart", "Deployment shop/cart", "/apis/apps/v1/namespaces/shop/deployments/cart"),
        ("deployments.apps/cart", "Deployment shop/cart", "/apis/apps/v1/namespaces/shop/deployments/cart"),
        ("deployments.v1.apps/cart", "Deployment shop/cart", "/apis/apps/v1/namespaces/shop/deployments/cart"),
        ("sts/db", "StatefulSet shop/db", "/apis/apps/v1/namespaces/shop/statefulsets/db"),
        ("ds/agent", "DaemonSet shop/agent", "/apis/apps/v1/namespaces/shop/daemonsets/agent"),
        ("rs/cart-1", "ReplicaSet shop/cart-1", "/apis/apps/v1/namespaces/shop/replicasets/cart-1"),
        ("rc/old", "ReplicationController shop/old", "/api/v1/namespaces/shop/replicationcontrollers/old"),
        ("job/once", "Job shop/once", "/apis/batch/v1/namespaces/shop/jobs/once"),
        ("cj/nightly", "CronJob shop/nightly", "/apis/batch/v1/namespaces/shop/cronjobs/nightly"),
    ],
)
def test_kinds_are_written_as_kubectl_takes_them(written: str, object_: str, path: str) -> None:
    target = parse(written, "shop")
    assert target.object == object_
    assert target.kind.path(target.namespace, target.name) == path


@pytest.mark.parametrize(
    ("written", "namespace", "says"),
    [
        ("cart", "shop", "write pod/cart, or deploy/cart"),
        ("deploymnt/cart", "shop", 'did you mean "deployment"?'),
        ("zzz/cart", "shop", "write one of pod, deployment"),
        ("pod/../secrets", "shop", "is not a name"),
        ("pod/cart", "Shop", "is not the name of a Namespace"),
    ],
)
def test_what_names_nothing_is_refused_with_what_to_write(written: str, namespace: str, says: str) -> None:
    with pytest.raises(TargetError, match=re.escape(says)):
        parse(written, namespace)
