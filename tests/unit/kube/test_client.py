"""The parts of the Kubernetes client that are used, without the rest of it."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import webhook.kube.api
import webhook.kube.client as client
print(sorted(name for name in sys.modules if name.partition(".")[0] == "kubernetes"))
import kubernetes.aio.client
print(kubernetes.aio.client.CoreV1Api.__name__, kubernetes.aio.client.Configuration is client.Configuration)
assert kubernetes.aio.config.new_client_from_config is not None
assert kubernetes.client.CoreV1Api is not None
"""


def run(script: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60).stdout


def test_nothing_of_the_client_stays_behind_and_whoever_imports_it_later_gets_all_of_it() -> None:
    assert run(SCRIPT).splitlines() == ["[]", "CoreV1Api False"]


def test_a_client_that_somebody_imported_before_is_left_as_it_is() -> None:
    script = "import kubernetes.aio as a\nimport webhook.kube.client\nimport kubernetes.aio as b\nprint(a is b)"
    assert run(script).split() == ["True"]


def test_the_server_is_free_of_what_it_does_not_use() -> None:
    script = "import sys, webhook.server.program\nprint(*sys.modules)"
    heavy = ("kubernetes", "urllib3", "websocket", "requests", "dateutil", "oauthlib", "durationpy")
    assert not set(run(script).split()) & set(heavy)
