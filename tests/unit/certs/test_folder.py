"""Certificates in files: issued to be trusted, and written whole or not at all."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from certs import folder
from certs.issue import CertificateAndKey, issue_ca
from certs.tls import verdicts
from webhook.kube.webhookconfigurations import ServiceReference

# Handshakes go by the machine's clock.
NOW = datetime.now(UTC).replace(microsecond=0)
SERVICE = ServiceReference("linkerd", "linkerd-webhook")
NAMES = SERVICE.dns_names()
DAY = timedelta(days=1)


def written(folder: Path, pair: CertificateAndKey) -> tuple[Path, Path]:
    """A CA's files."""
    (folder / "my.crt").write_bytes(pair.certificate)
    (folder / "my.key").write_bytes(pair.key)
    return folder / "my.crt", folder / "my.key"


def trusted(folder: Path, ca: Path) -> bool:
    """Whether a client that trusts these CAs accepts what the folder holds."""
    pem = ca.read_bytes()
    chain, key = ((folder / name).read_bytes() for name in ("tls.crt", "tls.key"))
    return not verdicts(chain, key, [pem], SERVICE.dns_name)[pem]


def authority(
    name: str, signer: tuple[x509.Name, rsa.RSAPrivateKey] | None = None
) -> tuple[CertificateAndKey, rsa.RSAPrivateKey]:
    """An RSA CA of an admin's own making, signed by itself or by another."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signing = signer or (subject, key)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + 100 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(signing, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return CertificateAndKey(certificate.public_bytes(pem), private), key


class TestIssuing:
    def test_a_new_ca_comes_with_its_key(self, tmp_path: Path) -> None:
        files = folder.issue(NAMES, DAY, NOW)
        assert sorted(files) == ["ca.crt", "ca.key", "tls.crt", "tls.key"]
        folder.store(tmp_path, files, force=False)
        assert trusted(tmp_path, tmp_path / "ca.crt")

    def test_a_ca_of_your_own_keeps_its_key_to_itself(self, tmp_path: Path) -> None:
        ca = folder.signer(*written(tmp_path, issue_ca("mine", now=NOW)), NOW)
        assert sorted(folder.issue(NAMES, DAY, NOW, ca=ca)) == ["ca.crt", "tls.crt", "tls.key"]

    def test_an_rsa_intermediate_is_sent_along_so_that_its_root_alone_may_be_trusted(self, tmp_path: Path) -> None:
        root, key = authority("root")
        subject = x509.load_pem_x509_certificate(root.certificate).subject
        between, _ = authority("between", (subject, key))
        chain = CertificateAndKey(between.certificate + root.certificate, between.key)
        files = folder.issue(NAMES, DAY, NOW, ca=folder.signer(*written(tmp_path, chain), NOW))
        assert files["tls.crt"].endswith(between.certificate)
        folder.store(tmp_path, files, force=False)
        (tmp_path / "root.crt").write_bytes(root.certificate)
        assert trusted(tmp_path, tmp_path / "root.crt")
        (tmp_path / "between.crt").write_bytes(between.certificate)
        assert trusted(tmp_path, tmp_path / "between.crt")

    @pytest.mark.parametrize(
        ("certificate", "key", "says"),
        [
            (b"", b"", r"--ca-cert .*my.crt: .*empty"),
            (issue_ca("a", now=NOW).certificate, issue_ca("b", now=NOW).key, r"--ca-key .*my.key: .*does not belong"),
        ],
        ids=["nothing", "another's key"],
    )
    def test_a_ca_of_no_use_names_the_flag_and_the_file(
        self, tmp_path: Path, certificate: bytes, key: bytes, says: str
    ) -> None:
        with pytest.raises(folder.FolderError, match=says):
            folder.signer(*written(tmp_path, CertificateAndKey(certificate, key)), NOW)

    def test_a_leaf_is_no_ca(self, tmp_path: Path) -> None:
        files = folder.issue(NAMES, DAY, NOW)
        with pytest.raises(folder.FolderError, match="is not a CA"):
            folder.signer(*written(tmp_path, CertificateAndKey(files["tls.crt"], files["tls.key"])), NOW)

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(folder.FolderError, match=r"my.crt: No such file"):
            folder.signer(tmp_path / "my.crt", tmp_path / "my.key", NOW)


class TestStoring:
    def test_keys_are_for_their_owner_alone(self, tmp_path: Path) -> None:
        before = os.umask(0)
        try:
            folder.store(tmp_path / "a" / "b", {"tls.key": b"k", "tls.crt": b"c"}, force=False)
        finally:
            os.umask(before)
        assert (tmp_path / "a" / "b" / "tls.key").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "a" / "b" / "tls.crt").stat().st_mode & 0o777 == 0o644

    def test_what_is_there_is_not_overwritten_and_all_of_it_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "tls.key").write_text("precious")
        (tmp_path / "ca.crt").write_text("precious")
        with pytest.raises(folder.FolderError, match=r"tls.key, .*ca.crt: exists already: pass --force"):
            folder.store(tmp_path, {"tls.key": b"k", "tls.crt": b"c", "ca.crt": b"c"}, force=False)
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
            "tls.key": "precious",
            "ca.crt": "precious",
        }

    def test_a_link_to_nowhere_is_there_too(self, tmp_path: Path) -> None:
        (tmp_path / "tls.key").symlink_to("nowhere")
        with pytest.raises(folder.FolderError, match="exists already"):
            folder.store(tmp_path, {"tls.key": b"k"}, force=False)

    def test_with_force_it_is(self, tmp_path: Path) -> None:
        (tmp_path / "tls.key").write_text("old")
        (tmp_path / "tls.key").chmod(0o644)
        folder.store(tmp_path, {"tls.key": b"new"}, force=True)
        assert (tmp_path / "tls.key").read_bytes() == b"new"
        assert (tmp_path / "tls.key").stat().st_mode & 0o777 == 0o600

    def test_a_disk_that_is_full_halfway_changes_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "tls.key").write_text("old")
        synced = []

        def full(handle: int) -> None:
            synced.append(handle)
            if len(synced) == 2:
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(folder.FolderError, match="cannot be written: No space left on device"):
            folder.store(tmp_path, {"tls.key": b"new", "tls.crt": b"new"}, force=True)
        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("tls.key", "old")]

    def test_a_folder_in_a_files_place_is_found_before_anything_is_written(self, tmp_path: Path) -> None:
        (tmp_path / "tls.key").mkdir()
        with pytest.raises(folder.FolderError, match=r"tls.key: is a directory"):
            folder.store(tmp_path, {"tls.crt": b"c", "tls.key": b"k"}, force=True)
        assert [path.name for path in tmp_path.iterdir()] == ["tls.key"]
