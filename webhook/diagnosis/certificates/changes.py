"""What is another between two looks, a line each. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from webhook.diagnosis.certificates.facts import Bundle, Kept, Replica, State, Summary, serial
from webhook.diagnosis.certificates.fit import findings


def changes(before: State, now: State) -> list[str]:
    """Sentences about what has changed: certificates, caBundles, replicas, and what no longer fits or fits again."""
    return [
        *_kept(before, now),
        *_bundles(before, now),
        *_replicas(before, now),
        *(f"cannot look: {each}" for each in now.unseen if each not in before.unseen),
        *(f"no more: {each.partition(':')[0]}" for each in before.unseen if each not in now.unseen),
        *_fit(before, now),
    ]


def _kept(before: State, now: State) -> Iterator[str]:
    if not before.kept or not now.kept:
        return
    old = {(each.where, each.role): each for each in before.kept}
    new = {(each.where, each.role): each for each in now.kept}
    for key in dict.fromkeys([*old, *new]):
        was, here = old.get(key), new.get(key)
        if _what(was) != _what(here):
            yield f"{key[0]}: {key[1]}: {_what(was)} -> {_what(here)}"


def _what(kept: Kept | None) -> str:
    if kept is None:
        return "none"
    if kept.certificate is None:
        return kept.why_not.replace("there is none", "none")
    about = f"serial {kept.certificate.serial} until {kept.certificate.not_after:%Y-%m-%dT%H:%M:%SZ}"
    return f"{about} ({kept.why_not})" if kept.why_not else about


def _bundles(before: State, now: State) -> Iterator[str]:
    old = {(each.where, each.webhook): each for each in before.bundles}
    new = {(each.where, each.webhook): each for each in now.bundles}
    for key in dict.fromkeys([*old, *new]):
        was, here = old.get(key), new.get(key)
        about = f"{key[0]}: {key[1]}"
        if here is None:
            yield f"{about}: points at the Service no more"
        elif was is None:
            yield f"{about}: points at the Service, caBundle: {_anchors(here.anchors)}"
        else:
            yield from (f"{about}: caBundle {each}" for each in _bundle(was, here))


def _bundle(was: Bundle, here: Bundle) -> Iterator[str]:
    if added := [each for each in here.anchors if each.fingerprint not in was.fingerprints]:
        yield f"+ {_anchors(added)}"
    if gone := [each for each in was.anchors if each.fingerprint not in here.fingerprints]:
        yield f"- {_anchors(gone)}"
    if was.junk != here.junk:
        yield f"junk: {'; '.join(here.junk) or 'none'}"


def _anchors(anchors: tuple[Summary, ...] | list[Summary]) -> str:
    return "; ".join(f"{each.subject} serial {each.serial}" for each in anchors) or "empty"


def _replicas(before: State, now: State) -> Iterator[str]:
    old = {each.where: each for each in before.replicas}
    new = {each.where: each for each in now.replicas}
    for where in dict.fromkeys([*old, *new]):
        was, here = old.get(where), new.get(where)
        if here is None:
            yield f"{where}: no longer ready"
        elif was is None:
            yield f"{where}: ready, {_serves(here)}"
        elif _serves(was) != _serves(here):
            yield f"{where}: {_serves(here)}"


def _serves(replica: Replica) -> str:
    if replica.leaf is None:
        return f"cannot be reached from here ({replica.unreachable})"
    return f"serves serial {serial(replica.leaf.serial)} until {replica.leaf.not_after:%Y-%m-%dT%H:%M:%SZ}"


def _fit(before: State, now: State) -> Iterator[str]:
    old, new = [str(each) for each in findings(before)], findings(now)
    yield from (f"does not fit: {each}; fix: {each.fix}" for each in new if str(each) not in old)
    texts = {str(each) for each in new}
    yield from (f"no more: {each}" for each in old if each not in texts)
    if old and not new:
        yield "all fits again"
