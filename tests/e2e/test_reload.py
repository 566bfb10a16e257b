"""Files that change under the running program: certificate, values."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from cryptography import x509

from certs.issue import CertificateAndKey
from tests.e2e.load import Load
from tests.e2e.mesh import DNS_NAME, ControlPlane, tls_files
from tests.e2e.objects import Room, env, meshed
from tests.e2e.program import Webhook
from tests.e2e.waiting import until

# Seconds from the change of a file until it must be in force.
RELOAD = 10.0


class TestCertificate:
    def test_a_swap_under_load_loses_no_request_and_serves_the_new_leaf(
        self, room: Room, webhook: Webhook, control_plane: ControlPlane
    ) -> None:
        with Load(room) as load:
            for _ in range(3):
                leaf = control_plane.new_leaf()
                load.wait_for(25)
                control_plane.volumes.tls.update(tls_files(leaf))
                _wait_served(webhook, control_plane.ca, leaf)
                load.wait_for(25)
        assert load.problems == []
        assert webhook.metric("linkerd_webhook_reloads_total", file="tls.crt") == 3

    def test_a_key_of_another_leaf_leaves_the_old_pair_in_force(
        self, room: Room, webhook: Webhook, control_plane: ControlPlane
    ) -> None:
        tls, before = control_plane.volumes.tls, _served(webhook, control_plane.ca)
        good = {name: tls[name] for name in ("tls.crt", "tls.key")}
        tls.update({"tls.key": control_plane.new_leaf().key})
        until("the refusal", lambda: not webhook.condition("certificate files")["ok"], within=RELOAD)
        assert webhook.ready()[0] == 200
        assert _served(webhook, control_plane.ca) == before
        assert meshed(room.pod().ok())
        tls.update(good)
        until("all well again", lambda: webhook.condition("certificate files")["ok"], within=RELOAD)


class TestValues:
    @pytest.fixture
    def values(self, control_plane: ControlPlane) -> Iterator[Any]:
        """The line's values, to change; the file is put back afterwards."""
        yield control_plane.manifests.values
        control_plane.volumes.config.update({"values": control_plane.manifests.values_text.encode()})

    def test_a_change_takes_effect_without_a_restart(
        self, room: Room, webhook: Webhook, control_plane: ControlPlane, values: Any
    ) -> None:
        before = _log_level(room)
        values["proxy"]["logLevel"] = "error,linkerd=trace"
        control_plane.volumes.config.update({"values": yaml.safe_dump(values).encode()})
        until("the new log level", lambda: _log_level(room).startswith("error,linkerd=trace"), within=RELOAD)
        assert webhook.metric("linkerd_webhook_reloads_total", file="values") == 1
        control_plane.volumes.config.update({"values": control_plane.manifests.values_text.encode()})
        until("the old log level", lambda: _log_level(room) == before, within=RELOAD)

    @pytest.mark.usefixtures("values")
    def test_a_broken_file_keeps_the_old_and_ready_tells(
        self, room: Room, webhook: Webhook, control_plane: ControlPlane
    ) -> None:
        before = _log_level(room)
        control_plane.volumes.config.update({"values": b"proxy: [\n"})
        until("the refusal", lambda: not webhook.condition("configuration files")["ok"], within=RELOAD)
        status, body = webhook.ready()
        assert status == 200
        assert body["ready"]
        assert "values" in webhook.condition("configuration files")["message"]
        assert webhook.metric("linkerd_webhook_reload_failures_total", file="values") == 1
        assert "changed files are refused" in webhook.log
        assert _log_level(room) == before
        control_plane.volumes.config.update({"values": control_plane.manifests.values_text.encode()})
        until("all well again", lambda: webhook.condition("configuration files")["ok"], within=RELOAD)


def _log_level(room: Room) -> str:
    return env(room.pod(dry_run=True).ok())["LINKERD2_PROXY_LOG"]


def _wait_served(webhook: Webhook, ca: CertificateAndKey, leaf: CertificateAndKey) -> None:
    until("the new leaf served", lambda: _served(webhook, ca) == _serial(leaf), within=RELOAD)


def _serial(pair: CertificateAndKey) -> int:
    return x509.load_pem_x509_certificate(pair.certificate).serial_number


def _served(webhook: Webhook, ca: CertificateAndKey) -> int:
    """The serial number of what a new connection gets, verified as the API server verifies it."""
    context = ssl.create_default_context(cadata=ca.certificate.decode())
    with (
        socket.create_connection(("127.0.0.1", webhook.port), timeout=5) as sock,
        context.wrap_socket(sock, server_hostname=DNS_NAME) as connection,
    ):
        der = connection.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number
