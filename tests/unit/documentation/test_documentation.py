"""README and docs: every command works as written, every example is what it says, every link leads somewhere."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

from tests.unit.documentation.pages import PAGES, ROOT, Block, anchors, blocks, links
from webhook.cli.main import COMMANDS, load
from webhook.mesh.releases import ROWS

BLOCKS = [block for page in PAGES for block in blocks(page)]
SHELL = [block for block in BLOCKS if block.language == "sh"]
RUN = sorted({block.page for block in SHELL if not block.not_run})

# What is not the program itself: nothing of it is needed to follow the documentation.
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist", "build")
PROGRAM = "linkerd-webhook"
# What others copy into their repositories.
TO_COPY = (Path("deploy/ci/github-actions.yaml"), Path(".pre-commit-hooks.yaml"))
# Its examples are tried one by one with the rules, and one of them is not YAML.
RULES = Path("docs/rules.md")
# Flags that the documentation names of other programs, and of those in this repository.
OTHERS = frozenset(
    {
        "--build-arg",
        "--enable-alpha-plugins",
        "--enable-exec",
        "--field-selector",
        "--ignore-not-found",
        "--namespace",
        "--post-renderer",
        "--post-renderer-args",
        "--prefix",
        "--raw",
        "--set",
        "--show-managed-fields",
        "--tail",
    }
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout in which `make run` has been run: its .venv has this one's programs."""
    copy = tmp_path_factory.mktemp("fresh") / "checkout"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    (copy / ".venv").mkdir()
    (copy / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    for stamp in (".run", ".dev"):
        (copy / ".venv" / stamp).touch()
    return copy


def script(page: Path) -> Iterator[str]:
    """What runs the commands of a page one after the other, and prints after each block where it ends."""
    yield "set -u"
    for block in SHELL:
        if block.page == page and not block.not_run:
            yield block.text
            yield f'printf "\\n{_end(block)} %d\\n" $?'


def _end(block: Block) -> str:
    return f"=== end of {block}:"


@pytest.mark.parametrize("page", RUN, ids=str)
def test_the_commands_of_a_page_work_one_after_the_other_and_print_what_it_shows(page: Path, checkout: Path) -> None:
    """In a checkout, without a cluster, and with nothing on the PATH that the README does not put there."""
    folder = Path(sys.executable).parent
    path = [part for part in os.environ["PATH"].split(os.pathsep) if Path(part) != folder]
    activated = [] if page.name == "README.md" and page.parent == Path() else [str(checkout / ".venv" / "bin")]
    environment = {
        "PATH": os.pathsep.join([*activated, *path]),
        "HOME": str(checkout.parent),
        "PYTHONPATH": str(ROOT),
        "LANG": "C.UTF-8",
        "TMPDIR": str(checkout.parent),
    }
    # Commands write to /tmp in the documentation, and to a folder of their own here.
    text = "\n".join(script(page)).replace("/tmp/", f"{checkout.parent}/")
    done = subprocess.run(
        ["bash"], input=text, cwd=checkout, env=environment, text=True, timeout=120,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    output = done.stdout.replace(f"{checkout.parent}/", "/tmp/")
    for block in SHELL:
        if block.page != page or block.not_run:
            continue
        printed, ended, rest = output.partition(f"{_end(block)} ")
        assert ended, f"{block}: the shell never got there\n{output}"
        code, _, output = rest.partition("\n")
        assert int(code) == block.exit_code, f"{block}: exit code {code}\n{printed}"
        assert_shows(block.prints, printed, str(block))


def assert_shows(shown: str, printed: str, where: str) -> None:
    """Each line that is shown has been printed, in this order. `…` stands for anything, also for lines."""
    lines = iter(line.strip() for line in printed.splitlines())
    for line in filter(None, (line.strip() for line in shown.splitlines())):
        if line != "…":
            pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
            assert any(pattern.fullmatch(line) for line in lines), f"{where}: not printed: {line}\n{printed}"


def test_make_run_shows_what_the_readme_shows(capfd: pytest.CaptureFixture[str]) -> None:
    (block,) = (
        element for element in SHELL if element.page == Path("README.md") and element.text.strip() == "make run"
    )
    # A make around this test hands its own flags on, and with them lines on the folders that it enters and leaves.
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    line = ["make", "--no-print-directory", "--dry-run", "--always-make", "run"]
    recipe = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert recipe.stdout.splitlines()[-1] == f".venv/bin/{PROGRAM} demo"
    shown = next(element for element in BLOCKS if element.page == block.page and element.line > block.line)
    line = [sys.executable, "-m", "webhook.cli", "demo", "--once", "--addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert_shows(shown.text, done.stdout, str(shown))


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_says_what_it_is(block: Block) -> None:
    """Commands (sh), which are run or say why not; YAML and JSON, which can be read; else text."""
    assert block.language in ("sh", "yaml", "json", "text"), f"{block}: write ```sh, ```yaml, ```json or ```text"
    if block.language == "yaml" and block.page != RULES:
        assert [body for body in yaml.safe_load_all(block.text) if body is not None], f"{block}: nothing in it"
    if block.language == "json":
        json.loads(block.text)
    if block.language == "sh":
        done = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
        assert done.returncode == 0, f"{block}: {done.stderr}"


def flags(command: click.Command) -> set[str]:
    """The flags of a command, and of what is below it."""
    result = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)} | {"--help", "-h"}
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            result |= flags(subcommand)
    return result


def test_every_flag_that_a_command_is_given_is_one_of_its_own() -> None:
    """In blocks and in `code`, wherever the command itself is named."""
    own = {name: flags(load(name)) for name in COMMANDS}
    for page in (*PAGES, *TO_COPY):
        text = (ROOT / page).read_text().replace("\\\n", "")
        for name, rest in re.findall(rf"{PROGRAM} ({'|'.join(COMMANDS)})\b([^|`\n#]*)", text):
            given = {word.partition("=")[0] for word in rest.split() if re.match(r"--?[a-zA-Z]", word)}
            assert given - own[name] == set(), f"{page}: {PROGRAM} {name} has no {given - own[name]}"


def test_every_long_flag_that_a_page_names_exists_somewhere() -> None:
    known = set(OTHERS).union(*(flags(load(name)) for name in COMMANDS))
    for file in (ROOT / "bench").glob("*.py"):
        known |= set(re.findall(r'"(--[a-z][a-z-]+)"', file.read_text()))
    # Of the init container, in the tables of the release lines and in their example.
    known |= {row.removeprefix("flag/") for row in ROWS if row.startswith("flag/")}
    known |= {"--log-format", "--firewall-bin-path"}
    for page in PAGES:
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+(?![\w-])", (ROOT / page).read_text()))
        assert named - known == set(), f"{page} names flags that nothing has: {named - known}"


def test_every_metric_that_a_page_names_exists() -> None:
    source = "".join(file.read_text() for file in (ROOT / "webhook").rglob("*.py"))
    for page in PAGES:
        for name in re.findall(r"\b(?:linkerd_webhook|proxy_inject)_[a-z_]*[a-z]\b", (ROOT / page).read_text()):
            # Counters are exported with `_total`; those of the cache are named in two pieces.
            base = name.removesuffix("_total").removeprefix("linkerd_webhook_cache_")
            assert f'"{base}"' in source or f'"{name}"' in source, f"{page}: nothing counts {name}"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    """To a file, and to a heading in it."""
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page.parent / path).resolve() if path else ROOT / page
        assert target.exists(), f"{page}: {link}"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.relative_to(ROOT)), f"{page}: {link}"


def test_nothing_installs_the_program_from_a_package_index() -> None:
    """None has it, and whoever takes its name there could be anybody."""
    for file in (*PAGES, *TO_COPY, Path("Makefile")):
        text = (ROOT / file).read_text()
        commands = re.findall(
            rf"""(?:pip|pipx|uv|uvx)\b[^\n|`]*\b(?:install|run)\s+["']?{PROGRAM}(?![^\n]*git\+)""", text
        )
        assert not commands, f"{file}: {commands}"


def test_pages_name_only_modules_that_there_are() -> None:
    """`python -m bench.…`."""
    for page in PAGES:
        for module in re.findall(r"python -m ([a-z_.]+)", (ROOT / page).read_text()):
            assert importlib.util.find_spec(module), f"{page}: python -m {module}"


def test_the_shell_s_words_of_a_block_are_not_hidden_behind_a_prompt() -> None:
    """Commands are there to be copied."""
    for block in SHELL:
        for line in block.text.splitlines():
            assert not line.startswith("$ "), f"{block}: {shlex.quote(line)}"
