"""Linkerd's own webhook configurations: adopted, and restored as they were."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.issue import issue_ca
from webhook.install import adoption
from webhook.install.adoption import ADOPTED_FROM, RestoreError, is_restorable, restored
from webhook.kube.base64_fields import decode, encode
from webhook.kube.interface import JSON
from webhook.kube.webhookconfigurations import ServiceReference

OURS = ServiceReference("linkerd", "linkerd-webhook")
OUR_CA = issue_ca("linkerd-webhook CA").certificate


def linkerds(*names: str, annotations: dict[str, str] | None = None) -> JSON:
    """One of Linkerd's configurations, with webhooks of these names."""
    metadata: JSON = {
        "name": "linkerd-proxy-injector-webhook-config",
        "labels": {"linkerd.io/control-plane-ns": "linkerd"},
    }
    if annotations is not None:
        metadata["annotations"] = annotations
    service = {"namespace": "linkerd", "name": "linkerd-proxy-injector", "path": "/"}
    webhooks = [
        {"name": name, "clientConfig": {"service": dict(service), "caBundle": name.encode().hex()}} for name in names
    ]
    return {"kind": "MutatingWebhookConfiguration", "metadata": metadata, "webhooks": webhooks}


def adopt(configuration: JSON) -> JSON:
    """As the server does it."""
    return adoption.adopted(configuration, "/proxy-injector", OURS, "b3Vycw==")


class TestRestoring:
    """What Linkerd gets back."""

    def test_the_names_are_those_that_the_server_goes_by(self) -> None:
        assert set(adoption.ADOPTABLE) == set(adoption.PATHS)

    @pytest.mark.parametrize("annotations", [None, {"example.org/kept": "yes"}])
    def test_what_was_adopted_is_as_before(self, annotations: dict[str, str] | None) -> None:
        before = linkerds("a.linkerd.io", "b.linkerd.io", annotations=annotations)
        assert is_restorable(adopt(before), "linkerd")
        assert restored(adopt(before), "linkerd") == before

    def test_the_argument_is_left_as_it_is(self) -> None:
        given = adopt(linkerds("a.linkerd.io"))
        kept = copy.deepcopy(given)
        restored(given, "linkerd")
        assert given == kept

    def test_what_somebody_has_written_since_stays_and_only_the_note_goes(self) -> None:
        overwritten = linkerds(
            "a.linkerd.io", annotations={ADOPTED_FROM: json.dumps({"a.linkerd.io": {"url": "https://x"}})}
        )
        assert is_restorable(overwritten, "linkerd")
        assert restored(overwritten, "linkerd") == linkerds("a.linkerd.io")

    def test_what_was_never_adopted_is_not_touched(self) -> None:
        assert not is_restorable(linkerds("a.linkerd.io", annotations={"example.org/x": "y"}), "linkerd")

    def test_a_service_of_our_name_elsewhere_is_not_ours(self) -> None:
        body = adopt(linkerds("a.linkerd.io"))
        del body["metadata"]["annotations"]
        assert is_restorable(body, "linkerd")
        assert not is_restorable(body, "mesh")

    @pytest.mark.parametrize("noted", [None, "", "{", "[]", "{}", '{"a.linkerd.io": {}}', '{"a.linkerd.io": "x"}'])
    def test_without_a_note_that_can_be_read_it_says_what_to_do(self, noted: str | None) -> None:
        body = adopt(linkerds("a.linkerd.io"))
        body["metadata"]["annotations"] = {} if noted is None else {ADOPTED_FROM: noted}
        with pytest.raises(RestoreError, match=r"webhooks\[0\]\.clientConfig .*linkerd upgrade"):
            restored(body, "linkerd")

    def test_a_long_note_is_not_repeated_in_full(self) -> None:
        body = adopt(linkerds("a.linkerd.io"))
        body["metadata"]["annotations"] = {ADOPTED_FROM: "x" * 5000}
        with pytest.raises(RestoreError) as error:
            restored(body, "linkerd")
        assert len(str(error.value)) < 600


class TestLinkerdsService:
    """The Service of Linkerd's own webhook, by which its Deployment is found."""

    THEIRS = ServiceReference("linkerd", "linkerd-proxy-injector")

    def test_is_that_of_the_configuration_or_what_it_was_before_the_adoption(self) -> None:
        body = linkerds("a.linkerd.io")
        assert adoption.linkerds_service(body, OURS) == self.THEIRS
        assert adoption.linkerds_service(adopt(body), OURS) == self.THEIRS

    @pytest.mark.parametrize("noted", [None, "", "[]", "{}", '{"a.linkerd.io": {"url": "https://x"}}'])
    def test_is_not_known_where_nothing_tells(self, noted: str | None) -> None:
        body = adopt(linkerds("a.linkerd.io"))
        body["metadata"]["annotations"] = {} if noted is None else {ADOPTED_FROM: noted}
        assert adoption.linkerds_service(body, OURS) is None
        assert adoption.linkerds_service({"webhooks": [3, {"clientConfig": {"url": "https://x"}}]}, OURS) is None


class TestLinkerdsCas:
    """`linkerd check` verifies Linkerd's own Secrets by the caBundles of its configurations, adopted or not."""

    CA = issue_ca("linkerd-proxy-injector.linkerd.svc").certificate

    def configuration(self, *bundles: bytes | str) -> JSON:
        """One of Linkerd's, with a webhook for each caBundle."""
        body = linkerds(*(f"w{number}.linkerd.io" for number in range(len(bundles))))
        for webhook, bundle in zip(body["webhooks"], bundles, strict=True):
            webhook["clientConfig"]["caBundle"] = bundle if isinstance(bundle, str) else encode(bundle)
        return body

    def test_stay_beside_ours_when_it_is_adopted(self) -> None:
        body = adoption.adopted(self.configuration(self.CA), "/x", OURS, encode(OUR_CA))
        assert decode(body["webhooks"][0]["clientConfig"]["caBundle"]) == OUR_CA + self.CA
        assert adoption.linkerds_cas(body) == self.CA

    def test_are_given_back_as_they_were(self) -> None:
        before = self.configuration(self.CA)
        assert restored(adoption.adopted(before, "/x", OURS, encode(OUR_CA)), "linkerd") == before

    def test_are_none_where_it_was_never_adopted(self) -> None:
        assert adoption.linkerds_cas(self.configuration(self.CA)) == b""

    def test_are_those_of_all_webhooks_each_once(self) -> None:
        other = issue_ca("other").certificate
        body = adoption.adopted(self.configuration(self.CA, other, self.CA), "/x", OURS, encode(OUR_CA))
        assert adoption.linkerds_cas(body) == self.CA + other

    def test_are_not_our_own_that_an_adoption_undone_by_hand_has_left(self) -> None:
        body = adoption.adopted(self.configuration(OUR_CA + self.CA), "/x", OURS, encode(OUR_CA))
        assert adoption.linkerds_cas(body) == self.CA

    @pytest.mark.parametrize("bundle", ["", "!", "b3Vycw=="])
    def test_that_cannot_be_read_leave_ours_alone(self, bundle: str) -> None:
        body = adoption.adopted(self.configuration(bundle), "/x", OURS, encode(OUR_CA))
        assert body["webhooks"][0]["clientConfig"]["caBundle"] == encode(OUR_CA)

    @given(st.one_of(st.text(), st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps)))
    def test_a_note_that_says_anything_is_read(self, note: str) -> None:
        assert adoption.linkerds_cas({"metadata": {"annotations": {ADOPTED_FROM: note}}}) == b""
