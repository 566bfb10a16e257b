"""The fixtures of a small API server."""

from tests.kube import api, clock, cluster, quick, server, until  # noqa: F401
