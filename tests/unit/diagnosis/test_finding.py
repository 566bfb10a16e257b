"""Findings as text, as one line and as JSON."""

from __future__ import annotations

import re

import pytest

from webhook.diagnosis.certificates import checks as certificates
from webhook.diagnosis.finding import Check, Finding, Severity, errors, notes

CHECK = Check("secret-there", "the Secret is there")
CHECKS = [check for room in (certificates,) for check in vars(room).values() if isinstance(check, Check)]


class TestFinding:
    @pytest.mark.parametrize(
        ("finding", "text"),
        [
            (
                CHECK.error("Secret a/b", "data[tls.crt]", "has expired", value="CN=x"),
                "Secret a/b: data[tls.crt] CN=x: has expired",
            ),
            (CHECK.error("Secret a/b", "", "is missing"), "Secret a/b: is missing"),
            (CHECK.note("", "", "nothing to adopt"), "nothing to adopt"),
        ],
    )
    def test_its_text_names_object_field_and_value_where_it_has_them(self, finding: Finding, text: str) -> None:
        assert finding.text() == text
        assert finding.line() == text

    def test_its_line_ends_with_what_to_do(self) -> None:
        assert CHECK.error("Secret a/b", "", "is missing", "create it").line() == "Secret a/b: is missing: create it"

    def test_its_json_has_a_key_for_each_field(self) -> None:
        assert CHECK.warning("Secret a/b", "data", "is empty", "fill it", "{}").as_json() == {
            "code": "secret-there",
            "severity": "warning",
            "object": "Secret a/b",
            "field": "data",
            "value": "{}",
            "message": "is empty",
            "fix": "fill it",
        }

    def test_only_errors_are_errors(self) -> None:
        findings = [make("o", "", "m") for make in (CHECK.note, CHECK.error, CHECK.warning)]
        assert [finding.severity for finding in errors(findings)] == [Severity.ERROR]
        assert [finding.severity for finding in notes(findings)] == [Severity.NOTE, Severity.WARNING]


class TestCodes:
    def test_no_two_checks_share_a_code(self) -> None:
        codes = [check.code for check in CHECKS]
        assert codes
        assert len(set(codes)) == len(codes)

    def test_codes_are_kebab_case(self) -> None:
        assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", check.code) for check in CHECKS)
