"""Who may see the status page: whoever may forward a port to the Pod. Pure.

A forwarded port arrives from loopback, by a name that the reader's browser resolves to its own machine. Checking the
`Host` keeps out pages of others whose name was made to resolve there.
https://kubernetes.io/docs/tasks/access-application-cluster/port-forward-access-application-cluster/
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_LOCALHOST: Final = "localhost"
# Characters of an address: those of the longest IPv6 address.
_LONGEST: Final = 45
# A name or an IPv4 address, or an IPv6 address in brackets; then a port.
_HOST: Final = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:]+))(?::[0-9]{1,5})?")


def is_allowed(client: str, hosts: Sequence[str]) -> bool:
    """Whether a request comes from loopback and names it. `client` is the address that the connection comes from,
    `hosts` the values of its `Host` headers, of which there must be one."""
    return _is_loopback(client) and len(hosts) == 1 and _names_loopback(hosts[0])


def _names_loopback(host: str) -> bool:
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match["six"] or match["name"]
    return name.lower() == _LOCALHOST or _is_loopback(name)


def _is_loopback(address: str) -> bool:
    """Whether it is 127.0.0.0/8, ::1, or one of the former written as IPv6."""
    return len(address) <= _LONGEST and _parsed_is_loopback(address)


@lru_cache(maxsize=64)
def _parsed_is_loopback(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def how_to_see_it(namespace: str, pod: str, port: int) -> str:
    """What to type, for somebody who is not allowed to see the page."""
    return (
        "The status page answers only connections from the Pod itself, as a forwarded port makes them. Run\n\n"
        "    linkerd-webhook dashboard\n\n"
        "or\n\n"
        f"    kubectl -n {namespace} port-forward pod/{pod} 50750:{port}\n\n"
        "and open http://localhost:50750/\n"
    )
