"""Rules that the server adds: those of a webhook without any, and of kinds that came with an upgrade of Linkerd."""

from __future__ import annotations

import pytest

from tests.unit.install.test_validatedkinds import NEW, OLD, configuration, policy_rules
from webhook.install.validatedkinds import WRITTEN_FOR
from webhook.mesh import releases
from webhook.upkeep.rules import with_new_kinds, with_rules_for


class TestWriting:
    """What the server writes."""

    @pytest.mark.parametrize("line", [OLD, NEW, None])
    def test_rules_at_last_are_those_of_the_line_and_say_so(self, line: releases.Line | None) -> None:
        body = with_rules_for(configuration(OLD, "Fail"), line)
        assert body is not None
        assert policy_rules(body) == policy_rules(configuration(line))
        written = (body["metadata"].get("annotations") or {}).get(WRITTEN_FOR)
        assert written == (line.name if line is not None else None)
        assert with_rules_for(body, line) is None

    @pytest.mark.parametrize("line", [NEW, None])
    def test_new_kinds_come_in_once_and_other_fields_stay(self, line: releases.Line | None) -> None:
        body = configuration(OLD)
        body["metadata"]["annotations"]["other"] = "a"
        body["webhooks"][0]["timeoutSeconds"] = 9
        result = with_new_kinds(body, line)
        assert result is not None
        assert policy_rules(result) == policy_rules(configuration(line))
        assert result["webhooks"][0]["timeoutSeconds"] == 9
        assert result["metadata"]["annotations"].pop("other") == "a"
        assert result["metadata"]["annotations"] == ({WRITTEN_FOR: line.name} if line is not None else {})
        assert with_new_kinds(result, line) is None

    def test_rules_that_somebody_has_changed_stay_as_they_are(self) -> None:
        body = configuration(OLD)
        policy_rules(body)[0]["resources"].remove("servers")
        assert with_new_kinds(body, NEW) is None

    def test_a_downgrade_takes_nothing_out(self) -> None:
        assert with_new_kinds(configuration(NEW), OLD) is None
