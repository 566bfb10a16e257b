"""The fixtures of a small API server."""

from tests.kube.fixtures import api, clock, cluster, patient, quick, server, until  # noqa: F401
