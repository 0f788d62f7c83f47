#!/usr/bin/env bash
# Snakemake runs this in the environment that it made from evaluation.yaml. `make lock` keeps the version.
set -euo pipefail
# Its build needs packages of evaluation.yaml and does not say so, so it must not be built apart from them.
python -m pip install --no-deps --no-build-isolation pyradiomics==3.0.1
