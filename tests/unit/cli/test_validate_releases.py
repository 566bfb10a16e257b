"""`validate --release-line` on one folder of policies: the verdict of each line, and of releases between the lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from webhook.cli.validate import validate
from webhook.mesh.releases import LINES

POLICIES = Path(__file__).with_name("policies")

# A column for each line, the oldest first: x is an error, w a warning, and . neither. Two files may hold a second
# object beside the first, as for Servers that overlap.
TABLE = """
    authorization-gateway-grpc        xxxx......
    authorization-gateway-http        xxxxxxx...
    authorization-other-namespace     xxxxxxxxxx
    authorization-route               ..........
    authorization-server              ..........
    authorization-service             xxxxxxxxxx
    egress-wrong                      wwwwwxxxxx
    egress                            wwwww.....
    gateway-grpc-regex                wwww..xxxx
    gateway-grpc                      wwww......
    gateway-http-backend-without-port www..xxxxx
    gateway-http-cors                 wwwxxxxxx.
    gateway-http-unreadable           wwwxxxxxxx
    gateway-http-wrong-path           wwwxxxxxxx
    gateway-http                      www.......
    gateway-tcp-two-rules             wwwwwxxxxx
    gateway-tls                       wwwww.....
    meshtls-dns                       ..........
    meshtls-empty-group               x.........
    meshtls-spiffe                    xxx.......
    network-without-namespace         xxxx......
    profile-null-route                xxxxxxxxxx
    profile                           ..........
    ratelimit-zero                    wwwwwxxxxx
    route-breaker-wrong               xx..xxxx..
    route-egress-without-port         xx...xxxxx
    route-named-group                 xxx.......
    route-other-parent                xwwwwwwwww
    route-retry-wrong                 xx..xxxxxx
    route-retry                       xx........
    route-server                      ..........
    route-service                     x.........
    route-timeouts-wrong              xxxxxxxxxx
    route-timeouts                    xx........
    server-external                   xxx.......
    server-v1beta2                    xxx.......
    server-v1beta3-access             xxxx......
    server                            ..........
    servers-of-both-kinds             xxx.......
    servers-overlap-external          xxxxxxwwww
    servers-overlap-pods              xxxxxxwwww
"""
VERDICTS = dict(row.split() for row in TABLE.strip().splitlines())

# What changes with an edge release between two lines, one release before it and with it.
BETWEEN = """
    route-service                     edge-23.1.1   x  edge-23.1.2   .
    route-other-parent                edge-23.3.2   x  edge-23.3.3   w
    meshtls-empty-group               edge-23.3.3   x  edge-23.3.4   .
    route-timeouts                    edge-23.5.3   x  edge-23.6.1   .
    gateway-http                      edge-23.9.3   w  edge-23.9.4   .
    route-named-group                 edge-23.12.2  x  edge-23.12.3  .
    server-external                   edge-23.12.4  x  edge-24.1.1   .
    servers-overlap-external          edge-24.1.1   x  edge-25.2.2   w
    meshtls-spiffe                    edge-23.12.4  x  edge-24.1.1   .
    gateway-grpc                      edge-24.6.3   w  edge-24.6.4   .
    authorization-gateway-grpc        edge-24.6.4   x  edge-24.7.1   .
    server-v1beta3-access             edge-24.7.3   x  edge-24.7.4   .
    route-retry-wrong                 edge-24.7.4   .  edge-24.7.5   x
    route-breaker-wrong               edge-24.7.4   .  edge-24.7.5   x
    network-without-namespace         edge-24.7.4   x  edge-24.7.5   .
    route-egress-without-port         edge-24.10.3  .  edge-24.10.4  x
    egress                            edge-24.10.3  w  edge-24.10.4  .
    ratelimit-zero                    edge-24.11.2  w  edge-24.11.3  x
    gateway-http-backend-without-port edge-24.11.3  .  edge-24.11.4  x
    servers-overlap-pods              edge-25.2.1   x  edge-25.2.2   w
    gateway-grpc-regex                edge-25.2.2   .  edge-25.2.3   x
    authorization-gateway-http        edge-25.4.4   x  edge-25.5.1   .
    route-breaker-wrong               edge-26.6.1   x  edge-26.6.2   .
    gateway-http-cors                 edge-26.8.1   x  edge-26.8.2   .
"""


def verdict(name: str, release: str) -> str:
    """The verdict on a file of the folder. An older API version is another matter than what is checked here."""
    arguments = ["--output", "json", "--release-line", release, str(POLICIES / f"{name}.yaml")]
    result = CliRunner().invoke(validate, arguments, catch_exceptions=False)
    report = json.loads(result.stdout)
    levels = {finding["severity"] for finding in report if finding["rule"] != "api-version-deprecated"}
    return "x" if "error" in levels else "w" if levels else "."


def test_the_table_has_every_policy_of_the_folder() -> None:
    assert set(VERDICTS) == {file.stem for file in POLICIES.iterdir()}


@pytest.mark.parametrize(("name", "expected"), VERDICTS.items())
def test_the_verdict_on_a_policy_is_that_of_its_line(name: str, expected: str) -> None:
    assert "".join(verdict(name, release) for release in LINES) == expected


@pytest.mark.parametrize("row", BETWEEN.strip().splitlines(), ids=lambda row: " ".join(row.split()))
def test_the_verdict_on_a_policy_changes_with_an_edge_release(row: str) -> None:
    name, before, earlier, since, later = row.split()
    assert (verdict(name, before), verdict(name, since)) == (earlier, later)
