# Everything that the project needs is installed into .venv from the lock files in requirements/.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run test check lint types unit lock docs chart image wheel sbom mutants bench clean

run: $(VENV)/.run ## serve with built-in settings, and show what three sample Pods become
	$(BIN)/linkerd-webhook demo

test: override PYTEST_ARGS += --cov --cov-report=
test: check unit ## everything: style, types, contracts, all tests, and how much of the program they run

check: lint types ## style, types and the contract between the rooms

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

unit: $(VENV)/.dev ## only tests: make unit PYTEST_ARGS=tests/unit/policy
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lock: $(VENV)/.dev ## resolve the dependencies anew
	$(PIP) install uv
	set -e; for each in "pyproject.toml:run" "--group build:build" "pyproject.toml --group dev -c requirements/run.txt:dev" \
	  "--group mutants -c requirements/dev.txt:mutants"; do \
	  $(BIN)/uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate $${each%:*} -o requirements/$${each##*:}.txt; done

docs: $(VENV)/.dev ## write docs/rules.md, docs/commands.md and the tables of docs/release-lines.md and docs/checks.md anew
	$(BIN)/python -m webhook.lint.rules > docs/rules.md
	$(BIN)/python -m webhook.cli.document > docs/commands.md
	$(BIN)/python -m webhook.mesh.table docs/release-lines.md
	$(BIN)/python -m webhook.diagnosis.check.document docs/checks.md

chart: $(VENV)/.dev ## write deploy/chart, deploy/alerts and deploy/grafana anew
	$(BIN)/python -m webhook.install.chart deploy/chart
	$(BIN)/python -m webhook.install.monitoring.files deploy

# The base image, with its digest where it matters; the version is pyproject.toml's.
BASE ?= python:3.13-slim
IMAGE ?= linkerd-webhook
DOCKER ?= docker
version = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

image: ## the container image: make image IMAGE=… BASE=python:3.13-slim@sha256:…
	$(DOCKER) build --build-arg PYTHON=$(BASE) --build-arg VERSION=$(version) \
	  --build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null) --tag $(IMAGE):$(version) .

wheel: $(VENV)/.run ## dist/*.whl: the same files give the same bytes
	$(BIN)/python -m hatchling build -t wheel

sbom: $(VENV)/.run ## dist/sbom.cdx.json: what is locked in requirements/run.txt, as CycloneDX
	$(BIN)/python requirements/sbom.py requirements/run.txt pyproject.toml dist/sbom.cdx.json

# Small changes of the modules that pyproject.toml names, and whether a test notices each. All of them take some hours:
# MUTANTS="webhook.server.admission*" makes it minutes. `mutmut results` lists what nobody noticed, `mutmut show` it.
mutants: $(VENV)/.dev ## mutation tests, one process at a time: make mutants MUTANTS="webhook.kube.lease*"
	$(PIP) install --require-hashes -r requirements/mutants.txt
	nice $(BIN)/mutmut run --max-children 1 $(MUTANTS)
	$(BIN)/mutmut results

bench: $(VENV)/.dev ## what it costs, beside a floor in the same run (needs a few minutes and a quiet machine)
	$(BIN)/python -m bench.throughput
	$(BIN)/python -m bench.cold
	$(BIN)/python -m bench.memory

clean:
	rm -rf $(VENV) build dist mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt requirements/build.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/build.txt -r requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(PIP) install --require-hashes -r requirements/dev.txt
	touch $@
