"""Routes of protobuf files."""

from __future__ import annotations

import pytest

from webhook.profiles.profile import Unreadable
from webhook.profiles.proto import proto_routes

CARTS = """
syntax = "proto3"; // service Not { rpc
package shop.v1;
/* service Neither { */
message Item { string name = 1 [json_name = "} service"]; message Deep { } }
service Carts {
  option deprecated = true;
  rpc Add(stream Item) returns (.shop.v1.Item);
  rpc Read(Item) returns (stream Item) {
    option (google.api.http) = { get: "/v1/{name}" additional_bindings { get: "/x" } };
    option idempotency_level = NO_SIDE_EFFECTS;
  }
}
"""


def test_each_rpc_is_a_route_with_its_full_path() -> None:
    assert proto_routes(CARTS).routes == [
        {"name": "Add", "condition": {"method": "POST", "pathRegex": r"/shop\.v1\.Carts/Add"}},
        {"name": "Read", "condition": {"method": "POST", "pathRegex": r"/shop\.v1\.Carts/Read"}, "isRetryable": True},
    ]
    assert proto_routes(CARTS).notes == []


def test_a_file_without_a_service_has_a_note() -> None:
    read = proto_routes("message M {}")
    assert read.routes == []
    assert "no service" in read.notes[0][1]


def test_a_package_after_a_service_has_a_note_at_its_line() -> None:
    read = proto_routes("service S { rpc A(B) returns (B); }\npackage p;")
    assert read.routes[0]["condition"]["pathRegex"] == "/S/A"
    assert read.notes[0][0] == 2


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("service S {\n rpc A(B) returns (C)\n}", 3, "; after rpc A"),
        ("service S {\n rpc A(B);\n}", 2, "returns"),
        ("\nservice S {", 2, "not closed"),
        ("message M {\n", 1, "not closed"),
        ("\n/* a", 2, "comment"),
        ('import "a', 1, "text begins"),
        ("swagger: '2.0'", 1, "swagger stands here"),
        ("package 5;", 1, "the package's name"),
        ("\x00", 1, "remove it"),
    ],
)
def test_what_is_not_the_protobuf_language_is_named_with_its_line(text: str, line: int, part: str) -> None:
    with pytest.raises(Unreadable, match=part) as caught:
        proto_routes(text)
    assert caught.value.line == line
