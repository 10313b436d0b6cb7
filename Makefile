# The few commands of this repository. Needs Python ≥ 3.11 with venv, and nothing else; Node comes from a wheel when it is missing.
PYTHON ?= python3
TEST_PROCESSES ?= 3
VENV := .venv
BIN := $(VENV)/bin
PEERS_ARGS ?= -t product,ref-full,ref-picows-durable,node-ws-durable,socketio -r 5

.PHONY: run build test chaos mask-report peers growth bench-check record-bench import-report search-report search-bench seal-report screenshots check format clean lock

run: $(VENV)/installed ## Start everything on http://127.0.0.1:8000
	@exec $(BIN)/chatserver serve

build: $(VENV)/installed ## Build the pages into chatserver/web/static
	$(BIN)/python scripts/build_pages.py

test: $(VENV)/developer ## Unit, contract, integration and browser tests
	@sh scripts/ensure_chromium.sh
	$(BIN)/python scripts/build_pages.py
	$(BIN)/pytest --numprocesses $(TEST_PROCESSES) --no-loadscope-reorder

chaos: $(VENV)/developer ## Break everything at random for nine minutes, and check the guarantee (tests/chaos/README.md)
	$(BIN)/python -m tests.chaos --minutes 9

mask-report: $(VENV)/developer ## How much of what is secret is masked and of what is not stays; writes mask-report.svg (docs/security.md)
	$(BIN)/python -m bench.masking.report --plot mask-report.svg

peers: $(VENV)/installed ## Measure against other servers of its kind: make peers PEERS=folder of the harness (docs/performance.md)
	@test -x "$(PEERS)/run.sh" || { echo "make peers needs PEERS=FOLDER, the folder of the peers harness (with run.sh)"; exit 1; }
	PEERS_PRODUCT=$(CURDIR)/bench/peers_adapter.py "$(PEERS)/run.sh" $(PEERS_ARGS)

growth: $(VENV)/developer ## How costs grow with chats, entries, clients at once, watchers: growth/growth.html
	$(BIN)/python -m bench.growth $(GROWTH_ARGS)

bench-check: $(VENV)/developer ## Has a message become more expensive? A ratio to a bare relay, in under a minute
	$(BIN)/python -m bench.check

record-bench: $(VENV)/developer ## The record on SQLite and PostgreSQL in turn: entries/s, time of a search (bench/record.py)
	$(BIN)/python -m bench.record

import-report: $(VENV)/developer ## Messages a second that an import takes in, by the form of the file (docs/importing.md)
	$(BIN)/python -m bench.imports

seal-report: $(VENV)/developer ## Alter and lawfully redact a thousand transcripts each: what the seals catch, and what passes
	$(BIN)/python -m bench.seals

search-report: $(VENV)/developer ## How well the search finds, by kind of question, on both engines; 10,000 odd queries: search-report/report.html
	$(BIN)/python -m bench.search.report --held --odd 10000 --page search-report/report.html

search-bench: $(VENV)/developer ## The search over a million entries on both engines; the records are kept in search-bench/
	$(BIN)/python -m bench.search.scale $(SEARCH_ARGS)

screenshots: $(VENV)/developer ## Take the pictures of the README anew
	$(BIN)/pytest tests/e2e/test_whole_chat.py -k whole --screenshots docs/images

check: $(VENV)/developer ## Lint, types, imports; the pages' types and tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/build_pages.py --check

format: $(VENV)/developer
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lock: $(VENV)/developer ## Write the lock files anew (never with addresses)
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --all-extras --group dev --output-file requirements-dev.lock pyproject.toml

clean:
	rm -rf $(VENV) node_modules chatserver/web/static

# Installed editable, so that a changed file counts at the next start. The pages are built by the same hook as in the wheel.
$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "chatserver needs Python 3.11 or newer"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/developer: $(VENV)/installed requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
