# `make demo` and `make test` need Python 3.11 to 3.13, make and a package index, nothing else.
# They make $(VENV) once, and again when the dependencies change.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2> /dev/null \
	&& echo $$python && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RELEASE := .venv-release
# Programs without a suffix are named: the tools find the rest by theirs.
SCRIPTS := scripts/acls scripts/kafka scripts/compose-check scripts/compose/aws

# Many tests start the program: without bytecode each start would compile it anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test coverage coverage-unit test-kafka test-sqs test-helm test-sdk test-observability test-traces test-console console-pictures storm lint format bench bench-sweeps mutants compose-check lint-workflows lock release

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## the whole job on the embedded broker, under a minute (ARGS="--chaos")
	@$(BIN)/genesys-streams demo $(ARGS)

test: JOBS ?= 4
test: $(READY) ## all tests but those that need Apache Kafka, moto's AWS, what Go builds, or a browser
	@$(BIN)/python -m pytest -m "not kafka and not sqs and not helm and not promtool and not browser and not traces" -rfEs -n $(JOBS) --dist worksteal $(ARGS)

coverage: JOBS ?= 3
coverage: $(READY) ## the share of the program that `make test` runs, processes included
	@mkdir -p .cache/coverage
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -m "not kafka and not sqs and not helm and not promtool and not browser and not traces" -n $(JOBS) --dist worksteal $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

# The rooms that the promises are kept in, without the tests that take long under the tracer.
ROOMS := core wire genesys kafka bridge worker
UNTRACED := core/test_bounds.py genesys/test_budget.py worker/test_any_record.py

coverage-unit: JOBS ?= 2
coverage-unit: $(READY) ## what unit tests run of core, wire, genesys, kafka, bridge and worker
	@mkdir -p .cache/coverage
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(ROOMS:%=tests/unit/%) -n $(JOBS) --dist worksteal \
		--hypothesis-profile=few --hypothesis-seed=1 $(UNTRACED:%=--ignore=tests/unit/%) $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --include="$(subst $() ,$(),$(ROOMS:%=streams/%/*,))"

# Genesys' own SDK, the version that the simulator and the regions are checked against. 170 MB, so it
# is no part of the development's dependencies; below .cache it is in nobody's way.
SDK := .cache/sdk/269.0.0

test-sdk: $(READY) $(SDK) ## the simulated Genesys Cloud against Genesys' own SDK
	@PYTHONPATH=$(SDK) $(BIN)/python -m pytest tests/sdk -rfEs $(ARGS)

$(SDK):
	@mkdir -p $(dir $(SDK))
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		--target $(SDK).partial PureCloudPlatformClientV2==$(notdir $(SDK))
	@mv $(SDK).partial $(SDK)

# Drives the browser of the system. 130 MB with a Node of its own: below .cache, as the SDK.
PLAYWRIGHT := .cache/browser/playwright-1.65.2

test-console: $(READY) $(PLAYWRIGHT) ## the operator's page in Chromium, axe's rules included (needs npm)
	@scripts/axe > /dev/null || [ $$? = 69 ] # a download is no part of a test's time limit
	@$(BIN)/python -m pytest tests/console -rfEs $(ARGS)

console-pictures: $(READY) $(PLAYWRIGHT) ## the pictures of docs/console.md
	@CONSOLE_PICTURES=$(CURDIR)/docs/images $(BIN)/python -m pytest tests/console -k pictures -rfEs

$(PLAYWRIGHT):
	@mkdir -p $(dir $(PLAYWRIGHT))
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		--target $(PLAYWRIGHT).partial playwright==$(patsubst playwright-%,%,$(notdir $(PLAYWRIGHT)))
	@mv $(PLAYWRIGHT).partial $(PLAYWRIGHT)

# Most of these tests wait for brokers and sessions, so two share the cores; of three, the storms and
# crash points beside one another take longer than a test may. A file's tests stay together, for they
# share a cluster. The files come in their own order: those of chaos have few tests and take longest,
# so at the end one of the two would have nothing to do.
test-kafka: JOBS ?= 2
test-kafka: $(READY) ## integration and chaos tests on Apache Kafka (needs Java 17 and Maven)
	@scripts/kafka-jars > /dev/null || [ $$? = 69 ] # a download is no part of a test's time limit
	@scripts/last-release > /dev/null || [ $$? = 69 ] # nor is a build
	@scripts/faketime > /dev/null || [ $$? = 69 ]
	@$(BIN)/python -m pytest --kafka -m kafka -rfEs --durations=20 -n $(JOBS) --dist loadfile \
		--no-loadscope-reorder $(ARGS)

test-sqs: $(READY) ## events over EventBridge and SQS into Kafka, on moto's AWS
	@$(BIN)/python -m pytest -m "sqs and not kafka" -rfEs $(ARGS)

test-helm: $(READY) ## the chart, rendered and held against Kubernetes' schemas (needs Go)
	@scripts/helm > /dev/null || [ $$? = 69 ] # a build is no part of a test's time limit
	@$(BIN)/python -m pytest tests/helm -rfEs $(ARGS)

test-observability: $(READY) ## alert rules and dashboards, tried with promtool (needs it, or Go)
	@scripts/promtool > /dev/null || [ $$? = 69 ] # a build is no part of a test's time limit
	@$(BIN)/python -m pytest tests/observability -m promtool -rfEs $(ARGS)

test-traces: $(READY) ## whole traces, read back out of a real store (needs Go, which builds Jaeger)
	@scripts/jaeger > /dev/null || [ $$? = 69 ] # a build is no part of a test's time limit
	@$(BIN)/python -m pytest tests/traces -rfEs $(ARGS)

storm: SECONDS ?= 1800
storm: SEED ?= 7
storm: PROGRAM ?= genesys-streams
storm: $(READY) ## kill and freeze everything, and judge (SECONDS=1800 SEED=7 PROGRAM=textbook, or ARGS="--api conversations --mixed --network")
	@scripts/kafka-jars > /dev/null
	@$(BIN)/python -m tests.chaos --seconds $(SECONDS) --seed $(SEED) --program $(PROGRAM) $(ARGS)

lint: $(READY) ## ruff, codespell, mypy --strict and cfn-lint
	@$(BIN)/ruff check . $(SCRIPTS)
	@$(BIN)/ruff format --check . $(SCRIPTS)
	@$(BIN)/codespell
	@$(BIN)/mypy
	@for script in $(SCRIPTS); do $(BIN)/mypy $$script || exit 1; done
	@$(BIN)/cfn-lint deploy/aws/cloudformation/*.yaml

format: $(READY) ## lay the code out as `make lint` wants it
	@$(BIN)/ruff check --fix . $(SCRIPTS)
	@$(BIN)/ruff format . $(SCRIPTS)

bench: $(READY) ## the worker beside its peers, some 20 minutes (ARGS="--quick --only no-calls")
	@scripts/kafka-jars > /dev/null
	@$(BIN)/python -m benchmarks.goals $(ARGS)

bench-sweeps: $(READY) ## how cost grows with keys, partitions, workers, calls, latency, slots
	@scripts/kafka-jars > /dev/null
	@$(BIN)/python -m benchmarks.sweeps $(ARGS)

mutants: $(READY) ## each guarantee's mechanism taken out once: its tests must notice (ARGS=NAME)
	@$(BIN)/python -m tests.mutants $(ARGS)

compose-check: $(READY) ## Dockerfile and composition: linted, and brought up where an engine runs
	@$(BIN)/python scripts/compose-check

COMPILE = $(BIN)/uv pip compile --universal --python-version 3.11 --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --quiet
# With the hash of every file that an index has of a version.
HASHED = $(COMPILE) --generate-hashes --constraint constraints.txt

lint-workflows: $(RELEASE)/.ready ## actionlint and zizmor on .github/workflows (needs Go)
	@$$(scripts/actionlint) .github/workflows/*.yml
	@$(RELEASE)/bin/zizmor --offline --no-progress --quiet .github/workflows

lock: UPGRADE ?= --upgrade
lock: $(READY) ## newest versions that pyproject.toml allows into constraints.txt and locks/
	@$(BIN)/python -m pip install --quiet uv
	@$(COMPILE) pyproject.toml --extra dev $(UPGRADE) --output-file constraints.txt
	@$(HASHED) pyproject.toml $(UPGRADE) --output-file locks/wheel.txt
	@$(HASHED) pyproject.toml --extra msk --extra sqs $(UPGRADE) --output-file locks/image.txt
	@$(HASHED) --group pyproject.toml:release $(UPGRADE) --output-file locks/release.txt

release: $(RELEASE)/.ready ## sdist and wheel in dist/packages, what is in them in dist/about; publishes nothing
	@$(RELEASE)/bin/python -m release

$(RELEASE)/.ready: locks/release.txt
	@$(PYTHON) -m venv --clear $(RELEASE)
	@$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(READY): pyproject.toml constraints.txt
	@[ -n "$(PYTHON)" ] || { echo "no Python 3.11, 3.12 or 3.13 found; name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
