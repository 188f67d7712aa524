# Needs Python 3.11 or newer, git and make; everything else comes by itself, into this folder.
.DEFAULT_GOAL := help
.PHONY: help demo run test contracts lint install lock bench-catalogue

export UV_PYTHON_PREFERENCE := only-system
export UV_PYTHON_DOWNLOADS := never
PYTHON := .venv/bin/python

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

install:
	@uv=$$(sh dev/bootstrap.sh) && { [ -x $(PYTHON) ] || $$uv venv --quiet .venv; } \
		&& $$uv pip sync --quiet --require-hashes --python $(PYTHON) requirements-dev.txt

## make lock   write the exact versions anew after a change of pyproject.toml (ARGS=--upgrade for newer ones)
lock:
	@uv=$$(sh dev/bootstrap.sh) \
		&& $$uv pip compile $(LOCK) pyproject.toml --output-file requirements.txt $(ARGS) \
		&& $$uv pip compile $(LOCK) pyproject.toml --group dev --constraint requirements.txt --output-file requirements-dev.txt $(ARGS)

LOCK := --quiet --universal --generate-hashes --no-header --no-annotate

## make demo   the whole story on http://127.0.0.1:8000 (PORT=… moves it, RESET=1 starts fresh)
demo: install
	@$(PYTHON) -m dev.machine demo
	@exec $(PYTHON) -m dev.demo

## make run    the same for a developer's day: DEBUG on, the site reloads when a file changes
run: install
	@$(PYTHON) -m dev.machine demo
	@exec $(PYTHON) -m dev.demo --reload

## make test   the whole suite, browser journeys included
test: install
	@$(PYTHON) -m dev.machine
	@exec $(PYTHON) -m pytest -n 2 --durations=15 $(ARGS)

## make contracts   of these, those that talk to a simulator: each exchange is judged by its contract
contracts: install
	@$(PYTHON) -m dev.machine
	@exec $(PYTHON) -m pytest -n 2 --dist loadgroup -rs -m contract $(ARGS)

## make lint   style, layers, templates, Docker's files, types, migrations, Django's deployment checks
lint: install
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports
	git ls-files -z 'templates/**.html' 'templates/**.txt' | xargs -0 .venv/bin/djade --check --target-version 5.2
	.venv/bin/hadolint Dockerfile
	.venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	$(SETTINGS) .venv/bin/mypy
	$(SETTINGS) $(PYTHON) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(SETTINGS) $(PYTHON) manage.py check --deploy --fail-level WARNING

## make bench-catalogue   SIZE books (1500000) made up, imported and searched; the table goes to bench/
bench-catalogue: install
	@exec $(PYTHON) -m bench.catalogue

# A shop as it would be for real; no database is touched.
SETTINGS := env -u DEBUG SITE_URL=https://commandes.dlivre.example DATABASE_URL=postgres://nobody@127.0.0.1:1/nothing \
	SECRET_KEY=e8Jq3vZ0yX1rT5uW7nB9mK2hG4fD6sA8pL0oI3cVzQxEwRtYuIoPaSdFgHjKlMn
