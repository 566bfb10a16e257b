"""Who may see the page."""

import pytest

from webhook.statuspage.access import how_to_see_it, is_allowed


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:50750", "127.0.0.1:9995", "[::1]:50750", "[::1]", "localhost:80", "127.0.0.2"]
)
def test_a_forwarded_port_is_let_in_by_any_name_of_the_own_machine(client: str, host: str) -> None:
    assert is_allowed(client, [host])


@pytest.mark.parametrize("client", ["10.0.0.7", "", "::ffff:10.0.0.7", "fd00::1", "localhost", "unix:"])
def test_whoever_does_not_come_from_loopback_is_refused(client: str) -> None:
    assert not is_allowed(client, ["localhost"])


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        ["localhost", "localhost"],
        ["evil.example"],
        ["localhost.evil.example"],
        ["evil.example:localhost"],
        ["localhost:80:80"],
        ["localhost:8o"],
        ["[::1"],
        ["[::1]evil"],
        ["[::1]:80.evil"],
        ["::1"],
        ["10.0.0.7:9995"],
        [""],
        ["localhost@evil.example"],
        ["127.1"],
    ],
)
def test_a_page_of_somebody_else_s_that_resolves_to_loopback_is_refused(hosts: list[str]) -> None:
    """Its `Host` is its own name."""
    assert not is_allowed("127.0.0.1", hosts)


def test_the_refusal_has_the_command_to_type() -> None:
    text = how_to_see_it("linkerd", "linkerd-webhook-7d9", 9995)
    assert "kubectl -n linkerd port-forward pod/linkerd-webhook-7d9 50750:9995" in text
    assert "http://localhost:50750/" in text
