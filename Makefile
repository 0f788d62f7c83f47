# The two commands for a newcomer are `make demo` and `make test`. Each installs its own requirements.
SHELL := /bin/bash
.DEFAULT_GOAL := help

CORES ?= 2
RUN ?= demo
ARGS ?=
BIN := .venv/bin
# Rules that call snakemake or python find those of the checkout.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help venv demo status progress test test-slow test-slurm test-slurm-short test-envs lint bench lock envs clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

venv: .venv/.installed ## set up .venv with the versions of requirements.lock

.venv/.installed: requirements.lock tools/install.sh
	bash tools/install.sh
	touch $@

demo: venv ## run the embedded default: simulated patients, about a quarter of an hour on two cores
	snakemake --cores $(CORES)
	@echo "The demo is complete: results/demo/report.html, results/demo/summary.json, results/demo/figures/"

status: venv ## say what is fresh, what is stale and why; ARGS="--configfile ... --config ..." for another run than the demo
	@python tools/status.py --cores $(CORES) $(ARGS)

progress: ## show how far each training of RUN (demo) is; WATCH=10 shows it every ten seconds
	@python3 -m mosaicmr.monitoring.overview results/$(RUN) $(if $(WATCH),--watch $(WATCH))

test: venv ## run all tests but the slow tests, about twelve minutes on two cores
	python -m pytest -n $(CORES) --dist loadfile -m "not slow and not slurm and not envs"

test-slow: venv ## run the tests that `make test` leaves out
	python -m pytest -m slow

test-slurm: venv ## as root: install Debian's SLURM, start it on loopback, run the workflow on it, kill its jobs
	bash tools/install_slurm.sh
	python -m pytest -m slurm tests/slurm

test-slurm-short: venv ## as root: the shortest of these tests, three minutes without the installation of SLURM
	bash tools/install_slurm.sh --without-accounting
	python -m pytest tests/slurm/test_without_accounting.py

test-envs: venv ## build every environment of envs/ anew and import the packages of its scripts in it, half an hour
	python -m pytest -m envs

lint: venv ## check style: ruff, snakefmt, snakemake --lint
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules
	snakemake --lint

bench: venv ## measure the time to plan the jobs, and where the demo's time goes
	python benchmarks/plan_jobs.py
	python benchmarks/flops.py
	python benchmarks/stages.py results/demo
	python benchmarks/constants.py results/demo

# No prerequisite: setting up .venv would put the old versions back.
lock: ## write requirements.lock, envs/ and docs/Dockerfile from what is installed in .venv
	python tools/lock.py
	touch .venv/.installed

envs: ## write the pins in envs/ and docs/Dockerfile from requirements.lock
	python tools/lock.py --keep-lock

clean: ## remove what the demo and the tools wrote, but not .venv
	rm -rf results/demo .pytest_cache .ruff_cache
