"""Ten minutes of Pods through two replicas on a disposable cluster: memory and file descriptors have to stay flat.

    WEBHOOK_TEST_KUBECONFIG=… python -m bench.soak [--seconds 600] [--rate 100]

Flat: over the second half at most 2 MiB and 4 file descriptors more. Exit code 1 where not.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.e2e.api import ApiServer
from tests.e2e.conftest import KUBECONFIG, LINKERD, SHARED
from tests.e2e.installation import Installation
from tests.e2e.load import Steady
from tests.e2e.mesh import Manifests, installed
from tests.e2e.objects import ENABLED, Room, meshed
from tests.e2e.program import Webhook
from tests.e2e.waiting import until

MEMORY = 2.0
DESCRIPTORS = 4
# Looks at each replica over the whole time.
LOOKS = 20


def main() -> None:
    """Print a line a look."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--rate", type=float, default=100.0)
    given = parser.parse_args()
    api = ApiServer.from_kubeconfig(Path(os.environ[KUBECONFIG]))
    manifests = Manifests("edge-26.8", Path(os.environ.get(LINKERD) or SHARED / "linkerd"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with (
            installed(api, manifests, root / "linkerd"),
            Installation(api, manifests, root / "installed", ("--failure-policy=Fail",)) as installation,
        ):
            installation.start(2)
            until("configurations in force", installation.in_force, within=30)
            room = Room.create(api, "soak", ENABLED)
            until("a meshed Pod", lambda: meshed(room.pod(dry_run=True).ok()), within=20)
            ok = _soak(installation, room, given.seconds, given.rate)
    sys.exit(not ok)


def _soak(installation: Installation, room: Room, seconds: float, rate: float) -> bool:
    looks = []
    with Steady(room, rate) as load:
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            load.run(seconds / LOOKS)
            look = [(_mib(replica), _descriptors(replica)) for replica in installation.replicas]
            looks.append(look)
            print(f"{time.monotonic() - begun:5.0f} s, {load.created:6d} Pods:", end="")
            print("".join(f"  {mib:6.1f} MiB {count:3d} fds" for mib, count in look), flush=True)
    half = looks[len(looks) // 2]
    flat = all(
        last[0] - middle[0] <= MEMORY and last[1] - middle[1] <= DESCRIPTORS
        for middle, last in zip(half, looks[-1], strict=True)
    )
    print(f"{len(load.refused)} refused, {len(load.bare)} unmeshed, {'flat' if flat else 'NOT FLAT'}")
    return flat and not load.problems


def _mib(replica: Webhook) -> float:
    status = Path(f"/proc/{replica.pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def _descriptors(replica: Webhook) -> int:
    return len(list(Path(f"/proc/{replica.pid}/fd").iterdir()))


if __name__ == "__main__":
    main()
