"""What is wrong with an object whatever Linkerd makes of it: metadata that is not text, a template that is not
rendered, a workload without containers, tags. Only what Kubernetes certainly refuses, ignores or cannot run is told."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from webhook.findings.finding import Path, show
from webhook.findings.templates import Template
from webhook.findings.templates import at as value_at

What = Literal["not-rendered", "no-container", "not-text"]


class Mistake(NamedTuple):
    """What is wrong with a field: `what` it is, the path of the field in the object, and a sentence about it."""

    what: What
    path: Path
    message: str


_BRACES: Final = re.compile(r"\{\{.*?\}\}|\{\{.*", re.DOTALL)
_SHELL: Final = re.compile(r"\$\{[A-Za-z_]\w*[^}]*\}|\$[A-Za-z_]\w*")
_KUSTOMIZE: Final = re.compile(r"\$\([A-Za-z_][\w.-]*\)")
_ADVICE: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (_BRACES, "belongs to a template: render it first, with helm template for example"),
    (
        _SHELL,
        "is a variable that nothing has filled in: fill it in first, with envsubst for example",
    ),
    (
        _KUSTOMIZE,
        "is a variable that nothing has filled in, and Kubernetes fills in those of command, args and env alone: fill "
        "it in first, with kustomize build for example",
    ),
)
# In annotations, `$(NAME)` and `$NAME` may be meant for the proxy, such as in its environment.
_IN_ANNOTATIONS: Final = _ADVICE[:1]
_WHOLE_VARIABLE: Final = re.compile(r"\$(?:\{[A-Za-z_]\w*[^}]*\}|\([A-Za-z_][\w.-]*\)|[A-Za-z_]\w*)")
_MARK: Final = "linkerd.io/"

_TEXTS: Final = ("name", "generateName", "namespace")
_MAPS: Final = ("labels", "annotations")
_GROUPS: Final = ("initContainers", "containers")
# Kinds that need a selector: a manifest of theirs without one is a patch, which may leave out containers.
_SELECTING: Final = frozenset({"deployment", "replicaset", "statefulset", "daemonset"})


def find(body: Mapping[str, Any], template: Template | None, *, is_policy: bool) -> list[Mistake]:
    """The mistakes of an object. `template`: where its Pod template is; None where it has none. `is_policy`: its
    metadata is checked with the rest of it."""
    return [] if _is_clean(body, template) else _find(body, template, is_policy=is_policy)


def _is_clean(body: Mapping[str, Any], template: Template | None) -> bool:
    """Whether an object certainly has no mistake, in a fraction of the time that it takes to find one."""
    if not _is_clean_metadata(body.get("metadata")):
        return False
    at = template.path if template is not None else ()
    inner: Any = body
    for part in at:
        inner = inner.get(part) if type(inner) is dict else None
    if at and (type(inner) is not dict or not _is_clean_metadata(inner.get("metadata"))):
        return False
    if not at and body.get("kind") != "Pod":
        return True
    spec = inner.get("spec")
    if type(spec) is not dict or not spec.get("containers"):
        return False
    for group in _GROUPS:
        items = spec.get(group) or ()
        if type(items) not in (list, tuple):
            return False
        for container in items:
            if type(container) is not dict:
                return False
            name, image = container.get("name"), container.get("image")
            if type(name) is not str or type(image) is not str or not (name and image):
                return False
            if "$" in image or "{{" in image or "$" in name or "{{" in name:
                return False
    return True


def _is_clean_metadata(metadata: Any) -> bool:
    if type(metadata) is not dict:
        return metadata is None
    for key, value in metadata.items():
        if key in _MAPS:
            if type(value) is not dict:
                return False
            for entry in value.values():
                if type(entry) is not str or "$" in entry or "{{" in entry:
                    return False
        elif key in _TEXTS and (type(value) is not str or "$" in value or "{{" in value):
            return False
    return True


def _find(body: Mapping[str, Any], template: Template | None, *, is_policy: bool) -> list[Mistake]:
    """As `find`, of an object that may have mistakes."""
    mistakes = [*_placeholders(body, ())]
    if not is_policy:
        mistakes += _metadata(body, ())
    if template is None or not (template.path or body.get("kind") == "Pod"):
        return mistakes
    if template.path:
        inner = value_at(body, template.path)
        if isinstance(inner, dict):
            mistakes += _placeholders(inner, template.path)
            mistakes += _metadata(inner, template.path)
    return [*mistakes, *_containers(body, template)]


def _metadata(body: Mapping[str, Any], at: Path) -> Iterator[Mistake]:
    """What has the wrong type; Linkerd's annotations are told by those who read them."""
    metadata = body.get("metadata")
    path = (*at, "metadata")
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        yield Mistake("not-text", path, f"{show(metadata)} is {_kind(metadata)}: write an object, such as {{name: …}}")
        return
    for key in _TEXTS:
        if (value := metadata.get(key)) is not None and not isinstance(value, str):
            yield _not_text(value, (*path, key))
    for key in _MAPS:
        entries = metadata.get(key)
        if entries is None:
            continue
        if not isinstance(entries, dict):
            yield Mistake(
                "not-text",
                (*path, key),
                f"{show(entries)} is {_kind(entries)}: write an object, such as {{key: value}}",
            )
            continue
        for name, value in entries.items():
            if value is not None and not isinstance(value, str) and not (key == "annotations" and _MARK in name):
                yield _not_text(value, (*path, key, name))


def _not_text(value: Any, path: Path) -> Mistake:
    fix = "write a string" if isinstance(value, dict | list) else "put it in quotes, as it is written"
    return Mistake("not-text", path, f"{show(value)} is {_kind(value)}, not a string: {fix}")


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "an array", bool: "a boolean", str: "a string"}
    return kinds.get(type(value), "a number")


def _placeholders(body: Mapping[str, Any], at: Path) -> Iterator[Mistake]:
    """Placeholders where no value of Kubernetes has such characters."""
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        path = (*at, "metadata")
        for key in _TEXTS:
            yield from _placeholder(metadata.get(key), (*path, key))
        for name, value in _entries(metadata, "labels"):
            yield from _placeholder(value, (*path, "labels", name))
        for name, value in _entries(metadata, "annotations"):
            if _MARK in name and isinstance(value, str):
                whole = _WHOLE_VARIABLE.fullmatch(value.strip()) is not None
                yield from _placeholder(value, (*path, "annotations", name), _ADVICE if whole else _IN_ANNOTATIONS)
    spec = body.get("spec")
    if at or body.get("kind") == "Pod":
        for group in _GROUPS:
            for index, container in _items(spec, group):
                for key in ("name", "image"):
                    yield from _placeholder(container.get(key), (*at, "spec", group, index, key))


def _placeholder(
    value: Any, path: Path, advice: tuple[tuple[re.Pattern[str], str], ...] = _ADVICE
) -> Iterator[Mistake]:
    if not isinstance(value, str) or ("$" not in value and "{{" not in value):
        return
    for pattern, sentence in advice:
        if match := pattern.search(value):
            yield Mistake("not-rendered", path, f"{show(match[0])} {sentence}")
            return


def _containers(body: Mapping[str, Any], template: Template) -> Iterator[Mistake]:
    """What Kubernetes refuses of a Pod template that is all there: a patch for kustomize has no selector."""
    whole = template.kind in _SELECTING and isinstance(value_at(body, ("spec", "selector")), dict)
    path = (*template.path, "spec")
    spec = value_at(body, path)
    if whole and (spec is None or not isinstance(spec, dict)):
        yield Mistake(
            "no-container", path, "the Pod template has no spec: write spec.containers with at least one container"
        )
        return
    if not isinstance(spec, dict):
        return
    containers = spec.get("containers")
    if containers == [] or (containers is None and (whole or "containers" in spec)):
        yield Mistake(
            "no-container", (*path, "containers"), "there is no container: write at least one, with name and image"
        )
    for group in _GROUPS:
        for index, container in _items(spec, group):
            for key in ("name", "image") if whole else ("name",):
                if not container.get(key):
                    example = "web" if key == "name" else "nginx:1.27"
                    yield Mistake(
                        "no-container",
                        (*path, group, index, key),
                        f"the container has no {key}: write {key}: {example}",
                    )


def _items(spec: Any, group: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The items of a list that are objects."""
    items = spec.get(group) if isinstance(spec, dict) else None
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield index, item


def _entries(metadata: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    entries = metadata.get(key)
    return list(entries.items()) if isinstance(entries, dict) else []


def about_tag(tag: str) -> str:
    """What is said of a tag that YAML does not define."""
    return (
        f"{tag} is a tag that Kubernetes ignores: it takes what follows as it is written; run the program that knows "
        "the tag first, or remove the tag"
    )


def about_unseen(character: str) -> str:
    """What is said of a character that cannot be seen."""
    import unicodedata

    name = unicodedata.name(character, "a control character").lower()
    return (
        f"U+{ord(character):04X} ({name}) stands at its beginning or end, and is text to YAML: write a space, or "
        "remove it"
    )
