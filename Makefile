# Graftwork: everything a person types. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
SEEDS ?= 20
BIN := $(VENV)/bin
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM = false
unexport PYTHONDONTWRITEBYTECODE   # else each process compiles all that it imports: twice the CPU of a start

.PHONY: help install mutation journeys nightly demo up test check hostile fmt lint types contracts generate published lock simulate bench load soak chaos chaos-mutations streams sbom audit clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(VENV)/.installed ## the locked packages into .venv (uv where it is present, else pip)

$(VENV)/.installed: requirements.lock pyproject.toml deploy/install.sh
	@PYTHON="$(PYTHON)" deploy/install.sh "$(VENV)"

demo: install ## the main job: raw reviews to a promoted adapter, a canary promoted, a bad one rolled back
	@$(BIN)/graftwork demo $(if $(TASK),--task $(TASK)) $(ARGS)

up: install ## everything on this machine: API, reconciler, reactions, workers, gateways
	@$(BIN)/graftwork up $(ARGS)

test: install ## the tests, two files at a time; it lists what it skips (nightly ones too: ARGS=--whole)
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: install lint types contracts ## format, lint, types, import contracts, fast tests
	@$(BIN)/python -m pytest -q -m "not slow and not kafka and not postgres and not e2e and not browser" $(ARGS)

lint: install
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: install
	@$(BIN)/mypy

contracts: install
	@$(BIN)/lint-imports

fmt: install ## format and fix
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

generate: install ## AsyncAPI, JSON Schema, OpenAPI, and the tables of docs/limits.md and docs/reference.md from the code
	@$(BIN)/python -m schemas.asyncapi
	@$(BIN)/python -m controlplane.api.openapi
	@$(BIN)/python -m deploy.reference_tables
	@$(BIN)/python -m deploy.limits

published: install ## what we publish, judged by others: AsyncAPI's own parser (needs npm) and OpenAPI's validator
	@cd deploy/asyncapi && npm ci --silent --no-fund --no-audit --ignore-scripts
	@node deploy/asyncapi/check.mjs schemas/generated/asyncapi.json
	@$(BIN)/python -m pytest -q tests/contract/test_published.py tests/contract/test_schemas.py \
	  tests/integration/serve/test_gateway_http.py -k 'published or valid or generated'

simulate: install ## the canary policy in imagined worlds (ARGS="--scenario equal --runs 100")
	@$(BIN)/graftwork simulate docs/canary-policy.yaml $(ARGS)

bench: install ## every number that we publish, as a ratio against its alternative (`make bench ARGS="--only relay"`)
	@$(BIN)/python -m tests.trials.bench $(ARGS)

load: install ## open-loop load on a system of its own; ARGS="--rate 60 --seconds 60 --topology kafka"
	@$(BIN)/python -m tests.trials.load $(ARGS)

chaos: install ## kills, stops and restarts every part, cuts gateways off, fills the store: SEEDS rounds on each topology
	@status=0; for topology in kafka embedded; do \
	  $(BIN)/python -m tests.trials.chaos --topology $$topology --seeds $(SEEDS) $(ARGS) || status=$$?; done; exit $$status

chaos-mutations: install ## spoils the design in seventeen ways; ordinary chaos rounds have to see each (ARGS="--name …")
	@$(BIN)/python -m tests.trials.chaos.mutations --docs docs/chaos-mutations.md --out docs/chaos-mutations.json $(ARGS)

streams: install ## ten thousand streamed answers, callers who hang up, gateways and API killed: each is counted once (ARGS="--seed 2")
	@$(BIN)/python -m tests.trials.streams $(ARGS)

soak: install ## ten minutes of mixed load, and whether memory and tables stay flat; TOPOLOGY=kafka SECONDS=600
	@$(BIN)/python -m tests.trials.load.soak --topology $(or $(TOPOLOGY),embedded) --seconds $(or $(SECONDS),600) $(ARGS)

mutation: install ## edits the code that matters most in thousands of ways; the tests have to see nine of ten
	@nice $(BIN)/python -m tests.trials.mutation $(ARGS)

journeys: install ## tests that CI leaves to the night: journeys of minutes, and every benchmark that CI runs by turns
	@$(BIN)/python -m pytest -q --whole -m "nightly or by_turns" $(ARGS)

nightly: ## what does not fit into CI: long journeys, chaos and streams, the whole hostile campaigns, all imagined worlds, mutation testing
	@status=0; for target in journeys chaos streams hostile simulate mutation; do $(MAKE) $$target || status=$$?; done; exit $$status

sbom: install ## what we ship, as CycloneDX: sbom.cdx.json
	@$(BIN)/python -m deploy.sbom

audit: install ## known vulnerabilities of the locked packages, where advisories are reachable (needs uv)
	@$(BIN)/python -m deploy.audit

hostile: install ## ten thousand strangers' requests and events each, on SQLite and PostgreSQL
	@status=0; for campaign in "http --database sqlite" "events --database sqlite" \
	  "http --database postgres" "events --database postgres" "events --doors http" "http --target gateway --cases 2000"; do \
	  $(BIN)/python -m tests.trials.hostile $$campaign $(ARGS) || status=$$?; done; exit $$status

lock: ## requirements.lock from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra all --group dev --universal --generate-hashes --python-version 3.11 \
	  --no-emit-index-url --no-annotate --no-header -q -o requirements.lock

clean: ## the virtual environment, and the demo's data; what `make up` made stays
	rm -rf $(VENV)
	@if [ -e .graftwork/this-is-a-demo ]; then rm -rf .graftwork; fi
