"""Command lines of Linkerd's own programs, read by Go's rules."""

from __future__ import annotations

import pytest

from webhook.cli.goflags import FlagError, is_ours, translate

OWN = {
    "addr": False,
    "admin-addr": False,
    "kubeconfig": False,
    "linkerd-namespace": False,
    "log-level": False,
    "log-format": False,
    "webhook": False,
    "no-events": True,
    "tap-service-name": False,
    "collector-svc-addr": False,
    "collector-svc-account": False,
    "cluster-domain": False,
}


def test_the_proxy_injector_s_deployment_is_understood() -> None:
    """The very arguments that Linkerd's chart has."""
    result = translate(
        ["proxy-injector", "-log-level=info", "-log-format=plain", "-linkerd-namespace=linkerd", "-enable-pprof=false"],
        OWN,
    )
    assert result.arguments == [
        "--log-level=info",
        "--log-format=plain",
        "--linkerd-namespace=linkerd",
        "--webhook=proxy-injector",
    ]
    assert result.notes == ["flag -enable-pprof has no effect here and is ignored"]


def test_the_extensions_deployments_are_told_apart_by_their_flags() -> None:
    """Both call their program `injector`, and the jaeger one of 2.12 says no name at all."""
    tap = translate(["injector", "-tap-service-name=tap.linkerd-viz", "-log-level=info"], OWN)
    assert "--webhook=tap-injector" in tap.arguments
    for first in (["injector"], []):
        jaeger = translate(
            [*first, "-collector-svc-addr=c:55678", "-collector-svc-account=c", "-cluster-domain=cluster.local"], OWN
        )
        assert "--webhook=jaeger-injector" in jaeger.arguments
    with pytest.raises(FlagError, match="to run the jaeger injector"):
        translate(["injector", "-log-level=info"], OWN)


def test_the_sp_validator_s_name_chooses_its_webhook_and_where_operators_find_it() -> None:
    """`/` then means that one, and the port is the one that Linkerd's Deployment probes."""
    assert translate(["sp-validator"], OWN).arguments == ["--admin-addr=:9997", "--webhook=sp-validator"]
    own = translate(["sp-validator", "-metrics-addr=:1"], OWN).arguments
    assert own == ["--admin-addr=:1", "--webhook=sp-validator"]


@pytest.mark.parametrize(
    "flags",
    [["-addr=:1"], ["--addr=:1"], ["-addr", ":1"], ["--addr", ":1"]],
    ids=["one dash", "two dashes", "one dash and a value", "two dashes and a value"],
)
def test_go_s_forms_of_a_flag_mean_the_same(flags: list[str]) -> None:
    """One dash or two, with `=` or without."""
    assert translate(["serve", *flags], OWN).arguments == ["--addr=:1"]


def test_a_value_may_begin_with_a_dash_or_hold_an_equals_sign() -> None:
    """Go takes the next argument whatever it is."""
    assert translate(["serve", "-addr", "-x", "-cluster-domain=a=b"], OWN).arguments == [
        "--addr=-x",
        "--cluster-domain=a=b",
    ]


@pytest.mark.parametrize(("flag", "given"), [("-no-events", True), ("-no-events=T", True), ("-no-events=0", False)])
def test_a_boolean_takes_no_argument_and_go_s_words(flag: str, given: bool) -> None:
    """As `strconv.ParseBool` reads them."""
    assert ("--no-events" in translate(["serve", flag], OWN).arguments) is given


def test_a_boolean_that_is_none_is_an_error() -> None:
    """`yes` is no word of Go's."""
    with pytest.raises(FlagError, match='"-no-events" is "yes": write true or false'):
        translate(["serve", "-no-events=yes"], OWN)


def test_metrics_addr_is_our_admin_addr() -> None:
    """The reference's name for it."""
    assert translate(["proxy-injector", "-metrics-addr=:9999"], OWN).arguments[0] == "--admin-addr=:9999"


def test_an_empty_kubeconfig_is_the_cluster_that_it_runs_in() -> None:
    """As for the reference."""
    assert translate(["serve", "-kubeconfig="], OWN).arguments == []


@pytest.mark.parametrize(
    "flag", ["-v=6", "-logtostderr", "-stderrthreshold=FATAL", "-trace-collector=x:1", "-enable-pprof"]
)
def test_flags_without_a_use_here_are_taken_and_said(flag: str) -> None:
    """A Deployment that has them still starts."""
    result = translate(["serve", flag], OWN)
    assert result.arguments == []
    assert flag.partition("=")[0] in result.notes[0]


@pytest.mark.parametrize(("flag", "close"), [("-adr=:1", "--addr"), ("--log-levle=x", "--log-level")])
def test_an_unknown_flag_is_an_error_with_the_closest_known_one(flag: str, close: str) -> None:
    """A typing mistake shows at once."""
    with pytest.raises(FlagError, match=f"unknown flag.*did you mean {close}"):
        translate(["serve", flag], OWN)


def test_a_flag_without_its_value_is_an_error() -> None:
    """At the end of the line."""
    with pytest.raises(FlagError, match='"-addr" needs a value'):
        translate(["serve", "-addr"], OWN)


def test_an_argument_that_is_no_flag_is_an_error() -> None:
    """Go would leave out everything after it without a word."""
    with pytest.raises(FlagError, match='unexpected argument "false"'):
        translate(["serve", "-enable-pprof", "false"], OWN)


@pytest.mark.parametrize(("flag", "asked"), [("-version", True), ("--version=true", True), ("-version=false", False)])
def test_version_is_asked_for_as_with_the_reference(flag: str, asked: bool) -> None:
    """It prints and ends."""
    assert translate(["proxy-injector", flag], OWN).version is asked


def test_a_webhook_that_was_chosen_is_left_alone() -> None:
    """Whatever the program's name."""
    assert translate(["proxy-injector", "--webhook=x"], OWN).arguments == ["--webhook=x"]


@pytest.mark.parametrize(
    ("arguments", "ours"),
    [([], True), (["--help"], True), (["review", "-"], True), (["serve"], False), (["-addr=:1"], False)],
)
def test_only_serve_and_the_reference_s_lines_are_translated(arguments: list[str], ours: bool) -> None:
    """Other commands have flags of their own."""
    assert is_ours(arguments) is ours
