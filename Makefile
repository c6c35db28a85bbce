# Everything sets itself up: `make demo` and `make test` work on a fresh Debian 12.
#
#   make demo     show it in a lab of network namespaces (as root; without, over a generated capture)
#                 KEEP=1 stays up afterwards, DEMO_FAST=1 is shorter
#   make test     run all tests
#   make e2e      the same scenarios against real etcd, kube-apiserver and kube-vip, where their paths are given
#   make check    linters, type checker, layering
#   make generate write anew what is made from other files: references, Kubernetes resources, dashboards
#   make dist     the packages of a release, in build/dist
#   make sbom     what they consist of, in CycloneDX
#   make fuzz     look for input that breaks a parser, SECONDS_EACH (600) for each of them
#   make mutants  change the core in thousands of ways and look whether a test notices
#   make bench    measure, side by side, what the documentation claims
#   make lock     resolve the dependencies anew

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --no-header
# Tests that compute more than they wait: they run beside the others, in what these leave of the processor. Those live by
# the clock.
APART := tests/alerts tests/bench tests/cli tests/cluster tests/dashboards tests/deploy/chart tests/deploy/image \
	tests/deploy/release tests/faults tests/mutation tests/publish/html tests/publish/page tests/publish/report tests/soak \
	tests/test_lean_import.py tests/vip tests/fuzz

.PHONY: demo test e2e check generate dist sbom fuzz mutants bench lock

demo: $(VENV)/run.stamp
	@if [ "$$(id -u)" = 0 ]; then ./requirements/debian.sh iproute2:ip; fi
	@$(BIN)/python -m exporter demo

test: $(VENV)/dev.stamp
	@./requirements/debian.sh iproute2:ip util-linux:setpriv openssl:openssl curl:curl \
		chromium:chromium fonts-liberation:/usr/share/fonts/truetype/liberation systemd:/lib/systemd/systemd procps:/bin/kill \
		podman:podman crun:crun mmdebstrap:mmdebstrap
	@./requirements/debian.sh --unpack build/debian prometheus:usr/bin/promtool prometheus-alertmanager:usr/bin/amtool
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	@mkdir -p build; nice -n 19 $(BIN)/python -m pytest $(APART) >build/apart.log 2>&1 & apart=$$!; \
	trap 'kill $$apart' INT TERM; \
	$(BIN)/python -m pytest $(addprefix --ignore=,$(APART)); clock=$$?; \
	wait $$apart; computing=$$?; \
	if [ $$computing = 0 ]; then tail -n 1 build/apart.log; else cat build/apart.log; fi; exit $$((clock | computing))
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

dist: $(VENV)/dev.stamp
	rm -rf build/dist
	$(BIN)/python -m hatchling build -d build/dist

sbom: $(VENV)/dev.stamp
	@mkdir -p build
	$(BIN)/python -m release.sbom build/sbom.cdx.json

fuzz: $(VENV)/dev.stamp
	$(BIN)/python -m tests.fuzz $(or $(SECONDS_EACH),600)

mutants: $(VENV)/dev.stamp
	nice -n 19 $(BIN)/python -m tests.mutation $(ARGS)

bench: $(VENV)/dev.stamp
	@./requirements/debian.sh iproute2:ip util-linux:setpriv
	@./requirements/debian.sh --unpack build/debian arpwatch:usr/sbin/arpwatch arpalert:usr/sbin/arpalert \
		tcpdump:usr/bin/tcpdump libpcap0.8:usr/share/doc/libpcap0.8 libdbus-1-3:usr/share/doc/libdbus-1-3
	$(BIN)/python -m bench

lock: $(VENV)/dev.stamp
	$(LOCK) pyproject.toml --output-file requirements/run.txt
	$(LOCK) pyproject.toml --group dev --output-file requirements/dev.txt
	$(LOCK) --group build --output-file deploy/image/build.txt

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
