"""The bill of materials of a lock file, as CycloneDX 1.6 JSON: `python sbom.py run.txt pyproject.toml OUTPUT`.

The same lock file gives the same bytes. Needs `packaging`, which the tools that build the wheel bring.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

JSON = dict[str, Any]

_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})\b")


class LockError(Exception):
    """A line of the lock file that pins nothing."""


def bill(lock: str, project: JSON) -> JSON:
    """The bill of a lock file's text for a project (pyproject.toml's `project`). Raises `LockError`."""
    components = [_component(line) for line in _entries(lock)]
    references = {each["name"]: each["bom-ref"] for each in components}
    direct = sorted(canonicalize_name(Requirement(each).name) for each in project["dependencies"])
    missing = [each for each in direct if each not in references]
    if missing:
        raise LockError(f"not locked: {', '.join(missing)}: run make lock")
    root = f"pkg:pypi/{project['name']}@{project['version']}"
    found = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
                "licenses": [{"license": {"id": project["license"]}}],
                "purl": root,
            }
        },
        "components": components,
        "dependencies": [{"ref": root, "dependsOn": [references[each] for each in direct]}],
    }
    # Of what is in it, so that another bill has another number and the same bill the same.
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(found, sort_keys=True))
    return {**found, "serialNumber": f"urn:uuid:{number}"}


def _entries(lock: str) -> list[str]:
    """The lock file's entries, each in one line."""
    lines = lock.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def _component(entry: str) -> JSON:
    """One package: its hashes are those of its files, wherever they are kept; one of them is installed."""
    pinned = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[^]]*])?==([^\s;\\]+)(.*)", entry)
    hashes = sorted(set(_HASH.findall(entry)))
    if pinned is None or not hashes:
        raise LockError(f"{entry.split(' --hash')[0]}: want name==version with --hash=sha256:…: run make lock")
    name, version = canonicalize_name(pinned[1]), pinned[2]
    marker = pinned[3].split("--hash")[0].strip(" ;")
    purl = f"pkg:pypi/{name}@{version}"
    component: JSON = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "externalReferences": [
            {
                "type": "distribution",
                "url": purl,
                "hashes": [{"alg": "SHA-256", "content": each} for each in hashes],
            }
        ],
    }
    if marker:
        # It is installed only where this holds.
        component["properties"] = [{"name": "linkerd-webhook:marker", "value": marker}]
    return component


def main(lock: str, pyproject: str, output: str) -> None:
    """Write the bill."""
    project = tomllib.loads(Path(pyproject).read_text(encoding="utf-8"))["project"]
    content = json.dumps(bill(Path(lock).read_text(encoding="utf-8"), project), indent=1, sort_keys=True)
    path = Path(output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
