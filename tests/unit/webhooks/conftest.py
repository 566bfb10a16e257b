"""The fixtures of a server under test."""

from tests.serving import ca, leaf, log_file, pytest_asyncio_loop_factories, serving  # noqa: F401
