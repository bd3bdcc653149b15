# Every chore of this project. `make` lists them; each line below that has ## after it is one.
# ARGS reaches pytest:  make test ARGS="tests/embedded -x"

PYTHON := .venv/bin/python
# A file's tests stay in one process: they share a browser, a portal, a cloud.
# Files begin in the order in which tests/conftest.py puts them: the long ones first, so that none is left to the end.
PARALLEL := --numprocesses=auto --maxprocesses=8 --dist=loadfile --no-loadscope-reorder
CODE := $(wildcard portal defender audit accounts tenants incidents api sandbox embedded demo tests)
COMPILE := $(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header

.DEFAULT_GOAL := help
.PHONY: help demo test test-short coverage isolation isolation-cost mutants soak soak-short soak-bugs soak-outbox bench payloads audit-million crash-points lint format types migrations-check lock browser stop clean bootstrap-dev
.SILENT:

help: ## list these chores
	awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## try the portal out on this machine, with a made-up cloud; Ctrl-C ends it
	bin/bootstrap local && exec $(PYTHON) manage.py demo $(ARGS)

test: bootstrap-dev ## run all tests, in as many processes as there are cores (ARGS="…" goes to pytest)
	exec $(PYTHON) -m pytest $(PARALLEL) $(ARGS)

test-short: bootstrap-dev ## run the tests that also prove themselves on servers given by DATABASE_URL and REDIS_URL
	exec $(PYTHON) -m pytest $(PARALLEL) -m short $(ARGS)

coverage: bootstrap-dev ## run all tests and tell what they do not reach (15 minutes at most)
	exec $(PYTHON) -m tests.covered $(PARALLEL) $(ARGS)

isolation: bootstrap-dev ## prove that tenants are kept apart, and count what was looked at
	exec $(PYTHON) -m tests.isolation $(ARGS)

isolation-cost: bootstrap-dev ## what row-level security costs the queue and its search (3 minutes at most)
	exec $(PYTHON) -m tests.isolation.cost $(ARGS)

mutants: bootstrap-dev ## break the walls between tenants one by one; tests must notice (13 minutes at most)
	exec $(PYTHON) -m tests.isolation.mutants $(ARGS)

soak: bootstrap-dev ## a thousand tenants under fire and two thousand changes, and nothing lost (18 minutes at most; ARGS="--seed 7")
	$(PYTHON) -m tests.soak $(ARGS)
	$(PYTHON) -m tests.soak.outbox

soak-short: bootstrap-dev ## the same with fewer tenants and changes (5 minutes at most)
	$(PYTHON) -m tests.soak --tenants 150 --seconds 60 --limit 175 $(ARGS)
	$(PYTHON) -m tests.soak.outbox --actions 160 --tenants 4 --limit 120

soak-bugs: bootstrap-dev ## five bugs, one after the other, that a soak must catch
	exec $(PYTHON) -m tests.soak --bug each --tenants 200 --seconds 60 $(ARGS)

payloads: bootstrap-dev ## store ten thousand damaged incidents; figures in .local/payloads.json (ARGS="--seed 7")
	exec $(PYTHON) -m tests.hostile $(ARGS)

audit-million: bootstrap-dev ## make and verify an audit log of a million rows; figures in .local/audit-million.json
	exec $(PYTHON) -m tests.audit $(ARGS)

crash-points: bootstrap-dev ## kill a worker twenty times at every step of a pass; figures in .local/crash-points.json
	exec $(PYTHON) -m tests.crash $(ARGS)

soak-outbox: bootstrap-dev ## the changes alone, carried to the sandbox while workers are killed (10 minutes at most; ARGS="--actions 160 --tenants 4")
	exec $(PYTHON) -m tests.soak.outbox $(ARGS)

bench: bootstrap-dev ## what the sync and the pages cost beside other ways (20 minutes at most; ARGS="--quick", SIZE=5M)
	exec $(PYTHON) -m tests.bench $(ARGS)

lint: bootstrap-dev ## find slips in code and templates
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	if [ -d templates ]; then $(PYTHON) -m djlint --lint --quiet templates; fi

format: bootstrap-dev ## put code into the project's format
	$(PYTHON) -m ruff check --fix-only --quiet .
	$(PYTHON) -m ruff format .

types: bootstrap-dev ## check types, strictly
	PORTAL_ENV=test $(PYTHON) -m mypy $(CODE)

migrations-check: bootstrap-dev ## fail if a model changed without a migration
	PORTAL_ENV=local $(PYTHON) manage.py makemigrations --check --dry-run

lock: bootstrap-dev ## compile the four lock files from requirements*.in
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-local.in -o requirements-local.txt
	$(COMPILE) requirements-vault.in -o requirements-vault.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt

browser: ## say how to get the browser that the browser tests drive
	if command -v chromium || command -v chromium-browser || command -v google-chrome; then \
		echo "This browser is there: the browser tests will use it."; \
	else \
		echo "The browser tests need Chromium; without it they are skipped. On Debian:  apt-get install chromium"; \
	fi

stop: ## stop the embedded servers, whoever uses them
	if [ -x $(PYTHON) ]; then \
		$(PYTHON) -m embedded --stop; \
		$(PYTHON) -m embedded --stop --data-dir .local/test; \
	fi

clean: stop ## remove .venv, the embedded servers' data and all caches (.env stays)
	rm -rf .venv .local staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

bootstrap-dev:
	bin/bootstrap dev
