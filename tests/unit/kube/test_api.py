"""The way to the API server: in a cluster and by kubeconfig, credentials included."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import yaml
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.kube.fixtures import Until
from webhook.kube import api as api_module
from webhook.kube.api import ApiServer, ConfigurationError
from webhook.kube.client import InClusterConfigLoader
from webhook.kube.errors import ApiError


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A self-signed certificate of 127.0.0.1, key and certificate in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "tls.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + built.public_bytes(pem))
    return str(file)


class Secure(NamedTuple):
    """What an HTTPS server was asked, and its port."""

    requests: list[web.Request]
    port: int


@pytest.fixture
async def secure(certificate: str) -> AsyncIterator[Secure]:
    """An HTTPS server that notes its requests."""
    requests: list[web.Request] = []

    async def handle(request: web.Request) -> web.Response:
        requests.append(request)
        return web.json_response({"metadata": {"name": "demo"}})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    yield Secure(requests, runner.addresses[0][1])
    await runner.cleanup()


class TestInCluster:
    async def test_sends_the_token_and_reads_it_again_when_it_was_rotated(
        self, secure: Secure, certificate: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        token = tmp_path / "token"
        token.write_text("first\n")
        environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(secure.port)}
        api = ApiServer.in_cluster(str(token), certificate, environment)
        await api.get("/x")
        token.write_text("second\n")
        later = datetime.datetime.now() + datetime.timedelta(seconds=61)
        shifted = SimpleNamespace(now=lambda: later)
        # The client's loader looks at the clock by this name of its module.
        clock = SimpleNamespace(datetime=shifted, timedelta=datetime.timedelta)
        monkeypatch.setitem(InClusterConfigLoader.load_and_set.__globals__, "datetime", clock)
        await api.get("/x")
        token.unlink()
        later += datetime.timedelta(seconds=61)
        await api.get("/x")
        await api.close()
        sent = [request.headers["Authorization"] for request in secure.requests]
        assert sent == ["bearer first", "bearer second", "bearer second"]

    async def test_brackets_an_ipv6_address(self, certificate: str, tmp_path: Path) -> None:
        token = tmp_path / "token"
        token.write_text("t")
        environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}
        api = ApiServer.in_cluster(str(token), certificate, environment)
        assert api.host == "https://[fd00::1]:443"
        await api.close()

    @pytest.mark.parametrize("missing", ["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"])
    async def test_outside_of_a_pod_says_what_to_pass(self, missing: str) -> None:
        environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
        del environment[missing]
        with pytest.raises(ConfigurationError, match=f"{missing} is not set.*--kubeconfig.*--manifests"):
            ApiServer.in_cluster(environment=environment)

    @pytest.mark.parametrize("token", [None, ""])
    async def test_without_a_token_says_where_it_was_looked_for(
        self, certificate: str, tmp_path: Path, token: str | None
    ) -> None:
        file = tmp_path / "token"
        if token is not None:
            file.write_text(token)
        environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
        with pytest.raises(ConfigurationError) as error:
            ApiServer.in_cluster(str(file), certificate, environment)
        assert str(file) in str(error.value)
        assert "automountServiceAccountToken" in str(error.value)

    async def test_trusts_only_the_clusters_ca(self, secure: Secure, tmp_path: Path) -> None:
        token = tmp_path / "token"
        token.write_text("t")
        other = ssl.get_default_verify_paths().cafile or pytest.skip("no system CAs here")
        environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(secure.port)}
        api = ApiServer.in_cluster(str(token), other, environment)
        with pytest.raises(ApiError, match="certificate"):
            await api.get("/x")
        await api.close()
        assert secure.requests == []


class TestKubeconfig:
    def write(self, path: Path, secure: Secure, certificate: str, user: Any) -> None:
        content = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [
                {
                    "name": "k",
                    "cluster": {"server": f"https://127.0.0.1:{secure.port}", "certificate-authority": certificate},
                }
            ],
            "users": [{"name": "u", "user": user}],
        }
        path.write_text(yaml.safe_dump(content))

    async def test_gives_server_ca_and_token(self, secure: Secure, certificate: str, tmp_path: Path) -> None:
        self.write(tmp_path / "config", secure, certificate, {"token": "abc"})
        api = await ApiServer.from_kubeconfig(tmp_path / "config")
        await api.get("/x")
        await api.close()
        assert secure.requests[0].headers["Authorization"] == "Bearer abc"

    async def test_reads_a_token_file_again(
        self, secure: Secure, certificate: str, tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(api_module, "REFRESH", 0.01)
        (tmp_path / "token").write_text("first")
        self.write(tmp_path / "config", secure, certificate, {"tokenFile": str(tmp_path / "token")})
        api = await ApiServer.from_kubeconfig(tmp_path / "config")
        (tmp_path / "token").write_text("second")
        await until(lambda: api._configuration.api_key["BearerToken"] == "Bearer second")
        await api.get("/x")
        await api.close()
        assert secure.requests[0].headers["Authorization"] == "Bearer second"

    @pytest.mark.parametrize("content", [None, "", "[]", "a: b", "{broken", "current-context: 1\ncontexts: 3"])
    async def test_that_cannot_be_used_is_named(self, tmp_path: Path, content: Any) -> None:
        path = tmp_path / "config"
        if content is not None:
            path.write_text(content)
        with pytest.raises(ConfigurationError) as error:
            await ApiServer.from_kubeconfig(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
