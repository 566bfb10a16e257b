"""How far a gatherer has come, for whoever waits for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """`reading` is what RBAC calls that which was asked for last, "" before; `pods` counts the Pods that were seen."""

    reading: str = ""
    pods: int = 0

    def asked(self, resource: str) -> None:
        """Note what is asked for."""
        self.reading = resource

    def seen(self, resource: str) -> None:
        """Note an object of a list."""
        if resource == "pods":
            self.pods += 1
