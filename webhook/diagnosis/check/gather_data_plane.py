"""Reads the data plane for the lines about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from webhook.diagnosis.check.ask import Asker
from webhook.diagnosis.check.data_plane import NOT_INSTALLED
from webhook.diagnosis.check.facts import ClusterFacts
from webhook.diagnosis.check.line import SECTIONS, Scope, Section
from webhook.diagnosis.dataplane.facts import PlaneFacts
from webhook.diagnosis.dataplane.gather import read_lists, survey_pods, webhooks_of

_OTHERS: Final = "Pods are not looked at before the installation"


async def read_plane(asker: Asker, scope: Scope, only: str) -> PlaneFacts:
    """All but the Pods: these take other facts to be judged."""
    if Section.DATA_PLANE not in SECTIONS[scope]:
        return PlaneFacts.unasked(_OTHERS)
    return await read_lists(asker, only)


async def with_pods(asker: Asker, facts: ClusterFacts) -> PlaneFacts:
    """The facts about the data plane, with what the Pods are like."""
    if facts.installation is None:
        return PlaneFacts.unasked(NOT_INSTALLED.reason)
    if Section.DATA_PLANE not in SECTIONS[facts.scope]:
        return facts.plane
    webhooks = webhooks_of(facts.configurations, facts.namespace)
    pods = await survey_pods(asker, facts.plane, facts.mesh, facts.namespaces, webhooks, facts.only)
    return replace(facts.plane, pods=pods)
