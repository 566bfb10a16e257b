"""What `/ready` says about certificates and webhook configurations."""

from __future__ import annotations

from webhook.diagnosis.condition import Condition, condition
from webhook.install.adoption import AGAIN
from webhook.upkeep.leader import Upkeep


def conditions(upkeep: Upkeep) -> list[Condition]:
    """How things stand, for `/ready`: a replica is ready only when what it serves is trusted by who is sent to it."""
    problem = upkeep.trust.problem()
    service = upkeep.duties.service
    trusted = f"{problem}; {_advice(upkeep)}" if problem else f"by the caBundles that point at {service.dns_name}"
    found = [condition("trusted", not problem, True, trusted)]
    spoilt = "; ".join(upkeep.trust.others())
    found.append(condition("caBundles", not spoilt, False, spoilt or "all that point here trust what is served"))
    if upkeep.secret is not None:
        found.append(
            condition("certificate Secret", not upkeep.secret.problem, False, upkeep.secret.problem or "served")
        )
    watch = upkeep.configurations.problem
    found.append(condition("webhook configurations", not watch, False, watch or "watched"))
    lease = upkeep.election.problem
    found.append(condition("leader", not lease, False, lease or f"is {upkeep.election.holder or 'yet to be found'}"))
    overwritten = ", ".join(name for _, name in upkeep.overwritten())
    if upkeep.duties.adopt:
        text = f"{overwritten}: written by somebody else since; to adopt again: {AGAIN}" if overwritten else "in force"
        found.append(condition("adoption", not overwritten, False, text))
    if upkeep.leading:
        found += _as_leader(upkeep)
    return found


def _advice(upkeep: Upkeep) -> str:
    """What to do where who calls would not trust what is served."""
    if not upkeep.duties.self_managed:
        if upkeep.duties.ca() is None:
            return (
                "nobody writes that caBundle, as there is no ca.crt beside the certificate: put the CA certificates "
                "into the Secret as ca.crt, or install again with --ca-bundle FILE, or with --inject-ca-from where "
                "cert-manager keeps the Secret"
            )
        return f"the caBundles are written from the Secret's ca.crt: see that it signs tls.crt; {_leader(upkeep)}"
    return f"the leader issues the certificate and writes the caBundles, which takes some seconds; {_leader(upkeep)}"


def _leader(upkeep: Upkeep) -> str:
    election = upkeep.election
    return election.problem or (f"its log is that of {election.holder}" if election.holder else "nobody leads yet")


def _as_leader(upkeep: Upkeep) -> list[Condition]:
    problems = "; ".join(upkeep.round.problems)
    found = [condition("certificates", not problems, False, problems or "kept by this replica, which leads")]
    if upkeep.reach is not None:
        text = upkeep.reach.problem or f"the API server reached {upkeep.reach.answered_by}"
        found.append(condition("self-test", not upkeep.reach.problem, False, text))
    return found
