"""The conditions of a running server, as `/ready` reports them, from plain facts. A `problem` is "" for none."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final, TypedDict

from webhook.diagnosis import fixes
from webhook.install.adoption import AGAIN
from webhook.install.validatedkinds import Outdated

# The condition that fails while the server shuts down.
SERVING: Final = "serving"


class Condition(TypedDict):
    """`ok`: whether it holds; `required`: whether the replica is ready only while it does; `message`: a sentence."""

    name: str
    ok: bool
    required: bool
    message: str


def _optional(name: str, problem: str, otherwise: str) -> Condition:
    """A condition without which the replica is ready too; its message is the problem, or else `otherwise`."""
    return {"name": name, "ok": not problem, "required": False, "message": problem or otherwise}


def namespaces(synced: bool, count: int, source: str, problem: str) -> Condition:
    """Whether all Namespaces were listed once; `source` is where they are read from."""
    message = f"{count} Namespaces known from {source}"
    if not synced:
        why = f": {problem}" if problem else ""
        message = f"the first list of Namespaces is not complete ({source}){why}"
    return {"name": "namespaces", "ok": synced, "required": True, "message": message}


def serving(draining: bool) -> Condition:
    """Whether the server takes requests, and does not shut down."""
    message = "shutting down" if draining else "requests are answered"
    return {"name": SERVING, "ok": not draining, "required": True, "message": message}


def cache(problem: str) -> Condition:
    """Whether what is known of the cluster is up to date."""
    return _optional("cache", problem, "up to date")


def certificate(not_after: datetime | None, expired: bool) -> Condition:
    """Whether a certificate is served (else `not_after` is None) that is still valid."""
    expiry = f"{not_after:%Y-%m-%dT%H:%M:%SZ}" if not_after else "never loaded"
    ok = not_after is not None and not expired
    return {"name": "certificate", "ok": ok, "required": False, "message": f"expires {expiry}"}


def files(group: str, error: str) -> Condition:
    """Whether the files of a group are in effect as they are now; `error` is why they were refused."""
    problem = f"refused, so the earlier contents stay in effect: {error}" if error else ""
    return _optional(f"{group} files", problem, "in effect")


def trusted(problem: str, fix: str, dns_name: str) -> Condition:
    """Whether the caBundles that point at our Service trust the served certificate. A replica is ready only then."""
    message = f"{problem}: {fix}" if problem else f"the caBundles that point at {dns_name} trust it"
    return {"name": "trusted", "ok": not problem, "required": True, "message": message}


def distrust_fix(self_managed: bool, ca_known: bool, problem: str, holder: str) -> str:
    """What to do if a caBundle does not trust the served certificate: the leader writes it, if the CA is known.

    `problem` is why no replica can lead, `holder` the replica that leads, "" for none.
    """
    if not self_managed and not ca_known:
        fix = fixes.name_the_ca(fixes.MOUNTED)
        return f"there is no ca.crt beside the certificate, so the leader cannot write that caBundle: {fix}"
    otherwise = f"see the log of {holder}" if holder else "no replica leads yet, so wait for one"
    if problem:
        otherwise = f"a possible reason is that no replica can lead: {problem}"
    return fixes.leader_writes_it(otherwise) if self_managed else fixes.leader_writes_ca_crt(fixes.MOUNTED, otherwise)


def other_ca_bundles(problems: Collection[str]) -> Condition:
    """Whether all caBundles trust the served certificate, those of which one replica cannot be sure among them."""
    return _optional("caBundles", "; ".join(problems), "every caBundle that points here trusts the served certificate")


def certificate_secret(problem: str) -> Condition:
    """Whether the certificate in the Secret is the one that is served."""
    return _optional("certificate Secret", problem, "served")


def webhook_configurations(problem: str) -> Condition:
    """Whether the webhook configurations are watched."""
    return _optional("webhook configurations", problem, "watched")


def leader(problem: str, holder: str) -> Condition:
    """Whether the Lease can be read and written; `holder` is the replica that leads, "" for none."""
    return _optional("leader", problem, f"{holder} leads" if holder else "no replica leads yet")


def adoption(overwritten: Collection[str]) -> Condition:
    """Whether the adopted webhook configurations still point here; `overwritten` are the names of those that do not."""
    names = ", ".join(overwritten)
    problem = f"{names}: was changed to point elsewhere: to adopt it again, run {AGAIN}" if names else ""
    return _optional("adoption", problem, "in effect")


def validated_kinds(old: Outdated | None) -> Condition:
    """Whether the policy validator's rules name the kinds that came with the release line in force."""
    problem = fixes.outdated_rules(old) if old is not None else ""
    return _optional("validated kinds", problem, "the rules name what came with the release line in force")


def managed_certificates(problems: Collection[str]) -> Condition:
    """Whether the leader's last round over certificates and caBundles met no problem."""
    return _optional("certificates", "; ".join(problems), "this replica leads and manages them")


def self_test(problem: str, answered_by: str) -> Condition:
    """Whether the API server reached a replica, `answered_by`, when the leader asked it to."""
    return _optional("self-test", problem, f"the API server reached {answered_by}")
