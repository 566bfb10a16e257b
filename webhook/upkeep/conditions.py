"""The conditions of `/ready` about certificates and webhook configurations."""

from __future__ import annotations

from webhook.diagnosis import condition
from webhook.diagnosis.condition import Condition
from webhook.upkeep.leader import Upkeep


def conditions(upkeep: Upkeep) -> list[Condition]:
    """The conditions. Only `trusted` is required: a replica is ready once the caBundles trust its certificate."""
    election, duties = upkeep.election, upkeep.duties
    problem = upkeep.trust.problem()
    about = [
        condition.trusted(problem, _fix(upkeep) if problem else "", duties.service.dns_name),
        condition.other_ca_bundles(upkeep.trust.others()),
    ]
    if upkeep.secret is not None:
        about.append(condition.certificate_secret(upkeep.secret.problem))
    about.append(condition.webhook_configurations(upkeep.configurations.problem))
    about.append(condition.leader(election.problem, election.holder))
    if duties.adopt:
        about.append(condition.adoption([name for _, name in upkeep.overwritten()]))
    else:
        about.append(condition.validated_kinds(upkeep.outdated()))
    if upkeep.leading:
        about.append(condition.managed_certificates(upkeep.round.problems))
        if upkeep.self_test is not None:
            about.append(condition.self_test(upkeep.self_test.problem, upkeep.self_test.answered_by))
    return about


def _fix(upkeep: Upkeep) -> str:
    election, duties = upkeep.election, upkeep.duties
    ca_known = duties.self_managed or duties.ca() is not None
    return condition.distrust_fix(duties.self_managed, ca_known, election.problem, election.holder)
