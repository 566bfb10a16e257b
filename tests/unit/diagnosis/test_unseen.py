"""What a user lacks the right to look at."""

from __future__ import annotations

from webhook.diagnosis.unseen import MissingRight, NotSeen, missing_rights
from webhook.kube.errors import ApiError

SECRET = MissingRight("get", "secrets/a", "linkerd", 'user "jane"')


class TestMissingRight:
    def test_it_says_what_to_grant_where_and_to_whom(self) -> None:
        error = ApiError(403, 'secrets "a" is forbidden: User "jane" cannot get it')
        right = MissingRight.of(error, "get", "secrets/a", "linkerd")
        assert right == SECRET
        assert right.text() == 'may not get secrets/a: grant get on secrets/a in namespace linkerd to user "jane"'

    def test_without_a_namespace_and_a_name_it_is_the_whole_cluster_and_this_user(self) -> None:
        assert MissingRight("list", "nodes").grant == "grant list on nodes to this user"


class TestMissingRights:
    def test_each_right_of_facts_that_were_not_seen_comes_once(self) -> None:
        pods = MissingRight("list", "pods")
        assert missing_rights(None, "seen", NotSeen((SECRET,)), NotSeen((pods, SECRET))) == (SECRET, pods)
