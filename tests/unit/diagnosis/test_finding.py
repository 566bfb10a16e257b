"""Findings as text, as one line and as JSON."""

from __future__ import annotations

import re

import pytest

from webhook.diagnosis import selftest
from webhook.diagnosis.certificates import ca_bundles
from webhook.diagnosis.certificates import checks as certificates
from webhook.diagnosis.finding import Check, CheckFinding, CheckSeverity, errors, lines, notes

CHECK = Check("secret-there", "the Secret is there")
MODULES = (ca_bundles, certificates, selftest)
CHECKS = [check for module in MODULES for check in vars(module).values() if isinstance(check, Check)]


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
    def test_its_text_names_object_field_and_value_where_it_has_them(self, finding: CheckFinding, text: str) -> None:
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

    def test_findings_that_differ_by_their_object_alone_share_a_line_that_names_a_kind_once(self) -> None:
        objects = ("Secret a/b", "Secret a/c", "Pod a/d")
        findings = [CHECK.error(where, "", "is missing", "create it") for where in objects]
        other = CHECK.error("Secret a/e", "data", "is missing", "create it")
        assert lines([*findings, other]) == [
            "Secret a/b, a/c, Pod a/d: is missing: create it",
            "Secret a/e: data: is missing: create it",
        ]

    def test_only_errors_are_errors(self) -> None:
        findings = [make("o", "", "m") for make in (CHECK.note, CHECK.error, CHECK.warning)]
        assert [finding.severity for finding in errors(findings)] == [CheckSeverity.ERROR]
        assert [finding.severity for finding in notes(findings)] == [CheckSeverity.NOTE, CheckSeverity.WARNING]


class TestCodes:
    def test_no_two_checks_share_a_code(self) -> None:
        codes = [check.code for check in CHECKS]
        assert codes
        assert len(set(codes)) == len(codes)

    def test_codes_are_kebab_case(self) -> None:
        assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", check.code) for check in CHECKS)
