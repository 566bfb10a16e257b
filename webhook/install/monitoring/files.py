"""The files of `deploy/` that Prometheus and Grafana read. `make chart` writes them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from webhook.install.monitoring import board
from webhook.install.monitoring.alerts import PAGE, rules
from webhook.install.output import as_yaml

_ALERTS_HEAD: Final = f"""# Alerts on linkerd-webhook, for the rule_files of Prometheus; the chart brings them as well.
# {PAGE} has a section for each. Written by `make chart`.
"""


def alerts() -> str:
    """The alerts, as a file of rules."""
    return _ALERTS_HEAD + as_yaml({"groups": rules()})


def contents() -> dict[str, str]:
    """The text of each file, by its path below `deploy`."""
    return {"alerts/linkerd-webhook.yaml": alerts(), "grafana/linkerd-webhook.json": board.text() + "\n"}


def write(folder: Path) -> None:
    """Write all of them below a folder, `deploy`."""
    for path, content in contents().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
