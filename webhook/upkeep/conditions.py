"""What `/ready` says about certificates and webhook configurations."""

from __future__ import annotations

from webhook.diagnosis import fixes
from webhook.diagnosis.condition import Condition, condition
from webhook.install.adoption import AGAIN
from webhook.upkeep.leader import Upkeep


def conditions(upkeep: Upkeep) -> list[Condition]:
    """The conditions, for `/ready`: a replica is ready only when clients of its Service trust what it serves."""
    problem = upkeep.trust.problem()
    service = upkeep.duties.service
    trusted = f"{problem}: {_fix(upkeep)}" if problem else f"by the caBundles that point at {service.dns_name}"
    others = "; ".join(upkeep.trust.others())
    watch = upkeep.configurations.problem
    lease = upkeep.election.problem
    about = [
        condition("trusted", not problem, True, trusted),
        condition("caBundles", not others, False, others or "all that point here trust what is served"),
        *_secret(upkeep),
        condition("webhook configurations", not watch, False, watch or "watched"),
        condition("leader", not lease, False, lease or f"is {upkeep.election.holder or 'not elected yet'}"),
    ]
    if upkeep.duties.adopt:
        about.append(_adoption(upkeep))
    return [*about, *_as_leader(upkeep)] if upkeep.leading else about


def _secret(upkeep: Upkeep) -> list[Condition]:
    if upkeep.secret is None:
        return []
    problem = upkeep.secret.problem
    return [condition("certificate Secret", not problem, False, problem or "served")]


def _adoption(upkeep: Upkeep) -> Condition:
    names = ", ".join(name for _, name in upkeep.overwritten())
    text = f"{names}: somebody has pointed it elsewhere since: to adopt it again, run {AGAIN}" if names else "in force"
    return condition("adoption", not names, False, text)


def _fix(upkeep: Upkeep) -> str:
    """What to do where a caBundle does not trust what is served."""
    if upkeep.duties.self_managed:
        return fixes.leader_writes_it(_leader(upkeep))
    if upkeep.duties.ca() is None:
        fix = fixes.name_the_ca(fixes.MOUNTED)
        return f"no ca.crt is beside the certificate, so nobody writes that caBundle: {fix}"
    return fixes.leader_writes_ca_crt(fixes.MOUNTED, _leader(upkeep))


def _leader(upkeep: Upkeep) -> str:
    """Where to look for the reason."""
    election = upkeep.election
    if election.problem:
        return f"the reason may be that no replica can lead: {election.problem}"
    return f"the log of {election.holder} says why" if election.holder else "it waits for a replica to lead"


def _as_leader(upkeep: Upkeep) -> list[Condition]:
    problems = "; ".join(upkeep.round.problems)
    about = [condition("certificates", not problems, False, problems or "kept by this replica, which leads")]
    if upkeep.self_test is not None:
        text = upkeep.self_test.problem or f"the API server reached {upkeep.self_test.answered_by}"
        about.append(condition("self-test", not upkeep.self_test.problem, False, text))
    return about
