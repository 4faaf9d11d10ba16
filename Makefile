# The two commands of a newcomer are `make run` and `make test`; both make and fill .venv. The rest is theirs.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.filled
# Two at a time, file by file; what runs a fleet or measures on a fast clock has the machine for itself.
PAIRED = $(BIN)/pytest -q -n 2 --dist loadfile
# Two control planes side by side: these tests mostly wait.
E2E = $(PAIRED) -m e2e --timeout 300 tests/e2e tests/kube
export NUMBA_CACHE_DIR := $(CURDIR)/.cache/numba
.PHONY: run test check e2e control-plane format clean
.DEFAULT_GOAL := help

help:
	@echo "make run     watch the autoscaler follow real traffic, on this machine, without a cluster or a GPU"
	@echo "make test    everything that must hold: make check, then the tests with real processes"
	@echo "make e2e     the tests against a real Kubernetes API server and HPA, which the first run builds"
	@echo "make check   the fast gate: format, lint, types, import contracts, unit and property tests"

$(STAMP): pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv -q --allow-existing --python $(PYTHON) .venv && uv pip install -q --python $(BIN)/python -e '.[dev]'; \
	else \
	  $(PYTHON) -m venv .venv && $(BIN)/pip install -q --disable-pip-version-check -e '.[dev]'; \
	fi
	@echo "compiling the engine once (about 10 s) ..."
	@$(BIN)/llmd-autoscaler warm
	@touch $@

run: $(STAMP)
	@$(BIN)/llmd-autoscaler local $(ARGS)

check: $(STAMP)
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .
	$(PAIRED) -m "not slow and not e2e"

test: check control-plane
	$(PAIRED) -m "slow and not fleet and not e2e" --timeout 300
	$(BIN)/pytest -q -m "fleet and not e2e" --timeout 300
	$(E2E)

e2e: $(STAMP) control-plane
	$(E2E)

# Built once a machine, about 6 minutes; without Go its tests are skipped, and say so.
control-plane:
	@tests/controlplane/build.sh >/dev/null || echo "NOT TESTED against a real Kubernetes: see the line above"

format: $(STAMP)
	$(BIN)/ruff format -q .
	$(BIN)/ruff check -q --fix .

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
