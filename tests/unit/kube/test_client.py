"""The parts of the Kubernetes client that are used, without the rest of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"kubernetes", "urllib3", "websocket", "requests", "requests_oauthlib", "dateutil", "oauthlib", "durationpy"}

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

# A client, one of whose modules needs its real package: an empty one, as stands in for it, has no file.
ANOTHER_CLIENT = """
import sys
class NeedsItsPackage:
    def find_spec(self, name, path=None, target=None):
        if name == "kubernetes.aio.client.rest" and getattr(sys.modules["kubernetes"], "__file__", None) is None:
            raise {error}("the package is empty")
sys.meta_path.insert(0, NeedsItsPackage())
import webhook.kube.client as client
import webhook.kube.keepalive
import kubernetes.aio.client
print(client.ALONE, kubernetes.aio.client.Configuration is client.Configuration)
"""

EVERY_MODULE = """
import importlib, pkgutil, sys
import certs, webhook
for package in (webhook, certs):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
assert "webhook.kube.client" in sys.modules and "webhook.cli.serve" in sys.modules
print(*sys.modules)
"""


def run(script: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60).stdout


def test_the_pinned_client_lets_its_parts_come_alone() -> None:
    assert run("import webhook.kube.client\nprint(webhook.kube.client.ALONE)").split() == ["True"]


@pytest.mark.parametrize("error", ["ImportError", "AttributeError"])
def test_of_a_client_whose_parts_do_not_come_alone_all_is_imported(error: str) -> None:
    assert run(ANOTHER_CLIENT.format(error=error)).split() == ["False", "True"]


def test_nothing_of_the_client_stays_behind_and_whoever_imports_it_later_gets_all_of_it() -> None:
    assert run(SCRIPT).splitlines() == ["[]", "CoreV1Api False"]


def test_a_client_that_somebody_imported_before_is_left_as_it_is() -> None:
    script = "import kubernetes.aio as a\nimport webhook.kube.client\nimport kubernetes.aio as b\nprint(a is b)"
    assert run(script).split() == ["True"]


def test_the_server_is_free_of_what_it_does_not_use() -> None:
    script = "import sys, webhook.server.program\nprint(*sys.modules)"
    assert not set(run(script).split()) & (HEAVY | {"aiohttp", "webhook.kube.client"})


def test_no_module_of_any_command_imports_the_rest_of_the_client() -> None:
    assert not set(run(EVERY_MODULE).split()) & HEAVY
