"""`linkerd-webhook install`: the objects of an installation, for `kubectl apply -f -`."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from webhook.cli.console import CommandError, print_message
from webhook.cli.options import check_namespace
from webhook.install.assign import AssignError, assign, merged
from webhook.install.schema import excessive, problems
from webhook.install.settings import SETTINGS, InstallSetting, defaults, highly_available, place

if TYPE_CHECKING:
    from webhook.diagnosis.installation.look import Look
    from webhook.install.render import Rendered
    from webhook.kube.api import ApiServer
    from webhook.mesh.releases import Line

FINE, REFUSED, UNUSABLE = 0, 1, 2

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
JSON = dict[str, Any]


def setting_options(command: F) -> F:
    """Add a flag to the command for each setting that has one."""
    for setting in reversed([setting for setting in SETTINGS if setting.flag]):
        command = click.option(setting.flag, _name(setting), **_shape(setting))(command)
    return command


def _name(setting: InstallSetting) -> str:
    return "setting_" + re.sub(r"\W", "_", setting.path).lower()


def _shape(setting: InstallSetting) -> dict[str, Any]:
    schema, shape = setting.schema, {"help": setting.description, "default": None}
    match schema["type"]:
        case "boolean" if setting.default:
            return {**shape, "type": click.Choice(("on", "off")), "callback": _is_on}
        case "boolean":
            return {**shape, "is_flag": True}
        case "integer":
            return {**shape, "type": click.IntRange(schema["minimum"], schema["maximum"])}
        case "array":
            return {"help": f"{setting.description} Repeatable.", "multiple": True, "metavar": "NAME"}
    if "enum" in schema:
        return {**shape, "type": click.Choice(schema["enum"])}
    return {**shape, "metavar": "TEXT"}


def _is_on(_context: click.Context, _parameter: click.Parameter, value: str | None) -> bool | None:
    return None if value is None else value == "on"


@click.command(short_help="print what to apply")
@click.option("--ha", is_flag=True, help="Highly available: three replicas, strictly on different nodes.")
@click.option("--image", metavar="NAME[:TAG][@DIGEST]", help="The image, in a registry of yours. Required.")
@click.option("--linkerd-namespace", default="linkerd", show_default=True, help="Namespace of the control plane.")
@setting_options
@click.option(
    "--ca-bundle",
    type=click.Path(path_type=Path),
    help="With --existing-secret: CA certificates (PEM), where it has none.",
)
@click.option("--kube-version", metavar="X.Y", help="Leave out what an API server of this version does not know.")
@click.option(
    "--release-line",
    metavar="LINE",
    help="Linkerd's release line, whose kinds the rules name, instead of what the cluster says.",
)
@click.option(
    "-f", "--values-file", type=click.Path(path_type=Path), multiple=True, help="The chart's values. Repeatable."
)
@click.option(
    "--set", "assignments", metavar="PATH=VALUE", multiple=True, help="One of the chart's values. Repeatable."
)
@click.option("-o", "--output", type=click.Choice(("yaml", "json")), default="yaml", show_default=True)
@click.option("--ignore-cluster", is_flag=True, help="Do not look at the cluster.")
@click.option("--kubeconfig", type=click.Path(path_type=Path), help="Else the cluster that kubectl would take.")
@click.option(
    "--again", is_flag=True, help="With --adopt: adopt again what was written by somebody else; prints nothing."
)
@click.option(
    "--rbac-for",
    type=click.Choice(("check", "explain", "repair", "dashboard")),
    help="Print the rights that this command needs instead: a ClusterRole and a Role.",
)
@click.option(
    "--to",
    "subjects",
    metavar="KIND:NAME",
    multiple=True,
    help="With --rbac-for: bind them to Group:NAME, User:NAME or ServiceAccount:NAMESPACE/NAME. Repeatable.",
)
@click.option("--with-secrets", is_flag=True, help="With --rbac-for: to get the webhook's two Secrets as well.")
def install(
    ha: bool,
    image: str | None,
    linkerd_namespace: str,
    ca_bundle: Path | None,
    kube_version: str | None,
    release_line: str | None,
    values_file: tuple[Path, ...],
    assignments: tuple[str, ...],
    output: str,
    ignore_cluster: bool,
    kubeconfig: Path | None,
    again: bool,
    rbac_for: str | None,
    subjects: tuple[str, ...],
    with_secrets: bool,
    **settings: Any,
) -> None:
    """Print the objects that make up the webhook server beside an installed Linkerd:

    \b
        linkerd-webhook install --image registry.example.org/linkerd-webhook:0.1.0 | kubectl apply -f -

    The same flags and release line of Linkerd give the same bytes. With --adopt, the server gets flags for Linkerd's
    extensions viz and jaeger as well, where the cluster has them. Before, the cluster is checked, and everything that
    is missing is reported: Linkerd's CustomResourceDefinitions and ConfigMaps, another installation, a Helm release,
    and what the flags need (a Secret and its CA, cert-manager, the CustomResourceDefinition of PodMonitors, a metrics
    API, a PriorityClass).

    The rules of the policy validator name the kinds that Linkerd's release line validates: that of --release-line, else
    of the server's own --release-line in extraArgs, else of the cluster. Where none is known, they name all kinds.

    With --rbac-for, it prints what check, explain, repair or dashboard may do for somebody who is no admin, and asks no
    cluster:

    \b
        linkerd-webhook install --rbac-for check --to Group:on-call | kubectl apply -f -

    Settings come from --ha, then each --values-file, the flags, and each --set.

    Exit code: 0 fine, 1 the cluster is not ready for it (with --again: none of Linkerd's configurations is there), 2 a
    flag or file is wrong, or the cluster cannot be reached. Nothing is printed but for 0.
    """
    check_namespace(linkerd_namespace)
    if rbac_for is not None:
        _write(_rights(rbac_for, linkerd_namespace, subjects, secrets=with_secrets), output)
        return
    if subjects or with_secrets:
        raise CommandError("--to and --with-secrets go with --rbac-for check|explain|repair|dashboard")
    if again:
        _adopt_again(linkerd_namespace, kubeconfig, adopt=bool(settings["setting_adopt"]))
        return
    values = merged(defaults(), highly_available() if ha else {})
    for file in values_file:
        values = merged(values, _read_values(file))
    values = _with_flags(values, settings, image, ca_bundle)
    for assignment in assignments:
        try:
            values = assign(values, assignment)
        except AssignError as error:
            raise CommandError(str(error)) from None
    chosen = _chosen(values, release_line)
    rendered = _rendered(values, linkerd_namespace, kube_version, chosen)
    notes: list[str] = []
    if not ignore_cluster:
        notes, result = _checked(values, rendered, linkerd_namespace, kubeconfig)
        values = merged(values, {"extraArgs": [*values["extraArgs"], *result.extensions.arguments]})
        rendered = _rendered(values, linkerd_namespace, kube_version, chosen or result.release_line)

    _write(rendered.objects, output)
    _print_notes(values, rendered, linkerd_namespace, notes)


def _write(objects: list[JSON], output: str) -> None:
    from webhook.install.output import write

    sys.stdout.write(write(objects, output))
    sys.stdout.flush()


def _rights(command: str, namespace: str, to: Sequence[str], *, secrets: bool) -> list[JSON]:
    from webhook.diagnosis.command_rights import RightsFor, SubjectError, objects, subject

    try:
        return objects(RightsFor(command), namespace, [subject(text) for text in to], secrets=secrets)
    except SubjectError as error:
        raise CommandError(f"--to {error}") from None


def _read_values(file: Path) -> JSON:
    from webhook.yaml import objects

    try:
        values = objects.read(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CommandError(f"cannot read --values-file {file}: {error.strerror}") from None
    except objects.Broken as broken:
        raise CommandError(f"--values-file {file} is not YAML: line {broken.line}: {broken.message}") from None
    except UnicodeDecodeError:
        raise CommandError(f"--values-file {file} is not YAML: save it as UTF-8") from None
    if values is not None and not isinstance(values, dict):
        raise CommandError(f"--values-file {file} does not hold settings: write them as in replicas: 2")
    return values or {}


# A colon with a slash behind it belongs to a registry's port.
_IMAGE = re.compile(r"(?P<repository>[^@]*?)(:(?P<tag>[^:/@]*))?(@(?P<digest>.*))?", re.DOTALL)


def _with_flags(values: JSON, settings: dict[str, Any], image: str | None, ca_bundle: Path | None) -> JSON:
    over: JSON = {}
    for setting in SETTINGS:
        given = settings.get(_name(setting))
        if setting.schema["type"] == "array" and given:
            place(over, setting.path, [*_at(values, setting.path), *given])
        elif given is not None and given != ():
            place(over, setting.path, given)
    if image is not None:
        for key, part in _parts(image).items():
            place(over, f"image.{key}", part)
    if ca_bundle is not None:
        place(over, "certificates.caBundle", _read_bundle(ca_bundle))
    return merged(values, over)


def _parts(image: str) -> dict[str, str]:
    """Repository, tag and digest of `--image`."""
    match = _IMAGE.fullmatch(image)
    parts = {key: match[key] for key in ("repository", "tag", "digest")} if match else {"repository": image}
    # What is given must not be empty: `name:` is not a name without a tag.
    wrong = [f"{key} is empty" for key, part in parts.items() if part == ""]
    given = {key: part or "" for key, part in parts.items()}
    wrong += [problem.removeprefix("image.") for problem in problems({"image": given})]
    if wrong:
        example = "write NAME[:TAG][@DIGEST], such as registry.example.org/linkerd-webhook:0.1.0"
        raise CommandError(f'--image "{image}": {example} ({"; ".join(wrong)})')
    return given


def _at(values: JSON, path: str) -> Sequence[Any]:
    value: Any = values
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, list) else ()


def _read_bundle(file: Path) -> str:
    from certs.bundle import BundleError, read, write

    try:
        return write(read(file.read_bytes())).decode("ascii")
    except OSError as error:
        raise CommandError(f"cannot read --ca-bundle {file}: {error.strerror}") from None
    except BundleError as error:
        raise CommandError(f"--ca-bundle {file}: {error}") from None


def _chosen(values: JSON, release_line: str | None) -> Line | None:
    """The release line that a flag names, None without one, and for a version that is newer than all known ones."""
    from webhook.mesh.releases import choose

    prefix = "--release-line="
    # Of a flag that is given twice, `serve` takes the last. Whether extraArgs is a list of strings is checked later.
    given = [text.removeprefix(prefix) for text in map(str, _at(values, "extraArgs")) if text.startswith(prefix)]
    name = release_line if release_line is not None else given[-1] if given else None
    if name is None:
        return None
    try:
        detected = choose(name)
    except ValueError as error:
        where = "--release-line" if release_line is not None else "extraArgs: --release-line"
        raise CommandError(f"{where}: {error}") from None
    if detected.warning:
        print_message(f"warning: {detected.warning}")
    return None if detected.unknown else detected.line


def _rendered(values: JSON, namespace: str, kube_version: str | None, line: Line | None) -> Rendered:
    from webhook.install.render import NEWEST, OLDEST, conflicts, render

    wrong = problems(values)
    # A setting that was set to null has no value.
    missing = [setting.path for setting in SETTINGS if not _has(values, setting.path)]
    wrong += [f"{path}: null is not allowed: write a value, or leave it out" for path in missing]
    version = NEWEST
    if kube_version is not None:
        numbers = re.fullmatch(r"v?(\d+)\.(\d+)(\.\d+)?([-+].*)?", kube_version)
        version = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
        if version < OLDEST:
            wrong.append(f'--kube-version "{kube_version}": write X.Y, {OLDEST[0]}.{OLDEST[1]} or newer')
    if not wrong:
        wrong = [*conflicts(values), *excessive(values)]
    if wrong:
        raise CommandError("\n".join(wrong))
    return render(values, namespace, version, line)


def _has(values: JSON, path: str) -> bool:
    value: Any = values
    for key in path.split("."):
        if not isinstance(value, dict):
            # That it is not an object was reported already.
            return True
        if key not in value:
            return False
        value = value[key]
    return True


def _checked(values: JSON, rendered: Rendered, namespace: str, kubeconfig: Path | None) -> tuple[list[str], Look]:
    """Check the cluster; returns notes, and what was found. Raises `CommandError` if the installation would not work
    there."""
    from webhook.diagnosis.check.gather import CheckRequest, of_cluster
    from webhook.diagnosis.check.line import Scope
    from webhook.diagnosis.finding import errors, lines, notes
    from webhook.diagnosis.installation.extensions import find_extensions
    from webhook.diagnosis.installation.look import look
    from webhook.diagnosis.installation.request import InstallRequest

    install_request = InstallRequest.of(values, namespace, rendered)
    request = CheckRequest(Scope.PRE, namespace, install=install_request)

    async def looked(api: ApiServer) -> Look:
        seen = look(await of_cluster(request, api))
        extensions = await find_extensions(api, install_request, values["extraArgs"], values["clusterDomain"])
        return replace(seen, extensions=extensions)

    result = _with_cluster(kubeconfig, looked, _NO_LOOK)
    if result.unseen:
        raise CommandError("\n".join(f"the cluster at {result.host}: {reason}{_NO_LOOK}" for reason in result.unseen))
    problems = lines(errors(result.findings))
    if problems:
        raise CommandError("\n".join(problems), REFUSED)
    return [*lines(notes(result.findings)), *result.extensions.notes], result


_NO_LOOK = "; pass --ignore-cluster to install without checking it"


def _adopt_again(namespace: str, kubeconfig: Path | None, *, adopt: bool) -> None:
    if not adopt:
        raise CommandError("--again goes with --adopt: pass both")
    from webhook.install.configurations import NAME
    from webhook.kube.webhookconfigurations import ServiceReference
    from webhook.upkeep.adoption import adopt_again

    done = _with_cluster(kubeconfig, lambda api: adopt_again(api, ServiceReference(namespace, NAME)), "")
    for configuration in done:
        print_message(configuration.sentence)
    if not any(configuration.exists for configuration in done):
        raise CommandError(
            "there is nothing to adopt: install Linkerd's control plane first, or install without --adopt", REFUSED
        )


def _with_cluster(kubeconfig: Path | None, work: Callable[[ApiServer], Awaitable[T]], hint: str) -> T:
    from webhook.cli.cluster import connect
    from webhook.kube.api import ConfigurationError
    from webhook.kube.errors import ApiError, explain

    async def run() -> T:
        api = await connect(kubeconfig)
        try:
            return await work(api)
        except (ApiError, TimeoutError) as error:
            raise CommandError(f"the cluster at {api.host}: {explain(error)}{hint}") from None
        finally:
            await api.close()

    try:
        return asyncio.run(run())
    except ConfigurationError as error:
        raise CommandError(f"{error}{hint}") from None


def _print_notes(values: JSON, rendered: Rendered, namespace: str, notes: Sequence[str]) -> None:
    """Print what the objects do not show: what was left out, notes about the cluster, and the next command."""
    for reason in rendered.left_out:
        print_message(f"left out: {reason}")
    for note in notes:
        print_message(f"note: {note}")
    print_message("identity and destination come from Linkerd's own control plane, which stays")
    print_message("next: kubectl apply -f - of what was printed, then")
    print_message(f"      kubectl -n {namespace} rollout status deploy/linkerd-webhook")
