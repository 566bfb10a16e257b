"""The fixtures of an API server under test."""

from tests.kube.fixtures import api, clock, server, until  # noqa: F401
from tests.serving import pytest_asyncio_loop_factories  # noqa: F401
