"""A line of `linkerd-webhook check`: declared where it is judged, by a decorator on the function that judges it.

`docs/checks.md` is written from these declarations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.unseen import NotAsked

if TYPE_CHECKING:
    from webhook.diagnosis.check.facts import ClusterFacts


class Section(StrEnum):
    """The sections of the report, in their order: those of `linkerd check`, by its names where it has them."""

    API = "kubernetes-api"
    VERSION = "kubernetes-version"
    SETUP = "pre-kubernetes-setup"
    CRD = "linkerd-crd"
    EXISTENCE = "linkerd-existence"
    CONFIG = "linkerd-config"
    IDENTITY = "linkerd-identity"
    TLS = "linkerd-webhooks-and-apisvc-tls"
    WEBHOOK = "linkerd-webhook"
    DATA_PLANE = "linkerd-webhook-data-plane"


class Scope(StrEnum):
    """What is checked: `--pre` (may it be installed?), neither (is it well?), `--proxy` (are the Pods well?)."""

    PRE = "pre"
    INSTALLED = "installed"
    PROXY = "proxy"


SECTIONS: Final[dict[Scope, tuple[Section, ...]]] = {
    Scope.PRE: (Section.API, Section.VERSION, Section.SETUP, Section.CRD, Section.EXISTENCE),
    Scope.INSTALLED: tuple(section for section in Section if section is not Section.SETUP),
    Scope.PROXY: (Section.API, Section.VERSION, Section.DATA_PLANE),
}

Judge = Callable[["ClusterFacts", Check], Iterable[CheckFinding]]

# The fact by which a line is left out of the report: it is about something that is not there and need not be.
OUT_OF_PLACE: Final = NotAsked("")

_STABLE: Final = re.compile(r"stable-(\d+\.\d+)")
_LINKERDS: Final = "https://linkerd.io/{}/checks/#{}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `check` has its code, and its description, which says what is so where nothing is wrong.

    `judge` is pure: it yields what is wrong, and may raise `Unseen` for a fact that is not known (`OUT_OF_PLACE`: the
    line does not belong in this report). `hint` is an anchor
    on Linkerd's page about its checks, or a whole URL. `scopes` are those in which it is judged, by default those that
    have its section. With --proxy, the warnings of a line with `proxy_error` are errors. `awaited`: with --wait the
    facts are gathered anew as long as it fails, as it may come right by itself. `optional`: where a right is missing
    the line is skipped, and no error.
    """

    section: Section
    check: Check
    judge: Judge = field(compare=False)
    hint: str
    scopes: frozenset[Scope]
    proxy_error: bool = False
    awaited: bool = False
    optional: bool = False

    @property
    def code(self) -> str:
        """The code, which never changes."""
        return self.check.code

    def url(self, line: str = "") -> str:
        """The page with hints. `line` is Linkerd's release line, or a release of it, "" where it is not known: Linkerd
        has a page for each stable one."""
        if self.hint.startswith("https://"):
            return self.hint
        stable = _STABLE.match(line)
        return _LINKERDS.format(stable[1] if stable else "2", self.hint)


def line(
    section: Section,
    code: str,
    description: str,
    *,
    hint: str,
    scopes: Iterable[Scope] = (),
    proxy_error: bool = False,
    awaited: bool = False,
    optional: bool = False,
) -> Callable[[Judge], Line]:
    """Make a line of the function that judges it; the arguments are the fields of `Line`."""

    def declared(judge: Judge) -> Line:
        within = frozenset(scopes) or frozenset(scope for scope, sections in SECTIONS.items() if section in sections)
        return Line(section, Check(code, description), judge, hint, within, proxy_error, awaited, optional)

    return declared
