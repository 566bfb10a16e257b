"""Linkerd's extensions: the arguments of their injectors, and the flags of our server."""

from __future__ import annotations

import pytest

from webhook.install.extensions import EXTENSIONS, injector_arguments, served, server_arguments
from webhook.install.settings import BY_PATH

VIZ, JAEGER = EXTENSIONS


def test_the_arguments_are_those_of_the_injector_s_container() -> None:
    deployments = [
        {"spec": {"template": {"spec": {"containers": [{"name": "tap", "args": ["api"]}]}}}},
        {"spec": {"template": {"spec": {"containers": [{"name": "tap-injector", "args": ["injector", "-a=b"]}]}}}},
    ]
    assert injector_arguments(VIZ, deployments) == ["injector", "-a=b"]
    assert injector_arguments(JAEGER, deployments) is None


@pytest.mark.parametrize(
    ("extension", "arguments", "flags"),
    [
        (VIZ, ["injector", "-tap-service-name=tap.viz", "-log-level=info"], ["--tap-service-name=tap.viz"]),
        (VIZ, ["injector", "-tap-service-name="], []),
        (
            JAEGER,
            ["-collector-svc-addr=c.j:55678", "-collector-svc-account=c", "-log-level=info", "-cluster-domain=c.l"],
            ["--collector-svc-addr=c.j:55678", "--collector-svc-account=c"],
        ),
        (
            JAEGER,
            ["-collector-svc-addr", "c.j:1", "--collector-trace-protocol=otlp", "-collector-trace-svc-name=x"],
            ["--collector-svc-addr=c.j:1", "--collector-trace-protocol=otlp", "--collector-trace-svc-name=x"],
        ),
        (JAEGER, ["-collector-svc-addr=", "-collector-svc-account=c"], []),
    ],
)
def test_the_flags_are_what_the_injector_is_told_to_inject(
    extension: object, arguments: list[str], flags: list[str]
) -> None:
    assert extension in EXTENSIONS
    result = server_arguments(next(one for one in EXTENSIONS if one == extension), arguments)
    assert result == flags
    assert bool(served(result)) is bool(flags)


def test_the_flags_are_extra_arguments_that_install_takes() -> None:
    assert BY_PATH["extraArgs"].schema["items"]["pattern"] == "^--[a-z]"
