# Everything sets itself up: `make demo` and `make test` work on a fresh Debian 12.
#
#   make demo     show it in a lab of network namespaces (as root; without, over a generated capture)
#                 KEEP=1 stays up afterwards, DEMO_FAST=1 is shorter
#   make test     run all tests
#   make e2e      the same scenarios against real etcd, kube-apiserver and kube-vip, where their paths are given
#   make check    linters, type checker, layering
#   make generate write anew what is made from other files: references, Kubernetes resources, dashboards
#   make bench    measure, side by side, what the documentation claims
#   make lock     resolve the dependencies anew

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Tests that only compute: several at once take nothing from each other. The rest lives by the clock, and runs alone.
APART := tests/alerts tests/cli tests/cluster tests/dashboards tests/publish/html tests/publish/page \
	tests/publish/report tests/vip

.PHONY: demo test e2e check generate bench lock

demo: $(VENV)/run.stamp
	@if [ "$$(id -u)" = 0 ]; then ./requirements/debian.sh iproute2:ip; fi
	@$(BIN)/python -m exporter demo

test: $(VENV)/dev.stamp
	@./requirements/debian.sh iproute2:ip util-linux:setpriv openssl:openssl curl:curl \
		chromium:chromium fonts-liberation:/usr/share/fonts/truetype/liberation
	@./requirements/debian.sh --unpack build/debian prometheus:usr/bin/promtool prometheus-alertmanager:usr/bin/amtool
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	$(BIN)/python -m pytest --numprocesses 2 $(APART)
	$(BIN)/python -m pytest $(addprefix --ignore=,$(APART))
endif

e2e: $(VENV)/dev.stamp
	@./requirements/debian.sh iproute2:ip util-linux:unshare openssl:openssl
	$(BIN)/python -m pytest tests/real/scenarios.py $(ARGS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

generate: $(VENV)/dev.stamp
	$(BIN)/python -m docs.generate

bench: $(VENV)/dev.stamp
	@./requirements/debian.sh iproute2:ip
	$(BIN)/python -m bench

lock: $(VENV)/dev.stamp
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-header \
		pyproject.toml --output-file requirements/run.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-header \
		pyproject.toml --group dev --output-file requirements/dev.txt

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vip-exporter needs Python 3.11 or later")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || ./requirements/debian.sh python3-venv
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: $(BIN)/python requirements/run.txt
	$(PIP) install --require-hashes --requirement requirements/run.txt
	@touch $@

$(VENV)/dev.stamp: $(BIN)/python requirements/dev.txt pyproject.toml
	$(PIP) install --require-hashes --requirement requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/run.stamp
