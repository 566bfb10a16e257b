"""The line about the server's rights: whether it may all that `install` prints for it."""

from __future__ import annotations

from collections.abc import Iterator

from webhook.diagnosis.check.apply_again import apply_again
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.gather_installation import RIGHTS
from webhook.diagnosis.check.granted import lacking
from webhook.diagnosis.check.installation import InstallMode
from webhook.diagnosis.check.installed import needed, printed
from webhook.diagnosis.check.line import Section, line
from webhook.diagnosis.finding import Check, CheckFinding
from webhook.diagnosis.unseen import NotAsked, NotSeen, Unseen, missing_rights, seen
from webhook.kube.fields import mapping, mappings, named, text
from webhook.kube.interface import JSON


@line(
    Section.CONFIG,
    "rights",
    "linkerd-webhook ServiceAccount, ClusterRole, Role and their bindings exist, and grant what the server needs",
    hint="l5d-existence-cr",
)
def rights(facts: ClusterFacts, check: Check) -> Iterator[CheckFinding]:
    """Whether the ServiceAccount, the roles and their bindings are there, and grant what `install` prints."""
    installation = needed(facts)
    if installation.mode is InstallMode.IMAGE:
        raise Unseen(NotAsked("the server has the rights of Linkerd's ServiceAccounts, which `linkerd check` judges"))
    missing = missing_rights(*facts.rights.values())
    if missing:
        raise Unseen(NotSeen(missing))
    fix = apply_again(installation)
    for wanted in printed(facts, installation):
        kind = text(wanted, "kind")
        if kind not in RIGHTS:
            continue
        where, body = named(wanted), seen(facts.rights.get(kind))
        if body is None:
            yield check.error(where, "", "does not exist: the server may not do its work", fix)
        elif kind.endswith("Binding"):
            yield from _bound(check, where, wanted, body, fix)
        else:
            lost = lacking(mappings(wanted, "rules"), mappings(body, "rules"))
            if lost:
                yield check.error(where, "rules", f"the server may not {'; '.join(lost)}", fix)


def _bound(check: Check, where: str, wanted: JSON, body: JSON, fix: str) -> Iterator[CheckFinding]:
    """Whether a binding gives the role to the server's ServiceAccount. A roleRef cannot be changed."""
    role, other = mapping(wanted, "roleRef"), mapping(body, "roleRef")
    if (text(role, "kind"), text(role, "name")) != (text(other, "kind"), text(other, "name")):
        kind, _, name = where.partition(" ")
        namespace, slash, short = name.rpartition("/")
        within = f"-n {namespace} " if slash else ""
        yield check.error(
            where,
            "roleRef",
            f"does not bind {text(role, 'kind')} {text(role, 'name')}, so the server may not do its work",
            f"a roleRef cannot be changed: run kubectl {within}delete {kind.lower()} {short}, then {fix}",
            f"{text(other, 'kind')} {text(other, 'name')}",
        )
    bound = [
        (text(subject, "kind"), text(subject, "namespace"), text(subject, "name"))
        for subject in mappings(body, "subjects")
    ]
    for subject in mappings(wanted, "subjects"):
        who = (text(subject, "kind"), text(subject, "namespace"), text(subject, "name"))
        if who not in bound:
            message = f"does not name {who[0]} {who[1]}/{who[2]}, so the server may not do its work"
            yield check.error(where, "subjects", message, fix)
