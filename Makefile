# Every target installs what it needs. Python 3.11, make and git must be there; `make check`, `make test` and `make e2e` also
# use Go (`make test` leaves out what needs it, and says so, where there is none).
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
TOOLS := .tools/bin
INSTALLED := $(VENV)/.installed
# The tools of the cluster and of the workflows are Go programs; versions are pinned so that a check means the same next year.
HELM_VERSION := v3.19.5
ACTIONLINT_VERSION := v1.7.7
VERSITYGW_VERSION := v1.8.0
PROMETHEUS_VERSION := v0.313.2 # of the Go module: Prometheus 3.13.2
WORKERS ?= 2
GITLEAKS_VERSION := v8.30.1
GRYPE_VERSION := v0.121.3
PIP_AUDIT_VERSION := 2.10.1

export PATH := $(CURDIR)/$(TOOLS):$(CURDIR)/$(BIN):$(PATH)
export TF_CPP_MIN_LOG_LEVEL := 3
# Where it is set, as in many containers, every process compiles all that it imports: TensorFlow takes 12 s instead of 4.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-tools test-spark mutants check bench bench-quality effect train audit licences sbom scan-secrets scan-image \
	images docs test-docs reference clients e2e clean tools lock

help: ## Show this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 16

demo: $(INSTALLED) ## Serve real purchases on http://127.0.0.1:8080/ and train meanwhile (CHECK=1: ask once and exit; CHECK=full: trained)
	tandem demo $(if $(CHECK),--check $(if $(filter full,$(CHECK)),full,first)) --port $(or $(PORT),8080)

test: $(INSTALLED) test-tools ## Run all tests, with real servers: 6 to 7 minutes on two cores (WORKERS=2)
	pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-fast: $(INSTALLED) ## Run the tests that need no TensorFlow, Evidently, Feast, DuckDB or server: 45 seconds
	pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not tf and not evidently and not feast and not duckdb and not server and not spark and not e2e and not terraform and not docs"

test-tools: ## The programs that tests start, where there is Go; without them their tests are skipped, and named at the end
	@if command -v go >/dev/null; then $(MAKE) --no-print-directory $(TOOLS)/helm $(TOOLS)/prometheus; else echo "make test: no Go here, so no Helm and no Prometheus"; fi

test-spark: $(INSTALLED) ## Run the tests that compare DuckDB with Spark (installs PySpark; needs Java 17)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --require-hashes --requirements locks/spark.txt
	pytest -m spark

mutants: $(INSTALLED) ## Break the code expression by expression and name what no test notices (MODULE=contracts.ranking: parts)
	scripts/mutants $(MODULE)

check: $(INSTALLED) tools ## Format, lint, types, layers, chart, Terraform, workflows
	ruff format --check
	ruff check
	mypy
	lint-imports
	scripts/check-infra
	scripts/licences --check
	scripts/check-wheel

bench: $(INSTALLED) ## Speed of serving, of events and of data work: an hour and a half (BENCH=--short EVENTS=2000000: minutes)
	python -m benchmarks.serving $(BENCH)
	python -m benchmarks.events
	python -m benchmarks.data $(if $(EVENTS),--events $(EVENTS))

bench-quality: $(INSTALLED) ## Our lists next to the baselines, and next to peers on public splits (DATA="journey beauty" SMOKE=1: parts of it)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --require-hashes --requirements locks/quality.txt
	$(if $(SMOKE),,$(if $(filter journey,$(or $(DATA),journey)),dvc repro --quiet train-ranker && tandem evaluate))
	python -m benchmarks.quality $(if $(DATA),--data $(DATA)) $(if $(ONLY),--only $(ONLY)) $(if $(SMOKE),--smoke)

effect: $(INSTALLED) ## What this checkout does to lists, compared with the one in BASE (OUT: folder for effect.md)
	scripts/effect $(BASE) $(or $(OUT),effect)

train: $(INSTALLED) ## Train into ROOT, hold to gates and to the champion's lists, sign, publish (scripts/train names the settings)
	scripts/train $(or $(ROOT),trained)

licences: $(INSTALLED) ## Write docs/licences.md: the licence of each locked package, held to what pyproject.toml allows
	scripts/licences

sbom: $(INSTALLED) ## A CycloneDX bill of materials of each lock, into OUT (sbom)
	scripts/sbom $(or $(OUT),sbom)

audit: $(INSTALLED) ## Known vulnerabilities in the locked packages, and the workflows' pins asked of GitHub
	for lock in serving training monitoring; do uv tool run pip-audit==$(PIP_AUDIT_VERSION) --require-hashes --disable-pip -r locks/$$lock.txt || exit 1; done
	zizmor --persona=pedantic .github

scan-secrets: $(TOOLS)/gitleaks ## Secrets in the files and in the history
	gitleaks git --no-banner --redact .

scan-image: $(TOOLS)/grype ## Known vulnerabilities in the serving image, which it builds
	scripts/build-images serving
	grype --fail-on high "registry.local/tandem-serving:$$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)"

docs: $(INSTALLED) ## Build the documents and the slides into .docs/site (needs Node.js; Chromium for the PDF)
	scripts/docs

test-docs: $(INSTALLED) ## Run the commands that the documents show, each page in an empty folder
	pytest -m docs

reference: $(INSTALLED) ## Write docs/reference from the code, and the measured figures into the documents
	scripts/reference
	scripts/figures --write

clients: $(INSTALLED) ## Generate clients of the API in Python and TypeScript (OUT=clients; needs Node.js)
	scripts/clients $(or $(OUT),clients)

images: ## Build the serving, training and monitoring images with docker, podman or buildah
	scripts/build-images

e2e: $(INSTALLED) tools ## Install the chart on the cluster of the current kubeconfig (KServe must be there) and show that it holds
	python -m tests.e2e

clean: ## Remove everything the pipeline and the server wrote
	rm -rf data bundles feature_repo/data mlruns mlflow.db dvc.lock .dvc/tmp .dvc/cache

lock: $(INSTALLED) ## Compile the lock files from pyproject.toml
	scripts/lock

tools: $(TOOLS)/helm $(TOOLS)/actionlint

$(TOOLS)/helm:
	GOBIN=$(CURDIR)/$(TOOLS) go install helm.sh/helm/v3/cmd/helm@$(HELM_VERSION)

$(TOOLS)/actionlint:
	GOBIN=$(CURDIR)/$(TOOLS) go install github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION)

# promtool comes with it.
$(TOOLS)/prometheus:
	scripts/build-prometheus $(PROMETHEUS_VERSION) $(TOOLS)

$(TOOLS)/gitleaks:
	GOBIN=$(CURDIR)/$(TOOLS) go install github.com/zricethezav/gitleaks/v8@$(GITLEAKS_VERSION)

$(TOOLS)/grype:
	GOBIN=$(CURDIR)/$(TOOLS) go install github.com/anchore/grype/cmd/grype@$(GRYPE_VERSION)

# An S3 server for the end-to-end run, where its public image cannot be pulled.
$(TOOLS)/versitygw:
	CGO_ENABLED=0 GOBIN=$(CURDIR)/$(TOOLS) go install -ldflags "-s -w" github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW_VERSION)

# uv resolves nothing here: it installs exactly what the lock file lists, hashes checked.
$(INSTALLED): locks/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
		{ echo "Tandem needs Python 3.11; set PYTHON=/path/to/python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	test -x $(BIN)/uv || $(BIN)/pip install --quiet "uv==$$(sed -n 's/^uv==\([^ ]*\).*/\1/p' locks/dev.txt)"
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip sync --quiet --require-hashes locks/dev.txt
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --editable .
	touch $@
