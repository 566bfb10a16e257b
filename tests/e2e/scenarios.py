"""What happens to an installed webhook in its life, while Pods are created. Each returns once it is over."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import yaml

from certs.bundle import read
from tests.e2e.api import JSON
from tests.e2e.conftest import RESTART
from tests.e2e.installation import NAME, NAMESPACE, Installation
from tests.e2e.mesh import WEBHOOK_KINDS, Manifests
from tests.e2e.program import Webhook
from tests.e2e.waiting import until
from webhook.kube.base64_fields import decode

# Seconds that Kubernetes gives a Pod from SIGTERM to its end in our Deployment.
GRACE = 45.0
# Seconds for a rotation of the CA: bundles, ten seconds for every API server to hear of them, twice.
ROTATION = 90.0

Scenario = Callable[[Installation], None]


def rolling_restart(installation: Installation) -> None:
    """Every replica is replaced, one after the other, each by one that is ready first."""
    for old in [replica for replica in installation.replicas if replica.exit_code is None]:
        installation.start()
        # The endpoint leaves the Service while the Pod drains, as the endpoint controller does it.
        old.terminate()
        installation.take_out(old)
        assert old.wait_exit(GRACE) == 0


def leaf_renewal(installation: Installation) -> None:
    """A new leaf of the same CA, served by every replica."""
    before = {_serial(element) for element in _running(installation)}
    _ask(installation, "leaf")
    until("a new leaf at every replica", lambda: not before & {_serial(e) for e in _running(installation)}, within=30)


def ca_rotation(installation: Installation) -> None:
    """A new CA: beside the old one, in use, and alone in the end."""
    before = _bundle(installation)
    _ask(installation, "ca")

    def alone() -> bool:
        result = _bundle(installation)
        return len(result) == 1 and result != before

    until("the new CA alone", alone, within=ROTATION)


def new_values_and_trust_anchors(installation: Installation) -> None:
    """Linkerd's ConfigMaps change: other values, one more trust anchor."""
    manifests = installation.manifests
    values: Any = manifests.values
    values["proxy"]["logLevel"] = "warn,linkerd=debug"
    installation.change(values=yaml.safe_dump(values))
    time.sleep(2.0)
    installation.change(trust_anchors=manifests.trust_anchors * 2)
    time.sleep(2.0)
    installation.change(values=manifests.values_text, trust_anchors=manifests.trust_anchors)
    time.sleep(1.0)


def api_server_restart(installation: Installation) -> None:
    """The API server goes and comes back."""
    done = subprocess.run(
        os.environ[RESTART],
        shell=True,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0
    until("the API server", installation.api.alive, within=60)


def linkerd_applied_over_it(installation: Installation) -> None:
    """Linkerd's manifest is applied, its own webhook configurations with it."""
    for body in installation.manifests.objects:
        if installation.api.serves(body["apiVersion"], body["kind"]):
            installation.api.apply(body)


def one_replica_killed(installation: Installation) -> None:
    """SIGKILL: nobody is told, and a new one comes."""
    victim = _running(installation)[0]
    victim.kill()
    installation.start()


def one_replica_frozen(installation: Installation) -> None:
    """SIGSTOP for ten seconds: connections stay open, and nothing is answered."""
    victim = _running(installation)[0]
    victim.freeze()
    time.sleep(10.0)
    victim.thaw()
    until("the frozen replica ready again", lambda: victim.ready()[0] == 200, within=30)


# By what people call them, and whether every Pod has to come out meshed.
SCENARIOS: dict[str, tuple[Scenario, bool]] = {
    "rolling restart of both replicas": (rolling_restart, True),
    "leaf renewed": (leaf_renewal, True),
    "CA rotated": (ca_rotation, True),
    "values and trust anchors changed": (new_values_and_trust_anchors, True),
    "API server restarted": (api_server_restart, True),
    "Linkerd's manifest applied over it": (linkerd_applied_over_it, True),
    "one replica killed (SIGKILL)": (one_replica_killed, False),
    "one replica frozen for 10 s (SIGSTOP)": (one_replica_frozen, False),
}


def remove_linkerds_configurations(installation: Installation, manifests: Manifests) -> None:
    """Take away what `linkerd_applied_over_it` has added."""
    for body in manifests.objects:
        if body["kind"] in WEBHOOK_KINDS:
            installation.api.delete(body)


def _ask(installation: Installation, what: str) -> None:
    secret: JSON = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"{NAME}-ca", "namespace": NAMESPACE}}
    asked = f"{what}@{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    installation.api.patch(secret, {"metadata": {"annotations": {"linkerd-webhook/rotate": asked}}})


def _running(installation: Installation) -> list[Webhook]:
    return [replica for replica in installation.replicas if replica.exit_code is None]


def _serial(replica: Webhook) -> int:
    return replica.served().serial_number


def _bundle(installation: Installation) -> list[int]:
    """The serial numbers of the CAs that the injector's configuration trusts."""
    try:
        body = installation.get("MutatingWebhookConfiguration", NAME)
    except httpx.TransportError:
        return []
    bundle = decode(body["webhooks"][0]["clientConfig"].get("caBundle"))
    return [entry.serial_number for entry in read(bundle)]
