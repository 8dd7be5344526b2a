.DEFAULT_GOAL := check
.DELETE_ON_ERROR:

ARCH ?= $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x86_64)
PORT ?= 3000
HOST ?= 127.0.0.1
PROVIDER ?= static
EXAMPLES ?= 10000
RUNS ?= 5

PYTHON := .venv/bin/python
SUITE := $(PYTHON) -m pytest --numprocesses auto --dist loadgroup
# Coverage slows tests down. It is measured where the functions run in the tests' own process.
COVERED := tests/service/unit tests/service/integration
BUILT := .aws-sam/$(ARCH).built
PACKAGE := .aws-sam/certificates-$(ARCH)
OTHER_ARCH = $(filter-out $(ARCH),arm64 x86_64)
PEERS := floor textbook textbook-best
# No source distributions: their build tools are not locked.
LOCKED := --quiet --require-hashes --only-binary :all:
# The same for the pip that `sam build` runs: it would otherwise check no hashes of wheels for another architecture, and
# sam would build each wheel again whose local path pip mentions.
SAM_LOCKED = PIP_QUIET=1 PIP_REQUIRE_HASHES=1 PIP_ONLY_BINARY=:all: PIP_PLATFORM=manylinux2014_$(ARCH:arm64=aarch64)
COMPILE := .uv/bin/uv pip compile --quiet --universal --generate-hashes --only-binary :all: --no-annotate --no-header \
  --python-version 3.13
# The stack to deploy: a table of samconfig.toml. Not from the environment, where ENV names the shell's start-up file.
ENV := default
# The user's answers to `sam deploy --guided`, and how to print those of this stack.
CONFIG := samconfig.local.toml
ANSWERS = awk '/^\[/ { wanted = index($$0, "[$(ENV).deploy.parameters") } wanted' $(CONFIG)
DEPLOY = sam deploy --config-file $(CONFIG) --config-env $(ENV)
# The architecture that they name; before there are any, an ARCH given to make, or the template's default.
STACK_ARCH = $(or $(shell $(ANSWERS) | sed -n 's/.*Architecture *= *[\\"]*\(arm64\|x86_64\).*/\1/p' | head -n 1),$(if \
  $(filter file,$(origin ARCH)),arm64,$(ARCH)))

VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
LATEST = $(shell sed -n 's/^\#\# \[\([0-9].*\)\] - .*/\1/p' CHANGELOG.md | head -n 1)

# The user's environment decides where packages come from, but not how they are installed or how Python runs.
SOURCES := %INDEX %INDEX_URL %MANAGED_PYTHON %TIMEOUT CACHE_DIR CERT CLIENT_CERT CONFIG_FILE FIND_LINKS HTTP% INDEX_% \
  INSECURE_HOST KEYRING_PROVIDER NATIVE_TLS OFFLINE PROXY RETRIES SYSTEM_CERTS TRUSTED_HOST USE_DEPRECATED USE_FEATURE
KEPT := $(addprefix PIP_,$(SOURCES)) $(addprefix UV_,$(SOURCES) PYTHON_%)
unexport $(filter-out $(KEPT),$(filter PIP_% UV_% PYTHON%,$(.VARIABLES)))

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0

.PHONY: check run unit test stress fuzz mutants sam-local build package deploy deploy-local smoke bench docs lint format lock \
  release clean help

check: lint test ## run everything that CI checks (the default)

run: .venv/ready ## run the whole service on this machine, with seeded data (PORT=3000, HOST=127.0.0.1, PROVIDER=static or oauth)
	@$(PYTHON) -m develop.local --port $(PORT) --host $(HOST) --provider $(PROVIDER)

unit: .venv/ready ## run the unit tests alone, without a build
	$(PYTHON) -m pytest --numprocesses auto tests/service/unit

test: package .ministack/ready ## run the whole test suite, and measure branch coverage
	$(SUITE) --cov --cov-report=term-missing:skip-covered $(COVERED)
	$(SUITE) --durations=10 $(COVERED:%=--ignore=%)

stress: package .ministack/ready ## run the suite in random order beside two busy processes, until a run fails (RUNS=5)
	@yes >/dev/null & first=$$!; yes >/dev/null & trap "kill $$first $$!" EXIT; for run in $$(seq $(RUNS)); do \
	  $(SUITE) -p randomly || exit; \
	done

fuzz: build ## test the properties and the contract with many new examples (EXAMPLES=10000 of each)
	EXAMPLES=$(EXAMPLES) $(PYTHON) -m pytest -m fuzz

mutants: .venv/ready ## change the code in 3,000 small ways, one at a time: a test should fail for each (hours)
	@$(PYTHON) -m develop.checks.mutants
	cd .mutants && mutmut run && mutmut results && mutmut export-cicd-stats && cat mutants/mutmut-cicd-stats.json

sam-local: build ## send every event through sam local invoke; needs Docker (minutes)
	@$(PYTHON) -m develop.checks.sam_local

build: $(BUILT) ## build the deployable artifact in .aws-sam/build (ARCH=x86_64 or arm64; default: this machine's)

bench: build $(PEERS:%=.aws-sam/bench/%.ready) ## compare the cost with other ways to build it (python -m develop.bench --help)
	@$(PYTHON) -m compileall -q $(foreach package,awslambdaric simplejson snapshot_restore_py.py,.venv/lib/python3.13/site-packages/$(package))
	@$(PYTHON) -m develop.bench

package: $(PACKAGE).zip $(PACKAGE).cdx.json ## write what a release carries: the artifact as one file, and its bill of materials

# sam asks and deploys in one go, unless it only makes a change set: the answers are checked before one is executed.
deploy: $(CONFIG) ## build and deploy; the first time, ask for the parameters (ENV=staging or production, CI=1: ask nothing)
	@$(MAKE) build ARCH=$(STACK_ARCH)
	sed -i.bak "s/RELEASE: .*/RELEASE: '$$(date -u +%Y-%m-%dT%H:%M:%SZ)'/" .aws-sam/build/template.yaml
	$(if $(CI)$(shell $(ANSWERS) | grep parameter_overrides),,$(DEPLOY) --guided --no-execute-changeset)
	@certificates provider check --parameters $(CONFIG) --env $(ENV)
	$(DEPLOY) $(if $(CI),--no-confirm-changeset)
	@$(PYTHON) -m develop.build.old_versions $(CONFIG) $(ENV)

deploy-local: build .ministack/ready ## deploy the artifact into a stand-in for AWS on this machine, and check each step
	@$(PYTHON) -m pytest --quiet --capture=no tests/develop/test_ministack.py

smoke: .venv/ready ## check a deployment: URL=(output CertificateUrl) ID=(a signature request with a certificate). Asks for an API key
	$(if $(filter command,$(origin KEY)),$(error KEY is no argument: others could see it. Set it in the environment))
	@certificates smoke

docs: .venv/ready ## write docs/commands.md, docs/evidence.schema.json, and the API reference to .site, for any web server
	@$(PYTHON) -m operate.help_page >docs/commands.md
	@$(PYTHON) -m operate.evidence.record >docs/evidence.schema.json
	@$(PYTHON) -m develop.local.reference .site

lint: .venv/ready .checkov/ready ## check style, format, types, workflows and templates
	ruff check .
	ruff format --check .
	mypy
	mypy --python-version 3.10 docs/clients/certificate.py
	zizmor --offline --quiet --strict-collection .
	sam validate --lint
	cfn-lint
	.checkov/bin/checkov --config-file .checkov.yaml

format: .venv/ready ## apply automatic fixes
	ruff check --fix .
	ruff format .

lock: .venv/ready ## update all locks
	$(COMPILE) --upgrade --all-extras --group dev pyproject.toml -o requirements-dev.txt
	$(COMPILE) --upgrade -c requirements-dev.txt pyproject.toml -o layers/dependencies/requirements.txt
	echo uv | $(COMPILE) --no-config --upgrade - -o requirements-uv.txt
	echo checkov | $(COMPILE) --upgrade - -o requirements-checkov.txt
	echo cyclonedx-bom | $(COMPILE) --upgrade - -o requirements-sbom.txt
	printf 'aws-sam-translator\nministack\nsnapshot-restore-py\n' | $(COMPILE) --upgrade - -o requirements-ministack.txt
	for peer in floor textbook; do \
	  $(COMPILE) --upgrade -c requirements-dev.txt develop/bench/peers/$$peer/requirements.in -o develop/bench/peers/$$peer/requirements.txt || exit; \
	done

release: ## tag the version of pyproject.toml, if it is the latest in CHANGELOG.md and all is committed; pushes nothing
	@[ -z "$$(git status --porcelain)" ] || { echo 'Commit or delete first what git status shows.' >&2; exit 1; }
	@[ '$(VERSION)' = '$(LATEST)' ] || \
	  { echo 'The version is $(VERSION) in pyproject.toml and $(LATEST) in CHANGELOG.md.' >&2; exit 1; }
	git tag --annotate --message 'Version $(VERSION)' 'v$(VERSION)'

$(CONFIG):
	@cp samconfig.toml $@

clean: ## remove what was built and installed
	rm -rf .venv .uv .checkov .ministack .sbom .aws-sam .mutants .site .mypy_cache .pytest_cache .ruff_cache .coverage*

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

# Without bytecode, every cold start compiles each module again: Lambda's file system is read-only. The built template
# accepts only the architecture that the layers were built for, and `sam local` takes it from there.
$(BUILT): .venv/ready template.yaml layers/dependencies/requirements.txt develop/build/trim.py $(shell find functions layers -name '*.py')
	@rm -f .aws-sam/*.built
	$(SAM_LOCKED) sam build --parameter-overrides Architecture=$(ARCH)
	$(PYTHON) -m develop.build.trim .aws-sam/build/DependenciesLayer/python
	$(PYTHON) -m compileall -q -j 0 --invalidation-mode unchecked-hash .aws-sam/build
	@sed -i.bak '/^  Architecture:/,/Description:/{s/Default: .*/Default: $(ARCH)/;/- $(OTHER_ARCH)$$/d;}' .aws-sam/build/template.yaml
	@rm .aws-sam/build/template.yaml.bak
	@touch $@

$(PACKAGE).zip: $(BUILT) develop/build/package.py
	$(PYTHON) -m develop.build.package .aws-sam/build $@

$(PACKAGE).cdx.json: layers/dependencies/requirements.txt pyproject.toml .sbom/ready
	.sbom/bin/python -W ignore -m cyclonedx_py requirements --output-reproducible --pyproject pyproject.toml -o $@ $<

# Bytecode only where users have it: Lambda's runtime ships it with boto3 and the runtime client; `sam build` makes none.
# textbook-best has it too, and lacks the textbook's lines about the Tracer.
.SECONDEXPANSION:
.aws-sam/bench/%.ready: develop/bench/peers/$$(subst -best,,$$*)/app.py develop/bench/peers/$$(subst -best,,$$*)/requirements.txt .venv/ready
	@rm -rf .aws-sam/bench/$*
	.uv/bin/uv pip install $(LOCKED) --python .venv --target .aws-sam/bench/$* -r $(dir $<)requirements.txt
	@case $* in *-best) sed '/[Tt]racer/d' $<;; *) cat $<;; esac >.aws-sam/bench/$*/app.py
	@case $* in floor|*-best) $(PYTHON) -m compileall -q -j 0 --invalidation-mode unchecked-hash .aws-sam/bench/$*;; esac
	@touch $@

# Environments hold absolute paths: in a folder that was moved or copied, all are made again.
ifneq ($(shell cat .uv/ready 2>/dev/null),$(CURDIR))
.PHONY: .uv/ready
endif

# The locked uv is installed by pip, or by a uv on the path if python3 has no venv (stock Debian).
.uv/ready: requirements-uv.txt
	@rm -rf .uv
	@if python3 -c 'import ensurepip, venv' 2>/dev/null; then \
	  python3 -m venv .uv && .uv/bin/pip install --disable-pip-version-check --no-user $(LOCKED) -r $<; \
	elif command -v uv >/dev/null; then \
	  uv venv --quiet .uv && uv pip install --python .uv $(LOCKED) -r $<; \
	else \
	  echo "python3 has no venv module. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
	fi
	@echo '$(CURDIR)' >$@

# The project itself is installed too: it makes its packages importable and provides the command `certificates`.
.venv/ready: .uv/ready requirements-dev.txt pyproject.toml .python-version Makefile
	.uv/bin/uv venv --quiet --clear .venv
	.uv/bin/uv pip sync $(LOCKED) --python .venv requirements-dev.txt
	.uv/bin/uv pip install --quiet --python .venv --no-deps --no-build-isolation --editable .
	@touch $@

# Separate environments: checkov and MiniStack pin other versions of packages that the project uses.
.%/ready: .uv/ready requirements-%.txt .python-version
	.uv/bin/uv venv --quiet --clear .$*
	.uv/bin/uv pip sync $(LOCKED) --python .$* requirements-$*.txt
	@touch $@
