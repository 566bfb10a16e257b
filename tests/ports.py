"""Ports for programs that listen a while after they were chosen."""

from __future__ import annotations

import os
import random
import socket


def free_port() -> int:
    """A port that nobody listens on, and that the system gives to no connection of its own meanwhile.

    Those that it gives away begin at 32768: https://docs.kernel.org/networking/ip-sysctl.html (ip_local_port_range)
    """
    chosen = random.Random(os.urandom(8))
    while True:
        port = chosen.randrange(20_000, 32_000)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
