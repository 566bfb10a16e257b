"""`linkerd-webhook certs`: flags in, a few lines and an exit code out."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509

from certs.inspect import LeafCertificate
from tests.unit.diagnosis.certificates.site import CA_PATH, LEAF_PATH, MUTATING, Site, forbidden, new_ca, new_leaf
from tests.unit.documentation.test_json import assert_valid
from webhook.cli.certs import certs
from webhook.diagnosis.pod_dialer import PodDialer, PortForwardForbidden
from webhook.kube.api import ConfigurationError
from webhook.kube.endpoints import Endpoint
from webhook.kube.errors import ApiError

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(certs, arguments)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    """What the command finds in place of a cluster: all fits."""
    result = Site().self_managed()

    async def connect(kubeconfig: Path | None) -> Site:
        return result

    monkeypatch.setattr("webhook.cli.cluster.connect", connect)
    monkeypatch.setattr("certs.handshake.probe", result.dial)
    return result


def leaf(path: Path) -> x509.Certificate:
    """The first certificate of a file."""
    return x509.load_pem_x509_certificates(path.read_bytes())[0]


class TestDuration:
    @pytest.mark.parametrize(
        ("text", "span"),
        [
            ("90d", timedelta(days=90)),
            ("1d12h", timedelta(hours=36)),
            ("0.5d", timedelta(hours=12)),
            ("1h30m", timedelta(minutes=90)),
        ],
    )
    def test_days_go_before_what_go_reads(self, run: Run, tmp_path: Path, text: str, span: timedelta) -> None:
        assert run("issue", "--out=a", f"--lifetime={text}").exit_code == 0
        end = leaf(tmp_path / "a" / "tls.crt").not_valid_after_utc
        assert abs(end - datetime.now(UTC) - span) < timedelta(minutes=1)

    @pytest.mark.parametrize("text", ["", "90", "d", "0", "0d", "-1h", "1h1d", "999999d", "soon", "1d 2h"])
    def test_what_is_none_names_the_flag_and_what_is_wanted(self, run: Run, text: str) -> None:
        result = run("issue", "--out=a", "--lifetime", text)
        assert result.exit_code == 2
        assert "--lifetime" in result.stderr
        assert "write" in result.stderr
        assert not Path("a").exists()


class TestInspect:
    def test_it_fits(self, run: Run, site: Site) -> None:
        result = run("inspect")
        assert result.exit_code == 0, result.output
        assert "fits: every caBundle trusts the served certificate for linkerd-webhook.linkerd.svc" in result.stdout
        assert result.stderr == ""

    def test_it_does_not_and_each_finding_has_its_fix(self, run: Run, site: Site) -> None:
        site.configure("linkerd-webhook", new_ca().certificate)
        result = run("inspect")
        assert result.exit_code == 1
        assert "does not fit, 2 findings:" in result.stdout
        assert result.stdout.count("\n  fix: ") == 2

    def test_json_has_it_all(self, run: Run, site: Site) -> None:
        body = json.loads(run("inspect", "-o", "json").stdout)
        assert body["fits"] is True
        assert body["service"] == "linkerd/linkerd-webhook"
        assert body["certificates"][0]["certificate"]["notAfter"].endswith("Z")

    def test_another_secret_is_looked_at_by_its_name(self, run: Run, site: Site) -> None:
        site.objects["/api/v1/namespaces/linkerd/secrets/mine"] = site.objects.pop(LEAF_PATH)
        assert "Secret linkerd/mine" in run("inspect", "--secret=mine").stdout

    def test_what_is_forbidden_is_told_and_the_rest_is_shown(self, run: Run, site: Site) -> None:
        site.failures[LEAF_PATH] = forbidden("secrets")
        result = run("inspect")
        assert result.exit_code == 2
        assert 'grant get on secrets/linkerd-webhook-tls in namespace linkerd to user "jane"' in result.stderr
        assert "replica" not in result.stderr
        assert "10.0.0.1:8443" in result.stdout
        assert "fits:" not in result.stdout

    def test_what_nobody_could_ask_is_not_known_to_fit(self, run: Run, site: Site) -> None:
        site.replicas(site.leaf, None)
        result = run("inspect")
        assert result.exit_code == 2
        assert "not known whether it fits: 1 of 2 replicas could not be reached from here" in result.stdout
        assert json.loads(run("inspect", "-o", "json").stdout)["fits"] is None

    def test_it_does_not_fit_while_nothing_is_served(self, run: Run, site: Site) -> None:
        site.replicas()
        result = run("inspect")
        assert result.exit_code == 1
        assert "no endpoint is ready" in result.stdout
        assert "fits:" not in result.stdout

    def test_it_says_which_way_replicas_were_asked(self, run: Run, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "Replicas (dialled directly, at their addresses)" in run("inspect").stdout
        assert json.loads(run("inspect", "-o", "json").stdout)["replicasAskedBy"] == "direct"
        site.inside = False

        async def forward(self: PodDialer, endpoint: Endpoint, name: str, bundle: bytes | None) -> LeafCertificate:
            assert self.way == "port-forward"
            return await site.probe(endpoint, name, bundle)

        monkeypatch.setattr(PodDialer, "probe", forward)
        assert "Replicas (asked through the API server, by port-forward to each Pod)" in run("inspect").stdout
        assert json.loads(run("inspect", "-o", "json").stdout)["replicasAskedBy"] == "port-forward"

    def test_who_may_not_forward_ports_is_told_what_to_grant_once(
        self, run: Run, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def forbid(*_: object) -> LeafCertificate:
            raise PortForwardForbidden('pods "a" is forbidden: User "jane" cannot get resource "pods/portforward"')

        site.replicas(site.leaf, site.leaf)
        monkeypatch.setattr(PodDialer, "probe", forbid)
        result = run("inspect")
        assert result.exit_code == 2
        assert result.stderr == (
            "linkerd-webhook: may not forward ports to Pods, so what replicas serve is not seen: grant get and create "
            'on pods/portforward in namespace linkerd to user "jane"\n'
        )

    def test_an_api_server_out_of_reach(self, run: Run, site: Site) -> None:
        site.failures[MUTATING] = ApiError(0, "connection refused")
        result = run("inspect")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "connection refused" in result.stderr

    def test_no_cluster_at_all(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        async def connect(kubeconfig: Path | None) -> Site:
            raise ConfigurationError("no cluster is configured")

        monkeypatch.setattr("webhook.cli.cluster.connect", connect)
        result = run("inspect")
        assert (result.exit_code, result.stderr) == (2, "linkerd-webhook: no cluster is configured\n")

    def test_files_need_no_cluster(self, run: Run) -> None:
        run("issue", "--out=a")
        assert run("inspect", "--tls-dir=a").exit_code == 0
        run("issue", "--out=b")
        result = run("inspect", "--tls-dir=a", "--ca-bundle=b/ca.crt")
        assert result.exit_code == 1
        assert "b/ca.crt: CA certificates" in result.stdout

    def test_a_folder_that_is_not_there(self, run: Run) -> None:
        result = run("inspect", "--tls-dir=nowhere")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "nowhere/tls.crt: No such file or directory" in result.stderr

    def test_a_bundle_goes_with_files_alone(self, run: Run) -> None:
        result = run("inspect", "--ca-bundle=x")
        assert result.exit_code == 2
        assert "--ca-bundle goes with --tls-dir" in result.stderr

    def test_files_are_looked_at_without_importing_a_client(self, run: Run) -> None:
        run("issue", "--out=a")
        code = (
            "import sys; from webhook.cli.main import cli\n"
            "try: cli.main(['certs', 'inspect', '--tls-dir=a'])\n"
            "except SystemExit as end: print(end.code, {'kubernetes', 'aiohttp', 'uvicorn'} & {*sys.modules})"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "0 set()"


class TestIssue:
    def test_it_says_what_was_written_and_what_to_do_next(self, run: Run) -> None:
        result = run("issue", "--out=my certs", "--linkerd-namespace=mesh")
        assert result.exit_code == 0
        assert "my certs/ca.key   private key; it stays with you" in result.stdout
        assert (
            "kubectl -n mesh create secret generic linkerd-webhook-tls --type=kubernetes.io/tls "
            "--from-file=tls.crt='my certs/tls.crt' --from-file=tls.key='my certs/tls.key' "
            "--from-file=ca.crt='my certs/ca.crt'"
        ) in result.stdout
        assert (
            "linkerd-webhook install --linkerd-namespace mesh --existing-secret linkerd-webhook-tls "
            "--ca-bundle 'my certs/ca.crt'"
        ) in result.stdout
        assert "PRIVATE KEY" not in result.output

    def test_names_are_every_form_of_the_service_and_those_given(self, run: Run, tmp_path: Path) -> None:
        run(
            "issue",
            "--out=a",
            "--service=hook",
            "--cluster-domain=k8s.test",
            "--dns-name=x.test",
            "--dns-name=10.0.0.1",
        )
        names = leaf(tmp_path / "a" / "tls.crt").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == [
            "hook.linkerd.svc",
            "hook",
            "hook.linkerd",
            "hook.linkerd.svc.k8s.test",
            "x.test",
        ]
        assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]

    def test_nothing_is_overwritten_unless_forced(self, run: Run) -> None:
        run("issue", "--out=a")
        before = Path("a/tls.key").read_bytes()
        result = run("issue", "--out=a")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "--force" in result.stderr
        assert Path("a/tls.key").read_bytes() == before
        assert run("issue", "--out=a", "--force").exit_code == 0
        assert Path("a/tls.key").read_bytes() != before

    def test_a_leaf_is_renewed_in_place_with_the_same_ca(self, run: Run) -> None:
        run("issue", "--out=a")
        before = Path("a/ca.crt").read_bytes()
        result = run("issue", "--out=a", "--force", "--ca-cert=a/ca.crt", "--ca-key=a/ca.key")
        assert (result.exit_code, result.stderr) == (0, "")
        assert Path("a/ca.crt").read_bytes() == before
        assert run("inspect", "--tls-dir=a").exit_code == 0

    def test_a_key_of_another_ca_that_stays_behind_is_told(self, run: Run) -> None:
        run("issue", "--out=a")
        run("issue", "--out=b")
        result = run("issue", "--out=a", "--force", "--ca-cert=b/ca.crt", "--ca-key=b/ca.key")
        assert result.exit_code == 0
        assert "a/ca.key was there before and is of another CA" in result.stderr

    @pytest.mark.parametrize("flag", ["--ca-cert=x", "--ca-key=x"])
    def test_half_a_ca_is_a_wrong_command_line(self, run: Run, flag: str) -> None:
        result = run("issue", "--out=a", flag)
        assert result.exit_code == 2
        assert "--ca-cert and --ca-key go together" in result.stderr

    def test_a_file_that_is_no_ca_is_named(self, run: Run) -> None:
        run("issue", "--out=a")
        result = run("issue", "--out=b", "--ca-cert=a/tls.crt", "--ca-key=a/tls.key")
        assert result.exit_code == 2
        assert "--ca-cert a/tls.crt: the certificate is not a CA" in result.stderr
        assert not Path("b").exists()


class TestRotate:
    def test_a_leaf_is_what_it_asks_for_unless_told_otherwise(self, run: Run, site: Site) -> None:
        result = run("rotate", "--no-wait")
        assert result.exit_code == 0
        assert site.patches[0][1]["metadata"]["annotations"]["linkerd-webhook/rotate"].startswith("leaf@")
        assert "certs watch --linkerd-namespace linkerd" in result.stdout
        run("rotate", "--ca", "--no-wait")
        assert site.patches[1][1]["metadata"]["annotations"]["linkerd-webhook/rotate"].startswith("ca@")

    @pytest.mark.parametrize("output", ["text", "json"])
    def test_it_follows_until_all_is_done(
        self, run: Run, site: Site, monkeypatch: pytest.MonkeyPatch, output: str
    ) -> None:
        new = new_leaf(site.ca)
        send = site.send

        async def leading(method: str, path: str, *more: object) -> object:
            answer = await send(method, path, *more)  # type: ignore[arg-type]
            if method == "PATCH":
                site.store(new)
                site.replicas(new)
            return answer

        monkeypatch.setattr(site, "send", leading)
        result = run("rotate", "-o", output)
        assert result.exit_code == 0, result.output
        if output == "json":
            steps = [json.loads(line) for line in result.stdout.splitlines()]
            assert_valid("certs-rotate", *steps)
            assert [step["done"] for step in steps] == [False, False, False, True]
            return
        asked, stored, served, done = result.stdout.splitlines()
        assert asked.startswith("requested a new leaf")
        assert "a new leaf is stored" in stored
        assert "every replica serves it (1)" in served
        assert done == "done"

    def test_too_slow_says_what_it_waits_for_and_why(self, run: Run, site: Site) -> None:
        result = run("rotate", "--timeout=10ms")
        assert result.exit_code == 1
        assert "waiting for this: a new leaf is stored (the leader has not started it; Lease" in result.stderr

    def test_certificates_of_somebody_else_are_refused(self, run: Run, site: Site) -> None:
        del site.objects[CA_PATH]
        result = run("rotate")
        assert result.exit_code == 1
        assert "not self-managed" in result.stderr
        assert site.patches == []

    def test_nothing_is_asked_for_that_cannot_be_followed(self, run: Run, site: Site) -> None:
        site.failures[MUTATING] = forbidden("them")
        result = run("rotate")
        assert result.exit_code == 2
        assert "--no-wait" in result.stderr
        assert site.patches == []


class TestWatch:
    @pytest.fixture
    def looks(self, monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
        """What happens before each further look; after the last one somebody presses Ctrl-C."""
        events: list[Callable[[], object]] = []
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

        async def next_look(seconds: float) -> None:
            if not events:
                raise KeyboardInterrupt
            events.pop(0)()
            await sleep(0)

        monkeypatch.setattr(asyncio, "sleep", next_look)
        return events

    def test_one_line_a_change(self, run: Run, site: Site, looks: list[Callable[[], object]]) -> None:
        looks += [lambda: None, lambda: site.replicas(site.leaf, site.leaf)]
        result = run("watch")
        assert result.exit_code == 0
        assert "replica 10.0.0.2:8443 (Pod pod-2): ready, serves serial" in result.stdout.splitlines()[-1]

    def test_json_lines(self, run: Run, site: Site, looks: list[Callable[[], object]]) -> None:
        looks.append(lambda: site.replicas(None))
        state, change = (json.loads(line) for line in run("watch", "-o", "json").stdout.splitlines())
        assert state["fits"] is True
        assert_valid("certs-inspect", state)
        assert_valid("certs-watch", change)

    def test_an_api_server_that_is_away_is_told_once(
        self, run: Run, site: Site, looks: list[Callable[[], object]]
    ) -> None:
        def away() -> None:
            site.failures[MUTATING] = ApiError(0, "refused")

        looks += [away, away, site.failures.clear]
        lines = [line.split("  ", 1)[-1] for line in run("watch").stdout.splitlines()[-2:]]
        assert lines[0].startswith("cannot read the cluster: ")
        assert lines[1] == "can read the cluster again"

    def test_the_first_look_has_to_succeed(self, run: Run, site: Site) -> None:
        site.failures[MUTATING] = ApiError(0, "refused")
        assert run("watch").exit_code == 2
