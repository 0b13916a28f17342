# Everything starts here: `make` lists it. Each target makes the machine ready first (.ci/setup), which costs nothing
# when it is. Extra arguments: make demo ARGS="--trucks 24 --headless", make test ARGS="-k ledger".
.DEFAULT_GOAL := help
.PHONY: help demo test check format bench peers plates-model faults soak lock
PYTHON := .venv/bin/python
ARGS ?=

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## a running plant: broker, head office, simulated devices, trucks arriving (Ctrl-C ends it)
	@.ci/setup demo
	@exec .venv/bin/weighgate demo $(ARGS)

test: check ## check, then every test but the long fault runs; with ARGS in one process, as -x, -s and --pdb need it
	@$(PYTHON) -m pytest -q $(or $(ARGS),-n auto --maxprocesses 4 --dist loadfile)

check: ## format, lint, types, import contracts
	@.ci/setup test
	@$(PYTHON) -m ruff format --check --quiet . || { echo "unformatted files; run: make format"; exit 1; }
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports --no-logo

format: ## put all Python files into the one format, and sort imports
	@.ci/setup test
	@$(PYTHON) -m ruff check --quiet --select I --fix .
	@$(PYTHON) -m ruff format .

bench: ## the figures, each beside its floor in the same run (ARGS=--json for programs)
	@.ci/setup test
	@$(PYTHON) -m tests.bench $(ARGS)

peers: ## other people's plate readers into .venv-peers, 1 GB: make bench ARGS=plates then measures them beside ours
	@.ci/setup test
	@$(PYTHON) -m tests.bench.peers

plates-model: ## both plate nets anew from a seed into run/plates-model, 75 minutes each on one thread (SEED=1 MINUTES=75)
	@.ci/setup test
	@$(PYTHON) -m venv .venv-training
	@.venv-training/bin/pip --disable-pip-version-check install -q -r requirements-training.txt
	@.venv-training/bin/python -m drivers.camera.plates_training.train --seed $(or $(SEED),1) \
		--minutes $(or $(MINUTES),75) --out run/plates-model/reader
	@.venv-training/bin/python -m drivers.camera.plates_training.train_color run/plates-model/reader/reader.pt \
		run/plates-model/reader/coloured.pt --seed $(or $(SEED),1)
	@.venv-training/bin/python -m drivers.camera.plates_training.export run/plates-model/reader/coloured.pt \
		run/plates-model/reader.onnx
	@.venv-training/bin/python -m drivers.camera.plates_training.train_locator --seed $(or $(SEED),1) \
		--minutes $(or $(MINUTES),75) --out run/plates-model/locator
	@echo "made run/plates-model; copy the .onnx files to drivers/camera/plates/models to use them"

faults: ## the long runs: thousands of kills, cuts and bit flips
	@.ci/setup test
	@$(PYTHON) -m pytest -q -m faults --timeout 3600 $(ARGS)

soak: ## 3 plants, every fault at random, for MINUTES=5 (SEED=… repeats a run), then every invariant
	@.ci/setup test
	@$(PYTHON) -m tests.world.soak --minutes $(or $(MINUTES),5) $(if $(SEED),--seed $(SEED)) $(ARGS)

lock: ## resolve pyproject.toml again into the hashed requirements.txt
	@.ci/setup test
	@$(PYTHON) -m pip --disable-pip-version-check install -q pip-tools
	@.venv/bin/pip-compile --quiet --upgrade --extra dev --generate-hashes --strip-extras --allow-unsafe \
		--no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--output-file requirements.txt pyproject.toml
