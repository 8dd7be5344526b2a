.DEFAULT_GOAL := check
.DELETE_ON_ERROR:

ARCH ?= $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
PORT ?= 3000
HOST ?= 127.0.0.1
EXAMPLES ?= 10000

PYTHON := .venv/bin/python
BUILT := .aws-sam/$(ARCH).built
COMPILE := .uv/bin/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --python-version 3.13
# The architecture that `sam deploy --guided` has written down, or the template's default.
STACK_ARCH = $(or $(shell sed -n 's/.*Architecture=[\\"]*\(arm64\|x86_64\).*/\1/p' samconfig.toml | head -n 1),arm64)

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0

.PHONY: check run test fuzz build deploy lint format lock clean help

check: lint test ## everything that CI checks (the default)

run: .venv/ready ## the whole service on this machine, with seeded data (PORT=3000, HOST=127.0.0.1)
	@$(PYTHON) -m tools.local --port $(PORT) --host $(HOST)

test: build ## the whole test suite, with branch coverage
	$(PYTHON) -m pytest

fuzz: build ## the properties and the contract, by many new examples (EXAMPLES=10000 of each)
	EXAMPLES=$(EXAMPLES) $(PYTHON) -m pytest -m fuzz --hypothesis-profile=fuzz --no-cov

build: $(BUILT) ## the deployable artifact in .aws-sam/build (ARCH=x86_64 or arm64; default: this machine's)

deploy: ## build for the stack's architecture and deploy it (the first time: sam deploy --guided)
	@$(MAKE) build ARCH=$(STACK_ARCH)
	sam deploy

lint: .venv/ready ## style, format, types, template
	ruff check .
	ruff format --check .
	mypy
	sam validate --lint
	cfn-lint

format: .venv/ready ## mend what can be mended by itself
	ruff check --fix .
	ruff format .

lock: .venv/ready ## renew the locks from pyproject.toml
	$(COMPILE) --upgrade --group dev pyproject.toml -o requirements-dev.txt
	$(COMPILE) --upgrade -c requirements-dev.txt pyproject.toml -o layers/dependencies/requirements.txt

clean: ## remove what was built and installed
	rm -rf .venv .uv .aws-sam .mypy_cache .pytest_cache .ruff_cache .coverage

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 10

# Without bytecode every cold start compiles each module anew: Lambda's file system is read-only.
$(BUILT): .venv/ready template.yaml layers/dependencies/requirements.txt $(shell find functions layers -name '*.py')
	@rm -f .aws-sam/*.built
	sam build --parameter-overrides Architecture=$(ARCH)
	$(PYTHON) -m compileall -q -j 0 --invalidation-mode unchecked-hash .aws-sam/build
	@touch $@

.uv/ready: requirements-uv.txt
	python3 -m venv .uv
	.uv/bin/pip install --quiet --require-hashes -r requirements-uv.txt
	@touch $@

# The two folders stand on the path as Lambda puts them there: the root, and the layer's.
.venv/ready: .uv/ready requirements-dev.txt .python-version
	.uv/bin/uv venv --quiet --clear --seed .venv
	.uv/bin/uv pip sync --quiet --python .venv --require-hashes requirements-dev.txt
	@printf '%s\n' '$(CURDIR)' '$(CURDIR)/layers/signing' > "$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth"
	@touch $@
