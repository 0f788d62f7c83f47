"""Around the jobs: the trainings that `make progress` waits for, and the last words of a failed run."""

from mosaicmr.io import save_json
from mosaicmr.monitoring.failures import JobWatcher, mark_failed, report
from mosaicmr.monitoring.overview import EXPECTED
from snakemake.logging import logger as snakemake_logger

WATCHER = JobWatcher()
snakemake_logger.addHandler(WATCHER)


def expected_trainings():
    """The trainings of this run, in the order of display: their steps, and an output that proves they are done."""
    adaptation = {"adapt_base/base": {"steps": config["adaptation"]["steps"], "output": "base/adapted.json"}}
    experts = {
        f"finetune_expert/{name}": {"steps": config["experts"]["steps"], "output": f"experts/{name}/expert.json"}
        for name in EXPERTS
    }
    segmenter = config["evaluation"]["segmenter"]
    steps = segmenter["steps"] * len(segmenter["seeds"])
    segmenters = {
        f"train_segmenter/{arm}": {"steps": steps, "output": f"evaluation/segmenter/{arm}.safetensors"} for arm in ARMS
    }
    return (adaptation if ADAPTED else {}) | experts | segmenters


onstart:
    warn_of_other_triggers()
    save_json(at("progress", EXPECTED), expected_trainings())


onerror:
    # The report first: on a full disk nothing can be marked.
    snakemake_logger.error(report(WATCHER.failed()))
    mark_failed(WATCHER.failed(), at("progress"))
