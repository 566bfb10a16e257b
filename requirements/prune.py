"""Take out of an installed environment what no command imports: `python requirements/prune.py VENV`.

The Kubernetes client is 128 MB, nearly all of it models and typed APIs for every kind. `webhook/kube/client.py` uses
its connection and its credentials only. The client's packages, and what they import, stay: `client.py` imports all of
it where its parts do not come alone. A test runs every command in the image.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

# Generated code, whose packages' own __init__ stays.
GENERATED = ("api", "apis", "models")
CLIENTS = ("kubernetes/client", "kubernetes/aio/client")
# Type information, test suites and sources of compiled modules that others ship, and pydantic's first version, which
# FastAPI does without.
NEEDLESS = (
    "**/*.pyi",
    "**/py.typed",
    "**/tests",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.pxi",
    "**/*.c",
    "**/*.h",
    "kubernetes/**/*_test.py",
    "pydantic/v1",
)


def prune(site_packages: Path) -> int:
    """Remove it. The number of bytes that went comes out."""
    gone = 0
    for client in CLIENTS:
        for name in GENERATED:
            for path in (site_packages / client / name).glob("*.py"):
                if path.name != "__init__.py":
                    gone += path.stat().st_size
                    path.unlink()
    for pattern in NEEDLESS:
        for path in list(site_packages.glob(pattern)):
            if path.is_dir():
                gone += sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
                shutil.rmtree(path)
            elif path.exists():
                gone += path.stat().st_size
                path.unlink()
    return gone


if __name__ == "__main__":
    (folder,) = Path(sys.argv[1]).glob("lib/python3*/site-packages")
    print(f"{prune(folder) / 1e6:.0f} MB are not needed")
