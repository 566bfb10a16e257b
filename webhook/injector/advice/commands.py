"""What a container plainly runs: by its image, its command and its arguments. What cannot be seen there counts as
nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from webhook.pod import Container

# Of a long script only the beginning is looked at.
_LONGEST: Final = 4096

_CLIENTS: Final = (
    r"curl|wget|nc|ncat|netcat|telnet|psql|pg_isready|mysqladmin|redis-cli|mongosh|grpcurl|grpc_health_probe|kubectl|"
    r"dockerize|wait4x|wait-for|wait-for-it|git\s+clone|git\s+fetch|git\s+pull|aws\s+s3|gsutil|rclone"
)
_CALL: Final = re.compile(rf"(?:^|[\s;&|(\"'`/])({_CLIENTS})(?:\.sh)?(?=$|[\s;&|)\"'`])", re.ASCII)
_IMAGE: Final = re.compile(r"(?:^|/)(curl|wget|netcat|wait4x|dockerize|grpcurl|rclone|git-sync)(?=$|[:@])", re.ASCII)
_SHUTDOWN: Final = ("linkerd-await", "/shutdown")


def _text(container: Container) -> str:
    return " ".join((*(container.command or ()), *(container.args or ())))[:_LONGEST]


def network_client(container: Container) -> str:
    """The program by which a container goes to the network, empty for none that can be seen."""
    call = _CALL.search(_text(container))
    if call is None and container.command is None:
        call = _IMAGE.search((container.image or "")[:_LONGEST])
    return " ".join(call[1].split()) if call is not None else ""


def ends_proxy(containers: Iterable[Container]) -> bool:
    """Whether one of the containers tells the proxy to end: by linkerd-await, or the proxy's endpoint for that."""
    return any(word in text for text in map(_text, containers) for word in _SHUTDOWN)
