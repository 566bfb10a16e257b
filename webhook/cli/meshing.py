"""What `inject` and `uninject` have in common: their paths, their outputs, and how they end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from webhook.cli.console import CommandError, colours, print_line, print_message

if TYPE_CHECKING:
    from webhook.manifest.files import Problem
    from webhook.meshing.outcome import Outcome
    from webhook.meshing.run import Worked
    from webhook.meshing.stream import Change
    from webhook.meshing.templates import PodTemplates

FINE, UNWELL, UNUSABLE = 0, 1, 2

F = TypeVar("F", bound=Callable[..., Any])
Report = Callable[[Iterable["Outcome"]], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Output:
    """How the result is put out: `check`, `diff` and `in_place` in place of standard output."""

    form: str
    report: str
    check: bool
    diff: bool
    in_place: bool
    keep_going: bool


def output_options(command: F) -> F:
    """Add the options of `Output` and the paths."""
    for option in (
        click.argument("paths", nargs=-1, metavar="PATH..."),
        click.option("--report", "report_form", type=click.Choice(("text", "json")), default="text", show_default=True),
        click.option("--keep-going", is_flag=True, help="Put out what can be injected, and the rest as it is."),
        click.option("--in-place", is_flag=True, help="Write the files themselves."),
        click.option("--diff", is_flag=True, help="Print what would change."),
        click.option("--check", is_flag=True, help="Print nothing; exit with 1 if something would change."),
        click.option("-o", "--output", type=click.Choice(("yaml", "json")), default="yaml", show_default=True),
    ):
        command = option(command)
    return command


def templates_option(command: F) -> F:
    """Add --pod-templates."""
    return click.option(
        "--pod-templates",
        "templates",
        metavar="KIND.GROUP:PATH",
        multiple=True,
        is_flag=False,
        flag_value="known",
        callback=_templates,
        help="Find Pod templates in other kinds, too: Argo Rollouts, Knative Services and more, or where PATH leads.",
    )(command)


def _templates(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> PodTemplates:
    from webhook.meshing.templates import PodTemplates, TemplateError

    try:
        return PodTemplates.of(values)
    except TemplateError as error:
        raise click.BadParameter(str(error), context, parameter) from None


def rewrite(paths: Sequence[str], change: Change, report: Report, output: Output) -> int:
    """Work through the paths and put out the result; returns the exit code. All or nothing, but for `keep_going`."""
    from webhook.meshing import report as reports
    from webhook.meshing.run import work

    if not paths:
        raise CommandError("name a file, a folder, or - for standard input")
    unreadable: list[Problem] = []
    results = list(work(paths, change, unreadable, as_json=output.form == "json"))
    outcomes = _Outcomes(results)
    problems = [problem for worked in results for problem in worked.problems]
    for note in (note for worked in results for note in worked.notes):
        print_message(note.text)
    for problem in (*unreadable, *problems):
        print_message(problem.text)
    if not (unreadable or problems) or output.keep_going:
        _put_out(results, output)
        if output.report == "json":
            import json

            click.echo(json.dumps(reports.as_json(outcomes), indent=2, ensure_ascii=False), err=True)
        else:
            _print_report(report(outcomes))
    if unreadable:
        return UNUSABLE
    changed = output.check and any(worked.changed for worked in results)
    return UNWELL if problems or changed else FINE


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """What became of the objects of all files, to be iterated more than once."""

    results: Sequence[Worked]

    def __iter__(self) -> Iterator[Outcome]:
        for worked in self.results:
            yield from worked.outcomes


def _print_report(lines: Iterable[str]) -> None:
    """Blank lines around it tell it from the output of kubectl behind a pipe."""
    coloured = colours(sys.stderr)
    print_line("")
    for line in lines:
        print_line(line if coloured else click.unstyle(line))
    print_line("")


def _put_out(results: Sequence[Worked], output: Output) -> None:
    from webhook.manifest.files import STDIN
    from webhook.meshing.run import concatenated, difference, put_back

    if output.diff:
        for worked in results:
            if worked.file == STDIN:
                raise CommandError("--diff needs files: standard input can be read once only")
            original = Path(worked.file).read_bytes()
            sys.stdout.writelines(difference(worked, original) if worked.changed else ())
    if output.in_place:
        for worked in results:
            if worked.file == STDIN or worked.file.startswith("http"):
                raise CommandError(f"--in-place needs files, and {worked.file} is not one")
        for worked in results:
            if worked.changed and not (worked.problems and not output.keep_going):
                put_back(worked)
    if not (output.diff or output.in_place or output.check):
        sys.stdout.flush()
        concatenated(results, sys.stdout.buffer, as_json=output.form == "json")
        sys.stdout.buffer.flush()
