"""Certificates in files, looked at without a cluster."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from certs import folder
from certs.issue import issue_ca
from tests.unit.diagnosis.certificates.site import NOW, SERVICE
from webhook.diagnosis.certificates.checks import check
from webhook.diagnosis.certificates.files import FileError, gather_files

NAMES = SERVICE.dns_names()
DAY = timedelta(days=1)


class TestLookingAtFiles:
    def test_what_was_issued_fits(self, tmp_path: Path) -> None:
        folder.store(tmp_path, folder.issue(NAMES, DAY, NOW), force=False)
        assert check(gather_files(tmp_path, None, SERVICE, NOW)) == []

    def test_an_expired_leaf(self, tmp_path: Path) -> None:
        folder.store(tmp_path, folder.issue(NAMES, DAY, NOW - 2 * DAY), force=False)
        (one,) = check(gather_files(tmp_path, None, SERVICE, NOW))
        assert (one.object, one.field) == (str(tmp_path), "tls.crt")
        assert "expired" in one.message
        assert "linkerd-webhook certs issue" in one.fix

    def test_a_foreign_ca(self, tmp_path: Path) -> None:
        folder.store(tmp_path, folder.issue(NAMES, DAY, NOW), force=False)
        (tmp_path / "other.crt").write_bytes(issue_ca("other", now=NOW).certificate)
        (one,) = check(gather_files(tmp_path, tmp_path / "other.crt", SERVICE, NOW))
        assert one.object == str(tmp_path / "other.crt")
        assert one.value.startswith("CN=other")

    def test_no_ca_to_trust(self, tmp_path: Path) -> None:
        folder.store(tmp_path, folder.issue(NAMES, DAY, NOW), force=False)
        (tmp_path / "ca.crt").unlink()
        (one,) = check(gather_files(tmp_path, None, SERVICE, NOW))
        assert one.field == "--ca-bundle"

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(FileError, match=r"tls.crt: No such file"):
            gather_files(tmp_path, None, SERVICE, NOW)
