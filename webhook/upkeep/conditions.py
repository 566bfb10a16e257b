"""The conditions of `/ready` about certificates and webhook configurations."""

from __future__ import annotations

from webhook.diagnosis import fixes
from webhook.diagnosis.condition import Condition, condition
from webhook.install.adoption import AGAIN
from webhook.upkeep.leader import Upkeep


def conditions(upkeep: Upkeep) -> list[Condition]:
    """The conditions. Only `trusted` is required: a replica is ready once the caBundles trust its certificate."""
    problem = upkeep.trust.problem()
    service = upkeep.duties.service
    trusted = f"{problem}: {_fix(upkeep)}" if problem else f"the caBundles that point at {service.dns_name} trust it"
    others = "; ".join(upkeep.trust.others())
    watch = upkeep.configurations.problem
    lease = upkeep.election.problem
    about = [
        condition("trusted", not problem, True, trusted),
        condition(
            "caBundles", not others, False, others or "every caBundle that points here trusts the served certificate"
        ),
        *_secret(upkeep),
        condition("webhook configurations", not watch, False, watch or "watched"),
        condition("leader", not lease, False, lease or _holder(upkeep.election.holder)),
    ]
    if upkeep.duties.adopt:
        about.append(_adoption(upkeep))
    return [*about, *_as_leader(upkeep)] if upkeep.leading else about


def _holder(identity: str) -> str:
    return f"{identity} leads" if identity else "no replica leads yet"


def _secret(upkeep: Upkeep) -> list[Condition]:
    if upkeep.secret is None:
        return []
    problem = upkeep.secret.problem
    return [condition("certificate Secret", not problem, False, problem or "served")]


def _adoption(upkeep: Upkeep) -> Condition:
    names = ", ".join(name for _, name in upkeep.overwritten())
    text = f"{names}: was changed to point elsewhere: to adopt it again, run {AGAIN}" if names else "in effect"
    return condition("adoption", not names, False, text)


def _fix(upkeep: Upkeep) -> str:
    """What to do if a caBundle does not trust the served certificate."""
    if upkeep.duties.self_managed:
        return fixes.leader_writes_it(_leader(upkeep))
    if upkeep.duties.ca() is None:
        fix = fixes.name_the_ca(fixes.MOUNTED)
        return f"there is no ca.crt beside the certificate, so the leader cannot write that caBundle: {fix}"
    return fixes.leader_writes_ca_crt(fixes.MOUNTED, _leader(upkeep))


def _leader(upkeep: Upkeep) -> str:
    """Where to find the reason."""
    election = upkeep.election
    if election.problem:
        return f"a possible reason is that no replica can lead: {election.problem}"
    return f"see the log of {election.holder}" if election.holder else "no replica leads yet, so wait for one"


def _as_leader(upkeep: Upkeep) -> list[Condition]:
    problems = "; ".join(upkeep.round.problems)
    about = [condition("certificates", not problems, False, problems or "this replica leads and manages them")]
    if upkeep.self_test is not None:
        text = upkeep.self_test.problem or f"the API server reached {upkeep.self_test.answered_by}"
        about.append(condition("self-test", not upkeep.self_test.problem, False, text))
    return about
